//! For each handler and each AWS call n in it: that call and all after it fail, once before being
//! applied and once after; then the process is gone, AWS heals, and the world runs on. Whatever was
//! acknowledged is delivered, in order, and nothing is left over. The same where only call n fails
//! and the handler goes on, so that the SDK's own second try meets what the first one wrote.

mod cases;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::subscription::Topic;
use futures::StreamExt as _;
use jiff::SignedDuration;
use relay::setup::{self, Wanted};
use relay::subscriptions::Bound;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use simulator::aws::{Fault, Service};

use crate::stage::{ORDER, Stage, TENANT, header, successes};
use cases::{Case, Moment};

/// More AWS calls than any handler makes in one run here; the sweep ends before it.
const CALLS_MAX: u64 = 200;

/// Sweeps at once. Each has an endpoint of its own, whose answers are not to wait for the others'.
const SWEEPS_AT_ONCE: usize = 8;

/// When a job has settled, and is begun.
const SETTLED: SignedDuration = SignedDuration::from_secs(95);

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_call_loses_nothing_and_leaves_no_lane_stuck() {
    let kinds = [
        (Fault::Refuse, Span::FromThereOn),
        (Fault::LoseAnswer, Span::FromThereOn),
        (Fault::LoseAnswer, Span::Once),
        (Fault::Conflict, Span::Once),
    ];
    let sweeps = cases::all().into_iter().flat_map(|case| kinds.map(|kind| (case.clone(), kind)));
    futures::stream::iter(sweeps)
        .map(|(case, (fault, span))| tokio::spawn(sweep(case, fault, span)))
        .buffer_unordered(SWEEPS_AT_ONCE)
        .for_each(async |swept| swept.unwrap())
        .await;
}

/// Which calls fail.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Span {
    FromThereOn,
    Once,
}

async fn sweep(case: Case, fault: Fault, span: Span) {
    let mut points = 0;
    for call in 1..CALLS_MAX {
        if !Box::pin(crash_at(&case, fault, span, call)).await {
            break;
        }
        points = call;
    }
    assert!((1..CALLS_MAX - 1).contains(&points), "{}: {points} crash points", case.name);
}

/// Crashes at one call; false when the handler made fewer calls.
async fn crash_at(case: &Case, fault: Fault, span: Span, call: u64) -> bool {
    let point = format!("{} at call {call}, {fault:?}, {span:?}", case.name);
    let mut stage = Stage::with_script(case.waits.clone(), case.answer).await;
    let request = bring_about(&stage, case).await;

    let reached = Arc::new(AtomicU64::new(0));
    stage.aws.reset_calls();
    stage.aws.inject({
        let reached = reached.clone();
        move |seen| {
            reached.fetch_max(seen.number, Ordering::SeqCst);
            let fails = match span {
                Span::FromThereOn => seen.number >= call,
                Span::Once => seen.number == call,
            };
            fails.then_some(fault)
        }
    });
    let answered = handle(&stage, case, request).await;
    stage.aws.heal();
    let reached = reached.load(Ordering::SeqCst) >= call;

    stage.redeploy().await;
    // A message whose handler died is back after six minutes; what is parked waits for longer.
    let is_parked = case.moment == Moment::Deliver && case.waits == cases::half_an_hour();
    stage.run_for(SignedDuration::from_mins(if is_parked { 45 } else { 15 })).await;
    if enable_if_disabled(&stage, case).await {
        stage.run_for(SignedDuration::from_mins(15)).await;
    }

    assert!(stage.is_quiet(), "{point}: something still waits");
    assert_eq!(stage.pending().await, 0, "{point}: deliveries still wait");
    for kind in ["JOBS", "BREAKERS"] {
        assert_eq!(stage.items(kind).await, [], "{point}: there still are {kind}");
    }
    if case.moment != Moment::Ingest || answered {
        assert_eq!(told(&stage, false, case), sorted_if_so(&case.told, case), "{point}");
    }
    if case.moment == Moment::Replay || answered {
        assert_eq!(told(&stage, true, case), sorted_if_so(&case.told_again, case), "{point}");
    }
    if case.bound {
        let left = stage.world.subscriptions.get(TENANT, BOUND).await.unwrap();
        assert!(left.is_none(), "{point}: the subscription outlived its order");
    }
    for one in stage.endpoint.received() {
        assert_eq!(one.verified, Ok(()), "{point}");
    }
    if !reached && case.told_again.is_empty() {
        let repeated = successes(&stage.endpoint).into_values().find(|count| *count > 1);
        assert_eq!(repeated, None, "{point}: a POST was repeated without a crash");
    }
    reached
}

/// What was told with success, for the first time or again, without repeats.
fn told(stage: &Stage, again: bool, case: &Case) -> Vec<String> {
    let told = stage.told_where(|one| (header(one, "hookline-replay") == "true") == again);
    sorted_if_so(&told, case)
}

fn sorted_if_so(told: &[impl ToString], case: &Case) -> Vec<String> {
    let mut told: Vec<_> = told.iter().map(ToString::to_string).collect();
    if case.in_any_order {
        told.sort();
    }
    told
}

/// What a tenant asks of the API.
struct Request {
    method: &'static str,
    path: String,
    body: Value,
}

/// Brings the world to the moment, and says what the tenant is then going to ask for.
async fn bring_about(stage: &Stage, case: &Case) -> Option<Request> {
    let world = &stage.world;
    if case.bound {
        subscribe_to_one_order(stage, case).await;
    }
    match case.moment {
        Moment::Ingest => {}
        Moment::Inbox => {
            stage.aws.inject(|call| (call.service == Service::Table).then_some(Fault::Refuse));
            post_all(stage, case).await;
            stage.aws.heal();
        }
        Moment::Fanout => post_all(stage, case).await,
        Moment::Deliver => {
            post_all(stage, case).await;
            world.fan_out_batch().await;
        }
        Moment::Due => {
            post_all(stage, case).await;
            // Up to a minute and a half before the parked delivery is due.
            stage.run_for(SignedDuration::from_secs(28 * 60 + 30)).await;
            stage.clock.advance(SignedDuration::from_secs(60));
        }
        Moment::Opening => {
            post_all(stage, case).await;
            stage.run_for(SignedDuration::from_secs(8)).await;
            assert_eq!(stage.endpoint.received().len(), 9);
            stage.clock.advance(SignedDuration::from_secs(1));
        }
        Moment::Probe => come_to_the_probe(stage, case).await,
        Moment::Closed => {
            come_to_the_probe(stage, case).await;
            deliver(stage).await;
            stage.clock.advance(SignedDuration::from_secs(60));
        }
        Moment::Enabling => {
            collect(stage, case).await;
            return Some(enabling(stage));
        }
        Moment::Drain => {
            collect(stage, case).await;
            ask(stage, enabling(stage)).await;
            stage.clock.advance(SETTLED);
        }
        Moment::Snapshot => {
            world.subscriptions.remove(TENANT, &stage.subscription).await.unwrap();
            post_and_deliver_all(stage, case).await;
            let body = json!({
                "url": stage.endpoint.url(), "order_type": "portins", "snapshot": true
            });
            let made = stage.api("POST", "/subscriptions", body).await;
            stage.endpoint.set_secrets(vec![made["signing_secret"].as_str().unwrap().into()]);
            stage.clock.advance(SETTLED);
        }
        Moment::AskReplay => {
            post_and_deliver_all(stage, case).await;
            return Some(replaying());
        }
        Moment::Replay => {
            post_and_deliver_all(stage, case).await;
            ask(stage, replaying()).await;
            stage.clock.advance(SETTLED);
        }
        Moment::Retry => {
            post_and_deliver_all(stage, case).await;
            let path = stage.retry_of("FOC").await;
            return Some(Request { method: "POST", path, body: Value::Null });
        }
    }
    None
}

/// The breaker has opened, and the first of what was laid aside is due as a probe.
async fn come_to_the_probe(stage: &Stage, case: &Case) {
    post_all(stage, case).await;
    stage.run_for(SignedDuration::from_secs(12)).await;
    assert_eq!(stage.items("BREAKERS").await.len(), 1);
    stage.clock.advance(SignedDuration::from_secs(60));
    stage.world.run_schedule().await;
}

/// The endpoint has said that it is gone, and all that has come for it waits.
async fn collect(stage: &Stage, case: &Case) {
    post_and_deliver_all(stage, case).await;
    assert_eq!(stage.endpoint.received().len(), 1);
}

async fn post_and_deliver_all(stage: &Stage, case: &Case) {
    post_all(stage, case).await;
    stage.run_for(SignedDuration::from_secs(1)).await;
}

async fn post_all(stage: &Stage, case: &Case) {
    // Of what was listened for too late, the state was asked for.
    for body in case.bodies.iter().skip(usize::from(case.bound)) {
        stage.post_accepted(body).await;
    }
}

/// Lets the first event pass without a listener, then asks for its order.
async fn subscribe_to_one_order(stage: &Stage, case: &Case) {
    let world = &stage.world;
    world.subscriptions.remove(TENANT, &stage.subscription).await.unwrap();
    stage.post_accepted(&case.bodies[0]).await;
    stage.run_for(SignedDuration::from_secs(1)).await;
    let order = world.store.order_record(TENANT, "portins", ORDER).await.unwrap().unwrap();
    let topic = Topic::Order { order_type: "portins".into(), order_id: ORDER.into() };
    let wanted = Wanted {
        id: Some(BOUND.into()),
        topic,
        waits: case.waits.clone(),
        ..Wanted::everything(TENANT, &stage.endpoint.url())
    };
    let bound = Bound::to(order, true);
    let clock = world.relay_clock();
    let (_, secret) =
        setup::subscription(&world.subscriptions, wanted, Some(&bound), clock).await.unwrap();
    stage.endpoint.set_secrets(vec![secret.expose_secret().to_owned()]);
}

/// The subscription to one order.
const BOUND: &str = "bound";

fn enabling(stage: &Stage) -> Request {
    let body = json!({"url": stage.endpoint.url(), "enabled": true});
    Request { method: "PUT", path: format!("/subscriptions/{}", stage.subscription), body }
}

fn replaying() -> Request {
    let body = json!({"from": "2026-02-03T00:00:00Z"});
    Request { method: "POST", path: "/replays".into(), body }
}

/// Asks the API; whether it said yes.
async fn ask(stage: &Stage, request: Request) -> bool {
    let Request { method, path, body } = request;
    stage.client().ask(method, &path, body).await.0.is_success()
}

/// What the tenant does who learns that its endpoint was disabled; whether it was.
async fn enable_if_disabled(stage: &Stage, case: &Case) -> bool {
    if case.bound || case.moment == Moment::Snapshot {
        return false;
    }
    let path = format!("/subscriptions/{}", stage.subscription);
    let is_disabled = stage.api("GET", &path, Value::Null).await["enabled"] == false;
    is_disabled && ask(stage, enabling(stage)).await
}

/// Does what is crashed; whether Bandwidth, or the tenant, was told that it is done.
async fn handle(stage: &Stage, case: &Case, request: Option<Request>) -> bool {
    let world = &stage.world;
    match case.moment {
        Moment::Ingest => {
            let mut all = true;
            for body in &case.bodies {
                all &= stage.post(body.clone()).await.0 == 200;
            }
            return all;
        }
        Moment::Inbox => drop(world.inbox_batch().await),
        Moment::Fanout => drop(world.fan_out_batch().await),
        Moment::Deliver | Moment::Opening | Moment::Probe => deliver(stage).await,
        Moment::Due | Moment::Closed | Moment::Drain | Moment::Snapshot | Moment::Replay => {
            world.run_schedule().await;
        }
        Moment::Enabling | Moment::AskReplay | Moment::Retry => {
            return ask(stage, request.unwrap()).await;
        }
    }
    false
}

/// Works on the wakes that can be seen now, and on those that are then passed on.
async fn deliver(stage: &Stage) {
    for queue in [local::WAKES, local::ASIDE] {
        for wake in stage.world.receive_wakes(queue, 10) {
            stage.world.handle_wake(queue, &wake).await;
        }
    }
}
