use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Put, ReturnValuesOnConditionCheckFailure,
    TimeToLiveSpecification, TransactWriteItem,
};
use jiff::SignedDuration;
use simulator::aws::{Aws, Load, Partition};

use crate::{TABLE, clock, create_table, dynamodb, put_new, text};

#[tokio::test]
async fn a_condition_that_fails_gives_the_item_that_stands_there() {
    let aws = Aws::memory(clock()).unwrap();
    let client = dynamodb(&aws);
    create_table(&client).await;
    assert!(put_new(&client, "a", "1", None).await);
    aws.reset_calls();
    let refused = client
        .put_item()
        .table_name(TABLE)
        .item("pk", text("a"))
        .item("sk", text("1"))
        .item("other", text("x"))
        .condition_expression("attribute_not_exists(pk)")
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .send()
        .await;
    let PutItemError::ConditionalCheckFailedException(failure) =
        refused.unwrap_err().into_service_error()
    else {
        panic!("another error");
    };
    assert_eq!(failure.item.unwrap().len(), 2);
    assert_eq!(aws.units().write, 1.0, "it is billed all the same");
}

#[tokio::test]
async fn a_cancelled_transaction_names_the_condition_and_writes_nothing() {
    let aws = Aws::memory(clock()).unwrap();
    aws.watch("sk", &["EVENT#"]);
    let client = dynamodb(&aws);
    create_table(&client).await;
    let put = Put::builder()
        .table_name(TABLE)
        .item("pk", text("a"))
        .item("sk", text("EVENT#1"))
        .condition_expression("attribute_not_exists(pk)")
        .build()
        .unwrap();
    let check = ConditionCheck::builder()
        .table_name(TABLE)
        .key("pk", text("b"))
        .key("sk", text("1"))
        .condition_expression("attribute_exists(pk)")
        .build()
        .unwrap();
    let cancelled = client
        .transact_write_items()
        .transact_items(TransactWriteItem::builder().put(put).build())
        .transact_items(TransactWriteItem::builder().condition_check(check).build())
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = cancelled else {
        panic!("another error");
    };
    let codes: Vec<_> =
        cancelled.cancellation_reasons().iter().filter_map(|one| one.code()).collect();
    assert_eq!(codes, ["None", "ConditionalCheckFailed"]);
    assert!(put_new(&client, "a", "EVENT#1", None).await);
    assert_eq!(aws.stream().batch(9).len(), 1, "only what was written is on the stream");
}

#[tokio::test]
async fn a_sparse_index_holds_only_what_carries_its_key() {
    let aws = Aws::memory(clock()).unwrap();
    let client = dynamodb(&aws);
    create_table(&client).await;
    put_new(&client, "a", "1", Some("x")).await;
    put_new(&client, "a", "2", None).await;
    let found = async || {
        let page = client
            .query()
            .table_name(TABLE)
            .index_name("due")
            .key_condition_expression("due = :due")
            .expression_attribute_values(":due", text("x"))
            .send()
            .await
            .unwrap();
        page.count()
    };
    assert_eq!(found().await, 1);
    client
        .update_item()
        .table_name(TABLE)
        .key("pk", text("a"))
        .key("sk", text("1"))
        .update_expression("REMOVE due")
        .send()
        .await
        .unwrap();
    assert_eq!(found().await, 0);
}

#[tokio::test]
async fn a_listing_comes_in_pages() {
    let aws = Aws::memory(clock()).unwrap();
    let client = dynamodb(&aws);
    create_table(&client).await;
    for nth in 0..7 {
        put_new(&client, "a", &nth.to_string(), None).await;
    }
    let mut pages = client
        .query()
        .table_name(TABLE)
        .key_condition_expression("pk = :pk")
        .expression_attribute_values(":pk", text("a"))
        .limit(3)
        .into_paginator()
        .send();
    let mut counts = Vec::new();
    while let Some(page) = pages.next().await {
        counts.push(page.unwrap().count());
    }
    assert_eq!(counts, [3, 3, 1]);
}

#[tokio::test]
async fn what_has_expired_by_the_clock_is_swept() {
    let clock = clock();
    let aws = Aws::memory(clock.clone()).unwrap();
    let client = dynamodb(&aws);
    create_table(&client).await;
    let by = TimeToLiveSpecification::builder().attribute_name("expires").enabled(true);
    let by = by.build().unwrap();
    client
        .update_time_to_live()
        .table_name(TABLE)
        .time_to_live_specification(by)
        .send()
        .await
        .unwrap();
    for hours in [1, 3] {
        let expires = clock.now() + SignedDuration::from_hours(hours);
        client
            .put_item()
            .table_name(TABLE)
            .item("pk", text("a"))
            .item("sk", text(&hours.to_string()))
            .item("expires", AttributeValue::N(expires.as_second().to_string()))
            .send()
            .await
            .unwrap();
    }
    assert_eq!(aws.sweep_expired().unwrap(), 0);
    clock.advance(SignedDuration::from_hours(2));
    assert_eq!(aws.sweep_expired().unwrap(), 1);
    assert!(put_new(&client, "a", "1", None).await);
    assert!(!put_new(&client, "a", "3", None).await);
}

#[tokio::test]
async fn a_request_that_is_not_valid_is_named_so() {
    let aws = Aws::memory(clock()).unwrap();
    let refused = dynamodb(&aws).get_item().table_name("x").key("pk", text("a")).send().await;
    let refused = refused.unwrap_err().into_service_error();
    assert_eq!(refused.meta().code(), Some("ValidationException"));
    assert!(refused.meta().message().unwrap().starts_with("1 validation error"), "{refused:?}");
    let missing = dynamodb(&aws).get_item().table_name(TABLE).key("pk", text("a")).send().await;
    assert!(missing.unwrap_err().into_service_error().is_resource_not_found_exception());
}

#[tokio::test]
async fn units_are_shared_among_the_partitions_that_they_are_for() {
    let aws = Aws::memory(clock()).unwrap();
    let client = dynamodb(&aws);
    create_table(&client).await;
    aws.reset_calls();
    let put = async |pk: &str, due: Option<&str>| {
        let put = client.put_item().table_name(TABLE).item("pk", text(pk)).item("sk", text("1"));
        let put = match due {
            Some(due) => put.item("due", text(due)),
            None => put,
        };
        put.send().await.unwrap();
    };
    put("a", None).await;
    put("b", Some("x")).await;
    put("b", Some("y")).await;
    let query = client.query().table_name(TABLE).index_name("due");
    let query = query.key_condition_expression("due = :due");
    query.expression_attribute_values(":due", text("y")).send().await.unwrap();
    let parts = ["a", "c"].map(|pk| {
        let put = Put::builder().table_name(TABLE).item("pk", text(pk)).item("sk", text("2"));
        TransactWriteItem::builder().put(put.build().unwrap()).build()
    });
    let both = client.transact_write_items().set_transact_items(Some(parts.into()));
    both.send().await.unwrap();

    let of = |index: Option<&str>, key: &str, read, write| {
        (Partition { index: index.map(str::to_owned), key: key.into() }, Load { read, write })
    };
    let expected = [
        of(None, "a", 0.0, 3.0),
        of(None, "b", 0.0, 2.0),
        of(None, "c", 0.0, 2.0),
        // What moves from one to the other is written to both.
        of(Some("due"), "x", 0.0, 2.0),
        of(Some("due"), "y", 0.5, 1.0),
    ];
    assert_eq!(aws.loads(), expected.into());
    assert_eq!((aws.units().read, aws.units().write), (0.5, 10.0), "the sum of them");
}
