//! Endpoints that ail: retries as they ask for, breakers, disabling, and what their owners are told.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::subscription::Topic;
use jiff::SignedDuration;
use local::World;
use relay::egress::{Egress, EgressError};
use relay::setup::{self, Wanted};
use serde_json::{Value, json};
use simulator::endpoint::{Answer, Endpoint, Received};

use crate::stage::{ORDER, Stage, TENANT, header, of, secs, state, subscribe, text_of};

const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// A stage whose endpoint answers as `script` says, with an endpoint beside it that hears of the
/// relay's own events.
async fn watched(
    waits: Option<Vec<SignedDuration>>,
    script: impl Fn(&Received, usize) -> Answer + Send + Sync + 'static,
) -> (Stage, Endpoint) {
    let stage = Stage::with_answers(waits, script).await;
    let owner = Endpoint::start(0, vec![], |_, _| Answer::status(200)).await.unwrap();
    for event_type in [
        "endpoint.failing",
        "endpoint.recovered",
        "endpoint.disabled",
        "delivery.exhausted",
        "upstream.silent",
    ] {
        let topic = Topic::EventType(event_type.into());
        let wanted = Wanted { topic, ..Wanted::everything(TENANT, &owner.url()) };
        subscribe(&stage.world, wanted).await;
    }
    (stage, owner)
}

/// Types of the relay's own events that the owner was told, in order.
fn told(owner: &Endpoint) -> Vec<String> {
    owner.received().iter().map(|one| text_of(one, "EventType")).collect()
}

async fn health(stage: &Stage) -> Value {
    stage.api("GET", &format!("/subscriptions/{}", stage.subscription), Value::Null).await
}

fn asks_for(status: u16, pause: &str) -> Answer {
    let headers = vec![("retry-after".to_owned(), pause.to_owned())];
    Answer { headers, ..Answer::status(status) }
}

#[tokio::test]
async fn a_pause_that_is_asked_for_is_kept() {
    for (status, pause, expected) in [
        (429, "60", 60),
        (503, "Tue, 03 Feb 2026 10:02:00 GMT", 119),
        (503, "1", 5),
        (500, "60", 5),
        (503, "soon", 5),
    ] {
        let stage = Stage::with_answers(None, move |_, nth| match nth {
            0 => asks_for(status, pause),
            _ => Answer::status(200),
        })
        .await;
        stage.clock.advance(SECOND);
        stage.post_accepted(&state("FOC", 1)).await;
        stage.run_for(secs(expected - 1)).await;
        assert_eq!(stage.endpoint.received().len(), 1, "{status} {pause}");
        stage.run_for(secs(2)).await;
        assert_eq!(stage.endpoint.received().len(), 2, "{status} {pause}");
    }
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_disabled_and_its_events_wait_for_it() {
    let (stage, owner) =
        watched(None, |_, nth| Answer::status(if nth == 0 { 410 } else { 200 })).await;
    for (status, second) in [("SUBMITTED", 1), ("FOC", 2)] {
        stage.post_accepted(&state(status, second)).await;
    }
    stage.run_for(SignedDuration::from_hours(1)).await;
    assert_eq!(stage.endpoint.received().len(), 1);
    assert_eq!(told(&owner), ["endpoint.disabled"]);
    let disabled = health(&stage).await;
    assert_eq!(
        (&disabled["enabled"], &disabled["disabled_because"]),
        (&false.into(), &"gone".into())
    );

    let path = format!("/subscriptions/{}", stage.subscription);
    stage.api("PUT", &path, json!({"url": stage.endpoint.url()})).await;
    stage.run_for(SignedDuration::from_mins(10)).await;
    assert_eq!(stage.told(), ["SUBMITTED", "FOC"]);
    assert_eq!(health(&stage).await["disabled_because"], Value::Null);
    assert!(stage.is_quiet());
}

#[tokio::test]
async fn ten_failures_open_a_breaker_and_one_success_closes_it() {
    let down = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let is_down = down.clone();
    let (stage, owner) = watched(None, move |_, _| {
        let is_down = is_down.load(std::sync::atomic::Ordering::Relaxed);
        Answer::status(if is_down { 500 } else { 200 })
    })
    .await;
    for order in 0..10 {
        stage.post_accepted(&of(&format!("o-{order}"), "FOC", 1)).await;
    }
    stage.run_for(SECOND).await;
    assert_eq!(told(&owner), ["endpoint.failing"]);
    assert_eq!(health(&stage).await["failures"], 10);
    let posts = stage.endpoint.received().len();
    assert_eq!(posts, 10);

    for order in 10..40 {
        stage.post_accepted(&of(&format!("o-{order}"), "SUBMITTED", 1)).await;
        stage.post_accepted(&of(&format!("o-{order}"), "FOC", 2)).await;
    }
    stage.run_for(SignedDuration::from_mins(10)).await;
    let probes = stage.endpoint.received().len() - posts;
    assert!((15..=21).contains(&probes), "{probes} probes in ten minutes");
    let attempts = stage.lane_attempts("o-20").await;
    assert_eq!(attempts, 0, "a probe takes nothing from a delivery's own schedule");

    down.store(false, std::sync::atomic::Ordering::Relaxed);
    stage.run_for(SignedDuration::from_mins(10)).await;
    assert_eq!(told(&owner), ["endpoint.failing", "endpoint.recovered"]);
    assert_eq!(health(&stage).await["probed_since"], Value::Null);
    for order in 0..40 {
        let own = stage.endpoint.received();
        let own = own.iter().filter(|one| one.answered == 200);
        let own = own.filter(|one| text_of(one, "OrderId") == format!("o-{order}"));
        let states: Vec<_> = own.map(|one| text_of(one, "Status")).collect();
        let expected = if order < 10 { vec!["FOC"] } else { vec!["SUBMITTED", "FOC"] };
        assert_eq!(states, expected, "o-{order}");
    }
    assert!(stage.is_quiet());
    assert!(stage.items("BREAKERS").await.is_empty());
}

#[tokio::test]
async fn an_endpoint_without_a_success_for_five_days_is_disabled() {
    let (stage, owner) = watched(Some(vec![secs(60); 5]), |_, _| Answer::status(500)).await;
    stage.post_accepted(&state("SUBMITTED", 1)).await;
    stage.run_for(SECOND).await;
    for days in [4, 1] {
        assert_eq!(health(&stage).await["enabled"], true);
        stage.clock.advance(SignedDuration::from_hours(days * 24));
        // The next attempt, which comes late.
        stage.run_for(SECOND).await;
    }
    let disabled = health(&stage).await;
    assert_eq!(disabled["enabled"], false);
    assert_eq!(disabled["disabled_because"], "failing");
    assert_eq!(told(&owner), ["endpoint.disabled"]);
    let posts = stage.endpoint.received().len();
    assert_eq!(posts, 3);
    stage.post_accepted(&state("FOC", 2)).await;
    stage.run_for(SignedDuration::from_mins(10)).await;
    assert_eq!(stage.endpoint.received().len(), posts);
    assert!(stage.is_quiet());
}

#[tokio::test]
async fn what_this_machine_lacks_is_no_fault_of_the_endpoint() {
    let mut stage = Stage::new(0, Some(vec![])).await;
    let to_the_endpoint = stage.world.deliver.egress.clone();
    stage.world.deliver.egress = Egress::answered_by(local::loopback(), |_| {
        Box::pin(async { Err(EgressError::Exhausted(std::io::Error::other("no socket"))) })
    })
    .unwrap();
    stage.post_accepted(&state("FOC", 1)).await;
    stage.run_for(secs(60)).await;
    assert_eq!(stage.lane_attempts(ORDER).await, 0);
    assert_eq!(health(&stage).await["failures"], 0);
    stage.world.deliver.egress = to_the_endpoint;
    stage.run_for(secs(6)).await;
    assert_eq!(stage.endpoint.received().len(), 1);
    assert_eq!(header(&stage.endpoint.received()[0], "hookline-attempt"), "1");
}

#[tokio::test]
async fn the_owner_is_told_of_what_is_given_up_and_not_of_that_in_turn() {
    let stage = Stage::with_answers(Some(vec![]), |_, _| Answer::status(500)).await;
    let topic = Topic::EventType("delivery.exhausted".into());
    let wanted =
        Wanted { topic, waits: Some(vec![]), ..Wanted::everything(TENANT, &stage.endpoint.url()) };
    subscribe(&stage.world, wanted).await;
    stage.post_accepted(&state("FOC", 1)).await;
    stage.run_for(secs(5)).await;
    let received = stage.endpoint.received();
    assert_eq!(received.len(), 2, "the event, and that it was given up");
    assert_eq!(text_of(&received[1], "EventType"), "delivery.exhausted");
    let message = text_of(&received[1], "Message");
    assert!(message.contains(&stage.subscription) && message.contains(ORDER), "{message}");
    assert!(stage.is_quiet());
}

#[tokio::test]
async fn a_limited_subscription_is_told_no_faster() {
    let stage = Stage::new(0, None).await;
    let path = format!("/subscriptions/{}", stage.subscription);
    stage.api("PUT", &path, json!({"url": stage.endpoint.url(), "rate_limit": 2})).await;
    for order in 0..10 {
        stage.post_accepted(&of(&format!("o-{order}"), "FOC", 1)).await;
    }
    stage.run_for(secs(2)).await;
    let soon = stage.endpoint.received().len();
    assert!((3..=5).contains(&soon), "{soon} in two seconds");
    stage.run_for(secs(5)).await;
    assert_eq!(stage.endpoint.received().len(), 10);
    assert!(stage.is_quiet());
}

#[tokio::test]
async fn what_fails_is_tried_again_aside_of_the_others() {
    let stage = Stage::new(1, None).await;
    let world: &World = &stage.world;
    stage.post_accepted(&state("FOC", 1)).await;
    assert_eq!(world.fan_out_batch().await, 1);
    for wake in world.receive_wakes(local::WAKES, 10) {
        world.handle_wake(local::WAKES, &wake).await;
    }
    assert_eq!(stage.aws.queue(local::WAKES).len(), 0);
    assert_eq!(stage.aws.queue(local::ASIDE).len(), 1);
    // What is new comes by the common queue, and is passed on without a POST.
    stage.post_accepted(&of("another", "FOC", 1)).await;
    assert_eq!(world.fan_out_batch().await, 1);
    for wake in world.receive_wakes(local::WAKES, 10) {
        world.handle_wake(local::WAKES, &wake).await;
    }
    assert_eq!(stage.endpoint.received().len(), 1);
    assert_eq!(stage.aws.queue(local::ASIDE).len(), 2);
    stage.run_for(secs(10)).await;
    assert_eq!(stage.endpoint.received().len(), 3);
    // It has been well for a while.
    stage.clock.advance(domain::health::AILS_FOR);
    stage.post_accepted(&of("third", "FOC", 1)).await;
    assert_eq!(world.fan_out_batch().await, 1);
    for wake in world.receive_wakes(local::WAKES, 10) {
        world.handle_wake(local::WAKES, &wake).await;
    }
    assert_eq!(stage.endpoint.received().len(), 4);
    assert_eq!(header(&stage.endpoint.received()[3], "hookline-attempt"), "1");
}

#[tokio::test]
async fn an_endpoint_that_takes_long_is_served_aside_from_then_on() {
    let slow = Answer { after: Duration::from_millis(2_500), ..Answer::status(200) };
    let stage = Stage::with_answers(None, move |_, nth| match nth {
        0 => slow.clone(),
        _ => Answer::status(200),
    })
    .await;
    stage.post_accepted(&state("FOC", 1)).await;
    stage.run_for(SECOND).await;
    // A quick answer says little of the next one.
    for order in ["another", "third"] {
        let posts = stage.endpoint.received().len();
        stage.post_accepted(&of(order, "FOC", 1)).await;
        assert_eq!(stage.world.fan_out_batch().await, 1);
        for wake in stage.world.receive_wakes(local::WAKES, 10) {
            stage.world.handle_wake(local::WAKES, &wake).await;
        }
        assert_eq!(stage.aws.queue(local::ASIDE).len(), 1, "{order}");
        stage.run_for(SECOND).await;
        assert_eq!(stage.endpoint.received().len(), posts + 1);
    }
    assert_eq!(health(&stage).await["failures"], 0);
}

#[tokio::test]
async fn a_connection_that_dies_at_once_gets_a_second_try() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let stage = Stage::new(0, None).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let mut heads = Vec::new();
        for answer in ["", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"] {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut head = vec![0; 16 * 1024];
            let length = connection.read(&mut head).await.unwrap();
            heads.push(String::from_utf8_lossy(&head[..length]).into_owned());
            connection.write_all(answer.as_bytes()).await.unwrap();
        }
        heads
    });
    stage.api("PUT", &format!("/subscriptions/{}", stage.subscription), json!({"url": url})).await;
    stage.post_accepted(&state("FOC", 1)).await;
    stage.run_for(SECOND).await;
    let heads = server.await.unwrap();
    assert!(heads.iter().all(|head| head.contains("hookline-attempt: 1")), "{heads:?}");
    assert!(stage.is_quiet());
    assert_eq!(stage.lane_attempts(ORDER).await, 1);
}

#[tokio::test]
async fn a_tenant_is_told_once_that_an_upstream_has_fallen_silent() {
    let (stage, owner) = watched(None, |_, _| Answer::status(200)).await;
    stage.post_accepted(&state("FOC", 1)).await;
    stage.run_for(SECOND).await;
    for (day, expected) in [(6, 0), (7, 1), (8, 1)] {
        // Midnight is when the day ends that is looked at.
        let two: jiff::Timestamp = format!("2026-02-0{day}T02:00:00Z").parse().unwrap();
        stage.clock.advance_to(two - SECOND);
        stage.world.store.set_woken_through(two - SignedDuration::from_mins(1)).await.unwrap();
        stage.run_for(SignedDuration::from_mins(5)).await;
        assert_eq!(told(&owner), vec!["upstream.silent"; expected], "on day {day}");
    }
    let message = text_of(&owner.received()[0], "Message");
    assert!(message.contains("9900012") && message.contains("2026-02-03T10:00"), "{message}");
}

#[tokio::test]
async fn an_upstream_that_tells_others_is_not_silent() {
    let stage = Stage::new(0, None).await;
    let owner = Endpoint::start(0, vec![], |_, _| Answer::status(200)).await.unwrap();
    let topic = Topic::EventType("upstream.silent".into());
    subscribe(&stage.world, Wanted { topic, ..Wanted::everything(TENANT, &owner.url()) }).await;
    let now = stage.world.relay_clock().now();
    setup::tenant(&stage.world.store, "5500002", now).await.unwrap();
    stage.post_accepted(&state("FOC", 1)).await;
    stage.run_for(SECOND).await;
    let dynamodb = stage.dynamodb();
    // Orders of this kind are the other tenant's from now on.
    dynamodb
        .put_item()
        .table_name("hookline")
        .item("pk", AttributeValue::S(format!("ORDER#{}#o-2", crate::stage::UPSTREAM)))
        .item("sk", AttributeValue::S("CLAIM".into()))
        .item("v", AttributeValue::N("1".into()))
        .item("tenant", AttributeValue::S("5500002".into()))
        .send()
        .await
        .unwrap();
    for day in 4..=7 {
        let at: jiff::Timestamp = format!("2026-02-0{day}T01:00:00Z").parse().unwrap();
        stage.clock.advance_to(at);
        let second = crate::stage::start().duration_until(at).as_secs();
        stage.post_accepted(&of("o-2", "FOC", second)).await;
        stage.world.fan_out_batch().await;
    }
    let two: jiff::Timestamp = "2026-02-07T02:00:00Z".parse().unwrap();
    stage.clock.advance_to(two - SECOND);
    stage.world.store.set_woken_through(two - SignedDuration::from_mins(1)).await.unwrap();
    stage.run_for(SignedDuration::from_mins(5)).await;
    assert!(!stage.items("TENANT#5500002#FEED").await.is_empty());
    assert!(owner.received().is_empty());
}

#[tokio::test]
async fn one_delivery_takes_one_slot() {
    let stage = Stage::new(0, None).await;
    let body = json!({"url": stage.endpoint.url(), "rate_limit": 1});
    stage.api("PUT", &format!("/subscriptions/{}", stage.subscription), body).await;
    stage.run_for(secs(10)).await;
    stage.post_accepted(&state("FOC", 1)).await;
    stage.run_for(secs(200)).await;
    // What is before it takes 45 minutes.
    let slot = stage.clock.now() + SignedDuration::from_mins(45);
    stage.take_slots_until(slot).await;
    stage.api("POST", &stage.retry_of("FOC").await, Value::Null).await;
    stage.run_for(SignedDuration::from_mins(60)).await;
    let items = stage.items(&format!("TENANT#{TENANT}")).await;
    let now = items.iter().find_map(|item| item.get("slot_ms")).unwrap().as_n().unwrap();
    let now: i64 = now.parse().unwrap();
    assert_eq!((now - slot.as_millisecond()) / 1000, 1, "slots were taken");
}
