//! What went wrong.

use super::Answer;
use crate::wire::Refused;

/// What a request was about, which names the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorRoot {
    Subscriptions,
    Note,
    Order,
    /// Anything else, such as a path that is not there.
    Error,
}

pub fn error(root: ErrorRoot, refused: &Refused) -> String {
    let root = match root {
        ErrorRoot::Subscriptions => "SubscriptionsResponse",
        ErrorRoot::Note => "NoteResponse",
        ErrorRoot::Order => "OrderResponse",
        ErrorRoot::Error => "ErrorResponse",
    };
    Answer::write(&[root, "ResponseStatus"], |status| {
        status.number("ErrorCode", refused.code);
        status.text("Description", &refused.description);
    })
}
