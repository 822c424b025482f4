//! What becomes of deliveries whose subscription, event, or order comes to its end.

use jiff::SignedDuration;
use serde_json::{Value, json};
use simulator::endpoint::{Answer, Endpoint};

use crate::stage::{ORDER, Stage, state, text_of};

/// A note on the order, dated that many seconds after the start.
fn note(second: i64) -> String {
    state("", second).replace("<Status></Status>", "<Note>thank you</Note>")
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
