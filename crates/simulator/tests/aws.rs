//! The real SDK against the AWS that is played here.

#![expect(clippy::unwrap_used, reason = "what a test cannot set up, it fails on")]

use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, ConditionCheck, GlobalSecondaryIndex,
    KeySchemaElement, KeyType, Projection, ProjectionType, Put,
    ReturnValuesOnConditionCheckFailure, ScalarAttributeType, TransactWriteItem,
};
use aws_sdk_sqs::types::QueueAttributeName;
use jiff::{SignedDuration, Timestamp};
use simulator::Clock;
use simulator::aws::{Aws, Fault, QueueSettings, Service};

const TABLE: &str = "things";

macro_rules! config {
    ($sdk:ident, $aws:expr) => {
        $sdk::Config::builder()
            .behavior_version($sdk::config::BehaviorVersion::latest())
            .region($sdk::config::Region::from_static("us-east-1"))
            .credentials_provider($sdk::config::Credentials::new("a", "b", None, None, "test"))
            .retry_config($sdk::config::retry::RetryConfig::disabled())
            .http_client($aws.http_client())
            .build()
    };
}

fn dynamodb(aws: &Aws) -> aws_sdk_dynamodb::Client {
    aws_sdk_dynamodb::Client::from_conf(config!(aws_sdk_dynamodb, aws))
}

fn sqs(aws: &Aws) -> aws_sdk_sqs::Client {
    aws_sdk_sqs::Client::from_conf(config!(aws_sdk_sqs, aws))
}

fn clock() -> Clock {
    Clock::manual("2026-02-03T10:00:00Z".parse::<Timestamp>().unwrap())
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.into())
}

async fn create_table(client: &aws_sdk_dynamodb::Client) {
    let attribute = |name: &str| {
        AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(ScalarAttributeType::S)
            .build()
            .unwrap()
    };
    let key = |name: &str, kind| {
        KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap()
    };
    let index = GlobalSecondaryIndex::builder()
        .index_name("due")
        .key_schema(key("due", KeyType::Hash))
        .projection(Projection::builder().projection_type(ProjectionType::KeysOnly).build())
        .build()
        .unwrap();
    client
        .create_table()
        .table_name(TABLE)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute("pk"))
        .attribute_definitions(attribute("sk"))
        .attribute_definitions(attribute("due"))
        .key_schema(key("pk", KeyType::Hash))
        .key_schema(key("sk", KeyType::Range))
        .global_secondary_indexes(index)
        .send()
        .await
        .unwrap();
}

/// Puts an item where none stands; whether it could.
async fn put_new(client: &aws_sdk_dynamodb::Client, pk: &str, sk: &str, due: Option<&str>) -> bool {
    let mut put = client
        .put_item()
        .table_name(TABLE)
        .item("pk", text(pk))
        .item("sk", text(sk))
        .condition_expression("attribute_not_exists(pk)");
    if let Some(due) = due {
        put = put.item("due", text(due));
    }
    match put.send().await {
        Ok(_) => true,
        Err(error) => {
            assert!(error.into_service_error().is_conditional_check_failed_exception());
            false
        }
    }
}

#[tokio::test]
async fn a_condition_that_fails_gives_the_item_that_stands_there() {
    let aws = Aws::memory(clock()).unwrap();
    let client = dynamodb(&aws);
    create_table(&client).await;
    assert!(put_new(&client, "a", "1", None).await);
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
    let aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException(
        failure,
    ) = refused.unwrap_err().into_service_error()
    else {
        panic!("another error");
    };
    assert_eq!(failure.item.unwrap().len(), 2);
}

#[tokio::test]
async fn a_cancelled_transaction_names_the_condition_and_writes_nothing() {
    let aws = Aws::memory(clock()).unwrap();
    aws.watch("sk", "EVENT#");
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
    let aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError::TransactionCanceledException(cancelled) = cancelled
    else {
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
async fn the_stream_gives_new_items_once_in_order_until_they_are_finished() {
    let aws = Aws::memory(clock()).unwrap();
    aws.watch("sk", "EVENT#");
    let client = dynamodb(&aws);
    create_table(&client).await;
    for sk in ["EVENT#2", "OTHER#1", "EVENT#1", "EVENT#2"] {
        put_new(&client, "a", sk, None).await;
    }
    let seen = |max| -> Vec<String> {
        let batch = aws.stream().batch(max);
        batch.iter().map(|one| one.image["sk"]["S"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(seen(9), ["EVENT#2", "EVENT#1"]);
    assert_eq!(seen(1), ["EVENT#2"], "what is not finished comes again");
    aws.stream().finish(aws.stream().batch(1)[0].sequence);
    assert_eq!(seen(9), ["EVENT#1"]);
}

#[tokio::test]
async fn table_stream_and_queues_outlive_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let aws = Aws::in_folder(folder.path(), clock()).unwrap();
        aws.watch("sk", "EVENT#");
        aws.create_queue("q", settings(None));
        aws
    };
    let aws = open();
    create_table(&dynamodb(&aws)).await;
    for sk in ["EVENT#1", "EVENT#2", "EVENT#3"] {
        put_new(&dynamodb(&aws), "a", sk, None).await;
    }
    aws.stream().finish(aws.stream().batch(1)[0].sequence);
    for body in ["one", "two", "three"] {
        send(&aws, body, 0).await.unwrap();
    }
    aws.queue("q").delete(&aws.queue("q").receive(1)[0].receipt);
    assert_eq!(aws.queue("q").receive(1).len(), 1, "in flight when the process ends");
    drop(aws);

    // What was written down before a put that then did not happen.
    use std::io::Write as _;
    let mut journal =
        std::fs::OpenOptions::new().append(true).open(folder.path().join("stream")).unwrap();
    let intent = r#"{"put":4,"table":"things","key":{"pk":{"S":"a"},"sk":{"S":"EVENT#4"}}}"#;
    write!(journal, "{intent}\n{{\"put\":5,\"ta").unwrap();
    drop(journal);

    let aws = open();
    let images: Vec<_> =
        aws.stream().batch(9).iter().map(|one| one.image["sk"]["S"].clone()).collect();
    assert_eq!(images, ["EVENT#2", "EVENT#3"]);
    assert_eq!(aws.queue("q").bodies(), ["two", "three"]);
    let before = aws.stream().batch(9).last().unwrap().sequence;
    put_new(&dynamodb(&aws), "a", "EVENT#5", None).await;
    assert!(aws.stream().batch(9).last().unwrap().sequence > before);
}

fn settings(max_receive_count: Option<(u32, String)>) -> QueueSettings {
    QueueSettings { visibility_timeout: SignedDuration::from_secs(30), max_receive_count }
}

async fn send(aws: &Aws, body: &str, delay: i32) -> Result<(), String> {
    let url = aws.create_queue("q", settings(None));
    let sent = sqs(aws)
        .send_message()
        .queue_url(url)
        .message_body(body)
        .message_group_id("g")
        .delay_seconds(delay)
        .send()
        .await;
    sent.map(drop)
        .map_err(|error| error.into_service_error().meta().code().unwrap_or("?").to_owned())
}

#[tokio::test]
async fn a_message_is_delayed_hidden_and_deleted_by_the_clock() {
    let clock = clock();
    let aws = Aws::memory(clock.clone()).unwrap();
    send(&aws, "late", 900).await.unwrap();
    send(&aws, "soon", 0).await.unwrap();
    let queue = aws.queue("q");
    let bodies = || -> Vec<String> { queue.receive(10).into_iter().map(|one| one.body).collect() };
    assert_eq!(bodies(), ["soon"]);
    assert!(bodies().is_empty(), "hidden while in flight");
    clock.advance(SignedDuration::from_secs(30));
    let again = queue.receive(10);
    assert_eq!((again[0].body.as_str(), again[0].receive_count), ("soon", 2));
    queue.delete(&again[0].receipt);
    assert_eq!(queue.next_visible_at(), Some("2026-02-03T10:15:00Z".parse().unwrap()));
    clock.advance(SignedDuration::from_secs(870));
    assert_eq!(bodies(), ["late"]);
}

#[tokio::test]
async fn a_message_that_is_received_too_often_goes_to_the_dead_letters() {
    let clock = clock();
    let aws = Aws::memory(clock.clone()).unwrap();
    aws.create_queue("dead", settings(None));
    send(&aws, "poison", 0).await.unwrap();
    aws.create_queue("q", settings(Some((2, "dead".into()))));
    for _ in 0..2 {
        let message = aws.queue("q").receive(1).remove(0);
        aws.queue("q").release(&message.receipt);
    }
    assert!(aws.queue("q").receive(1).is_empty());
    assert!(aws.queue("q").is_empty());
    assert_eq!(aws.queue("dead").bodies(), ["poison"]);
}

#[tokio::test]
async fn what_sqs_refuses_is_refused() {
    let aws = Aws::memory(clock()).unwrap();
    for (body, delay) in [("x", 901), ("x", -1), ("", 0), ("a\u{1}b", 0), ("\u{fffe}", 0)] {
        assert!(send(&aws, body, delay).await.is_err(), "{body:?} {delay}");
    }
    let unknown =
        sqs(&aws).send_message().queue_url("https://x/0/nowhere").message_body("x").send().await;
    assert_eq!(unknown.unwrap_err().into_service_error().meta().code(), Some("QueueDoesNotExist"));
}

#[tokio::test]
async fn the_sdk_receives_deletes_and_counts() {
    let aws = Aws::memory(clock()).unwrap();
    let url = aws.create_queue("q", settings(None));
    for body in ["a", "b", "c"] {
        send(&aws, body, 0).await.unwrap();
    }
    send(&aws, "later", 60).await.unwrap();
    let client = sqs(&aws);
    let got =
        client.receive_message().queue_url(&url).max_number_of_messages(2).send().await.unwrap();
    let handle = got.messages()[0].receipt_handle().unwrap();
    client.delete_message().queue_url(&url).receipt_handle(handle).send().await.unwrap();
    let counts = client
        .get_queue_attributes()
        .queue_url(&url)
        .attribute_names(QueueAttributeName::All)
        .send()
        .await
        .unwrap();
    let counts = counts.attributes().unwrap();
    let of = |name| counts[&name].as_str();
    assert_eq!(of(QueueAttributeName::ApproximateNumberOfMessages), "1");
    assert_eq!(of(QueueAttributeName::ApproximateNumberOfMessagesNotVisible), "1");
    assert_eq!(of(QueueAttributeName::ApproximateNumberOfMessagesDelayed), "1");
}

#[tokio::test]
async fn faults_meet_the_calls_that_a_test_names() {
    let aws = Aws::memory(clock()).unwrap();
    let client = dynamodb(&aws);
    create_table(&client).await;
    aws.reset_calls();
    aws.inject(|call| match call.number {
        1 => Some(Fault::Refuse),
        2 => Some(Fault::LoseAnswer),
        3 => Some(Fault::Throttle),
        _ => None,
    });
    let put = |sk: &'static str| {
        let put = client.put_item().table_name(TABLE).item("pk", text("a")).item("sk", text(sk));
        async { put.send().await.is_ok() }
    };
    assert!(!put("refused").await && !put("lost").await && !put("throttled").await);
    assert!(put("fine").await);
    aws.heal();
    let page = client.scan().table_name(TABLE).send().await.unwrap();
    let mut stored: Vec<_> =
        page.items().iter().map(|item| item["sk"].as_s().unwrap().clone()).collect();
    stored.sort();
    assert_eq!(stored, ["fine", "lost"]);
    let calls = aws.calls();
    assert_eq!(calls.len(), 5);
    assert!(calls.iter().all(|call| call.service == Service::Table));
    assert_eq!((calls[4].number, calls[4].operation.as_str()), (5, "Scan"));
}

#[tokio::test]
async fn a_poller_waits_until_something_is_visible() {
    let clock = clock();
    let aws = Aws::memory(clock.clone()).unwrap();
    send(&aws, "x", 5).await.unwrap();
    let waiting = tokio::spawn({
        let aws = aws.clone();
        async move { aws.queue("q").ready().await }
    });
    tokio::task::yield_now().await;
    clock.advance(SignedDuration::from_secs(4));
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    clock.advance(SignedDuration::from_secs(1));
    waiting.await.unwrap();
}
