//! What a tenant asked to be told, and where. Bandwidth's own fields and the relay's additions.

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::health::Health;
use crate::notification::{Notification, NumberFormat};
use crate::{operational, order};

/// One tenant's request to be told at one place.
#[derive(Debug, Clone)]
pub struct Subscription {
    pub id: String,
    pub tenant: String,
    pub topic: Topic,
    pub target: Target,
    pub format: Format,
    /// How telephone numbers are written in the body.
    pub numbers: NumberFormat,
    /// Which events of an order are delivered.
    pub mode: Mode,
    /// What becomes of an order's next event when all attempts for one have failed.
    pub policy: Policy,
    /// Only these states, in any case; empty: all, and notes too.
    pub states: Vec<String>,
    /// More than one while a secret is being rotated, and then each signs.
    pub secrets: Vec<SigningSecret>,
    /// Waits between attempts; `None` is [`crate::retry::WAITS`].
    pub waits: Option<Vec<SignedDuration>>,
    /// Sent with each delivery, beside the relay's own.
    pub headers: Vec<(String, String)>,
    /// While it is not, its events collect.
    pub enabled: bool,
    /// Why it is not, where the relay disabled it.
    pub given_up: Option<GivenUp>,
    /// Attempts in a second, at most.
    pub rate: Option<u32>,
    pub health: Health,
    pub created_at: Timestamp,
    /// From here on nothing new matches.
    pub expires_at: Option<Timestamp>,
    /// What the endpoint said last, such as `200 OK`; `None` before the first attempt.
    pub status: Option<String>,
    /// Counts changes by the tenant, from 1.
    pub revision: u64,
}

/// Where a tenant is told.
#[derive(Debug, Clone)]
pub enum Target {
    Callback(Callback),
    Email(Email),
}

#[derive(Debug, Clone)]
pub struct Callback {
    pub url: String,
    /// Basic credentials that the endpoint asks for.
    pub basic: Option<Credentials>,
    /// The endpoint's certificate: base64 of DER.
    pub public_key: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    pub address: String,
    pub digest: Digest,
}

/// How often a mail goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Digest {
    /// At each event.
    #[default]
    None,
    /// Once a day.
    Daily,
}

#[derive(Debug, Clone)]
pub struct Credentials {
    pub username: String,
    pub password: SecretString,
}

/// `whsec_...`, and until when it signs, if another has taken its place.
#[derive(Debug, Clone)]
pub struct SigningSecret {
    pub secret: SecretString,
    pub until: Option<Timestamp>,
}

/// What a subscription is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topic {
    /// Everything that the tenant owns.
    All,
    /// Every order of one type. Bandwidth's XML can say this one and those below.
    OrderType(String),
    /// One order, until its final state has been delivered.
    Order { order_type: String, order_id: String },
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Every event, one after the other.
    #[default]
    Every,
    /// The newest that waits; those before it are superseded.
    Latest,
    /// Only the states that end an order.
    Final,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// The order goes on with its next event.
    #[default]
    Skip,
    /// The order waits until somebody acts.
    Halt,
}

/// Why the relay disabled a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GivenUp {
    /// Its endpoint has failed for too long.
    Failing,
    /// Its endpoint said that it is gone for good.
    Gone,
}

/// What decides, besides the topic, whether a notification goes to a subscription.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Filter {
    /// Only states that end an order.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub final_only: bool,
    /// Only these, in any case; empty: all, and notes too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

impl Filter {
    /// Whether a notification passes that is looked at at `now`.
    pub fn passes(&self, notification: &Notification, now: Timestamp) -> bool {
        if self.expires_at.is_some_and(|at| at <= now) {
            return false;
        }
        let Some(order) = &notification.order else {
            // An event has no state to choose by.
            return true;
        };
        let status = notification.status.as_deref();
        let listed = |status: &str| self.states.iter().any(|one| one.eq_ignore_ascii_case(status));
        let ends = |status: &str| order::is_terminal(&order.order_type, status);
        (self.states.is_empty() || status.is_some_and(listed))
            && (!self.final_only || status.is_some_and(ends))
    }
}

/// One name for an order type, however it is written.
pub fn type_key(order_type: &str) -> String {
    let known = order::order_type(order_type);
    known.map_or(order_type, |known| known.name).to_ascii_lowercase()
}

impl Topic {
    /// One name for a topic, however its types are written. A single order has that of its type.
    pub fn key(&self) -> String {
        match self {
            Topic::All => "ALL".into(),
            Topic::OrderType(order_type) | Topic::Order { order_type, .. } => {
                format!("TYPE#{}", type_key(order_type))
            }
            Topic::EventType(event_type) => format!("EVENT#{}", event_type.to_ascii_lowercase()),
        }
    }

    /// The names of the topics that a notification belongs to.
    pub fn keys_of(notification: &Notification) -> Vec<String> {
        let order = notification.order.as_ref();
        let of_order = order.map(|order| Topic::OrderType(order.order_type.clone()));
        let of_event = notification.event_type.clone().map(Topic::EventType);
        if notification.event_type.as_deref().is_some_and(operational::is_operational) {
            // Who asked for everything asked for Bandwidth's.
            return of_event.iter().map(Topic::key).collect();
        }
        [Some(Topic::All), of_order, of_event].iter().flatten().map(Topic::key).collect()
    }
}

impl Subscription {
    pub fn filter(&self) -> Filter {
        Filter {
            final_only: self.mode == Mode::Final,
            states: self.states.clone(),
            expires_at: self.expires_at,
        }
    }

    /// What the endpoint said last, if it is the endpoint of `target` too.
    pub fn status_at(&self, target: &Target) -> Option<String> {
        match (&self.target, target) {
            (Target::Callback(is), Target::Callback(new)) if is.url == new.url => {
                self.status.clone()
            }
            _ => None,
        }
    }

    pub fn callback(&self) -> Option<&Callback> {
        match &self.target {
            Target::Callback(callback) => Some(callback),
            Target::Email(_) => None,
        }
    }

    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

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
    use super::{Filter, Topic};
    use crate::notification::Notification;

    fn parse(body: &str) -> Notification {
        Notification::parse(body.as_bytes()).unwrap()
    }

    #[test]
    fn a_notification_belongs_to_the_topics_of_its_kind_whatever_the_case() {
        let order = parse(
            "<Notification><OrderType>LIDBs</OrderType><OrderId>a-1</OrderId></Notification>",
        );
        let event = parse("<Notification><EventType>MESSAGING_LOST</EventType></Notification>");
        let future = parse(
            "<Notification><OrderType>Newer</OrderType><OrderId>a-1</OrderId></Notification>",
        );
        assert_eq!(Topic::keys_of(&order), ["ALL", "TYPE#lidb"]);
        assert_eq!(Topic::keys_of(&event), ["ALL", "EVENT#messaging_lost"]);
        assert_eq!(Topic::keys_of(&future), ["ALL", "TYPE#newer"]);
        assert_eq!(Topic::OrderType("lidb".into()).key(), "TYPE#lidb");
        assert_eq!(Topic::EventType("Messaging_Lost".into()).key(), "EVENT#messaging_lost");
    }

    #[test]
    fn a_filter_chooses_by_state_and_time() {
        let of = |status: &str| {
            parse(&format!(
                "<Notification><OrderType>portins</OrderType><OrderId>a</OrderId>\
                 <Status>{status}</Status></Notification>"
            ))
        };
        let note = parse(
            "<Notification><OrderType>portins</OrderType><OrderId>a</OrderId><Note>n</Note></Notification>",
        );
        let event = parse("<Notification><EventType>MESSAGING_LOST</EventType></Notification>");
        let now = "2026-02-03T10:00:00Z".parse().unwrap();
        let passes = |filter: &Filter| {
            [&of("FOC"), &of("COMPLETE"), &note, &event].map(|one| filter.passes(one, now))
        };
        assert_eq!(passes(&Filter::default()), [true, true, true, true]);
        let last = Filter { final_only: true, ..Filter::default() };
        assert_eq!(passes(&last), [false, true, false, true]);
        let listed = Filter { states: vec!["foc".into()], ..Filter::default() };
        assert_eq!(passes(&listed), [true, false, false, true]);
        let expired = Filter { expires_at: Some(now), ..Filter::default() };
        assert_eq!(passes(&expired), [false; 4]);
    }
}
