//! The two queues: wakes name a delivery to look at, the inbox keeps what the table refused.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use base64::engine::general_purpose::STANDARD;
use domain::delivery::Delivery;
use domain::event::EventKey;
use domain::lane::{QUEUE_DELAY_MAX, Seen};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::store::Lane;

/// Messages that one request may send. (AWS: SQS quotas.)
pub const BATCH_MAX: usize = 10;

/// The queue failed or is out of reach. Repeating the whole handler is safe.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action}")]
pub struct QueueError {
    action: &'static str,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// Look at this delivery. It carries no payload: the table is the truth, a wake is a hint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wake {
    #[serde(flatten)]
    pub lane: Lane,
    pub key: EventKey,
    /// Attempts that were made when this wake was sent.
    pub attempt: u32,
    /// How often the delivery had been revived by then.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub revivals: u32,
    /// Where it stood then among those that `schedule` wakes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at_ms: Option<i64>,
    /// It goes by the queue for endpoints that ail.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub aside: bool,
    /// When the attempt may be made, where the tenant limits their rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<Timestamp>,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Sends wakes.
#[derive(Clone)]
pub struct Wakes {
    client: Client,
    url: String,
    aside_url: String,
}

impl Wakes {
    /// For a sender that knows nothing of how endpoints are.
    pub fn new(client: Client, url: impl Into<String>) -> Wakes {
        let url = url.into();
        Wakes { client, aside_url: url.clone(), url }
    }

    /// With the queue for endpoints that ail.
    pub fn with_aside(self, aside_url: impl Into<String>) -> Wakes {
        Wakes { aside_url: aside_url.into(), ..self }
    }

    /// Sends a wake that arrives after `delay`, rounded up to whole seconds, at most 900.
    pub async fn send(&self, wake: &Wake, delay: SignedDuration) -> Result<(), QueueError> {
        let action = "send a wake";
        self.client
            .send_message()
            .queue_url(if wake.aside { &self.aside_url } else { &self.url })
            .message_body(body(action, wake)?)
            // Fair queues: an endpoint with many waiting wakes does not hold up the others'.
            .message_group_id(&wake.lane.subscription)
            .delay_seconds(whole_seconds(delay))
            .send()
            .await
            .map(drop)
            .map_err(|source| QueueError { action, source: source.into() })
    }

    /// Sends wakes of which none goes aside, at most [`BATCH_MAX`], by one request, and again by itself
    /// what the queue leaves out. If that fails, some may have been sent.
    pub(crate) async fn send_together(&self, wakes: &[Wake]) -> Result<(), QueueError> {
        let action = "send wakes";
        let entry = |(nth, wake): (usize, &Wake)| {
            let entry = SendMessageBatchRequestEntry::builder().id(nth.to_string());
            let entry = entry.message_group_id(&wake.lane.subscription);
            let entry = entry.message_body(body(action, wake)?).build();
            entry.map_err(|source| QueueError { action, source: source.into() })
        };
        let entries = wakes.iter().enumerate().map(entry).collect::<Result<_, _>>()?;
        let batch = self.client.send_message_batch().queue_url(&self.url);
        let sent = batch.set_entries(Some(entries)).send().await;
        let sent = sent.map_err(|source| QueueError { action, source: source.into() })?;
        for failed in sent.failed {
            tracing::warn!(code = failed.code, "a wake of several was left out, and is sent again");
            let wake = failed.id.parse().ok().and_then(|nth: usize| wakes.get(nth));
            let wake = wake.ok_or(QueueError { action, source: failed.code.into() })?;
            self.send(wake, SignedDuration::ZERO).await?;
        }
        Ok(())
    }
}

fn body(action: &'static str, wake: &Wake) -> Result<String, QueueError> {
    serde_json::to_string(wake).map_err(|source| QueueError { action, source: source.into() })
}

impl Wake {
    /// For the next attempt of a delivery as it stands.
    pub fn of(lane: Lane, delivery: &Delivery) -> Wake {
        Wake::new(lane, delivery.key.clone(), Seen::of(delivery))
    }

    /// The same, as far as it is known.
    pub fn new(lane: Lane, key: EventKey, seen: Seen) -> Wake {
        let Seen { attempts_made: attempt, revivals, due_at_ms } = seen;
        Wake { lane, key, attempt, revivals, due_at_ms, aside: false, slot: None }
    }

    /// For the attempt after this one, which failed.
    pub fn again(&self, delivery: &Delivery) -> Wake {
        let attempts_made = delivery.attempts_made + 1;
        let seen = Seen { attempts_made, due_at_ms: None, ..Seen::of(delivery) };
        Wake { aside: true, slot: None, ..self.clone() }.seeing(seen)
    }

    /// For the delivery that this one's handler goes on with.
    pub fn passed_on_to(&self, next: &Delivery) -> Wake {
        Wake { key: next.key.clone(), slot: None, ..self.clone() }.seeing(Seen::of(next))
    }

    /// The delivery as it stood when this was sent.
    pub fn seen(&self) -> Seen {
        let Wake { attempt: attempts_made, revivals, due_at_ms, .. } = *self;
        Seen { attempts_made, revivals, due_at_ms }
    }

    fn seeing(self, seen: Seen) -> Wake {
        let Seen { attempts_made: attempt, revivals, due_at_ms } = seen;
        Wake { attempt, revivals, due_at_ms, ..self }
    }

    /// Reads what [`Wakes::send`] wrote.
    pub fn parse(body: &str) -> Result<Wake, serde_json::Error> {
        serde_json::from_str(body)
    }
}

/// A notification as it arrived, on its way into the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    /// The upstream account of the ingest URL.
    pub account: String,
    pub received_at: Timestamp,
    /// At most `limits::BODY_BYTES_MAX`; what came beyond that was not read.
    #[serde(with = "as_base64")]
    pub body: Vec<u8>,
    /// The body was longer than what is kept.
    pub too_long: bool,
    pub proof: Proof,
}

/// Why an arrival is believed to come from the upstream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    pub username: String,
    /// A password never stands in a queue; its hash is what is stored anyway.
    #[serde(with = "as_base64_32")]
    pub password_sha256: [u8; 32],
    /// The credentials were found right on arrival, and need no second look.
    pub verified: bool,
}

/// Sends to the inbox.
#[derive(Clone)]
pub struct Inbox {
    client: Client,
    url: String,
}

impl Inbox {
    pub fn new(client: Client, url: impl Into<String>) -> Inbox {
        Inbox { client, url: url.into() }
    }

    pub async fn send(&self, arrival: &Arrival) -> Result<(), QueueError> {
        let action = "put a notification into the inbox";
        let body = serde_json::to_string(arrival)
            .map_err(|source| QueueError { action, source: source.into() })?;
        self.client
            .send_message()
            .queue_url(&self.url)
            .message_body(body)
            .send()
            .await
            .map(drop)
            .map_err(|source| QueueError { action, source: source.into() })
    }
}

impl Arrival {
    /// Reads what [`Inbox::send`] wrote.
    pub fn parse(body: &str) -> Result<Arrival, serde_json::Error> {
        serde_json::from_str(body)
    }
}

/// Rounded up, so that a wake does not arrive before its delivery is due.
fn whole_seconds(delay: SignedDuration) -> i32 {
    let delay = delay.clamp(SignedDuration::ZERO, QUEUE_DELAY_MAX);
    let seconds = delay.as_secs() + i64::from(delay.subsec_nanos() > 0);
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

/// SQS takes only characters that XML allows, and a body is any bytes.
mod as_base64 {
    use super::STANDARD;
    use base64::Engine as _;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(from)?).map_err(D::Error::custom)
    }
}

mod as_base64_32 {
    use serde::{Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
        super::as_base64::serialize(bytes, to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 32], D::Error> {
        let bytes = super::as_base64::deserialize(from)?;
        <[u8; 32]>::try_from(bytes).map_err(|_| D::Error::custom("a hash has 32 bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::whole_seconds;
    use jiff::SignedDuration;

    #[test]
    fn a_delay_is_rounded_up_and_kept_within_what_the_queue_takes() {
        let check = |millis, seconds| {
            assert_eq!(whole_seconds(SignedDuration::from_millis(millis)), seconds)
        };
        check(-5, 0);
        check(0, 0);
        check(1, 1);
        check(1000, 1);
        check(4200, 5);
        check(5_000_000, 900);
    }
}
