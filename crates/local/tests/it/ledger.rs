//! The ledger balances, or names what breaks it; and what was lost can be recovered.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::ledger::{Fault, Ledger};
use domain::order::ORDER_TYPES;
use domain::subscription::{Mode, Policy, Topic};
use jiff::{SignedDuration, Timestamp};
use relay::audit::{Audit, Breach};
use relay::recover::{Recovery, Step};
use relay::setup::{self, Wanted};
use simulator::aws::Fault as AwsFault;
use simulator::endpoint::{Answer, Endpoint};

use crate::stage::{ORDER, Stage, TENANT, post, secs, start, state, subscribe, successes, text_of};

const OTHER_TENANT: &str = "5500002";
const OTHER_UPSTREAM: &str = "9900013";

/// A state change of one order, dated that many seconds after the start.
fn of(order: &str, order_type: &str, status: &str, second: i64) -> String {
    state(status, second).replace(ORDER, order).replace("portins", order_type)
}

/// Audits what came in since `from`, in small pages.
async fn audit_since(stage: &Stage, tenant: &str, from: Timestamp) -> (Ledger, Vec<Breach>) {
    let now = stage.clock.now();
    let audit = Audit::new(stage.world.store.clone(), from, now, now);
    let (mut ledger, mut breaches) = (Ledger::default(), Vec::new());
    let types = ORDER_TYPES.iter().map(|order_type| Some(order_type.name));
    for order_type in std::iter::once(None).chain(types) {
        let mut after = None;
        loop {
            let page = match order_type {
                None => audit.feed(tenant, 3, after).await.unwrap(),
                Some(order_type) => audit.orders(tenant, order_type, 3, after).await.unwrap(),
            };
            ledger += page.ledger;
            breaches.extend(page.breaches);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    assert_eq!(ledger.difference(), breaches.len() as u64);
    (ledger, breaches)
}

async fn audit(stage: &Stage, tenant: &str) -> (Ledger, Vec<Breach>) {
    audit_since(stage, tenant, start()).await
}

/// The orders that are named, and why, by name.
fn named(breaches: &[Breach]) -> Vec<(&str, Fault)> {
    let mut named: Vec<_> = breaches.iter().map(|one| (one.order.as_str(), one.fault)).collect();
    named.sort();
    named
}

pub(crate) async fn recover(stage: &Stage) -> Step {
    let fanout = stage.world.fanout.clone();
    let mut recovery = Recovery::new(fanout, start(), None).await.unwrap();
    let mut sum = Step::default();
    while let Some(step) = recovery.step().await.unwrap() {
        sum += step;
    }
    sum
}

/// Takes away every wake that is waiting.
fn drop_wakes(stage: &Stage) {
    for wake in stage.world.receive_wakes(local::WAKES, 100) {
        stage.aws.queue(local::WAKES).delete(&wake.receipt);
    }
}

/// Takes away what the stream has not handed out yet.
fn drop_stream(stage: &Stage) {
    if let Some(last) = stage.aws.stream().batch(100).last() {
        stage.aws.stream().finish(last.sequence);
    }
}

/// The keys of the newest item of a partition.
async fn newest(stage: &Stage, pk: &str) -> [(String, AttributeValue); 2] {
    let item = stage.items(pk).await.pop().unwrap();
    ["pk", "sk"].map(|name| (name.to_owned(), item[name].clone()))
}

async fn delete(stage: &Stage, [pk, sk]: [(String, AttributeValue); 2]) {
    let table = stage.dynamodb();
    let delete = table.delete_item().table_name("hookline").key(pk.0, pk.1).key(sk.0, sk.1);
    delete.send().await.unwrap();
}

/// Changes the newest delivery of an order.
async fn change(stage: &Stage, order: &str, update: &str, values: &[(&str, AttributeValue)]) {
    let [pk, sk] = newest(stage, &format!("LANE#{}#{order}", stage.subscription)).await;
    let table = stage.dynamodb();
    let mut request = table.update_item().table_name("hookline").key(pk.0, pk.1).key(sk.0, sk.1);
    for (mark, value) in values {
        request = request.expression_attribute_values(*mark, value.clone());
    }
    request.update_expression(update).send().await.unwrap();
}

#[tokio::test]
async fn whatever_becomes_of_an_event_it_is_accounted_for() {
    let down = |one: &_, _| if text_of(one, "OrderId").starts_with("down") { 500 } else { 200 };
    let stage = Stage::with_script(None, down).await;
    let endpoint = Endpoint::start(0, vec![], |one, _| {
        Answer::status(if text_of(one, "OrderType") == "disconnects" { 200 } else { 500 })
    })
    .await
    .unwrap();
    let wanted = |order_type: &str| Wanted {
        topic: Topic::OrderType(order_type.into()),
        waits: Some(vec![secs(5)]),
        ..Wanted::everything(TENANT, &endpoint.url())
    };
    for wanted in [
        wanted("orders"),
        Wanted { mode: Mode::Latest, ..wanted("disconnects") },
        Wanted { policy: Policy::Halt, ..wanted("dldas") },
        Wanted { enabled: false, ..wanted("csrs") },
    ] {
        subscribe(&stage.world, wanted).await;
    }
    for body in [
        state("SUBMITTED", 1),
        state("FOC", 2),
        of("down", "portins", "SUBMITTED", 1),
        of("down", "portins", "FOC", 2),
        of("o", "orders", "COMPLETE", 1),
        of("d", "disconnects", "PARTIAL", 1),
        of("d", "disconnects", "COMPLETE", 2),
        of("l", "dldas", "RECEIVED", 1),
        of("c", "csrs", "COMPLETE", 1),
    ] {
        stage.post_accepted(&body).await;
    }
    let now = stage.world.relay_clock().now();
    setup::tenant(&stage.world.store, OTHER_TENANT, now).await.unwrap();
    let login = setup::upstream(&stage.world.store, OTHER_UPSTREAM, Some(OTHER_TENANT), vec![]);
    let login = login.await.unwrap();
    let user = format!("{}:{}", login.username, login.password);
    let answer = post(stage.world.router(), OTHER_UPSTREAM, Some(&user), state("FOC", 1)).await;
    assert_eq!(answer.0, 200);
    stage.clock.advance(secs(1));

    let (ledger, _) = audit(&stage, TENANT).await;
    assert_eq!(ledger, Ledger::default(), "nothing is known of what is on the stream alone");
    stage.world.fan_out_batch().await;
    let (ledger, _) = audit(&stage, TENANT).await;
    assert_eq!((ledger.accepted, ledger.pending), (14, 14));

    // Until what is down is parked for half an hour.
    stage.run_for(SignedDuration::from_mins(20)).await;
    let (ledger, breaches) = audit(&stage, TENANT).await;
    assert_eq!(breaches, []);
    // Unmatched is what nobody asked for: the relay's own events of what was given up, and halted.
    let expected = Ledger {
        accepted: 16,
        delivered: 8,
        pending: 1,
        parked: 3,
        dead: 1,
        superseded: 1,
        unmatched: 2,
    };
    assert_eq!(ledger, expected);
    let (ledger, breaches) = audit(&stage, OTHER_TENANT).await;
    assert_eq!(ledger, Ledger { accepted: 1, unmatched: 1, ..Ledger::default() });
    assert_eq!(breaches, []);

    // Retries go on for hours, and at no time is anything unaccounted for.
    for _ in 0..4 {
        stage.run_for(SignedDuration::from_mins(97)).await;
        assert_eq!(audit(&stage, TENANT).await.1, []);
    }
}

/// Orders with one event that was delivered, and what has befallen some of them since.
async fn befallen() -> Stage {
    let stage = Stage::new(0, None).await;
    for order in ["fine", "left", "half"] {
        stage.post_accepted(&of(order, "portins", "SUBMITTED", 1)).await;
    }
    stage.run_for(SignedDuration::from_mins(5)).await;
    for order in ["gone", "forgotten", "parked", "two", "two-too"] {
        stage.post_accepted(&of(order, "portins", "SUBMITTED", 1)).await;
    }
    stage.post_accepted(&of("two", "portins", "FOC", 2)).await;
    stage.post_accepted(&of("left", "portins", "FOC", 2)).await;
    stage.world.fan_out_batch().await;
    drop_wakes(&stage);
    stage.clock.advance(secs(1));
    stage.post_accepted(&of("half", "portins", "FOC", 2)).await;
    stage.post_accepted(&of("unheard-of", "portins", "SUBMITTED", 1)).await;
    drop_stream(&stage);

    let text = |text: &str| AttributeValue::S(text.into());
    delete(&stage, newest(&stage, &format!("LANE#{}#gone", stage.subscription)).await).await;
    change(&stage, "left", "SET behind = :true", &[(":true", AttributeValue::Bool(true))]).await;
    let due = [(":due", text("DUE#2026-02-03T10:06#0")), (":at", text("2026-02-03T10:06:00.000Z"))];
    change(&stage, "parked", "SET due = :due, due_at = :at", &due).await;
    let feed = stage.items(&format!("TENANT#{TENANT}#FEED")).await;
    for (order, digest_of) in [("two", "FOC"), ("two-too", "SUBMITTED")] {
        let entry = feed
            .iter()
            .find(|entry| entry["subject"] == text(order) && entry["status"] == text(digest_of));
        let key = ["pk", "sk"].map(|name| (name.to_owned(), entry.unwrap()[name].clone()));
        delete(&stage, key).await;
    }
    stage
}

#[tokio::test]
async fn each_event_that_is_not_accounted_for_is_named_once() {
    let stage = befallen().await;
    assert_eq!(named(&audit(&stage, TENANT).await.1), [], "it may all be under way");
    stage.clock.advance(SignedDuration::from_hours(2));
    let came = start() + SignedDuration::from_mins(5);
    let due = start() + SignedDuration::from_mins(6);
    let expected = [
        ("forgotten", Fault::NotTried { due: came }),
        ("gone", Fault::NoDelivery),
        ("half", Fault::NotFannedOut),
        ("left", Fault::LeftBehind { since: came }),
        ("parked", Fault::NotTried { due }),
        // Its first event has lost its wake, its second stands behind, and in no feed.
        ("two", Fault::NotFannedOut),
        ("two", Fault::NotTried { due: came }),
        ("two-too", Fault::NotFannedOut),
    ];
    let (ledger, breaches) = audit(&stage, TENANT).await;
    assert_eq!(named(&breaches), expected);
    assert_eq!((ledger.accepted, ledger.delivered), (11, 3));
    let gone = breaches.iter().find(|breach| breach.order == "gone").unwrap();
    assert_eq!(gone.subscription.as_ref(), Some(&stage.subscription));
    assert_eq!(gone.tenant, TENANT);

    // What was fanned out of an order before the window shows the order all the same.
    let (_, breaches) = audit_since(&stage, TENANT, came + secs(1)).await;
    assert_eq!(named(&breaches), [("half", Fault::NotFannedOut)]);
}

#[tokio::test]
async fn what_was_lost_is_recovered_and_what_was_not_is_left_alone() {
    let stage = befallen().await;
    assert_eq!(recover(&stage).await.stored, 0, "what is young is the stream's");
    stage.clock.advance(SignedDuration::from_hours(2));
    let step = recover(&stage).await;
    assert_eq!(step.failed, [""; 0]);
    assert_eq!((step.stored, step.fanned_out), (12, 4), "half, unheard-of, two, two-too");
    assert!(step.read_units > 0.0);

    stage.run_for(SignedDuration::from_mins(10)).await;
    let (ledger, breaches) = audit(&stage, TENANT).await;
    assert_eq!(breaches, []);
    assert_eq!((ledger.accepted, ledger.delivered), (12, 12));
    let successes = successes(&stage.endpoint);
    assert_eq!(successes.len(), 12);
    assert!(successes.values().all(|times| *times == 1), "{successes:?}");

    assert_eq!(recover(&stage).await.fanned_out, 0);
    stage.run_for(SignedDuration::from_mins(10)).await;
    assert_eq!(stage.endpoint.received().len(), 12);
    assert!(stage.is_quiet());
}

#[tokio::test]
async fn one_order_that_cannot_be_recovered_does_not_hold_up_others() {
    let stage = Stage::new(0, None).await;
    for (order, second) in [("bad", 1), ("bad", 2), ("good", 1)] {
        stage.post_accepted(&of(order, "portins", &format!("S{second}"), second)).await;
    }
    drop_stream(&stage);
    let first = stage.items("ORDER#9900012#bad").await.remove(0);
    let raw = AttributeValue::B(b"no notification".to_vec().into());
    let table = stage.dynamodb();
    let spoil = table.update_item().table_name("hookline").update_expression("SET #raw = :raw");
    let spoil = spoil.expression_attribute_names("#raw", "raw");
    let spoil = spoil.expression_attribute_values(":raw", raw);
    let spoil = spoil.key("pk", first["pk"].clone()).key("sk", first["sk"].clone());
    spoil.send().await.unwrap();
    stage.clock.advance(SignedDuration::from_hours(2));

    let step = recover(&stage).await;
    assert_eq!((step.stored, step.fanned_out), (3, 1));
    assert_eq!(step.failed.len(), 2, "an order's events come in order, or not at all");
    assert!(step.failed[0].contains("order bad"), "{:?}", step.failed);
    stage.run_for(secs(5)).await;
    assert_eq!(stage.told(), ["S1"]);
}

#[tokio::test]
async fn an_order_that_changed_hands_is_neither_shown_nor_missed() {
    let stage = Stage::new(0, None).await;
    stage.post_accepted(&state("SUBMITTED", 1)).await;
    stage.run_for(secs(5)).await;

    let endpoint = Endpoint::start(0, vec![], |_, _| Answer::status(200)).await.unwrap();
    let now = stage.world.relay_clock().now();
    setup::tenant(&stage.world.store, OTHER_TENANT, now).await.unwrap();
    subscribe(&stage.world, Wanted::everything(OTHER_TENANT, &endpoint.url())).await;
    stage.world.store.set_claim("9900012", ORDER, OTHER_TENANT).await.unwrap();
    stage.post_accepted(&state("FOC", 2)).await;
    stage.run_for(secs(5)).await;
    stage.clock.advance(SignedDuration::from_hours(2));

    for tenant in [TENANT, OTHER_TENANT] {
        let (ledger, breaches) = audit(&stage, tenant).await;
        assert_eq!(breaches, []);
        assert_eq!((ledger.accepted, ledger.delivered), (1, 1));
    }
    assert_eq!(recover(&stage).await.fanned_out, 0);
    stage.run_for(secs(5)).await;
    assert_eq!(stage.endpoint.received().len(), 1);
    let told: Vec<_> = endpoint.received().iter().map(|one| text_of(one, "Status")).collect();
    assert_eq!(told, ["FOC"]);

    // The same for what nobody has seen: it is the new owner's.
    stage.post_accepted(&state("EXCEPTION", 3)).await;
    drop_stream(&stage);
    stage.clock.advance(SignedDuration::from_hours(2));
    assert_eq!(audit(&stage, TENANT).await.1, []);
    assert_eq!(named(&audit(&stage, OTHER_TENANT).await.1), [(ORDER, Fault::NotFannedOut)]);
}

#[tokio::test]
async fn schedule_audits_the_day_before_and_goes_on_where_a_run_ended() {
    let stage = Stage::new(0, None).await;
    let now = stage.world.relay_clock().now();
    for tenant in ["5400000", "5600000"] {
        setup::tenant(&stage.world.store, tenant, now).await.unwrap();
    }
    stage.clock.advance_to("2026-02-03T23:50:00Z".parse().unwrap());
    for n in 0..120 {
        stage.post_accepted(&of(&format!("many-{n}"), "orders", "COMPLETE", 1)).await;
    }
    stage.run_for(secs(5)).await;
    stage.post_accepted(&of("never-audited-twice", "orders", "COMPLETE", 1)).await;
    stage.world.fan_out_batch().await;
    drop_wakes(&stage);

    let two: Timestamp = "2026-02-04T02:00:00Z".parse().unwrap();
    stage.world.run_until(two - secs(90)).await;
    assert!(stage.items("JOBS").await.is_empty());
    stage.world.run_until(two).await;
    assert_eq!(stage.items("JOBS").await.len(), 1);
    // The table fails with the second page, which is then taken again.
    let aws = stage.aws.clone();
    stage.aws.reset_calls();
    stage.aws.inject(move |_| {
        let batches = aws.calls().iter().filter(|call| call.operation == "BatchGetItem").count();
        (batches > 1).then_some(AwsFault::Refuse)
    });
    stage.world.run_until(two + SignedDuration::from_mins(3)).await;
    stage.aws.heal();
    let job = stage.items("JOBS").await.pop().unwrap();
    assert!(job.contains_key("cursor"), "a part of it is done");
    stage.world.run_until(two + SignedDuration::from_mins(6)).await;
    assert!(stage.items("JOBS").await.is_empty());

    let lines = crate::logs::lines();
    let of_this = |line: &&str| line.contains("order never-audited-twice");
    let breaches = lines.lines().filter(|line| line.contains("an event breaks the ledger"));
    assert_eq!(breaches.filter(of_this).count(), 1);
    let result = lines.lines().find(|line| line.contains("\"accepted\":121")).unwrap();
    assert!(result.contains("\"AuditDifference\":1,"), "{result}");
    assert!(result.contains("\"delivered\":120"), "{result}");
    assert!(result.contains("\"day\":\"2026-02-03\""), "{result}");
}

#[tokio::test]
async fn what_was_laid_aside_and_is_let_go_by_nobody_is_named() {
    let stage = Stage::new(0, None).await;
    stage.post_accepted(&of("aside", "portins", "FOC", 1)).await;
    stage.world.fan_out_batch().await;
    drop_wakes(&stage);
    let held = AttributeValue::S(format!("HELD#{}", stage.subscription));
    let at = AttributeValue::S("2026-02-03T10:00:00.000Z".into());
    change(&stage, "aside", "SET due = :due, due_at = :at", &[(":due", held), (":at", at)]).await;
    stage.clock.advance(SignedDuration::from_hours(2));
    let (_, breaches) = audit(&stage, TENANT).await;
    assert_eq!(named(&breaches), [("aside", Fault::LaidAside { since: start() })]);
    // While its subscription is disabled, and while it is let go of, it rests rightly.
    let path = format!("/subscriptions/{}", stage.subscription);
    for enabled in [false, true] {
        let wanted = serde_json::json!({"url": stage.endpoint.url(), "enabled": enabled});
        stage.api("PUT", &path, wanted).await;
        assert_eq!(named(&audit(&stage, TENANT).await.1), [], "enabled: {enabled}");
    }
    stage.run_for(SignedDuration::from_mins(10)).await;
    assert_eq!(stage.endpoint.received().len(), 1);
}

#[tokio::test]
async fn what_waits_for_a_slot_of_a_limited_rate_breaks_nothing() {
    let stage = Stage::new(0, None).await;
    let path = format!("/subscriptions/{}", stage.subscription);
    let limited = serde_json::json!({"url": stage.endpoint.url(), "rate_limit": 1});
    stage.api("PUT", &path, limited).await;
    // Attempts are spoken for until noon.
    let noon = start() + SignedDuration::from_hours(2);
    stage.take_slots_until(noon).await;
    for order in ["one", "two"] {
        stage.post_accepted(&of(order, "portins", "FOC", 1)).await;
    }
    stage.run_for(SignedDuration::from_hours(1)).await;
    assert_eq!(stage.endpoint.received().len(), 0);
    assert_eq!(named(&audit(&stage, TENANT).await.1), []);
    stage.run_for(SignedDuration::from_hours(1) + secs(10)).await;
    assert_eq!(stage.endpoint.received().len(), 2);
}

#[tokio::test]
async fn what_was_parked_and_lost_its_wakes_is_recovered() {
    let waits = vec![SignedDuration::from_mins(30), secs(5)];
    let stage = Stage::new(1, Some(waits)).await;
    stage.post_accepted(&state("FOC", 1)).await;
    stage.run_for(secs(10)).await;
    // That of the second look too.
    for _ in 0..70 {
        stage.clock.advance(secs(60));
        stage.world.run_schedule().await;
        drop_wakes(&stage);
    }
    stage.clock.advance(SignedDuration::from_hours(3));
    assert_eq!(recover(&stage).await.stored, 1);
    stage.run_for(secs(10)).await;
    assert_eq!(stage.told(), ["FOC"]);
}
