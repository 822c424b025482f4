//! Every key of the table. What stands together is read together: that is the design of the table.
//!
//! | item | pk | sk |
//! | --- | --- | --- |
//! | upstream | `UPSTREAMS` | `{account}` |
//! | tenant | `TENANTS` | `{tenant}` |
//! | API key | `KEYS` | `{id}` |
//! | networks that an operator allowed | `SETTINGS` | `NETWORKS` |
//! | quarantined body | `UPSTREAM#{account}#QUARANTINE` | `{received_at}#{hash}` |
//! | event | `ORDER#{account}#{subject}` | `EVENT#{event key}` |
//! | tenant's note | `ORDER#{account}#{subject}` | `NOTE#{id}` |
//! | owner of an order, recorded | `ORDER#{account}#{subject}` | `CLAIM` |
//! | order that is being placed | `PLACING#{account}` | `{until}#{id}` |
//! | first sight of an undated event | `ORDER#{account}#{subject}` | `SEEN#{digest}` |
//! | wish for the state of now | `ORDER#{account}#{subject}` | `SNAPSHOT#{subscription}` |
//! | order as its tenant lists it, and who asked for it alone | `TENANT#{tenant}#ORDERS#{type}` | `{subject}` |
//! | subscription | `TENANT#{tenant}` | `SUBSCRIPTION#{id}` |
//! | who asked for a topic | `TENANT#{tenant}#TOPIC#{topic}` | `{target}` |
//! | feed entry | `TENANT#{tenant}#FEED` | `{received_at}#{digest}` |
//! | feed entry of what nobody owns | `UPSTREAM#{account}#UNOWNED` | the same |
//! | delivery | `LANE#{subscription}#{subject}` | `{event key}` |
//! | work for `schedule` | `JOBS` | `{id}` |
//! | breaker that is open | `BREAKERS` | `{subscription}` |
//! | replay that is done | `TENANT#{tenant}#REPLAYS` | `{id}` |
//! | answer to a POST with an Idempotency-Key | `IDEMPOTENCY#{caller}` | `{hash}` |
//! | how far `schedule` has come | `SCHEDULE` | `DUE` |
//! | how far Bandwidth was asked | `RECONCILE` | `{account}`, or `{account}#BACKFILL` |
//! | data key for secrets, wrapped | `VAULT` | `KEY#{number}` |
//!
//! Two sparse indexes. `due` holds deliveries at rest: `DUE#{minute}#{shard}` by due time,
//! `HELD#{subscription}` while its endpoint takes none, and `HALTED#{subscription}` while its order
//! waits for somebody to act; and `WATCH#{account}`, open orders by the time at which Bandwidth is to be
//! asked about them. `standing` holds those that an endpoint
//! has not taken: `UNDELIVERED#{tenant}` and `DEAD#{tenant}`, by the time of the first failure and
//! of giving up.

use domain::event::{EventKey, sortable};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Name of the sparse index, of its hash attribute, and of its range attribute.
pub const DUE_INDEX: &str = "due";
pub const DUE: &str = "due";
pub const DUE_AT: &str = "due_at";
/// The attributes besides the keys that a wake is made of; the other index holds only the first.
pub const ATTEMPTS_MADE: &str = "attempts_made";
pub const REVIVALS: &str = "revivals";

/// The same of the other sparse index.
pub const STANDING_INDEX: &str = "standing";
pub const STANDING: &str = "standing";
pub const STANDING_SINCE: &str = "standing_since";

/// The stream is filtered by these beginnings of `sk`.
pub const EVENT_PREFIX: &str = "EVENT#";
pub const SNAPSHOT_PREFIX: &str = "SNAPSHOT#";

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

pub(super) const UPSTREAMS: &str = "UPSTREAMS";
pub(super) const TENANTS: &str = "TENANTS";
pub(super) const KEYS: &str = "KEYS";
pub(super) const JOBS: &str = "JOBS";
pub(super) const BREAKERS: &str = "BREAKERS";

fn registered(registry: &str, id: &str) -> Key {
    Key { pk: registry.into(), sk: id.into() }
}

pub(super) fn upstream(account: &str) -> Key {
    registered(UPSTREAMS, account)
}

pub(super) fn tenant(tenant: &str) -> Key {
    registered(TENANTS, tenant)
}

pub(super) fn api_key(id: &str) -> Key {
    registered(KEYS, id)
}

pub(super) fn job(id: &str) -> Key {
    registered(JOBS, id)
}

pub(super) fn breaker(subscription: &str) -> Key {
    registered(BREAKERS, subscription)
}

pub(super) fn job_done(tenant: &str, id: &str) -> Key {
    Key { pk: format!("TENANT#{tenant}#REPLAYS"), sk: id.into() }
}

pub(super) fn networks() -> Key {
    registered("SETTINGS", "NETWORKS")
}

pub(super) fn idempotency(caller: &str, hash: &str) -> Key {
    Key { pk: format!("IDEMPOTENCY#{caller}"), sk: hash.into() }
}

pub(super) fn quarantine_of(account: &str) -> String {
    format!("UPSTREAM#{account}#QUARANTINE")
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

pub(super) fn placings(account: &str) -> String {
    format!("PLACING#{account}")
}

/// Sorted by when they end, and so by when they began.
pub(super) fn placing(account: &str, until: Timestamp, id: &str) -> Key {
    Key { pk: placings(account), sk: format!("{}#{id}", sortable(until)) }
}

pub(super) const NOTE_PREFIX: &str = "NOTE#";

/// Fixed width, so that text order is the order of numbers.
pub(super) fn note(account: &str, subject: &str, id: u32) -> Key {
    Key { pk: order(account, subject), sk: format!("{NOTE_PREFIX}{id:010}") }
}

pub(super) fn snapshot(account: &str, subject: &str, subscription: &str) -> Key {
    Key { pk: order(account, subject), sk: format!("{SNAPSHOT_PREFIX}{subscription}") }
}

pub(super) fn order(account: &str, subject: &str) -> String {
    format!("ORDER#{account}#{subject}")
}

/// `order_type` is [`domain::subscription::type_key`]'s.
pub(super) fn orders(tenant: &str, order_type: &str) -> String {
    format!("TENANT#{tenant}#ORDERS#{order_type}")
}

/// The tenant and the type in [`orders`].
pub(super) fn parse_orders(pk: &str) -> Option<(&str, &str)> {
    pk.strip_prefix("TENANT#")?.split_once("#ORDERS#")
}

pub(super) fn order_record(tenant: &str, order_type: &str, subject: &str) -> Key {
    Key { pk: orders(tenant, order_type), sk: subject.into() }
}

pub(super) const SUBSCRIPTION_PREFIX: &str = "SUBSCRIPTION#";

pub(super) fn subscriptions(tenant: &str) -> String {
    format!("TENANT#{tenant}")
}

pub(super) fn subscription(tenant: &str, id: &str) -> Key {
    Key { pk: subscriptions(tenant), sk: format!("{SUBSCRIPTION_PREFIX}{id}") }
}

/// `topic` is [`domain::subscription::Topic::key`].
pub(super) fn topic(tenant: &str, topic: &str) -> String {
    format!("TENANT#{tenant}#TOPIC#{topic}")
}

pub(super) fn asked_for_topic(tenant: &str, topic: &str, target: &str) -> Key {
    Key { pk: self::topic(tenant, topic), sk: target.into() }
}

/// `owner` is a tenant, or for what nobody owns the upstream.
pub(super) fn feed_of(owner: Option<&str>, account: &str) -> String {
    match owner {
        Some(tenant) => format!("TENANT#{tenant}#FEED"),
        None => format!("UPSTREAM#{account}#UNOWNED"),
    }
}

pub(super) fn feed(owner: Option<&str>, account: &str, at: Timestamp, digest: &str) -> Key {
    Key { pk: feed_of(owner, account), sk: format!("{}#{digest}", sortable(at)) }
}

pub(super) fn schedule_cursor() -> Key {
    Key { pk: "SCHEDULE".into(), sk: "DUE".into() }
}

/// `work` tells a backfill from what `schedule` does.
pub(super) fn reconcile(account: &str, work: &str) -> Key {
    registered("RECONCILE", &format!("{account}{work}"))
}

pub(super) fn data_key(number: u8) -> Key {
    Key { pk: "VAULT".into(), sk: format!("KEY#{number}") }
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

/// Where deliveries are laid aside while their endpoint takes none.
pub(super) fn held(subscription: &str) -> String {
    format!("HELD#{subscription}")
}

/// Where a subscription's deliveries are whose orders wait until somebody acts.
pub(super) fn halted(subscription: &str) -> String {
    format!("HALTED#{subscription}")
}

/// Where the open orders of an upstream stand about which Bandwidth is to be asked.
pub(super) fn watch(account: &str) -> String {
    format!("WATCH#{account}")
}

pub(super) fn undelivered(tenant: &str) -> String {
    format!("UNDELIVERED#{tenant}")
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
    fn a_feed_is_kept_by_owner() {
        let at: Timestamp = "2026-02-03T10:11:12Z".parse().unwrap();
        let key = feed(Some("1001"), "99", at, "ab");
        assert_eq!(
            (key.pk.as_str(), key.sk.as_str()),
            ("TENANT#1001#FEED", "2026-02-03T10:11:12.000Z#ab")
        );
        assert_eq!(feed(None, "99", at, "ab").pk, "UPSTREAM#99#UNOWNED");
    }
}
