//! What the relay uses of AWS, in the units of AWS's bill; and how often it calls, where time depends
//! on that.
//!
//! `tests/it/cost` counts every call and holds these figures to what it counts, exactly;
//! `hookline cost` puts prices to them. So neither can say what the code no longer does.

pub mod partition;

use std::collections::HashMap;
use std::ops::{Add, Mul, Sub};

use aws_sdk_dynamodb::types::AttributeValue;

/// An item of the table, by its attributes' names.
pub type Item = HashMap<String, AttributeValue>;

/// How much of what AWS bills by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usage {
    /// Write units of the table and its indexes.
    pub write: f64,
    /// Read units of the table and its indexes.
    pub read: f64,
    /// Requests to SQS, one for each 64 KB, with those by which Lambda receives and deletes for us.
    pub queue: f64,
    /// Requests to KMS.
    pub key: f64,
    /// Requests to the HTTP API.
    pub http: f64,
    /// Invocations of ingest.
    pub ingest: f64,
    /// Invocations of fanout.
    pub fanout: f64,
    /// Invocations of deliver.
    pub deliver: f64,
    /// Invocations of schedule.
    pub schedule: f64,
}

/// One notification, whoever is told of it, while the functions remember what changes rarely. Bandwidth
/// posts it without credentials first, so two requests reach ingest. One to SQS sends up to ten wakes.
pub const NOTIFICATION: Usage =
    Usage { write: 3.0, read: 0.5, queue: 1.0, http: 2.0, ingest: 2.0, fanout: 1.0, ..Usage::NONE };

/// One subscriber more, delivered to at the first attempt. Its wake comes alone in its batch, as it does
/// where little comes in; together they cost less.
pub const DELIVERY: Usage =
    Usage { write: 2.0, read: 2.5, queue: 2.0, deliver: 1.0, ..Usage::NONE };

/// More for a notification with more subscribers than one request sends wakes for, for each further request.
pub const FURTHER_SEND: Usage = Usage { queue: 1.0, ..Usage::NONE };

/// The first attempt of a delivery fails, and the second succeeds. A further retry costs at most as
/// much, one that waits in the table too.
pub const RETRY: Usage = Usage { write: 5.0, read: 1.5, queue: 3.0, deliver: 1.0, ..Usage::NONE };

/// More for a notification of a state, where Bandwidth is asked about the upstream's open orders: the
/// time of the next question moves. The first of an order puts it, and the last takes it away, for 1.
pub const WATCHED: Usage = Usage { write: 2.0, ..Usage::NONE };

/// More for a delivery to an endpoint that ails: its wake is passed on to the queue for such.
pub const PASSED_ON: Usage = Usage { read: 1.0, queue: 3.0, deliver: 1.0, ..Usage::NONE };

/// More for a notification when ingest and fanout have to read what they remember for 5 seconds.
pub const FORGOTTEN_NOTIFICATION: Usage = Usage { read: 3.0, ..Usage::NONE };

/// More for an attempt when deliver has to.
pub const FORGOTTEN_ATTEMPT: Usage = Usage { read: 1.5, ..Usage::NONE };

/// More for the first attempt in the life of a process.
pub const START: Usage = Usage { read: 1.0, key: 1.0, ..Usage::NONE };

/// A notification in the daily audit.
pub const AUDITED_NOTIFICATION: Usage = Usage { read: 0.5, ..Usage::NONE };

/// A delivery in the daily audit.
pub const AUDITED_DELIVERY: Usage = Usage { read: 0.5, ..Usage::NONE };

/// A minute in which nothing happens.
pub const MINUTE: Usage = Usage { write: 1.0, read: 6.5, schedule: 1.0, ..Usage::NONE };

/// More for a day: the audit of nothing, with one tenant.
pub const AUDIT: Usage = Usage { write: 2.0, read: 2.0, ..Usage::NONE };

/// Calls that fanout makes for an event before its lanes, one after the other, when it has to read what it
/// remembers.
pub const FANOUT_CALLS: f64 = 6.0;

/// Calls that it makes for each lane. Those that send the wakes come on top.
pub const FANOUT_CALLS_OF_LANE: f64 = 2.0;

/// What AWS reckons a month to be: 730 hours.
pub const MINUTES_A_MONTH: f64 = 43_800.0;

/// Queues that Lambda asks for messages, in template.yaml.
pub const POLLED_QUEUES: f64 = 3.0;

/// Requests by which Lambda asks one queue while it is empty, in a minute: five pollers, each of which
/// waits for 20 seconds. It comes down to two pollers only where no maximum concurrency is set, and
/// template.yaml sets one. (AWS: Lambda, scaling of SQS event source mappings.) That a poll lasts 20
/// seconds is not said there; it is the most that SQS allows.
pub const EMPTY_POLLS_A_MINUTE: f64 = 15.0;

/// Memory of ingest in template.yaml, in MB.
pub const INGEST_MEMORY_MB: f64 = 512.0;

/// Memory of the other functions in template.yaml, in MB.
pub const MEMORY_MB: f64 = 256.0;

/// For how long logs are kept by template.yaml's default, in days.
pub const LOGS_KEPT_DAYS: f64 = 30.0;

/// Days that an event, its feed entry and its finished deliveries are kept.
pub const KEPT_DAYS: f64 = 90.0;

/// Days that the record of an order is kept after its last event.
pub const ORDER_KEPT_DAYS: f64 = 730.0;

/// DynamoDB adds so many bytes to each item when it counts what is stored. (AWS: DynamoDB, item sizes.)
pub const ITEM_EXTRA_BYTES: f64 = 100.0;

/// What a notification of 600 bytes leaves in the table: the event and its feed entry. Longer ones are
/// compressed, and the usual ones of 700 come to less.
pub const NOTIFICATION_BYTES: f64 = 1_300.0;

/// What a delivery leaves in the table, if its endpoint answers with little.
pub const DELIVERY_BYTES: f64 = 500.0;

/// What an order leaves in the table, its notifications aside.
pub const ORDER_BYTES: f64 = 450.0;

/// What an item is billed by, names and values, as far as the relay uses types. (AWS: DynamoDB, item sizes.)
pub fn item_bytes(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + value_bytes(value)).sum()
}

fn value_bytes(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(digits) => digits.len() / 2 + 1,
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        AttributeValue::L(all) => 3 + all.iter().map(|one| 1 + value_bytes(one)).sum::<usize>(),
        AttributeValue::M(all) => 3 + all.len() + item_bytes(all),
        _ => 1,
    }
}

impl Usage {
    pub const NONE: Usage = Usage {
        write: 0.0,
        read: 0.0,
        queue: 0.0,
        key: 0.0,
        http: 0.0,
        ingest: 0.0,
        fanout: 0.0,
        deliver: 0.0,
        schedule: 0.0,
    };

    /// A month in which nothing comes in.
    pub fn idle_month() -> Usage {
        let polls = POLLED_QUEUES * EMPTY_POLLS_A_MINUTE * MINUTES_A_MONTH;
        let polled = Usage { queue: polls, ..Usage::NONE };
        MINUTE * MINUTES_A_MONTH + AUDIT * (MINUTES_A_MONTH / 1_440.0) + polled
    }

    /// Each with its name.
    pub fn each(&self) -> [(&'static str, f64); 9] {
        [
            ("write units", self.write),
            ("read units", self.read),
            ("SQS requests", self.queue),
            ("KMS requests", self.key),
            ("HTTP requests", self.http),
            ("invocations of ingest", self.ingest),
            ("invocations of fanout", self.fanout),
            ("invocations of deliver", self.deliver),
            ("invocations of schedule", self.schedule),
        ]
    }

    /// Invocations of all functions.
    pub fn invocations(&self) -> f64 {
        self.ingest + self.fanout + self.deliver + self.schedule
    }

    fn with(self, other: Usage, each: impl Fn(f64, f64) -> f64) -> Usage {
        Usage {
            write: each(self.write, other.write),
            read: each(self.read, other.read),
            queue: each(self.queue, other.queue),
            key: each(self.key, other.key),
            http: each(self.http, other.http),
            ingest: each(self.ingest, other.ingest),
            fanout: each(self.fanout, other.fanout),
            deliver: each(self.deliver, other.deliver),
            schedule: each(self.schedule, other.schedule),
        }
    }
}

impl Add for Usage {
    type Output = Usage;

    fn add(self, other: Usage) -> Usage {
        self.with(other, |one, other| one + other)
    }
}

impl Sub for Usage {
    type Output = Usage;

    fn sub(self, other: Usage) -> Usage {
        self.with(other, |one, other| one - other)
    }
}

impl Mul<f64> for Usage {
    type Output = Usage;

    fn mul(self, count: f64) -> Usage {
        self.with(self, |one, _| one * count)
    }
}
