//! What becomes of deliveries whose subscription, event, or order comes to its end.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::SignedDuration;
use serde_json::{Value, json};
use simulator::aws::Fault;
use simulator::endpoint::{Answer, Endpoint};

use crate::stage::{Item, ORDER, Stage, TENANT, UPSTREAM, state, text_of};

/// A note on the order, dated that many seconds after the start.
fn note(second: i64) -> String {
    state("", second).replace("<Status></Status>", "<Note>thank you</Note>")
}

/// Drops what will expire of a partition, as if its time had come.
async fn drop_expiring(stage: &Stage, pk: &str) {
    for item in stage.items(pk).await.into_iter().filter(|item| item.contains_key("expires")) {
        let delete = stage.dynamodb().delete_item().table_name("hookline");
        delete.key("pk", item["pk"].clone()).key("sk", item["sk"].clone()).send().await.unwrap();
    }
}

fn states(lane: &[Item]) -> Vec<&str> {
    lane.iter().map(|item| item["state"].as_s().unwrap().as_str()).collect()
}

#[tokio::test]
async fn what_stands_behind_one_whose_event_expired_is_delivered() {
    let stage = Stage::new(0, None).await;
    let path = format!("/subscriptions/{}", stage.subscription);
    let url = stage.endpoint.url();
    let lane = format!("LANE#{}#{ORDER}", stage.subscription);
    stage.api("PUT", &path, json!({"url": url, "enabled": false})).await;
    stage.post_accepted(&state("SUBMITTED", 1)).await;
    stage.run_for(SignedDuration::from_secs(60)).await;
    drop_expiring(&stage, &lane).await;
    drop_expiring(&stage, &format!("ORDER#{UPSTREAM}#{ORDER}")).await;
    stage.post_accepted(&state("FOC", 2)).await;
    stage.run_for(SignedDuration::from_secs(60)).await;
    stage.api("PUT", &path, json!({"url": url})).await;
    stage.run_for(SignedDuration::from_mins(10)).await;
    stage.post_accepted(&state("COMPLETE", 3)).await;
    stage.run_for(SignedDuration::from_mins(10)).await;
    assert_eq!(stage.told(), ["FOC", "COMPLETE"]);
    assert_eq!(states(&stage.items(&lane).await), ["dead", "delivered", "delivered"]);
}

#[tokio::test]
async fn a_delivery_expires_a_quarter_after_it_is_finished() {
    let fails = Some(vec![SignedDuration::from_secs(5)]);
    let stage = Stage::new(2, fails).await;
    let lane = format!("LANE#{}#{ORDER}", stage.subscription);
    let expiry = async || {
        let item = stage.items(&lane).await.remove(0);
        item.get("expires").map(|at| at.as_n().unwrap().parse::<i64>().unwrap())
    };
    let quarter = || Some(stage.clock.now().as_second() + 90 * 24 * 3600);
    stage.post_accepted(&state("FOC", 1)).await;
    stage.run_for(SignedDuration::from_secs(1)).await;
    assert_eq!(expiry().await, None, "it is being retried");
    stage.run_for(SignedDuration::from_secs(4)).await;
    assert_eq!(states(&stage.items(&lane).await), ["dead"]);
    assert_eq!(expiry().await, quarter());

    let found = stage.api("GET", &format!("/notifications?order_id={ORDER}"), Value::Null).await;
    let id = found["items"][0]["id"].as_str().unwrap().to_owned();
    let retry = format!("/notifications/{id}/deliveries/{}/retry", stage.subscription);
    stage.api("POST", &retry, Value::Null).await;
    assert_eq!(expiry().await, None, "it is pending again");
    stage.run_for(SignedDuration::ZERO).await;
    assert_eq!(states(&stage.items(&lane).await), ["delivered"]);
    assert_eq!(expiry().await, quarter());
}

#[tokio::test]
async fn a_wake_for_a_delivery_that_is_gone_walks_on() {
    let stage = Stage::new(0, None).await;
    let lane = format!("LANE#{}#{ORDER}", stage.subscription);
    for (status, second) in [("SUBMITTED", 1), ("FOC", 2)] {
        stage.post_accepted(&state(status, second)).await;
    }
    stage.world.fan_out_batch().await;
    let first = stage.items(&lane).await.remove(0);
    let delete = stage.dynamodb().delete_item().table_name("hookline");
    delete.key("pk", first["pk"].clone()).key("sk", first["sk"].clone()).send().await.unwrap();
    stage.run_for(SignedDuration::from_secs(1)).await;
    assert_eq!(stage.told(), ["FOC"]);
}

#[tokio::test]
async fn what_stands_behind_the_final_state_of_an_order_is_delivered() {
    let stage = Stage::new(0, None).await;
    let script = |_: &_, nth| Answer::status(if nth == 0 { 500 } else { 200 });
    let only = Endpoint::start(0, vec![], script).await.unwrap();
    stage.post_accepted(&state("SUBMITTED", 1)).await;
    stage.run_for(SignedDuration::from_secs(10)).await;
    let wanted = json!({"order_type": "portins", "order_id": ORDER, "url": only.url()});
    stage.api("POST", "/subscriptions", wanted).await;
    stage.post_accepted(&state("COMPLETE", 2)).await;
    stage.run_for(SignedDuration::from_secs(1)).await;
    stage.post_accepted(&note(3)).await;
    stage.run_for(SignedDuration::from_hours(1)).await;
    let told = only.received();
    let told: Vec<_> =
        told.iter().map(|one| text_of(one, "Status") + &text_of(one, "Note")).collect();
    assert_eq!(told, ["COMPLETE", "COMPLETE", "thank you"]);
    let left = stage.api("GET", "/subscriptions", Value::Null).await;
    assert_eq!(left["items"].as_array().unwrap().len(), 1, "it has ended");
}

#[tokio::test]
async fn only_a_newer_state_supersedes_a_state() {
    let stage = Stage::new(1, None).await;
    let path = format!("/subscriptions/{}", stage.subscription);
    stage.api("PUT", &path, json!({"url": stage.endpoint.url(), "mode": "latest"})).await;
    stage.post_accepted(&state("FOC", 1)).await;
    stage.run_for(SignedDuration::from_secs(1)).await;
    stage.post_accepted(&state("COMPLETE", 2)).await;
    stage.post_accepted(&note(3)).await;
    stage.run_for(SignedDuration::from_hours(1)).await;
    let told = stage.endpoint.received();
    let told: Vec<_> =
        told.iter().map(|one| text_of(one, "Status") + &text_of(one, "Note")).collect();
    assert_eq!(told, ["FOC", "COMPLETE", "thank you"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_held_while_its_subscription_is_being_deleted_is_given_up() {
    let stage = Stage::with_answers(None, |_, _| Answer::status(410)).await;
    stage.post_accepted(&state("FOC", 1)).await;
    stage.world.fan_out_batch().await;
    let wake = stage.world.receive_wakes(local::WAKES, 10).remove(0);
    let (begins, has_begun) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    let (may_go, is_first) = (Mutex::new(may_go), AtomicBool::new(true));
    stage.aws.inject(move |call| {
        // The deletion: the subscription has been read as enabled by then.
        if call.operation == "TransactWriteItems" && is_first.swap(false, Ordering::SeqCst) {
            begins.send(()).unwrap();
            may_go.lock().unwrap().recv().unwrap();
        }
        None::<Fault>
    });
    let (world, id) = (stage.world.clone(), stage.subscription.clone());
    let deleting =
        tokio::spawn(async move { world.subscriptions.remove(TENANT, &id).await.unwrap() });
    tokio::task::spawn_blocking(move || has_begun.recv().unwrap()).await.unwrap();
    stage.world.handle_wake(local::WAKES, &wake).await;
    go.send(()).unwrap();
    deleting.await.unwrap();
    stage.aws.heal();
    stage.run_for(SignedDuration::from_mins(10)).await;
    let lane = stage.items(&format!("LANE#{}#{ORDER}", stage.subscription)).await;
    assert_eq!(states(&lane), ["dead"]);
}

#[tokio::test]
async fn what_is_halted_for_a_subscription_that_is_deleted_is_given_up() {
    let stage = Stage::with_answers(None, |_, _| Answer::status(500)).await;
    let path = format!("/subscriptions/{}", stage.subscription);
    let wanted = |enabled: bool| {
        let (url, policy) = (stage.endpoint.url(), "halt");
        json!({"url": url, "order_policy": policy, "retry_schedule": [], "enabled": enabled})
    };
    stage.api("PUT", &path, wanted(true)).await;
    for (status, second) in [("SUBMITTED", 1), ("FOC", 2)] {
        stage.post_accepted(&state(status, second)).await;
    }
    stage.run_for(SignedDuration::from_mins(1)).await;
    for enabled in [false, true] {
        stage.api("PUT", &path, wanted(enabled)).await;
    }
    stage.run_for(SignedDuration::from_mins(10)).await;
    assert_eq!(stage.endpoint.received().len(), 1, "enabling is no word on the order");
    stage.api("DELETE", &path, Value::Null).await;
    stage.run_for(SignedDuration::from_mins(10)).await;
    let lane = stage.items(&format!("LANE#{}#{ORDER}", stage.subscription)).await;
    assert_eq!(states(&lane), ["dead", "dead"]);
    assert!(lane.iter().all(|item| !item.contains_key("halted")));
}

/// The start of a subscription that was disabled, collected one event, and has expired.
async fn expired_while_it_collected() -> (Stage, String) {
    let stage = Stage::new(0, None).await;
    let path = format!("/subscriptions/{}", stage.subscription);
    let (url, until) = (stage.endpoint.url(), "2026-02-03T11:00:00Z");
    stage.api("PUT", &path, json!({"url": url, "enabled": false, "expires_at": until})).await;
    stage.post_accepted(&state("FOC", 1)).await;
    stage.run_for(SignedDuration::from_hours(2)).await;
    (stage, path)
}

#[tokio::test]
async fn what_collected_before_the_expiry_can_be_let_go() {
    let (stage, path) = expired_while_it_collected().await;
    stage.api("PUT", &path, json!({"url": stage.endpoint.url()})).await;
    stage.run_for(SignedDuration::from_mins(10)).await;
    assert_eq!(stage.told(), ["FOC"]);
}

#[tokio::test]
async fn what_collected_before_the_expiry_is_given_up_with_its_subscription() {
    for is_deleted in [true, false] {
        let (stage, path) = expired_while_it_collected().await;
        let lane = format!("LANE#{}#{ORDER}", stage.subscription);
        assert_eq!(states(&stage.items(&lane).await), ["pending"]);
        if is_deleted {
            stage.api("DELETE", &path, Value::Null).await;
        } else {
            // A quarter passes in which nothing is due. The table has yet to drop it.
            stage.clock.advance(SignedDuration::from_hours(90 * 24));
            let delete = stage.dynamodb().delete_item().table_name("hookline");
            let cursor = delete.key("pk", AttributeValue::S("SCHEDULE".into()));
            cursor.key("sk", AttributeValue::S("DUE".into())).send().await.unwrap();
        }
        stage.run_for(SignedDuration::from_mins(10)).await;
        let lane = stage.items(&lane).await;
        assert_eq!(states(&lane), ["dead"], "deleted: {is_deleted}");
        let attempt = lane[0]["attempts"].as_l().unwrap()[0].as_m().unwrap();
        assert_eq!(attempt["error"].as_s().unwrap(), "unsubscribed");
        assert!(stage.items("JOBS").await.len() <= usize::from(is_deleted));
    }
}
