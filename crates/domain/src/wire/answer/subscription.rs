//! Subscriptions.

use jiff::{SignedDuration, Timestamp};

use super::Answer;
use crate::notification::NumberFormat;
use crate::subscription::{Callback, Digest, Subscription, Target, Topic};

/// What remains of a callback that does not end. Bandwidth's XML cannot say so; its documentation
/// has 100 years where a subscription is to stay.
pub const EXPIRY_ENDLESS: SignedDuration = SignedDuration::from_hours(100 * 365 * 24);

/// What stands for everything that a tenant owns, which only the relay's own API can ask for. It is
/// no type of order: who sends it back is refused, and nobody narrows a subscription by accident.
const ALL: &str = "all";

/// A list, which may be empty.
pub fn subscriptions(all: &[Subscription], now: Timestamp) -> String {
    Answer::write(&["SubscriptionsResponse", "Subscriptions"], |answer| {
        for one in all {
            write(answer, one, now);
        }
    })
}

/// One, in both places where Bandwidth's clients look: directly in the root, and in a list of one.
pub fn subscription_one(one: &Subscription, now: Timestamp) -> String {
    Answer::write(&["SubscriptionsResponse"], |answer| {
        write(answer, one, now);
        answer.within(&["Subscriptions"], |answer| write(answer, one, now));
    })
}

fn write(answer: &mut Answer, one: &Subscription, now: Timestamp) {
    answer.within(&["Subscription"], |answer| {
        answer.text("SubscriptionId", &one.id);
        match &one.topic {
            Topic::All => answer.text("OrderType", ALL),
            Topic::OrderType(order_type) => answer.text("OrderType", order_type),
            Topic::Order { order_type, order_id } => {
                answer.text("OrderType", order_type);
                answer.text("OrderId", order_id);
            }
            Topic::EventType(event_type) => answer.text("EventType", event_type),
        }
        match &one.target {
            Target::Callback(target) => callback(answer, one, target, now),
            Target::Email(email) => answer.within(&["EmailSubscription"], |answer| {
                answer.text("Email", &email.address);
                let digest = match email.digest {
                    Digest::None => "NONE",
                    Digest::Daily => "DAILY",
                };
                answer.text("DigestRequested", digest);
            }),
        }
    });
}

fn callback(answer: &mut Answer, one: &Subscription, target: &Callback, now: Timestamp) {
    answer.within(&["CallbackSubscription"], |answer| {
        answer.text("URL", &target.url);
        let remains = one.expires_at.map_or(EXPIRY_ENDLESS, |at| at.duration_since(now));
        answer.number("Expiry", remains.as_secs().max(0));
        answer.text("Status", one.status.as_deref().unwrap_or("READY"));
        let numbers = match one.numbers {
            NumberFormat::Legacy => "LEGACY",
            NumberFormat::E164 => "E164",
        };
        answer.text("NumberFormat", numbers);
        if target.basic.is_none() && target.public_key.is_none() {
            return;
        }
        answer.within(&["CallbackCredentials"], |answer| {
            if let Some(basic) = &target.basic {
                // Never the password.
                answer.within(&["BasicAuthentication"], |answer| {
                    answer.text("Username", &basic.username);
                });
            }
            answer.maybe("PublicKey", target.public_key.as_deref());
        });
    });
}
