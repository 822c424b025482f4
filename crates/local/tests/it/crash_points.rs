//! For each handler and each AWS call n in it: that call and all after it fail, once before being
//! applied and once after; then the process is gone, AWS heals, and the world runs on. Whatever was
//! acknowledged is delivered, in order, and no lane is stuck. The same where only call n fails and
//! the handler goes on, so that the SDK's own second try meets what the first one wrote.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::subscription::Topic;
use jiff::SignedDuration;
use relay::setup::{self, Wanted};
use relay::subscriptions::Bound;
use secrecy::ExposeSecret as _;
use simulator::aws::Fault;
use tokio::task::JoinSet;

use crate::stage::{ORDER, Stage, TENANT, state, successes, text_of};

/// More AWS calls than any handler makes in one run here; the sweep ends before it.
const CALLS_MAX: u64 = 200;

#[derive(Clone, Copy, PartialEq)]
enum Handler {
    Ingest,
    Inbox,
    Fanout,
    Deliver,
    Schedule,
}

/// One situation to crash in.
#[derive(Clone)]
struct Case {
    name: &'static str,
    handler: Handler,
    /// How often the endpoint fails before it recovers.
    failures: usize,
    /// A status that the endpoint never takes.
    refused: Option<&'static str>,
    waits: Option<Vec<SignedDuration>>,
    /// Bodies in the order of arrival.
    bodies: Vec<String>,
    /// Statuses that the endpoint is to be told in the end, in order, but for events that are late.
    told: Vec<&'static str>,
    late: bool,
    /// The endpoint asked for this one order alone, and for its present state, after the first body.
    bound: bool,
}

fn case(name: &'static str, handler: Handler) -> Case {
    Case {
        name,
        handler,
        failures: 0,
        refused: None,
        waits: None,
        bodies: vec![state("SUBMITTED", 1), state("FOC", 2), state("COMPLETE", 3)],
        told: vec!["SUBMITTED", "FOC", "COMPLETE"],
        late: false,
        bound: false,
    }
}

fn cases() -> Vec<Case> {
    let undated = |status: &str| {
        state(status, 0)
            .replace("<LastModifiedDate>2026-02-03T10:00:00.000Z</LastModifiedDate>", "")
    };
    let half_an_hour = Some(vec![SignedDuration::from_mins(30)]);
    vec![
        case("ingest", Handler::Ingest),
        Case {
            bodies: vec![undated("SUBMITTED")],
            told: vec!["SUBMITTED"],
            ..case("ingest of an undated event", Handler::Ingest)
        },
        case("inbox", Handler::Inbox),
        case("fanout", Handler::Fanout),
        Case {
            bodies: vec![state("FOC", 2), state("SUBMITTED", 1), state("COMPLETE", 3)],
            late: true,
            ..case("fanout of a late event", Handler::Fanout)
        },
        Case { bound: true, ..case("fanout of a wish for the state of now", Handler::Fanout) },
        case("deliver", Handler::Deliver),
        Case { bound: true, ..case("deliver the end of an order", Handler::Deliver) },
        Case { failures: 1, ..case("deliver to an endpoint that fails", Handler::Deliver) },
        Case {
            failures: 1,
            waits: half_an_hour.clone(),
            ..case("deliver, then park", Handler::Deliver)
        },
        Case {
            refused: Some("SUBMITTED"),
            waits: Some(vec![]),
            told: vec!["FOC", "COMPLETE"],
            ..case("deliver, then give up", Handler::Deliver)
        },
        Case { failures: 1, waits: half_an_hour, ..case("schedule", Handler::Schedule) },
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_call_loses_nothing_and_leaves_no_lane_stuck() {
    let mut sweeps = JoinSet::new();
    for case in cases() {
        for (fault, span) in [
            (Fault::Refuse, Span::FromThereOn),
            (Fault::LoseAnswer, Span::FromThereOn),
            (Fault::LoseAnswer, Span::Once),
            (Fault::Conflict, Span::Once),
        ] {
            sweeps.spawn(sweep(case.clone(), fault, span));
        }
    }
    sweeps.join_all().await;
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
        if !crash_at(&case, fault, span, call).await {
            break;
        }
        points = call;
    }
    assert!((1..CALLS_MAX - 1).contains(&points), "{}: {points} crash points", case.name);
}

/// Crashes at one call; false when the handler made fewer calls.
async fn crash_at(case: &Case, fault: Fault, span: Span, call: u64) -> bool {
    let point = format!("{} at call {call}, {fault:?}, {span:?}", case.name);
    let mut stage = stage(case).await;
    let acknowledged = bring_about(&stage, case).await;

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
    let acknowledged = acknowledged | handle(&stage, case).await;
    stage.aws.heal();
    let reached = reached.load(Ordering::SeqCst) >= call;

    stage.redeploy().await;
    // A message whose handler died is back after six minutes; what is parked waits for longer.
    let parks = case.waits.as_ref().is_some_and(|waits| !waits.is_empty());
    stage.run_for(SignedDuration::from_mins(if parks { 45 } else { 15 })).await;

    assert!(stage.is_quiet(), "{point}: something still waits");
    if acknowledged {
        let (mut told, mut expected) = (stage.told(), case.told.clone());
        if case.late {
            told.sort();
            expected.sort();
        }
        assert_eq!(told, expected, "{point}");
    }
    if case.bound {
        let left = stage.world.subscriptions.get(TENANT, BOUND).await.unwrap();
        assert!(left.is_none(), "{point}: the subscription outlived its order");
    }
    for one in stage.endpoint.received() {
        assert_eq!(one.verified, Ok(()), "{point}");
    }
    if !reached {
        let repeated = successes(&stage.endpoint).into_values().find(|count| *count > 1);
        assert_eq!(repeated, None, "{point}: a POST was repeated without a crash");
    }
    reached
}

async fn stage(case: &Case) -> Stage {
    let (failures, refused) = (case.failures, case.refused);
    Stage::with_script(case.waits.clone(), move |one, nth| {
        let is_refused = refused.is_some_and(|status| text_of(one, "Status") == status);
        if nth < failures || is_refused { 500 } else { 200 }
    })
    .await
}

/// Brings the world to where the handler has something to do; whether Bandwidth was told 200.
async fn bring_about(stage: &Stage, case: &Case) -> bool {
    let world = &stage.world;
    if case.bound {
        subscribe_to_one_order(stage, case).await;
    }
    match case.handler {
        Handler::Ingest => return false,
        Handler::Inbox => {
            stage.aws.inject(|call| {
                (call.service == simulator::aws::Service::Table).then_some(Fault::Refuse)
            });
            post_all(stage, case).await;
            stage.aws.heal();
        }
        Handler::Fanout => post_all(stage, case).await,
        Handler::Deliver => {
            post_all(stage, case).await;
            world.fan_out_batch().await;
        }
        Handler::Schedule => {
            post_all(stage, case).await;
            // Up to a minute and a half before the parked delivery is due.
            stage.run_for(SignedDuration::from_secs(28 * 60 + 30)).await;
            stage.clock.advance(SignedDuration::from_secs(60));
        }
    }
    true
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

async fn post_all(stage: &Stage, case: &Case) {
    // Of what was listened for too late, the state was asked for.
    for body in case.bodies.iter().skip(usize::from(case.bound)) {
        stage.post_accepted(body).await;
    }
}

/// Runs the handler once; whether Bandwidth was told 200 by it.
async fn handle(stage: &Stage, case: &Case) -> bool {
    let world = &stage.world;
    match case.handler {
        Handler::Ingest => {
            let mut all = true;
            for body in &case.bodies {
                all &= stage.post(body.clone()).await.0 == 200;
            }
            return all;
        }
        Handler::Inbox => drop(world.inbox_batch().await),
        Handler::Fanout => drop(world.fan_out_batch().await),
        Handler::Deliver => {
            for wake in world.receive_wakes(local::WAKES, 10) {
                world.handle_wake(local::WAKES, &wake).await;
            }
        }
        Handler::Schedule => world.run_schedule().await,
    }
    false
}
