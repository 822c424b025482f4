//! Two handlers at one delivery, of which one has died, or stood still.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::delivery::{Attempt, Delivery, ErrorClass};
use domain::event::EventKey;
use domain::lane::{Place, Seen};
use jiff::SignedDuration;
use relay::egress::{Answer, Egress};
use relay::queue::Wake;
use relay::setup::Wanted;
use relay::store::{Lane, Put, Settled};
use serde_json::Value;
use simulator::aws::{Fault, Message};

use crate::stage::{ORDER, Stage, TENANT, state, subscribe};

/// A delivery that has been put, and its wake.
async fn put(stage: &Stage) -> (Lane, Delivery, Message) {
    stage.post_accepted(&state("FOC", 1)).await;
    stage.world.fan_out_batch().await;
    let message = stage.world.receive_wakes(local::WAKES, 10).remove(0);
    let lane = Lane { subscription: stage.subscription.clone(), subject: ORDER.into() };
    let delivery = stage.world.store.newest(&lane, None).await.unwrap().unwrap();
    (lane, delivery, message)
}

fn failed(stage: &Stage) -> Attempt {
    let error = Some(ErrorClass::Connect);
    Attempt { at: stage.clock.now(), duration_ms: 1, status: None, error }
}

#[tokio::test]
async fn a_duplicated_wake_repeats_no_post_that_has_been_recorded() {
    let stage = Stage::new(0, None).await;
    stage.post_accepted(&state("FOC", 1)).await;
    stage.world.fan_out_batch().await;
    let wakes = stage.world.receive_wakes(local::WAKES, 10);
    stage.world.handle_wake(local::WAKES, &wakes[0]).await;
    stage.world.handle_wake(local::WAKES, &wakes[0]).await;
    stage.run_for(SignedDuration::from_mins(10)).await;
    assert_eq!(stage.endpoint.received().len(), 1);
    assert!(stage.is_quiet());
}

#[tokio::test]
async fn a_wake_whose_handler_died_goes_on_at_once() {
    let stage = Stage::new(0, None).await;
    stage.post_accepted(&state("SUBMITTED", 1)).await;
    stage.post_accepted(&state("FOC", 2)).await;
    stage.world.fan_out_batch().await;
    let wake = stage.world.receive_wakes(local::WAKES, 10).remove(0);
    // It has finished the first delivery, and does not come to see what stands behind it.
    stage.aws.inject(|call| (call.operation == "Query").then_some(Fault::Refuse));
    stage.world.handle_wake(local::WAKES, &wake).await;
    stage.aws.heal();
    assert_eq!(stage.endpoint.received().len(), 1);
    let again = Message { receive_count: 2, ..wake };
    stage.world.handle_wake(local::WAKES, &again).await;
    assert_eq!(stage.endpoint.received().len(), 2);
    assert!(stage.is_quiet());
}

#[tokio::test]
async fn a_failure_that_is_written_late_takes_away_nothing_that_was_laid_aside() {
    let stage = Stage::new(0, None).await;
    let (lane, delivery, message) = put(&stage).await;
    let (store, now) = (&stage.world.store, stage.clock.now());
    // The next wake has come before the attempt was written, and found the breaker open.
    store.hold(&lane, &delivery, None, now).await.unwrap();
    let retry_at = now + SignedDuration::from_secs(5);
    let late = store.put_off(&lane, &delivery, &failed(&stage), "", retry_at, false).await;
    assert_eq!(late.unwrap(), Settled::Done { followed: false });
    stage.aws.queue(local::WAKES).delete(&message.receipt);
    assert!(stage.is_quiet());
    stage.run_for(SignedDuration::from_mins(5)).await;
    assert_eq!(stage.told(), ["FOC"]);
}

#[tokio::test]
async fn a_wake_whose_write_was_turned_away_goes_round_once_more() {
    let mut stage = Stage::new(0, None).await;
    let (lane, delivery, message) = put(&stage).await;
    let to_the_endpoint = stage.world.deliver.egress.clone();
    // The failure before this attempt is written only while this one is under way.
    let late = {
        let (store, lane, delivery) = (stage.world.store.clone(), lane.clone(), delivery.clone());
        let (attempt, at) = (failed(&stage), stage.clock.now() + SignedDuration::from_secs(5));
        move || {
            let (store, lane) = (store.clone(), lane.clone());
            let (delivery, attempt) = (delivery.clone(), attempt.clone());
            async move { store.put_off(&lane, &delivery, &attempt, "", at, false).await.unwrap() }
        }
    };
    stage.world.deliver.egress = Egress::answered_by(local::loopback(), move |_| {
        let written = late();
        Box::pin(async move {
            assert_eq!(written.await, Settled::Done { followed: false });
            let retry_after = Some("3600".to_owned());
            Ok(Answer { retry_after, ..Answer::of(503, "") })
        })
    })
    .unwrap();
    let seen = Seen { attempts_made: 1, ..Seen::default() };
    let wake = Wake::new(lane.clone(), delivery.key.clone(), seen);
    let body = serde_json::to_string(&wake).unwrap();
    stage.world.handle_wake(local::WAKES, &Message { body, ..message }).await;

    stage.world.deliver.egress = to_the_endpoint;
    stage.run_for(SignedDuration::from_secs(10)).await;
    assert_eq!(stage.endpoint.received().len(), 1);
    assert!(stage.is_quiet());
}

#[tokio::test]
async fn what_is_laid_aside_while_it_is_posted_is_not_the_end_of_its_lane() {
    let mut stage = Stage::new(0, None).await;
    let (lane, delivery, message) = put(&stage).await;
    stage.post_accepted(&state("COMPLETE", 2)).await;
    stage.world.fan_out_batch().await;
    let to_the_endpoint = stage.world.deliver.egress.clone();
    // While a handler POSTs, another one of the same wake finds the breaker open, and is done with it.
    let laid_aside = {
        let (store, now) = (stage.world.store.clone(), stage.clock.now());
        move || {
            let (store, lane, delivery) = (store.clone(), lane.clone(), delivery.clone());
            async move { store.hold(&lane, &delivery, None, now).await.unwrap() }
        }
    };
    stage.world.deliver.egress = Egress::answered_by(local::loopback(), move |_| {
        let held = laid_aside();
        Box::pin(async move {
            assert_eq!(held.await, Settled::Done { followed: true });
            Ok(Answer::of(200, ""))
        })
    })
    .unwrap();
    // It dies before it sees what stands behind.
    stage.aws.inject(|call| (call.operation == "Query").then_some(Fault::Refuse));
    stage.world.handle_wake(local::WAKES, &message).await;
    stage.aws.heal();
    stage.aws.queue(local::WAKES).delete(&message.receipt);
    assert!(stage.is_quiet());

    stage.world.deliver.egress = to_the_endpoint;
    stage.run_for(SignedDuration::from_mins(5)).await;
    assert_eq!(stage.told(), ["COMPLETE"]);
}

#[tokio::test]
async fn a_spent_wake_takes_up_nothing_that_was_laid_aside() {
    let stage = Stage::new(0, None).await;
    let (lane, delivery, message) = put(&stage).await;
    let store = &stage.world.store;
    store.hold(&lane, &delivery, None, stage.clock.now()).await.unwrap();
    stage.world.handle_wake(local::WAKES, &message).await;
    assert_eq!(stage.endpoint.received().len(), 0);
    let held = store.held(&stage.subscription, None).await.unwrap().0.remove(0);
    let body = serde_json::to_string(&held.wake()).unwrap();
    stage.world.handle_wake(local::WAKES, &Message { body, ..message }).await;
    assert_eq!(stage.endpoint.received().len(), 1);
}

#[tokio::test]
async fn a_wake_that_is_ahead_takes_up_nothing_that_was_laid_aside() {
    let stage = Stage::new(0, None).await;
    let (lane, delivery, message) = put(&stage).await;
    let store = &stage.world.store;
    // A handler's POST has failed; it has sent the next wake, and stalls before it writes. The queue
    // gives that wake twice. One handler finds the breaker open, and is done with it.
    store.hold(&lane, &delivery, None, stage.clock.now()).await.unwrap();
    // The other looks only now.
    let seen = Seen { attempts_made: 1, ..Seen::default() };
    let body = serde_json::to_string(&Wake::new(lane.clone(), delivery.key.clone(), seen)).unwrap();
    stage.world.handle_wake(local::WAKES, &Message { body, ..message }).await;
    assert_eq!(stage.endpoint.received().len(), 0);

    let at = stage.clock.now() + SignedDuration::from_secs(5);
    let late = store.put_off(&lane, &delivery, &failed(&stage), "", at, false).await;
    assert_eq!(late.unwrap(), Settled::Done { followed: false });
    stage.run_for(SignedDuration::from_mins(5)).await;
    assert_eq!(stage.told(), ["FOC"]);
    assert!(stage.is_quiet());
}

#[tokio::test]
async fn a_failure_that_is_written_while_a_probe_is_made_is_not_the_end_of_the_lane() {
    let mut stage = Stage::new(0, None).await;
    let (lane, delivery, first) = put(&stage).await;
    stage.post_accepted(&state("COMPLETE", 2)).await;
    stage.world.fan_out_batch().await;
    // A handler's POST has failed; it has sent the next wake, and stalls before it writes. That wake
    // finds the breaker open. Then comes a probe, which the queue gives twice.
    stage.world.store.hold(&lane, &delivery, None, stage.clock.now()).await.unwrap();
    let held = stage.world.store.held(&stage.subscription, None).await.unwrap().0.remove(0);
    let body = serde_json::to_string(&held.wake()).unwrap();
    let probe = Message { body, ..first.clone() };
    let to_the_endpoint = stage.world.deliver.egress.clone();
    let meanwhile = {
        let (world, probe, late) = (stage.world.clone(), probe.clone(), failed(&stage));
        move || {
            let (world, probe, late) = (world.clone(), probe.clone(), late.clone());
            let (lane, delivery) = (lane.clone(), delivery.clone());
            async move {
                // The first handler writes, and the probe's copy is found stale.
                let retry_at = late.at + SignedDuration::from_secs(5);
                let written = world.store.put_off(&lane, &delivery, &late, "", retry_at, false);
                assert_eq!(written.await.unwrap(), Settled::Done { followed: true });
                world.handle_wake(local::WAKES, &probe).await;
            }
        }
    };
    stage.world.deliver.egress = Egress::answered_by(local::loopback(), move |_| {
        let meanwhile = meanwhile();
        Box::pin(async move {
            meanwhile.await;
            Ok(Answer::of(200, ""))
        })
    })
    .unwrap();
    // It delivers, and dies before it reads on.
    stage.aws.inject(|call| (call.operation == "Query").then_some(Fault::Refuse));
    stage.world.handle_wake(local::WAKES, &probe).await;
    stage.aws.heal();
    stage.aws.queue(local::WAKES).delete(&first.receipt);
    assert!(stage.is_quiet());

    stage.world.deliver.egress = to_the_endpoint;
    stage.run_for(SignedDuration::from_mins(5)).await;
    assert_eq!(stage.told(), ["COMPLETE"]);
}

#[tokio::test]
async fn what_an_earlier_version_put_is_read_on_from() {
    let stage = Stage::new(0, None).await;
    let (lane, delivery, message) = put(&stage).await;
    stage.post_accepted(&state("COMPLETE", 2)).await;
    stage.world.fan_out_batch().await;
    // It marked nothing.
    let forget = stage.dynamodb().update_item().table_name("hookline");
    let forget = forget.key("pk", AttributeValue::S(lane.pk()));
    let forget = forget.key("sk", AttributeValue::S(delivery.key.to_string()));
    forget.update_expression("REMOVE followed").send().await.unwrap();
    stage.world.handle_wake(local::WAKES, &message).await;
    assert_eq!(stage.told(), ["FOC", "COMPLETE"]);
}

#[tokio::test]
async fn of_two_that_are_put_behind_one_at_once_the_second_is_turned_away() {
    let stage = Stage::new(0, None).await;
    let (lane, ahead, _) = put(&stage).await;
    let place = Place { behind: Some(ahead.key.clone()), sequence: 2, newest: None };
    let at = |seconds| ahead.key.at() + SignedDuration::from_secs(seconds);
    let put_at = async |seconds| {
        let key = EventKey::new(at(seconds), &"0".repeat(32));
        let fresh = Delivery { key, behind: true, sequence: 2, last_sequence: 2, ..ahead.clone() };
        stage.world.store.put_delivery(&lane, &place, &fresh).await.unwrap()
    };
    assert_eq!(put_at(2).await, Put::Done);
    assert_eq!(put_at(1).await, Put::Changed);
}

#[tokio::test]
async fn a_wake_that_the_queue_leaves_out_is_sent_by_itself() {
    let stage = Stage::new(0, None).await;
    let url = format!("{}second", stage.endpoint.url());
    subscribe(&stage.world, Wanted::everything(TENANT, &url)).await;
    stage.post_accepted(&state("FOC", 1)).await;
    stage.aws.inject(|call| (call.operation == "SendMessageBatch").then_some(Fault::LeaveOut));
    stage.world.fan_out_batch().await;
    stage.aws.heal();
    assert_eq!(stage.world.receive_wakes(local::WAKES, 10).len(), 2);
}

#[tokio::test]
async fn a_retry_by_hand_during_an_attempt_does_not_put_off_the_next() {
    let mut stage = Stage::new(0, None).await;
    stage.world.run_schedule().await;
    let (_, _, message) = put(&stage).await;
    stage.clock.advance(SignedDuration::from_secs(55));
    let to_the_endpoint = stage.world.deliver.egress.clone();
    let path = stage.retry_of("FOC").await;
    let (client, clock) = (stage.client(), stage.clock.clone());
    let world = stage.world.clone();
    stage.world.deliver.egress = Egress::answered_by(local::loopback(), move |_| {
        let (client, path) = (client.clone(), path.clone());
        let (world, clock) = (world.clone(), clock.clone());
        Box::pin(async move {
            assert!(client.ask("POST", &path, Value::Null).await.0.is_success());
            // Schedule reads the minute for which the retry is down.
            clock.advance(SignedDuration::from_secs(6));
            world.run_schedule().await;
            clock.advance(SignedDuration::from_secs(6));
            Ok(Answer::of(500, ""))
        })
    })
    .unwrap();
    stage.world.handle_wake(local::WAKES, &message).await;
    stage.world.deliver.egress = to_the_endpoint;
    stage.run_for(SignedDuration::from_mins(4)).await;
    assert_eq!(stage.told(), ["FOC"]);
}
