//! To which partitions the units of [`super`] go: AWS limits each of them by itself, however much the
//! table may take.
//!
//! `tests/it/cost/partitions` counts them by partition, and holds these figures to what it counts.

/// A kind of partition: its key as `relay/store/key` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    /// Empty for the table itself.
    pub index: &'static str,
    pub key: &'static str,
}

/// Units that go to one partition of a kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load {
    pub kind: Kind,
    pub read: f64,
    pub write: f64,
}

pub const ORDER: Kind = table("ORDER#{account}#{subject}");
pub const ORDERS: Kind = table("TENANT#{tenant}#ORDERS#{type}");
pub const FEED: Kind = table("TENANT#{tenant}#FEED");
pub const LANE: Kind = table("LANE#{subscription}#{subject}");
pub const SUBSCRIPTIONS: Kind = table("TENANT#{tenant}");
pub const TOPIC: Kind = table("TENANT#{tenant}#TOPIC#{topic}");
pub const UPSTREAMS: Kind = table("UPSTREAMS");
pub const SETTINGS: Kind = table("SETTINGS");
pub const VAULT: Kind = table("VAULT");
pub const WATCH: Kind = Kind { index: "due", key: "WATCH#{account}" };
pub const HELD_BACK: Kind = Kind { index: "due", key: "HELD#{subscription}" };
pub const DUE: Kind = Kind { index: "due", key: "DUE#{minute}#{shard}" };
pub const UNDELIVERED: Kind = Kind { index: "standing", key: "UNDELIVERED#{tenant}" };

/// All of them.
pub const KINDS: [Kind; 13] = [
    ORDER,
    ORDERS,
    FEED,
    LANE,
    SUBSCRIPTIONS,
    TOPIC,
    UPSTREAMS,
    SETTINGS,
    VAULT,
    WATCH,
    HELD_BACK,
    DUE,
    UNDELIVERED,
];

const fn table(key: &'static str) -> Kind {
    Kind { index: "", key }
}

const fn read(kind: Kind, read: f64) -> Load {
    Load { kind, read, write: 0.0 }
}

const fn write(kind: Kind, write: f64) -> Load {
    Load { kind, read: 0.0, write }
}

/// Those of [`super::NOTIFICATION`].
pub const NOTIFICATION: &[Load] =
    &[Load { kind: ORDER, read: 0.5, write: 1.0 }, write(ORDERS, 1.0), write(FEED, 1.0)];

/// Those of [`super::DELIVERY`], each to a lane of its own.
pub const DELIVERY: &[Load] = &[Load { kind: LANE, read: 2.0, write: 2.0 }, read(ORDER, 0.5)];

/// Those of [`super::RETRY`].
pub const RETRY: &[Load] = &[
    Load { kind: LANE, read: 1.0, write: 1.0 },
    read(ORDER, 0.5),
    write(SUBSCRIPTIONS, 2.0),
    write(UNDELIVERED, 2.0),
];

/// Those of [`super::WATCHED`].
pub const WATCHED: &[Load] = &[write(WATCH, 2.0)];

/// Those of [`super::PASSED_ON`].
pub const PASSED_ON: &[Load] = &[read(LANE, 1.0)];

/// Those of [`super::FORGOTTEN_NOTIFICATION`]. Each of its two topics is a partition.
pub const FORGOTTEN_NOTIFICATION: &[Load] = &[read(UPSTREAMS, 2.0), read(TOPIC, 1.0)];

/// Those of [`super::FORGOTTEN_ATTEMPT`].
pub const FORGOTTEN_ATTEMPT: &[Load] = &[read(SUBSCRIPTIONS, 1.0), read(SETTINGS, 0.5)];

/// Those of [`super::START`].
pub const START: &[Load] = &[read(VAULT, 1.0)];

/// More for a retry that waits in the table: it is put into the index, and taken out again.
pub const PARKED: &[Load] = &[write(DUE, 2.0)];

/// What a delivery writes while its endpoint's breaker is open: it is put, and laid aside.
pub const HELD: &[Load] = &[write(LANE, 2.0), write(HELD_BACK, 1.0), write(UNDELIVERED, 1.0)];
