//! What is lost from the table is put back from a copy, and nothing else changes.

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use jiff::SignedDuration;
use relay::restore::Restore;
use relay::store::Store;
use serde_json::Value;

use crate::ledger::recover;
use crate::stage::{Item, Stage, state};

const COPY: &str = "restored";

/// The table as it is now, under another name, as a restore from a point in time makes one.
async fn copy(stage: &Stage) {
    let attribute = |name: &str| {
        AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(ScalarAttributeType::S)
            .build()
            .unwrap()
    };
    let key = |name: &str, of: KeyType| {
        KeySchemaElement::builder().attribute_name(name).key_type(of).build().unwrap()
    };
    let client = stage.dynamodb();
    client
        .create_table()
        .table_name(COPY)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute("pk"))
        .attribute_definitions(attribute("sk"))
        .key_schema(key("pk", KeyType::Hash))
        .key_schema(key("sk", KeyType::Range))
        .send()
        .await
        .unwrap();
    for item in all(stage).await {
        client.put_item().table_name(COPY).set_item(Some(item)).send().await.unwrap();
    }
}

async fn all(stage: &Stage) -> Vec<Item> {
    let scan = stage.dynamodb().scan().table_name("hookline").send().await.unwrap();
    scan.items.unwrap()
}

async fn lose(stage: &Stage, is_lost: impl Fn(&str) -> bool) {
    for item in all(stage).await.iter().filter(|item| is_lost(&key_of(item).0)) {
        let delete = stage.dynamodb().delete_item().table_name("hookline");
        let key = [("pk", &item["pk"]), ("sk", &item["sk"])];
        let key = key.map(|(name, is)| (name.to_owned(), is.clone())).into();
        delete.set_key(Some(key)).send().await.unwrap();
    }
}

fn key_of(item: &Item) -> (String, String) {
    let text = |name: &str| item[name].as_s().unwrap().clone();
    (text("pk"), text("sk"))
}

async fn restored(stage: &Stage) -> u64 {
    let clock = stage.world.relay_clock().clone();
    let from = Store::new(stage.dynamodb(), COPY, clock);
    let mut restore = Restore::new(from, stage.world.store.clone());
    let mut put = 0;
    while let Some(step) = restore.step().await.unwrap() {
        put += step.put;
    }
    put
}

#[tokio::test]
async fn what_was_lost_comes_back_and_is_not_delivered_again() {
    let stage = Stage::new(0, None).await;
    stage.post_accepted(&state("RECEIVED", 1)).await;
    stage.run_for(SignedDuration::from_mins(1)).await;
    copy(&stage).await;
    let before = all(&stage).await;

    lose(&stage, |pk| pk.starts_with("ORDER#") || pk.starts_with("LANE#") || pk.ends_with("#FEED"))
        .await;
    let left = all(&stage).await.len();
    assert!(left < before.len());

    assert_eq!(restored(&stage).await as usize, before.len() - left);
    stage.run_for(SignedDuration::from_mins(5)).await;
    let mut keys: Vec<_> = all(&stage).await.iter().map(key_of).collect();
    let mut expected: Vec<_> = before.iter().map(key_of).collect();
    keys.retain(|(pk, _)| pk != "SCHEDULE");
    expected.retain(|(pk, _)| pk != "SCHEDULE");
    keys.sort();
    expected.sort();
    assert_eq!(keys, expected);
    assert_eq!(stage.endpoint.received().len(), 1);
}

#[tokio::test]
async fn what_has_changed_since_stays_as_it_is() {
    let stage = Stage::new(0, None).await;
    stage.post_accepted(&state("RECEIVED", 1)).await;
    copy(&stage).await;
    stage.run_for(SignedDuration::from_mins(1)).await;
    stage.post_accepted(&state("COMPLETE", 2)).await;
    stage.run_for(SignedDuration::from_mins(1)).await;
    let mut before = all(&stage).await;

    assert_eq!(restored(&stage).await, 0);
    let mut after = all(&stage).await;
    before.sort_by_key(key_of);
    after.sort_by_key(key_of);
    assert_eq!(after, before);
}

#[tokio::test]
async fn what_was_parked_when_it_was_lost_is_delivered_after_a_recover() {
    let stage = Stage::new(1, Some(vec![SignedDuration::from_hours(2)])).await;
    stage.post_accepted(&state("RECEIVED", 1)).await;
    stage.run_for(SignedDuration::from_mins(1)).await;
    copy(&stage).await;
    lose(&stage, |pk| pk.starts_with("LANE#")).await;
    stage.run_for(SignedDuration::from_hours(4)).await;

    assert_eq!(restored(&stage).await, 1);
    recover(&stage).await;
    stage.run_for(SignedDuration::from_mins(1)).await;
    // After the attempt that failed, this one and no more.
    assert_eq!(stage.endpoint.received().len(), 2);
    assert_eq!(stage.told(), ["RECEIVED"]);
}

#[tokio::test]
async fn what_was_being_made_again_when_it_was_lost_is_delivered_after_a_recover() {
    let stage = Stage::new(0, None).await;
    stage.post_accepted(&state("RECEIVED", 1)).await;
    stage.run_for(SignedDuration::from_mins(1)).await;
    stage.api("POST", &stage.retry_of("RECEIVED").await, Value::Null).await;
    copy(&stage).await;
    lose(&stage, |pk| pk.starts_with("LANE#")).await;
    stage.run_for(SignedDuration::from_hours(4)).await;
    assert_eq!(stage.endpoint.received().len(), 1);

    assert_eq!(restored(&stage).await, 1);
    recover(&stage).await;
    stage.run_for(SignedDuration::from_mins(1)).await;
    assert_eq!(stage.endpoint.received().len(), 2);
}
