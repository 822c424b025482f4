//! Every key of the table. What stands together is read together: that is the design of the table.
//!
//! | item | pk | sk |
//! | --- | --- | --- |
//! | upstream | `UPSTREAM#{account}` | `UPSTREAM` |
//! | quarantined body | `UPSTREAM#{account}#QUARANTINE` | `{received_at}#{hash}` |
//! | event | `ORDER#{account}#{subject}` | `EVENT#{event key}` |
//! | owner of an order, recorded | `ORDER#{account}#{subject}` | `CLAIM` |
//! | first sight of an undated event | `ORDER#{account}#{subject}` | `SEEN#{digest}` |
//! | tenant, operator | `TENANT#{tenant}`, `OPERATOR` | `TENANT`, `OPERATOR` |
//! | subscription | `TENANT#{tenant}` | `SUBSCRIPTION#{id}` |
//! | feed entry | `TENANT#{tenant}#FEED#{day}` | `{received_at}#{digest}` |
//! | feed entry of what nobody owns | `UPSTREAM#{account}#UNOWNED#{day}` | the same |
//! | delivery | `LANE#{subscription}#{subject}` | `{event key}` |
//! | how far `schedule` has come | `SCHEDULE` | `DUE` |
//!
//! The sparse index `due` holds deliveries at rest: `DUE#{minute}#{shard}` by due time, and
//! `DEAD#{tenant}` by the time of giving up.

use domain::event::{EventKey, sortable};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Name of the sparse index, of its hash attribute, and of its range attribute.
pub const DUE_INDEX: &str = "due";
pub const DUE: &str = "due";
pub const DUE_AT: &str = "due_at";
/// The one attribute besides the keys that the index holds.
pub const ATTEMPTS_MADE: &str = "attempts_made";

/// An event item's `sk` starts with this; the stream is filtered by it.
pub const EVENT_PREFIX: &str = "EVENT#";

/// Parked deliveries of one minute are spread over this many partitions of the index, each good for
/// 1,000 writes a second. (AWS: DynamoDB quotas.)
pub const DUE_SHARDS: u32 = 4;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    pub pk: String,
    pub sk: String,
}

/// The deliveries of one subscription for one order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Lane {
    pub subscription: String,
    /// The order, or the event that stands alone (`Notification::subject`).
    pub subject: String,
}

impl Lane {
    pub fn pk(&self) -> String {
        format!("LANE#{}#{}", self.subscription, self.subject)
    }

    pub fn delivery(&self, key: &EventKey) -> Key {
        Key { pk: self.pk(), sk: key.to_string() }
    }

    /// Reads [`Lane::pk`]; subscription ids hold no `#`.
    pub fn parse(pk: &str) -> Option<Lane> {
        let (subscription, subject) = pk.strip_prefix("LANE#")?.split_once('#')?;
        Some(Lane { subscription: subscription.into(), subject: subject.into() })
    }
}

pub(super) fn upstream(account: &str) -> Key {
    Key { pk: format!("UPSTREAM#{account}"), sk: "UPSTREAM".into() }
}

pub(super) fn quarantine(account: &str, received_at: Timestamp, hash: &str) -> Key {
    Key {
        pk: format!("UPSTREAM#{account}#QUARANTINE"),
        sk: format!("{}#{hash}", sortable(received_at)),
    }
}

pub(super) fn event(account: &str, subject: &str, key: &EventKey) -> Key {
    Key { pk: order(account, subject), sk: format!("{EVENT_PREFIX}{key}") }
}

pub(super) fn seen(account: &str, subject: &str, digest: &str) -> Key {
    Key { pk: order(account, subject), sk: format!("SEEN#{digest}") }
}

pub(super) fn claim(account: &str, subject: &str) -> Key {
    Key { pk: order(account, subject), sk: "CLAIM".into() }
}

fn order(account: &str, subject: &str) -> String {
    format!("ORDER#{account}#{subject}")
}

pub(super) fn operator() -> Key {
    Key { pk: "OPERATOR".into(), sk: "OPERATOR".into() }
}

pub(super) fn tenant(tenant: &str) -> Key {
    Key { pk: format!("TENANT#{tenant}"), sk: "TENANT".into() }
}

pub(super) const SUBSCRIPTION_PREFIX: &str = "SUBSCRIPTION#";

pub(super) fn subscription(tenant: &str, id: &str) -> Key {
    Key { pk: self::tenant(tenant).pk, sk: format!("{SUBSCRIPTION_PREFIX}{id}") }
}

/// `owner` is a tenant, or for what nobody owns the upstream.
pub(super) fn feed(owner: Option<&str>, account: &str, at: Timestamp, digest: &str) -> Key {
    let received_at = sortable(at);
    let day = received_at.split('T').next().unwrap_or_default();
    Key {
        pk: match owner {
            Some(tenant) => format!("TENANT#{tenant}#FEED#{day}"),
            None => format!("UPSTREAM#{account}#UNOWNED#{day}"),
        },
        sk: format!("{received_at}#{digest}"),
    }
}

pub(super) fn schedule_cursor() -> Key {
    Key { pk: "SCHEDULE".into(), sk: "DUE".into() }
}

/// Where a delivery is parked that is due at `at`.
pub(super) fn due(at: Timestamp, key: &EventKey) -> String {
    // A digest is hexadecimal and evenly spread, so its last digit is a fair shard.
    let digit = key.digest().chars().last().and_then(|digit| digit.to_digit(16));
    due_partition(at, digit.unwrap_or_default() % DUE_SHARDS)
}

/// One partition of the parked: those due within the minute of `at`, in one shard.
pub(super) fn due_partition(at: Timestamp, shard: u32) -> String {
    let at = sortable(at);
    // `2026-02-03T10:11:12.345Z` up to the minute; sortable times have one width.
    format!("DUE#{}#{shard}", at.get(..16).unwrap_or(&at))
}

pub(super) fn dead(tenant: &str) -> String {
    format!("DEAD#{tenant}")
}

#[cfg(test)]
mod tests {
    use super::{Lane, due, due_partition, feed};
    use domain::event::EventKey;
    use jiff::Timestamp;

    #[test]
    fn a_lane_is_read_back_from_its_key() {
        let lane = Lane { subscription: "s-1".into(), subject: "o-1".into() };
        assert_eq!(Lane::parse(&lane.pk()), Some(lane));
        assert_eq!(Lane::parse("TENANT#1"), None);
    }

    #[test]
    fn a_parked_delivery_stands_in_one_of_the_partitions_of_its_minute() {
        let at: Timestamp = "2026-02-03T10:11:59.999Z".parse().unwrap();
        let key = EventKey::new(at, "000000000000000000000000000000e7");
        assert_eq!(due(at, &key), due_partition(at, 3));
        assert_eq!(due_partition(at, 3), "DUE#2026-02-03T10:11#3");
    }

    #[test]
    fn a_feed_is_kept_by_day_and_by_owner() {
        let at: Timestamp = "2026-02-03T10:11:12Z".parse().unwrap();
        let key = feed(Some("1001"), "99", at, "ab");
        assert_eq!(
            (key.pk.as_str(), key.sk.as_str()),
            ("TENANT#1001#FEED#2026-02-03", "2026-02-03T10:11:12.000Z#ab")
        );
        assert_eq!(feed(None, "99", at, "ab").pk, "UPSTREAM#99#UNOWNED#2026-02-03");
    }
}
