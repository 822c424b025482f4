//! Which partitions the units go to, counted: `hookline plan` reckons by it.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use local::usage::partition::{self, Kind, Load};
use local::{ASIDE, WAKES, usage};
use simulator::aws::Partition;

use super::{Relay, same};
use crate::stage::of;

#[tokio::test]
async fn a_notification_and_its_deliveries_go_where_the_plan_says() {
    for subscribers in [1, 5] {
        let mut relay = Relay::new(subscribers, 0).await;
        relay.deliver_one().await;
        let count = subscribers as f64;
        let expected = [(partition::NOTIFICATION, 1.0), (partition::DELIVERY, count)];
        relay.same_loads(&format!("{subscribers} remembered"), &expected);
        assert_eq!(relay.partitions(partition::LANE), subscribers, "each has a lane");

        let mut relay = Relay::new(subscribers, 0).await;
        relay.remembers = false;
        relay.deliver_one().await;
        let forgotten =
            [(partition::FORGOTTEN_NOTIFICATION, 1.0), (partition::FORGOTTEN_ATTEMPT, count)];
        let expected = [expected, forgotten].concat();
        relay.same_loads(&format!("{subscribers} forgotten"), &expected);
        assert_eq!(relay.partitions(partition::TOPIC), 2, "each topic is a partition");
    }
}

#[tokio::test]
async fn a_process_that_starts_reads_its_key_where_the_plan_says() {
    let mut relay = Relay::new(1, 0).await;
    relay.remembers = false;
    relay.stage.redeploy().await;
    relay.reset();
    relay.deliver_one().await;
    let expected = [
        partition::NOTIFICATION,
        partition::DELIVERY,
        partition::FORGOTTEN_NOTIFICATION,
        partition::FORGOTTEN_ATTEMPT,
        partition::START,
    ];
    relay.same_loads("a start", &expected.map(|loads| (loads, 1.0)));
}

#[tokio::test]
async fn a_retry_goes_where_the_plan_says() {
    let mut relay = Relay::new(1, 1).await;
    relay.deliver_one().await;
    relay.retry().await;
    let expected = [partition::NOTIFICATION, partition::DELIVERY, partition::RETRY];
    relay.same_loads("a retry", &expected.map(|loads| (loads, 1.0)));
}

#[tokio::test]
async fn an_upstream_that_is_asked_writes_to_one_partition_for_each_state() {
    let mut relay = Relay::new(1, 0).await;
    crate::reconcile::make_askable(&relay.stage, "https://bandwidth.test".into()).await;
    relay.deliver_of("other", 2).await;
    // What it writes first it takes away last, and between it does both.
    for (status, second, share) in [("SUBMITTED", 2, 0.5), ("FOC", 3, 1.0), ("COMPLETE", 4, 0.5)] {
        relay.stage.clock.advance(SignedDuration::from_secs(1));
        relay.reset();
        relay.notify(&of("one", status, second)).await;
        relay.fan_out().await;
        relay.deliver().await;
        let expected = [
            (partition::NOTIFICATION, 1.0),
            (partition::DELIVERY, 1.0),
            (partition::WATCHED, share),
        ];
        relay.same_loads(status, &expected);
        let reckoned = usage::NOTIFICATION + usage::DELIVERY + usage::WATCHED * share;
        same(status, relay.used(), reckoned);
    }
}

#[tokio::test]
async fn what_is_for_an_endpoint_that_ails_is_passed_on() {
    let mut relay = Relay::new(1, 1).await;
    relay.deliver_one().await;
    relay.retry().await;
    relay.reset();
    relay.deliver_of("other", 3).await;
    let expected = [partition::NOTIFICATION, partition::DELIVERY, partition::PASSED_ON];
    relay.same_loads("passed on", &expected.map(|loads| (loads, 1.0)));
    same("passed on", relay.used(), usage::NOTIFICATION + usage::DELIVERY + usage::PASSED_ON);
}

#[tokio::test]
async fn what_is_for_an_endpoint_that_is_down_is_held_in_one_partition() {
    let mut relay = Relay::new(1, 100).await;
    let failures = domain::health::OPEN_AFTER as i64;
    for nth in 0..failures {
        relay.deliver_of(&format!("failing-{nth}"), 2 + nth).await;
    }
    // The event that tells of it.
    relay.fan_out().await;
    relay.reset();
    relay.deliver_of("other", 20).await;
    let writes = |(kind, (_, write)): (Kind, (f64, f64))| (write > 0.0).then_some((kind, write));
    let held: BTreeMap<_, _> = relay.loads().into_iter().filter_map(writes).collect();
    let notified = partition::NOTIFICATION.iter().filter(|load| load.write > 0.0);
    let expected = notified.chain(partition::HELD).map(|load| (load.kind, load.write));
    assert_eq!(held, expected.collect());
}

#[tokio::test]
async fn a_retry_that_waits_in_the_table_goes_where_the_plan_says() {
    let mut relay = Relay::new(1, 5).await;
    relay.deliver_one().await;
    for _ in 0..4 {
        relay.retry().await;
    }
    let parked = |relay: &Relay| {
        let parts = relay.stage.aws.loads().into_iter();
        let due = parts.filter(|(part, load)| part.key.starts_with("DUE#") && load.write > 0.0);
        due.map(|(part, load)| (kind_of(&part), load.write)).collect::<Vec<_>>()
    };
    assert_eq!(parked(&relay), [(partition::DUE, 1.0)], "the fifth wait is long");
    relay.retry().await;
    let written: f64 = parked(&relay).iter().map(|(_, writes)| writes).sum();
    assert_eq!(written, partition::PARKED[0].write);
}

/// A message is in flight from when Lambda receives it until its attempt is over.
#[tokio::test]
async fn an_attempt_has_one_message_in_flight() {
    let mut relay = Relay::new(5, 0).await;
    relay.notify(&of("one", "FOC", 2)).await;
    relay.fan_out().await;
    let wakes = relay.stage.world.receive_wakes(WAKES, 10);
    assert_eq!((wakes.len(), relay.in_flight()), (5, 5));
    for wake in &wakes {
        relay.stage.world.handle_wake(WAKES, wake).await;
    }
    assert_eq!(relay.in_flight(), 0);
    assert_eq!(relay.stage.endpoint.received().len(), 10, "five before, and these");
}

impl Relay {
    /// Messages that were received and are not yet deleted.
    fn in_flight(&self) -> usize {
        let messages = [WAKES, ASIDE].map(|queue| self.stage.aws.queue(queue).messages());
        messages.iter().flatten().filter(|message| message.receive_count > 0).count()
    }

    /// What went where since the last reset.
    fn loads(&self) -> BTreeMap<Kind, (f64, f64)> {
        let mut loads: BTreeMap<Kind, (f64, f64)> = BTreeMap::new();
        for (partition, load) in self.stage.aws.loads() {
            let sum = loads.entry(kind_of(&partition)).or_default();
            *sum = (sum.0 + load.read, sum.1 + load.write);
        }
        loads
    }

    /// How many partitions of a kind there were.
    fn partitions(&self, kind: Kind) -> usize {
        self.stage.aws.loads().keys().filter(|partition| kind_of(partition) == kind).count()
    }

    /// Fails where the figures of `usage::partition` are not what was counted, in sum and by partition.
    fn same_loads(&self, case: &str, reckoned: &[(&[Load], f64)]) {
        let mut sums: BTreeMap<Kind, (f64, f64)> = BTreeMap::new();
        for (loads, count) in reckoned {
            for load in *loads {
                let sum = sums.entry(load.kind).or_default();
                *sum = (sum.0 + load.read * count, sum.1 + load.write * count);
            }
        }
        assert_eq!(self.loads(), sums, "{case}: by kind, reads and writes");
        let (read, write) = sums
            .values()
            .fold((0.0, 0.0), |(reads, writes), (read, write)| (reads + read, writes + write));
        let used = self.used();
        assert_eq!((used.read, used.write), (read, write), "{case}: nothing goes elsewhere");
    }
}

/// The kind whose pattern a partition's key has.
fn kind_of(partition: &Partition) -> Kind {
    let index = partition.index.as_deref().unwrap_or_default();
    let fits = |kind: &&Kind| {
        let words: Vec<_> = kind.key.split('#').collect();
        // What names a topic may have parts.
        let parts = if *kind == &partition::TOPIC { words.len() } else { usize::MAX };
        let found: Vec<_> = partition.key.splitn(parts, '#').collect();
        let is_one = |(word, found): (&&str, &&str)| word.starts_with('{') || word == found;
        kind.index == index && words.len() == found.len() && words.iter().zip(&found).all(is_one)
    };
    *partition::KINDS.iter().find(fits).unwrap_or_else(|| panic!("no kind has {partition:?}"))
}
