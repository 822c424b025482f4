//! Delivering again: in order, beside what is live, and no faster than it may.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};
use simulator::aws::Fault;
use simulator::endpoint::Answer;

use crate::stage::{Stage, header, of, secs, state, text_of};

const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// The pages of a feed that a run may read: 600 entries, and the one that ends it.
const PAGES_MAX: usize = 7;

/// The states that were told, with those that were told again.
fn all_told(stage: &Stage) -> Vec<String> {
    let received = stage.endpoint.received();
    let good = received.iter().filter(|one| one.answered == 200);
    good.map(|one| text_of(one, "Status")).collect()
}

async fn replay(stage: &Stage) {
    stage.api("POST", "/replays", json!({"from": "2026-02-03T00:00:00Z"})).await;
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
async fn a_replay_keeps_the_order_whatever_fails() {
    let all = ["SUBMITTED", "PENDING_DOCUMENTS", "FOC", "COMPLETE"];
    let (posts, failed) = (AtomicU32::new(0), AtomicU32::new(0));
    let stage = Stage::with_answers(None, move |one, _| {
        let is_replay = posts.fetch_add(1, SeqCst) >= 4;
        // The first state fails once when it is replayed.
        let is_first = text_of(one, "Status") == "SUBMITTED";
        let fails = is_replay && is_first && failed.fetch_add(1, SeqCst) == 0;
        Answer::status(if fails { 500 } else { 200 })
    })
    .await;
    for (status, second) in all.iter().zip(1..) {
        stage.post_accepted(&state(status, second)).await;
    }
    stage.run_for(secs(60)).await;
    assert_eq!(all_told(&stage), all);
    replay(&stage).await;
    stage.run_for(SignedDuration::from_mins(20)).await;
    assert_eq!(all_told(&stage), [all, all].concat());
    assert_eq!(stage.endpoint.received().len(), 9);
}

#[tokio::test]
async fn a_replay_that_was_interrupted_goes_on_in_order() {
    let all = ["SUBMITTED", "PENDING_DOCUMENTS", "FOC", "COMPLETE"];
    let stage = Stage::new(0, None).await;
    for (status, second) in all.iter().zip(1..) {
        stage.post_accepted(&state(status, second)).await;
    }
    stage.run_for(secs(60)).await;
    replay(&stage).await;
    let transactions = AtomicU32::new(0);
    stage.aws.inject(move |call| {
        let is_chained = call.operation == "TransactWriteItems";
        (is_chained && transactions.fetch_add(1, SeqCst) == 1).then_some(Fault::Refuse)
    });
    stage.run_for(secs(120)).await;
    stage.aws.heal();
    stage.run_for(SignedDuration::from_mins(20)).await;
    assert_eq!(all_told(&stage), [all, all].concat());
}

#[tokio::test]
async fn what_is_live_does_not_wait_for_what_is_replayed() {
    let is_down = Arc::new(AtomicBool::new(false));
    let down = is_down.clone();
    let stage = Stage::with_answers(None, move |one, _| {
        let fails = down.load(SeqCst) && text_of(one, "Status") == "SUBMITTED";
        Answer::status(if fails { 500 } else { 200 })
    })
    .await;
    stage.post_accepted(&state("SUBMITTED", 1)).await;
    stage.run_for(secs(60)).await;
    replay(&stage).await;
    is_down.store(true, SeqCst);
    stage.run_for(secs(125)).await;
    stage.post_accepted(&state("FOC", 2)).await;
    stage.run_for(secs(30)).await;
    assert_eq!(all_told(&stage), ["SUBMITTED", "FOC"]);
    is_down.store(false, SeqCst);
    stage.run_for(SignedDuration::from_hours(12)).await;
    assert_eq!(all_told(&stage), ["SUBMITTED", "FOC", "SUBMITTED"]);
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "two handlers meet at a certain moment")]
async fn a_retry_does_not_go_on_to_what_another_handler_posts() {
    let stage = Stage::with_answers(None, |one, _| {
        let is_slow = text_of(one, "Status") == "COMPLETE";
        let after = Duration::from_millis(if is_slow { 1_500 } else { 300 });
        Answer { after, ..Answer::status(200) }
    })
    .await;
    stage.post_accepted(&state("SUBMITTED", 1)).await;
    stage.run_for(secs(60)).await;
    for (status, second) in [("FOC", 2), ("COMPLETE", 3)] {
        stage.post_accepted(&state(status, second)).await;
    }
    stage.world.fan_out_batch().await;
    let live = stage.world.receive_wakes(local::WAKES, 1);
    let retry = stage.retry_of("SUBMITTED").await;
    tokio::join!(stage.world.handle_wake(local::WAKES, &live[0]), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        stage.api("POST", &retry, Value::Null).await;
        let again = stage.world.receive_wakes(local::WAKES, 1);
        stage.world.handle_wake(local::WAKES, &again[0]).await;
    });
    let mut told = all_told(&stage);
    told.sort();
    assert_eq!(told, ["COMPLETE", "FOC", "SUBMITTED", "SUBMITTED"]);
}

#[tokio::test]
async fn what_is_revived_while_its_handler_is_dead_leaves_nothing_behind() {
    let stage = Stage::new(1, Some(vec![])).await;
    for (status, second) in [("SUBMITTED", 1), ("FOC", 2)] {
        stage.post_accepted(&state(status, second)).await;
    }
    stage.world.fan_out_batch().await;
    // The handler dies when it has given up the first, before it reads on.
    let wakes = stage.world.receive_wakes(local::WAKES, 1);
    let is_given_up = AtomicBool::new(false);
    stage.aws.inject(move |call| {
        let reads_on = is_given_up.load(SeqCst) && call.operation == "Query";
        if call.operation == "UpdateItem" {
            is_given_up.store(true, SeqCst);
        }
        reads_on.then_some(Fault::Refuse)
    });
    stage.world.handle_wake(local::WAKES, &wakes[0]).await;
    stage.aws.heal();
    stage.api("POST", &stage.retry_of("SUBMITTED").await, Value::Null).await;
    stage.run_for(SignedDuration::from_mins(20)).await;
    assert_eq!(all_told(&stage), ["SUBMITTED", "FOC"]);
}

#[tokio::test]
async fn what_comes_again_after_newer_ones_says_so() {
    let stage = Stage::new(1, Some(vec![])).await;
    for (status, second) in [("SUBMITTED", 1), ("FOC", 2), ("COMPLETE", 3)] {
        stage.post_accepted(&state(status, second)).await;
    }
    stage.run_for(secs(60)).await;
    replay(&stage).await;
    stage.run_for(SignedDuration::from_mins(10)).await;
    let replayed = stage.endpoint.received().split_off(3);
    let statuses: Vec<_> = replayed.iter().map(|one| text_of(one, "Status")).collect();
    assert_eq!(statuses, ["SUBMITTED", "FOC", "COMPLETE"], "the first was dead");
    assert!(replayed.iter().all(|one| header(one, "hookline-replay") == "true"));
}

#[tokio::test]
async fn a_retry_whose_answer_from_the_table_is_lost_is_done_once() {
    let stage = Stage::new(1, Some(vec![])).await;
    stage.post_accepted(&state("FOC", 1)).await;
    stage.run_for(secs(5)).await;
    let retry = stage.retry_of("FOC").await;
    let updates = AtomicU32::new(0);
    stage.aws.inject(move |call| {
        let is_first = call.operation == "UpdateItem" && updates.fetch_add(1, SeqCst) == 0;
        is_first.then_some(Fault::LoseAnswer)
    });
    let retried = stage.api("POST", &retry, Value::Null).await;
    assert_eq!(retried["state"], "pending");
    stage.run_for(SignedDuration::from_mins(10)).await;
    assert_eq!(stage.endpoint.received().len(), 2);
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
