//! The XML of Bandwidth's own API: what its clients ask, and the answers that they understand.
//!
//! Source: Bandwidth's public API reference (dev.bandwidth.com, "Subscriptions", "Orders", "Errors")
//! and the test data of its published clients. Where those differ from each other, an answer has the
//! form that every client reads, and a request may have any.

mod answer;
mod ask;
mod element;
mod kind;
mod reply;
mod request;

pub use answer::error::{ErrorRoot, error};
pub use answer::order::order;
pub use answer::orders::{Page, orders};
pub use answer::parts::{Report, history, notes, quantity, reports, telephone_numbers};
pub use answer::subscription::{EXPIRY_ENDLESS, subscription_one, subscriptions};
pub use ask::wanted;
pub use kind::Kind;
pub use reply::{
    Described, Held, Listed, Listing, Stated, described, held, history as stated, listing, refusal,
};
pub use request::note::{NoteRequest, note};
pub use request::subscription::{EXPIRY_DEFAULT, SubscriptionRequest, subscription};

/// Why a request was refused, in Bandwidth's terms.
///
/// The description goes back to whoever asked: it names elements and what they may hold, and quotes
/// nothing out of the body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {description}")]
pub struct Refused {
    /// One of Bandwidth's error codes.
    pub code: u16,
    pub description: String,
}

impl Refused {
    pub fn new(code: u16, description: impl Into<String>) -> Refused {
        Refused { code, description: description.into() }
    }
}
