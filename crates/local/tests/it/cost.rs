//! What notifications and idle months use of AWS: counted, held to a budget, and held to what
//! `hookline cost` reckons with.
//!
//! Every step is taken by one invocation that gets one wake, which is what costs most.

mod partitions;

use jiff::{SignedDuration, Timestamp};
use local::usage::{self, Usage};
use local::{ASIDE, WAKES};
use relay::setup::Wanted;

use crate::stage::{Item, Stage, TENANT, UPSTREAM, of, subscribe};

/// What must not be exceeded, by anybody, for anything, without a word in ARCHITECTURE.md.
mod budget {
    use super::Usage;

    pub(super) const ONE_SUBSCRIBER: Usage = Usage {
        write: 5.0,
        read: 3.0,
        queue: 3.0,
        http: 2.0,
        ingest: 2.0,
        fanout: 1.0,
        deliver: 1.0,
        ..Usage::NONE
    };
    pub(super) const FIVE_SUBSCRIBERS: Usage =
        Usage { write: 13.0, read: 13.0, queue: 11.0, deliver: 5.0, ..ONE_SUBSCRIBER };
    pub(super) const ONE_RETRY: Usage =
        Usage { write: 10.0, read: 4.5, queue: 6.0, deliver: 2.0, ..ONE_SUBSCRIBER };
    pub(super) const NOTHING_REMEMBERED: Usage = Usage { read: 7.5, ..ONE_SUBSCRIBER };
    pub(super) const IDLE_MONTH: Usage = Usage {
        write: 44_000.0,
        read: 285_000.0,
        queue: 2_000_000.0,
        schedule: 43_800.0,
        ..Usage::NONE
    };
}

/// For longer than anything is remembered.
const FORGETS: SignedDuration = SignedDuration::from_secs(6);

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

#[tokio::test]
async fn one_subscriber_stays_within_the_budget() {
    let mut relay = Relay::new(1, 0).await;
    relay.deliver_one().await;
    let used = relay.used();
    hold("one subscriber", used, budget::ONE_SUBSCRIBER);
    same("one subscriber", used, usage::NOTIFICATION + usage::DELIVERY);
}

#[tokio::test]
async fn five_subscribers_stay_within_the_budget() {
    let mut relay = Relay::new(5, 0).await;
    relay.deliver_one().await;
    let used = relay.used();
    hold("five subscribers", used, budget::FIVE_SUBSCRIBERS);
    same("five subscribers", used, usage::NOTIFICATION + usage::DELIVERY * 5.0);
}

#[tokio::test]
async fn the_wakes_of_eleven_subscribers_take_a_second_request() {
    let mut relay = Relay::new(11, 0).await;
    relay.deliver_one().await;
    let expected = usage::NOTIFICATION + usage::FURTHER_SEND + usage::DELIVERY * 11.0;
    same("eleven subscribers", relay.used(), expected);
}

#[tokio::test]
async fn one_retry_stays_within_the_budget() {
    let mut relay = Relay::new(1, 1).await;
    relay.deliver_one().await;
    relay.retry().await;
    let used = relay.used();
    hold("one retry", used, budget::ONE_RETRY);
    same("one retry", used, usage::NOTIFICATION + usage::DELIVERY + usage::RETRY);
}

#[tokio::test]
async fn no_later_retry_costs_more_than_the_first() {
    let first = usage::RETRY + usage::FORGOTTEN_ATTEMPT;
    let mut before = None;
    for failures in 1..=7 {
        let mut relay = Relay::new(1, failures).await;
        relay.remembers = false;
        relay.deliver_one().await;
        for _ in 0..failures {
            relay.retry().await;
        }
        let used = relay.used();
        if let Some(before) = before {
            hold(&format!("retry {failures}"), used - before, first);
        }
        before = Some(used);
    }
}

#[tokio::test]
async fn what_is_forgotten_is_read_again() {
    let mut all = Vec::new();
    for subscribers in [1, 5] {
        let mut relay = Relay::new(subscribers, 0).await;
        relay.remembers = false;
        relay.deliver_one().await;
        let used = relay.used();
        let count = subscribers as f64;
        let expected = usage::NOTIFICATION + usage::FORGOTTEN_NOTIFICATION;
        let delivery = usage::DELIVERY + usage::FORGOTTEN_ATTEMPT;
        same(&format!("nothing remembered, {subscribers}"), used, expected + delivery * count);
        all.push(used);
    }
    hold("nothing remembered", all[0], budget::NOTHING_REMEMBERED);

    let mut relay = Relay::new(1, 0).await;
    relay.remembers = false;
    relay.stage.redeploy().await;
    relay.reset();
    relay.deliver_one().await;
    same("a process starts", relay.used() - all[0], usage::START);
}

#[tokio::test]
async fn fanout_calls_as_often_as_the_plan_reckons() {
    for subscribers in [1, 5] {
        let mut relay = Relay::new(subscribers, 0).await;
        relay.remembers = false;
        relay.notify(&of("one", "FOC", 2)).await;
        relay.reset();
        relay.fan_out().await;
        let lanes = usage::FANOUT_CALLS_OF_LANE * subscribers as f64;
        let one_send = 1.0;
        let called = relay.stage.aws.calls().len() as f64;
        assert_eq!(called, usage::FANOUT_CALLS + lanes + one_send, "{subscribers} subscribers");
    }
}

#[tokio::test]
async fn an_idle_month_stays_within_the_budget() {
    let mut relay = Relay::new(1, 0).await;
    relay.schedule_until("2026-02-03T11:00:00Z").await;
    relay.reset();
    relay.minute().await;
    same("an idle minute", relay.used(), usage::MINUTE);
    // The first day had a notification.
    relay.schedule_until("2026-02-05T01:58:00Z").await;
    same("a day's audit", relay.audit().await, usage::AUDIT);
    hold("an idle month", Usage::idle_month(), budget::IDLE_MONTH);
}

#[tokio::test]
async fn an_audit_costs_what_is_reckoned() {
    for subscribers in [1, 5] {
        let mut relay = Relay::new(subscribers, 0).await;
        // Beside the one before, and of the same day.
        relay.deliver_one().await;
        relay.schedule_until("2026-02-04T01:58:00Z").await;
        let used = relay.audit().await;
        let delivery = usage::AUDITED_DELIVERY * subscribers as f64;
        let expected = usage::AUDIT + (usage::AUDITED_NOTIFICATION + delivery) * 2.0;
        same(&format!("an audit, {subscribers}"), used, expected);
    }
}

#[tokio::test]
async fn what_is_kept_is_as_large_and_as_old_as_is_reckoned() {
    let mut relay = Relay::new(1, 0).await;
    // The longest are stored compressed, and so are no larger.
    let numbers: String = (0..7)
        .map(|nth| format!("<TelephoneNumber>91955{}</TelephoneNumber>", 50_123 + 4_999 * nth))
        .collect();
    let list = "CompletedTelephoneNumbers";
    let body =
        of("one", "FOC", 2).replace("</Status>", &format!("</Status><{list}>{numbers}</{list}>"));
    assert!((560..=600).contains(&body.len()), "{}", body.len());
    let now = relay.stage.clock.now();
    relay.notify(&body).await;
    relay.fan_out().await;
    relay.deliver().await;

    let newest = async |partition: &str| relay.stage.items(partition).await.pop().unwrap();
    let event = newest(&format!("ORDER#{UPSTREAM}#one")).await;
    let entry = newest(&format!("TENANT#{TENANT}#FEED")).await;
    let delivery = newest(&format!("LANE#{}#one", relay.stage.subscription)).await;
    let order = newest(&format!("TENANT#{TENANT}#ORDERS#portins")).await;

    for (item, days) in [
        (&event, usage::KEPT_DAYS),
        (&entry, usage::KEPT_DAYS),
        (&delivery, usage::KEPT_DAYS),
        (&order, usage::ORDER_KEPT_DAYS),
    ] {
        assert_eq!(kept_days(item, now), days, "{:?}", item["pk"]);
    }
    for (items, bytes) in [
        (&[&event, &entry][..], usage::NOTIFICATION_BYTES),
        (&[&delivery][..], usage::DELIVERY_BYTES),
        (&[&order][..], usage::ORDER_BYTES),
    ] {
        let found: f64 =
            items.iter().map(|item| usage::ITEM_EXTRA_BYTES + usage::item_bytes(item) as f64).sum();
        let is_near = (0.85..=1.0).contains(&(found / bytes));
        assert!(is_near, "{:?} has {found} bytes, and {bytes} are reckoned with", items[0]["pk"]);
    }
}

/// A relay that is invoked step by step, after a first notification.
struct Relay {
    stage: Stage,
    /// Whether a function is invoked again so soon that it knows what it has just read.
    remembers: bool,
    /// What the simulator does not see: what invokes the functions.
    invoked: Usage,
    /// What is not to be counted.
    anyway: Usage,
}

impl Relay {
    /// `failures` is how often the endpoint fails after the first notification.
    async fn new(subscribers: usize, failures: usize) -> Relay {
        let fails = move |nth| (subscribers..subscribers + failures).contains(&nth);
        let stage = Stage::with_script(None, move |_, nth| if fails(nth) { 500 } else { 200 });
        let stage = Box::pin(stage).await;
        for nth in 1..subscribers {
            let url = format!("{}{nth}", stage.endpoint.url());
            subscribe(&stage.world, Wanted::everything(TENANT, &url)).await;
        }
        let mut relay = Relay { stage, remembers: true, invoked: Usage::NONE, anyway: Usage::NONE };
        Box::pin(relay.deliver_of("before", 1)).await;
        relay.reset();
        relay
    }

    fn reset(&mut self) {
        self.stage.aws.reset_calls();
        self.invoked = Usage::NONE;
        self.anyway = Usage::NONE;
    }

    fn used(&self) -> Usage {
        let units = self.stage.aws.units();
        assert_eq!(self.scans(), 0, "the road has no scan");
        let called = Usage {
            write: units.write,
            read: units.read,
            queue: units.queue as f64,
            key: units.key as f64,
            ..self.invoked
        };
        called - self.anyway
    }

    fn scans(&self) -> usize {
        self.stage.aws.calls().iter().filter(|call| call.operation == "Scan").count()
    }

    async fn deliver_one(&mut self) {
        self.deliver_of("one", 2).await;
    }

    async fn deliver_of(&mut self, order: &str, second: i64) {
        self.notify(&of(order, "FOC", second)).await;
        self.fan_out().await;
        self.deliver().await;
    }

    /// As Bandwidth posts: first without credentials.
    async fn notify(&mut self, body: &str) {
        self.forget();
        let router = self.stage.world.router();
        let challenged = crate::stage::post(router, UPSTREAM, None, body.to_owned()).await;
        assert_eq!(challenged.0, 401);
        self.stage.post_accepted(body).await;
        self.invoked = self.invoked + Usage { http: 2.0, ingest: 2.0, ..Usage::NONE };
    }

    async fn fan_out(&mut self) {
        self.forget();
        assert_eq!(self.stage.world.fan_out_batch().await, 1);
        self.invoked.fanout += 1.0;
    }

    /// Works off what the queues give now.
    async fn deliver(&mut self) {
        for queue in [WAKES, ASIDE] {
            let is_due = |at| at <= self.stage.clock.now();
            while self.stage.aws.queue(queue).next_visible_at().is_some_and(is_due) {
                self.forget();
                for wake in self.stage.world.receive_wakes(queue, 1) {
                    self.stage.world.handle_wake(queue, &wake).await;
                    self.invoked.deliver += 1.0;
                }
            }
        }
    }

    /// Goes on to the next attempt. What schedule reads and writes until then it does every minute anyway.
    async fn retry(&mut self) {
        let before = self.stage.endpoint.received().len();
        while self.stage.endpoint.received().len() == before {
            match self.stage.aws.queue(ASIDE).next_visible_at() {
                Some(at) if at > self.stage.clock.now() => self.stage.clock.advance_to(at),
                Some(_) => {}
                None => {
                    self.stage.clock.advance(MINUTE);
                    let before = self.stage.aws.units();
                    self.stage.world.run_schedule().await;
                    let after = self.stage.aws.units();
                    self.anyway.read += after.read - before.read;
                    self.anyway.write += after.write - before.write;
                }
            }
            self.deliver().await;
        }
    }

    async fn minute(&mut self) {
        self.stage.clock.advance(MINUTE);
        self.stage.world.run_schedule().await;
        self.invoked.schedule += 1.0;
    }

    /// What the audit of the day before uses, which is asked for at 02:00, two minutes from now, beside
    /// what its minutes use anyway.
    async fn audit(&mut self) -> Usage {
        self.reset();
        for _ in 0..6 {
            self.minute().await;
        }
        self.used() - usage::MINUTE * 6.0
    }

    /// Runs schedule as often as it takes to be there.
    async fn schedule_until(&self, until: &str) {
        let until: Timestamp = until.parse().unwrap();
        while self.stage.clock.now() < until {
            let next = (self.stage.clock.now() + SignedDuration::from_hours(3)).min(until);
            self.stage.clock.advance_to(next);
            self.stage.world.run_schedule().await;
            // What its minutes asked for is worked off.
            self.stage.world.run_schedule().await;
        }
    }

    fn forget(&self) {
        if !self.remembers {
            self.stage.clock.advance(FORGETS);
        }
    }
}

/// Fails where something is used beyond what it may cost.
fn hold(case: &str, used: Usage, budget: Usage) {
    for ((unit, used), (_, budget)) in used.each().into_iter().zip(budget.each()) {
        assert!(used <= budget, "{case}: {used} {unit}, and the budget is {budget}");
    }
}

/// Fails where the figures of `usage` are not what was counted.
fn same(case: &str, used: Usage, reckoned: Usage) {
    for ((unit, used), (_, reckoned)) in used.each().into_iter().zip(reckoned.each()) {
        assert_eq!(used, reckoned, "{case}: {used} {unit}, and local::usage says {reckoned}");
    }
}

/// For how many days an item is kept from `now` on.
fn kept_days(item: &Item, now: Timestamp) -> f64 {
    let expires: i64 = item["expires"].as_n().unwrap().parse().unwrap();
    (expires - now.as_second()) as f64 / 86_400.0
}
