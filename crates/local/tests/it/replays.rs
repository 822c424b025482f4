//! Delivering again: in order, beside what is live, and no faster than it may.

use jiff::SignedDuration;
use serde_json::json;

use crate::stage::{ORDER, Stage, state, text_of};

const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// The pages of a feed that a run may read: 600 entries, and the one that ends it.
const PAGES_MAX: usize = 7;

fn secs(count: i64) -> SignedDuration {
    SignedDuration::from_secs(count)
}

fn of(order: &str, status: &str, second: i64) -> String {
    state(status, second).replace(ORDER, order)
}

/// A feed that takes several runs, all of it delivered.
async fn long_feed() -> Stage {
    let stage = Stage::new(0, None).await;
    for order in 0..1_500 {
        stage.post_accepted(&of(&format!("o-{order}"), "FOC", 1)).await;
        if order % 20 == 0 {
            stage.world.fan_out_batch().await;
        }
    }
    stage.run_for(secs(60)).await;
    stage
}

#[tokio::test]
async fn one_run_reads_a_bounded_part_of_a_feed() {
    let stage = long_feed().await;
    let filter = json!({"from": "2026-02-03T00:00:00Z", "dead_only": true});
    stage.api("POST", "/replays", filter).await;
    stage.clock.advance(secs(100));
    stage.aws.reset_calls();
    stage.world.run_schedule().await;
    let calls = stage.aws.calls();
    let pages = calls.iter().filter(|call| call.operation == "BatchGetItem").count();
    assert!((1..=PAGES_MAX).contains(&pages), "{pages}");
}

#[tokio::test]
async fn what_was_held_does_not_wait_for_replays() {
    let stage = long_feed().await;
    let path = format!("/subscriptions/{}", stage.subscription);
    let url = stage.endpoint.url();
    stage.api("PUT", &path, json!({"url": url, "enabled": false})).await;
    stage.post_accepted(&of("held", "FOC", 2)).await;
    stage.run_for(secs(60)).await;
    for _ in 0..2 {
        let filter = json!({"from": "2026-02-03T00:00:00Z", "to": "2026-02-03T10:00:30Z"});
        stage.api("POST", "/replays", filter).await;
        stage.clock.advance(SECOND);
    }
    stage.api("PUT", &path, json!({"url": url})).await;
    stage.run_for(secs(270)).await;
    let received = stage.endpoint.received();
    assert!(received.iter().any(|one| text_of(one, "OrderId") == "held"));
}
