//! Breakers, disabling, and who is served aside: what two handlers or two processes do at once.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};

use aws_sdk_dynamodb::types::AttributeValue;
use domain::subscription::Topic;
use jiff::SignedDuration;
use relay::setup::Wanted;
use serde_json::{Value, json};
use simulator::aws::Fault;
use simulator::endpoint::{Answer, Endpoint};

use crate::stage::{Stage, TENANT, of, secs, state, subscribe};

const SECOND: SignedDuration = SignedDuration::from_secs(1);

async fn health(stage: &Stage) -> Value {
    stage.api("GET", &format!("/subscriptions/{}", stage.subscription), Value::Null).await
}

#[tokio::test]
async fn a_breaker_is_listed_and_opened_together_or_not_at_all() {
    let stage = Stage::with_answers(None, |_, _| Answer::status(500)).await;
    stage.aws.inject(|call| (call.operation == "TransactWriteItems").then_some(Fault::Refuse));
    for order in 0..10 {
        stage.post_accepted(&of(&format!("o-{order}"), "FOC", 1)).await;
    }
    stage.run_for(SECOND).await;
    assert_eq!(health(&stage).await["failures"], 10);
    assert_eq!(health(&stage).await["probed_since"], Value::Null);
    assert!(stage.items("BREAKERS").await.is_empty());
    stage.aws.heal();
    stage.run_for(secs(10)).await;
    assert_ne!(health(&stage).await["probed_since"], Value::Null);
    assert_eq!(stage.items("BREAKERS").await.len(), 1);
}

#[tokio::test]
async fn an_endpoint_that_is_gone_while_it_is_probed_is_disabled() {
    let gone = Arc::new(AtomicBool::new(false));
    let is_gone = gone.clone();
    let stage = Stage::with_answers(None, move |_, _| {
        Answer::status(if is_gone.load(SeqCst) { 410 } else { 500 })
    })
    .await;
    for order in 0..10 {
        stage.post_accepted(&of(&format!("o-{order}"), "FOC", 1)).await;
    }
    stage.run_for(SignedDuration::from_mins(2)).await;
    gone.store(true, SeqCst);
    stage.run_for(SignedDuration::from_hours(1)).await;
    assert_eq!(health(&stage).await["enabled"], false);
}

#[tokio::test]
async fn the_old_endpoints_410_leaves_the_new_one_alone() {
    let mut stage =
        Stage::with_answers(None, |_, nth| Answer::status(if nth == 0 { 200 } else { 410 })).await;
    let fresh = Endpoint::start(0, vec![], |_, _| Answer::status(200)).await.unwrap();
    // A process that knows the subscription.
    stage.post_accepted(&of("o-1", "FOC", 1)).await;
    stage.run_for(SECOND).await;
    let old = stage.world.clone();
    // The API is another process.
    stage.redeploy().await;
    let path = format!("/subscriptions/{}", stage.subscription);
    stage.api("PUT", &path, json!({"url": fresh.url()})).await;
    stage.post_accepted(&of("o-2", "FOC", 1)).await;
    stage.world.fan_out_batch().await;
    for wake in old.receive_wakes(local::WAKES, 10) {
        old.handle_wake(local::WAKES, &wake).await;
    }
    stage.run_for(SignedDuration::from_hours(1)).await;
    assert_eq!(fresh.received().len(), 1);
}

#[tokio::test]
async fn its_owner_is_told_once_that_it_is_disabled() {
    let clock = Arc::new(OnceLock::<simulator::Clock>::new());
    let ticking = clock.clone();
    let stage = Stage::with_answers(None, move |_, _| {
        ticking.get().unwrap().advance(SignedDuration::from_millis(5));
        Answer::status(410)
    })
    .await;
    clock.set(stage.clock.clone()).unwrap();
    let owner = Endpoint::start(0, vec![], |_, _| Answer::status(200)).await.unwrap();
    let topic = Topic::EventType("endpoint.disabled".into());
    subscribe(&stage.world, Wanted { topic, ..Wanted::everything(TENANT, &owner.url()) }).await;
    for order in 0..8 {
        stage.post_accepted(&of(&format!("o-{order}"), "FOC", 1)).await;
    }
    stage.world.fan_out_batch().await;
    let wakes = stage.world.receive_wakes(local::WAKES, 10);
    let all = wakes.iter().map(|wake| stage.world.handle_wake(local::WAKES, wake));
    futures::future::join_all(all).await;
    assert_eq!(stage.endpoint.received().len(), 8);
    stage.run_for(SignedDuration::from_mins(10)).await;
    assert_eq!(owner.received().len(), 1);
}

#[tokio::test]
async fn one_failure_after_days_of_silence_disables_nothing() {
    let down = Arc::new(AtomicBool::new(false));
    let is_down = down.clone();
    let mut stage = Stage::with_answers(Some(vec![secs(1); 3]), move |_, nth| {
        Answer::status(if nth == 1 || is_down.load(SeqCst) { 500 } else { 200 })
    })
    .await;
    stage.post_accepted(&of("o-1", "FOC", 1)).await;
    stage.run_for(SECOND).await;
    // Two processes. The first knows the subscription, as a good one.
    let one = stage.world.clone();
    stage.redeploy().await;
    let other = stage.world.clone();
    stage.post_accepted(&of("o-2", "FOC", 1)).await;
    other.fan_out_batch().await;
    // It fails with the second process; the first makes the next attempt a second later.
    other.handle_wake(local::WAKES, &other.receive_wakes(local::WAKES, 1)[0]).await;
    assert_eq!(health(&stage).await["failures"], 1);
    stage.clock.advance(SECOND);
    one.handle_wake(local::ASIDE, &one.receive_wakes(local::ASIDE, 1)[0]).await;
    // Nothing comes for five days, and then the endpoint is being deployed.
    stage.clock.advance(SignedDuration::from_hours(5 * 24));
    down.store(true, SeqCst);
    stage.post_accepted(&of("o-4", "FOC", 1)).await;
    stage.run_for(SignedDuration::ZERO).await;
    assert_eq!(health(&stage).await["enabled"], true);
}

#[tokio::test]
async fn a_breaker_that_cannot_be_seen_to_holds_up_nothing_else() {
    let stage = Stage::new(0, None).await;
    stage.post_accepted(&state("FOC", 1)).await;
    stage.run_for(secs(60)).await;
    stage.api("POST", "/replays", json!({"from": "2026-02-03T00:00:00Z"})).await;
    let text = |text: &str| AttributeValue::S(text.into());
    for (pk, sk, more) in [
        (
            "BREAKERS",
            "another",
            vec![
                ("tenant", "5500009"),
                ("subscription", "another"),
                ("opened_at", "2026-02-03T10:00:00Z"),
            ],
        ),
        // A subscription that a newer version wrote, say.
        ("TENANT#5500009", "SUBSCRIPTION#another", vec![("id", "another")]),
    ] {
        let put = stage.dynamodb().put_item().table_name("hookline");
        let put =
            put.item("pk", text(pk)).item("sk", text(sk)).item("v", AttributeValue::N("1".into()));
        more.into_iter()
            .fold(put, |put, (name, value)| put.item(name, text(value)))
            .send()
            .await
            .unwrap();
    }
    stage.run_for(SignedDuration::from_hours(1)).await;
    assert_eq!(stage.endpoint.received().len(), 2, "the replay of a tenant that has no breaker");
}

#[tokio::test]
async fn a_rotation_gives_the_endpoint_a_fresh_start() {
    let down = Arc::new(AtomicBool::new(true));
    let is_down = down.clone();
    let stage = Stage::with_answers(None, move |_, _| {
        Answer::status(if is_down.load(SeqCst) { 500 } else { 200 })
    })
    .await;
    for order in 0..10 {
        stage.post_accepted(&of(&format!("o-{order}"), "FOC", 1)).await;
    }
    stage.run_for(secs(10)).await;
    assert_ne!(health(&stage).await["probed_since"], Value::Null);
    down.store(false, SeqCst);
    let path = format!("/subscriptions/{}/secret", stage.subscription);
    stage.api("POST", &path, Value::Null).await;
    assert_eq!(health(&stage).await["probed_since"], Value::Null);
    stage.run_for(SignedDuration::from_hours(1)).await;
    let told = stage.endpoint.received().iter().filter(|one| one.answered == 200).count();
    assert_eq!(told, 10);
    assert!(stage.is_quiet() && stage.items("BREAKERS").await.is_empty());
}
