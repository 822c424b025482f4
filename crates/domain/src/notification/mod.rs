//! What Bandwidth says when an order changes or an event touches a number.

pub(crate) mod decode;
mod digest;
pub(crate) mod document;
mod json;
mod malformed;
mod number;
mod parse;
pub(crate) mod xml;

pub use malformed::Malformed;
pub use number::NumberFormat;

/// One notification. States, types and dates are as Bandwidth sent them: it adds new ones without
/// notice. Empty elements are absent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notification {
    /// Bandwidth's subscription, not a tenant's.
    pub subscription_id: Option<String>,
    /// The order that it is about. Without one, there is an event type.
    pub order: Option<Order>,
    /// Event notifications, such as `MESSAGING_LOST`.
    pub event_type: Option<String>,
    /// The state that the order is in now.
    pub status: Option<String>,
    pub message: Option<String>,
    pub note: Option<String>,
    /// Also there on some failed orders: the status says what became of them.
    pub completed_telephone_numbers: Vec<String>,
    pub impacted_telephone_numbers: Vec<String>,
    /// When the order changed; absent in older messages. See [`crate::event::stated_time`].
    pub last_modified_date: Option<String>,
    pub actual_foc_date: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub order_type: String,
    pub order_id: String,
    /// The name that Bandwidth's customer gave it.
    pub customer_order_id: Option<String>,
}

impl Notification {
    /// Reads a body as Bandwidth posts it. The error's text holds nothing out of the body.
    pub fn parse(body: &[u8]) -> Result<Notification, Malformed> {
        parse::parse(body)
    }

    /// Bandwidth's own form, under a tenant's subscription.
    pub fn to_xml(&self, subscription_id: &str, format: NumberFormat) -> String {
        xml::render(self, subscription_id, format)
    }

    /// The same as JSON: names in camelCase, lists as arrays, what is absent left out.
    pub fn to_json(&self, subscription_id: &str, format: NumberFormat) -> String {
        json::render(self, subscription_id, format)
    }

    /// Names the content: 32 hexadecimal digits, lower case.
    ///
    /// Bandwidth reports one change once for each subscription that matches, with that
    /// subscription's id and number format. All of these have one digest.
    pub fn digest(&self) -> String {
        digest::digest(self)
    }

    /// Names the change of state that this tells of, whatever else it says: the order's history names
    /// it alike. `at` is when that was, in one form. As long as [`Notification::digest`]; `None` for notes
    /// and events.
    pub fn state_digest(&self, at: &str) -> Option<String> {
        digest::state_digest(self, at)
    }

    /// What keeps events together and in order: the order id, lower case. An event without an
    /// order stands alone.
    pub fn subject(&self) -> String {
        match &self.order {
            Some(order) => order.order_id.to_ascii_lowercase(),
            None => format!("event-{}", self.digest()),
        }
    }

    /// What happened, in a word: the new state, `note`, or the type of the event.
    pub fn change(&self) -> &str {
        let note = self.note.as_ref().map(|_| "note");
        self.status.as_deref().or(note).or(self.event_type.as_deref()).unwrap_or_default()
    }
}
