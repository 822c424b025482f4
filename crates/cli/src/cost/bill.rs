//! The bill of a month: what is used, and what that costs.

use local::usage::{self, Usage};

use super::prices::{self, Price};

/// What a month brings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Month {
    pub(crate) notifications: f64,
    /// Subscriptions that a notification goes to, on average.
    pub(crate) subscribers: f64,
    /// Share of the attempts that fail, each by itself.
    pub(crate) failure_rate: f64,
    /// Notifications of one order.
    pub(crate) per_order: f64,
    /// For how long an endpoint takes to answer, in milliseconds.
    pub(crate) endpoint_ms: f64,
    /// What is used besides, off the common road.
    pub(crate) besides: Usage,
    /// For what a second of Lambda costs.
    pub(crate) seconds: Price,
}

/// One line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    pub(crate) what: &'static str,
    pub(crate) quantity: f64,
    pub(crate) price: Price,
}

impl Line {
    pub(crate) fn dollars(&self) -> f64 {
        self.quantity / self.price.per * self.price.dollars
    }
}

/// A call to AWS from a function, in milliseconds: what the limits of `schedule` reckon with too.
pub(crate) const CALL_MS: f64 = 10.0;

/// What an invocation takes besides its calls: reading, hashing, writing.
pub(crate) const WORK_MS: f64 = 5.0;

/// What ingest takes to ask for credentials.
pub(crate) const CHALLENGE_MS: f64 = WORK_MS;

/// Reads the upstream, puts the event.
pub(crate) const INGEST_MS: f64 = WORK_MS + 2.0 * CALL_MS;

/// The upstream, the order's owner, its record, two topics, the feed entry; and the wakes.
const FANOUT_MS: f64 = WORK_MS + (usage::FANOUT_CALLS + 1.0) * CALL_MS;

/// The end of the lane, the delivery. One after the other, though they are not.
const FANOUT_DELIVERY_MS: f64 = usage::FANOUT_CALLS_OF_LANE * CALL_MS;

/// A connection that is made anew: its handshake takes a quarter of a processor a while.
const HANDSHAKE_MS: f64 = 50.0;

/// The delivery, the subscription, what networks are allowed, the event, the attempt, and where it
/// failed the next wake. The endpoint's time comes on top.
pub(crate) const DELIVER_MS: f64 = WORK_MS + 6.0 * CALL_MS + HANDSHAKE_MS;

/// A wake that is passed on: the delivery, the subscription, the wake.
pub(crate) const PASS_ON_MS: f64 = WORK_MS + 3.0 * CALL_MS;

/// Twelve calls when nothing is due.
const SCHEDULE_MS: f64 = WORK_MS + 12.0 * CALL_MS;

/// Wakes of one event that one call sends.
pub(crate) const WAKES_TOGETHER: f64 = relay::queue::BATCH_MAX as f64;

/// Share of the invocations that start a process, which AWS has called an upper bound for most, and what
/// that takes. Neither has been measured.
pub(crate) const STARTS: f64 = 0.01;
const START_MS: f64 = 300.0;

/// What the functions themselves log of a notification, and of an attempt, metrics included.
const NOTIFICATION_LOG_BYTES: f64 = 1_000.0;
const ATTEMPT_LOG_BYTES: f64 = 850.0;

/// What Lambda logs of an invocation, in three lines, and what schedule does in one.
const INVOCATION_LOG_BYTES: f64 = 370.0;
const SCHEDULE_LOG_BYTES: f64 = 150.0;

/// What API Gateway logs of a request, by template.yaml's format.
const REQUEST_LOG_BYTES: f64 = 260.0;

/// Custom metrics, each with one dimension that has one value, and the six that API Gateway has in detail for
/// the route of ingest. The metrics that alarms look at, and dashboards, of infra/watch.yaml.
const METRICS: f64 = 15.0 + 6.0;
const ALARMS: f64 = 23.0;
const DASHBOARDS: f64 = 1.0;

/// DynamoDB asks KMS for the table's key on behalf of each role that uses the table, of which there are
/// six, and remembers it for five minutes. (AWS: DynamoDB, encryption at rest.) How that is shared among
/// its own machines is not said.
const TABLE_KEY_REQUESTS: f64 = 6.0 * usage::MINUTES_A_MONTH / 5.0;

const DAYS_A_MONTH: f64 = usage::MINUTES_A_MONTH / 1_440.0;
const GB: f64 = 1024.0 * 1024.0 * 1024.0;

impl Month {
    pub(crate) fn deliveries(&self) -> f64 {
        self.notifications * self.subscribers
    }

    /// Attempts after a first one. A delivery has so many at most as there are waits.
    pub(crate) fn retries(&self) -> f64 {
        let most = domain::retry::WAITS.len();
        let share: f64 =
            std::iter::successors(Some(self.failure_rate), |rate| Some(rate * self.failure_rate))
                .take(most)
                .sum();
        self.deliveries() * share
    }

    /// Requests after the first by which the wakes of the notifications are sent, if each has as many
    /// subscribers. Where some have more and some fewer it is up to one less for each.
    fn further_sends(&self) -> f64 {
        ((self.subscribers / WAKES_TOGETHER).ceil() - 1.0).max(0.0) * self.notifications
    }

    /// What comes of the notifications, as if no function remembered anything.
    pub(crate) fn traffic(&self) -> Usage {
        let notification =
            usage::NOTIFICATION + usage::FORGOTTEN_NOTIFICATION + usage::AUDITED_NOTIFICATION;
        let delivery = usage::DELIVERY + usage::FORGOTTEN_ATTEMPT + usage::AUDITED_DELIVERY;
        let retry = usage::RETRY + usage::FORGOTTEN_ATTEMPT;
        let used = notification * self.notifications
            + delivery * self.deliveries()
            + retry * self.retries()
            + self.besides;
        used + usage::FURTHER_SEND * self.further_sends() + usage::START * (used.deliver * STARTS)
    }

    fn stored_gb(&self) -> f64 {
        let months = usage::KEPT_DAYS / DAYS_A_MONTH;
        let events = usage::NOTIFICATION_BYTES * self.notifications;
        let deliveries = usage::DELIVERY_BYTES * self.deliveries();
        let orders = usage::ORDER_BYTES * self.notifications / self.per_order;
        let order_months = usage::ORDER_KEPT_DAYS / DAYS_A_MONTH;
        ((events + deliveries) * months + orders * order_months) / GB
    }

    /// Seconds times memory of all functions.
    fn gb_seconds(&self, used: &Usage) -> f64 {
        let ingest =
            (CHALLENGE_MS + INGEST_MS) * self.notifications + START_MS * STARTS * used.ingest;
        let others = used.invocations() - used.ingest - used.schedule;
        let rest = FANOUT_MS * used.fanout
            + FANOUT_DELIVERY_MS * self.deliveries()
            + CALL_MS * self.further_sends()
            + (DELIVER_MS + self.endpoint_ms) * (used.deliver - self.besides.deliver)
            + PASS_ON_MS * self.besides.deliver
            + SCHEDULE_MS * used.schedule
            + START_MS * STARTS * others;
        (ingest * usage::INGEST_MEMORY_MB + rest * usage::MEMORY_MB) / 1_024.0 / 1_000.0
    }

    fn logged_gb(&self, used: &Usage) -> f64 {
        let bytes = NOTIFICATION_LOG_BYTES * self.notifications
            + ATTEMPT_LOG_BYTES * used.deliver
            + INVOCATION_LOG_BYTES * used.invocations()
            + SCHEDULE_LOG_BYTES * used.schedule
            + REQUEST_LOG_BYTES * used.http;
        bytes / GB
    }

    /// The bill, with as much stored as there is when the first records expire.
    pub(crate) fn bill(&self) -> Vec<Line> {
        let (traffic, idle) = (self.traffic(), Usage::idle_month());
        let used = traffic + idle;
        let (stored, logged) = (self.stored_gb(), self.logged_gb(&used));
        let kept = logged * usage::LOGS_KEPT_DAYS / DAYS_A_MONTH;
        let line = |what, quantity, price| Line { what, quantity, price };
        vec![
            line("DynamoDB write units", used.write, prices::WRITE_UNITS),
            line("DynamoDB read units", used.read, prices::READ_UNITS),
            line("DynamoDB storage", stored, prices::STORAGE),
            line("DynamoDB point-in-time recovery", stored, prices::RECOVERY),
            line("SQS requests", traffic.queue, prices::QUEUE_REQUESTS),
            line("SQS fair queues, on top", traffic.queue, prices::FAIR_QUEUE_REQUESTS),
            line("SQS empty receives by Lambda", idle.queue, prices::QUEUE_REQUESTS),
            line("Lambda invocations", used.invocations(), prices::INVOCATIONS),
            line("Lambda time", self.gb_seconds(&used), self.seconds),
            line("API Gateway requests", used.http, prices::HTTP_REQUESTS),
            line("CloudWatch logs, taken in", logged, prices::LOGS),
            line("CloudWatch logs, kept", kept, prices::LOGS_KEPT),
            line("CloudWatch metrics", METRICS, prices::METRICS),
            line("CloudWatch alarms", ALARMS, prices::ALARMS),
            line("CloudWatch dashboard", DASHBOARDS, prices::DASHBOARDS),
            line("KMS key", 1.0, prices::KEYS),
            line("KMS requests", used.key + TABLE_KEY_REQUESTS, prices::KEY_REQUESTS),
        ]
    }
}

#[cfg(test)]
mod tests {
    use local::usage::{self, Usage};

    use super::{Line, Month};
    use crate::cost::prices::{ARM64_SECONDS, X86_64_SECONDS};

    #[test]
    fn the_alarms_are_those_of_the_template() {
        let watch = concat!(env!("CARGO_MANIFEST_DIR"), "/../../infra/watch.yaml");
        let watch = std::fs::read_to_string(watch).unwrap();
        // An alarm on an expression is billed for each metric in it; a filter makes one, and has none.
        let metrics = watch.matches(" MetricName: ").count();
        let made = watch.matches("Logs::MetricFilter").count();
        assert_eq!(super::ALARMS, (metrics - made) as f64);
    }

    const MONTH: Month = Month {
        notifications: 1e6,
        subscribers: 1.2,
        failure_rate: 0.02,
        per_order: 4.0,
        endpoint_ms: 200.0,
        besides: Usage::NONE,
        seconds: ARM64_SECONDS,
    };

    const IDLE: Month = Month { notifications: 0.0, ..MONTH };

    fn total(month: Month) -> f64 {
        month.bill().iter().map(Line::dollars).sum()
    }

    fn quantity(month: Month, what: &str) -> f64 {
        let bill = month.bill();
        bill.iter().find(|line| line.what == what).expect("a line of that name").quantity
    }

    fn is_near(one: f64, other: f64) -> bool {
        (one - other).abs() < 1e-6 * other.abs().max(1.0)
    }

    #[test]
    fn units_are_counted_for_notifications_deliveries_and_retries() {
        let of = |month, what| quantity(month, what) - quantity(IDLE, what);
        let once = Month { notifications: 1.0, subscribers: 1.0, failure_rate: 0.0, ..MONTH };
        let write = "DynamoDB write units";
        assert!(is_near(of(once, write), 5.0));
        assert!(is_near(of(once, "SQS requests"), 3.0));
        assert!(is_near(of(once, "Lambda invocations"), 4.0));
        assert!(is_near(of(once, "API Gateway requests"), 2.0));
        // 3 of them known to the budget, 3 and 1.5 for what was forgotten, 1 for the audit, and a start.
        assert!(is_near(of(once, "DynamoDB read units"), 8.51));
        assert!(is_near(of(Month { subscribers: 5.0, ..once }, write), 13.0));
        // Two for each wake, and one for each ten that are sent.
        assert!(is_near(of(Month { subscribers: 10.0, ..once }, "SQS requests"), 21.0));
        assert!(is_near(of(Month { subscribers: 11.0, ..once }, "SQS requests"), 24.0));
        // A half, a quarter and so on, twelve of them.
        let retries = 1.0 - 0.5_f64.powi(12);
        let half = of(Month { failure_rate: 0.5, ..once }, write);
        assert!(is_near(half, 5.0 + 5.0 * retries), "{half}");
    }

    #[test]
    fn a_line_costs_its_quantity_by_its_price() {
        let line = Line { what: "", quantity: 3e6, price: crate::cost::prices::WRITE_UNITS };
        assert!(is_near(line.dollars(), 1.875));
    }

    #[test]
    fn an_idle_month_costs_what_stands_and_what_asks() {
        assert!((13.0..14.0).contains(&total(IDLE)), "{}", total(IDLE));
        assert_eq!(quantity(IDLE, "DynamoDB storage"), 0.0);
        assert_eq!(quantity(IDLE, "SQS empty receives by Lambda"), 1_971_000.0);
    }

    #[test]
    fn more_of_anything_costs_more() {
        let dearer = [
            Month { notifications: 2e6, ..MONTH },
            Month { subscribers: 1.3, ..MONTH },
            Month { failure_rate: 0.03, ..MONTH },
            Month { per_order: 3.0, ..MONTH },
            Month { endpoint_ms: 300.0, ..MONTH },
            Month { besides: usage::PASSED_ON * 1e6, ..MONTH },
            Month { seconds: X86_64_SECONDS, ..MONTH },
        ];
        for month in dearer {
            assert!(total(month) > total(MONTH), "{month:?}");
        }
        assert!(total(MONTH) > total(IDLE));
    }

    #[test]
    fn no_month_makes_a_sum_that_is_none() {
        for notifications in [0.0, 1.0, 1e12] {
            for subscribers in [0.0, 1_000.0] {
                for failure_rate in [0.0, 0.999_999] {
                    let month = Month { notifications, subscribers, failure_rate, ..MONTH };
                    assert!(month.bill().iter().all(|line| line.dollars().is_finite()));
                }
            }
        }
    }
}
