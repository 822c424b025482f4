//! What a tenant asked to be told, and where. Bandwidth's own fields and the relay's additions.

use jiff::SignedDuration;
use secrecy::SecretString;

use crate::notification::{Notification, NumberFormat};
use crate::order;

/// One tenant's request to be told at one endpoint.
#[derive(Debug, Clone)]
pub struct Subscription {
    pub id: String,
    pub tenant: String,
    pub topic: Topic,
    pub url: String,
    pub format: Format,
    /// How telephone numbers are written in the body.
    pub numbers: NumberFormat,
    /// `whsec_...`; two while a secret is being rotated, and then each signs.
    pub signing_secrets: Vec<SecretString>,
    /// Basic credentials that the endpoint asks for.
    pub credentials: Option<Credentials>,
    /// Waits between attempts; `None` is [`crate::retry::WAITS`].
    pub waits: Option<Vec<SignedDuration>>,
}

#[derive(Debug, Clone)]
pub struct Credentials {
    pub username: String,
    pub password: SecretString,
}

/// What a subscription is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topic {
    /// Everything that the tenant owns.
    All,
    /// Every order of one type. Bandwidth's XML can say this one and the next.
    OrderType(String),
    /// Events that touch numbers and belong to no order, such as `MESSAGING_LOST`.
    EventType(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Bandwidth's `<Notification>`.
    #[default]
    Xml,
    Json,
}

impl Topic {
    /// Whether a notification is about this. Names are compared without regard to case.
    pub fn covers(&self, notification: &Notification) -> bool {
        match self {
            Topic::All => true,
            Topic::OrderType(wanted) => notification
                .order
                .as_ref()
                .is_some_and(|order| order::same_type(&order.order_type, wanted)),
            Topic::EventType(wanted) => notification
                .event_type
                .as_ref()
                .is_some_and(|event_type| event_type.eq_ignore_ascii_case(wanted)),
        }
    }
}

impl Subscription {
    /// The notification as this subscription wants to read it.
    pub fn render(&self, notification: &Notification) -> String {
        match self.format {
            Format::Xml => notification.to_xml(&self.id, self.numbers),
            Format::Json => notification.to_json(&self.id, self.numbers),
        }
    }

    pub fn content_type(&self) -> &'static str {
        match self.format {
            Format::Xml => "application/xml; charset=utf-8",
            Format::Json => "application/json",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Topic;
    use crate::notification::Notification;

    #[track_caller]
    fn check(topic: Topic, body: &str, covered: bool) {
        let notification = Notification::parse(body.as_bytes()).unwrap();
        assert_eq!(topic.covers(&notification), covered, "{topic:?}");
    }

    #[test]
    fn a_topic_covers_its_own_kind_whatever_the_case() {
        let order =
            "<Notification><OrderType>PortIns</OrderType><OrderId>a-1</OrderId></Notification>";
        let event = "<Notification><EventType>MESSAGING_LOST</EventType></Notification>";
        check(Topic::All, order, true);
        check(Topic::All, event, true);
        check(Topic::OrderType("portins".into()), order, true);
        check(Topic::OrderType("orders".into()), order, false);
        check(Topic::OrderType("portins".into()), event, false);
        check(Topic::EventType("messaging_lost".into()), event, true);
        check(Topic::EventType("messaging_lost".into()), order, false);
    }
}
