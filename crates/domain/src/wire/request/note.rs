//! A note that somebody adds to an order.

use super::{code, element};
use crate::limits::{NOTE_REQUEST_CHARS_MAX, NOTE_USER_CHARS_MAX};
use crate::wire::Refused;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteRequest {
    /// Whom the client says that it is from. Bandwidth wants the name of who is asking.
    pub user: Option<String>,
    pub text: String,
}

/// Reads `<Note>` with `<UserId>` and `<Description>`.
pub fn note(body: &[u8]) -> Result<NoteRequest, Refused> {
    let root = element::root(body, "Note", code::REQUIRED)?;
    let user = root.text("UserId", code::REQUIRED)?.filter(|user| !user.is_empty());
    let text = root.text("Description", code::REQUIRED)?.unwrap_or_default();
    if text.is_empty() {
        return Err(Refused::new(
            code::REQUIRED,
            "<Description> is required and must not be empty",
        ));
    }
    bounded("Description", text, NOTE_REQUEST_CHARS_MAX)?;
    bounded("UserId", user.unwrap_or_default(), NOTE_USER_CHARS_MAX)?;
    Ok(NoteRequest { user: user.map(str::to_owned), text: text.to_owned() })
}

fn bounded(element: &str, text: &str, chars_max: usize) -> Result<(), Refused> {
    if text.chars().nth(chars_max).is_none() {
        return Ok(());
    }
    let description = format!("<{element}> is longer than {chars_max} characters");
    Err(Refused::new(code::REQUIRED, description))
}
