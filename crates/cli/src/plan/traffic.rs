//! What a rate of notifications asks of each part of the relay, in a second.

use domain::health::AILS_FOR;
use domain::lane::QUEUE_DELAY_MAX;
use domain::retry;
use local::usage::partition::{self, Kind, Load};
use local::usage::{self, Usage};

use super::{quotas, template};
use crate::cost::bill::{self, Month};
use crate::cost::prices;

/// Seconds in a month of AWS's.
const MONTH_SECONDS: f64 = usage::MINUTES_A_MONTH * 60.0;

/// For how long each process remembers what it has read: the relay's own limit.
const REMEMBERED_SECONDS: f64 = relay::store::AGE_MAX.as_secs() as f64;

/// Lanes of one event that fanout works on at once.
const LANES_AT_ONCE: f64 = relay::fanout::LANES_AT_ONCE as f64;

/// What comes in, and where to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Traffic {
    /// Notifications a second.
    pub(super) rate: f64,
    pub(super) fan_out: f64,
    pub(super) failure_rate: f64,
    pub(super) per_order: f64,
    pub(super) endpoint_ms: f64,
    /// Endpoints that deliveries go to, as many to each.
    pub(super) endpoints: f64,
    /// Share of the notifications that the largest tenant has.
    pub(super) largest_tenant: f64,
    /// Share of them that come from the largest account at Bandwidth.
    pub(super) largest_account: f64,
    /// Whether Bandwidth is asked about open orders.
    pub(super) reconciles: bool,
}

impl Traffic {
    /// A month of it.
    pub(super) fn month(&self) -> Month {
        let besides = usage::WATCHED * self.watched() + usage::PASSED_ON * self.passed_on();
        Month { besides: besides * MONTH_SECONDS, ..self.common_road() }
    }

    fn common_road(&self) -> Month {
        Month {
            notifications: self.rate * MONTH_SECONDS,
            subscribers: self.fan_out,
            failure_rate: self.failure_rate,
            per_order: self.per_order,
            endpoint_ms: self.endpoint_ms,
            besides: Usage::NONE,
            seconds: prices::ARM64_SECONDS,
        }
    }

    pub(super) fn deliveries(&self) -> f64 {
        self.rate * self.fan_out
    }

    fn retries(&self) -> f64 {
        self.common_road().retries() / MONTH_SECONDS
    }

    /// Retries whose wait is too long for the queue.
    pub(super) fn parked(&self) -> f64 {
        let short = retry::WAITS.iter().take_while(|wait| **wait <= QUEUE_DELAY_MAX).count();
        let times = i32::try_from(short).unwrap_or(i32::MAX);
        self.retries() * self.failure_rate.powi(times)
    }

    fn attempts(&self) -> f64 {
        self.deliveries() + self.retries()
    }

    /// Notifications that move an order's time in the index: its first puts it, its last takes it away.
    fn watched(&self) -> f64 {
        let share = 1.0 - 1.0 / self.per_order;
        if self.reconciles { self.rate * share } else { 0.0 }
    }

    /// Share of the endpoints that ail: one failure is enough, for minutes.
    fn ailing(&self) -> f64 {
        let lately = self.deliveries() / self.endpoints * AILS_FOR.as_secs_f64();
        1.0 - (1.0 - self.failure_rate).powf(lately)
    }

    /// Deliveries whose wakes go on to the queue for endpoints that ail.
    fn passed_on(&self) -> f64 {
        self.deliveries() * self.ailing()
    }

    // ---- Instances

    /// Instances of ingest: each notification is asked for credentials first.
    pub(super) fn ingest(&self) -> f64 {
        self.rate * (bill::CHALLENGE_MS + bill::INGEST_MS) / 1_000.0
    }

    /// Shards of the stream. They follow the table's partitions, which follow what is written.
    pub(super) fn shards(&self) -> f64 {
        let least = quotas::NEW_TABLE_WRITES / quotas::PARTITION_WRITES;
        (self.table().write / quotas::PARTITION_WRITES).max(least)
    }

    /// Events a second of one shard.
    pub(super) fn events_of_shard(&self) -> f64 {
        self.rate / self.shards()
    }

    /// Events a second that fanout can take from one shard.
    pub(super) fn events_of_shard_max(&self) -> f64 {
        template::BATCHES_OF_SHARD * template::EVENTS / self.fanout_seconds(template::EVENTS)
    }

    /// What fanout takes for so many events. Orders go side by side.
    fn fanout_seconds(&self, events: f64) -> f64 {
        let lanes = (self.fan_out / LANES_AT_ONCE).ceil();
        let sends = (self.fan_out / bill::WAKES_TOGETHER).ceil();
        let calls = usage::FANOUT_CALLS + usage::FANOUT_CALLS_OF_LANE * lanes + sends;
        (bill::WORK_MS * events + bill::CALL_MS * calls) / 1_000.0
    }

    /// Instances of fanout. Each invocation finds what has come since Lambda last asked.
    pub(super) fn fanout(&self) -> f64 {
        let places = self.shards() * template::BATCHES_OF_SHARD;
        let events = self.rate / places;
        let batch = (events / quotas::STREAM_POLLS).clamp(1.0, template::EVENTS);
        places * (events / batch * self.fanout_seconds(batch)).min(1.0)
    }

    /// What an attempt takes.
    fn attempt_seconds(&self) -> f64 {
        (bill::DELIVER_MS + self.endpoint_ms) / 1_000.0
    }

    /// Messages in flight in the wake queue.
    pub(super) fn wakes_in_flight(&self) -> f64 {
        let passed_on = self.passed_on();
        (self.deliveries() - passed_on) * self.attempt_seconds()
            + passed_on * bill::PASS_ON_MS / 1_000.0
    }

    /// The same in the queue for endpoints that ail.
    pub(super) fn aside_in_flight(&self) -> f64 {
        (self.passed_on() + self.retries()) * self.attempt_seconds()
    }

    /// Instances of deliver for the one queue and for the other, with as many wakes each as they take.
    pub(super) fn deliver(&self) -> f64 {
        self.wakes_in_flight() / template::WAKES
    }

    pub(super) fn aside(&self) -> f64 {
        self.aside_in_flight() / template::WAKES
    }

    /// Instances of all functions, with one of schedule.
    pub(super) fn instances(&self) -> f64 {
        self.ingest() + self.fanout() + self.deliver() + self.aside() + 1.0
    }

    /// Processes of deliver that start. As in the bill, an upper bound.
    pub(super) fn starts(&self) -> f64 {
        (self.attempts() + self.passed_on()) * bill::STARTS
    }

    // ---- The table

    /// What goes where, in all; as if no process remembered anything.
    fn loads(&self) -> [(&'static [Load], f64); 8] {
        [
            (partition::NOTIFICATION, self.rate),
            (partition::DELIVERY, self.deliveries()),
            (partition::RETRY, self.retries()),
            (partition::WATCHED, self.watched()),
            (partition::PASSED_ON, self.passed_on()),
            (partition::FORGOTTEN_NOTIFICATION, self.rate),
            (partition::FORGOTTEN_ATTEMPT, self.attempts()),
            (partition::START, self.starts()),
        ]
    }

    fn sum(&self, counts: impl Fn(Kind) -> bool) -> Units {
        let mut sum = Units { read: 0.0, write: 0.0 };
        for (loads, count) in self.loads() {
            for load in loads.iter().filter(|load| counts(load.kind)) {
                sum.read += load.read * count;
                sum.write += load.write * count;
            }
        }
        sum
    }

    /// Units of the table without its indexes.
    pub(super) fn table(&self) -> Units {
        self.sum(|kind| kind.index.is_empty())
    }

    /// Units of one index.
    pub(super) fn index(&self, name: &str) -> Units {
        self.sum(|kind| kind.index == name)
    }

    /// Units of all partitions of a kind.
    pub(super) fn of(&self, kind: Kind) -> Units {
        self.sum(|one| one == kind)
    }
}

/// How often so many processes read what each of them uses and remembers.
pub(super) fn read_again(uses: f64, processes: f64) -> f64 {
    uses.min(processes / REMEMBERED_SECONDS)
}

/// Units a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Units {
    pub(super) read: f64,
    pub(super) write: f64,
}
