use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use simulator::aws::{Aws, Fault};

use crate::{TABLE, clock, create_table, dynamodb, put_new, text};

#[tokio::test]
async fn the_stream_gives_new_items_once_in_order_until_they_are_finished() {
    let aws = Aws::memory(clock()).unwrap();
    aws.watch("sk", &["EVENT#"]);
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
async fn a_transaction_that_the_sdk_repeats_makes_one_record() {
    let aws = Aws::memory(clock()).unwrap();
    aws.watch("sk", &["EVENT#"]);
    let client = dynamodb(&aws);
    create_table(&client).await;
    aws.reset_calls();
    aws.inject(|call| (call.number == 1).then_some(Fault::LoseAnswer));
    let put = Put::builder()
        .table_name(TABLE)
        .item("pk", text("a"))
        .item("sk", text("EVENT#1"))
        .condition_expression("attribute_not_exists(pk)")
        .build()
        .unwrap();
    let retries = RetryConfig::standard().with_initial_backoff(std::time::Duration::from_millis(1));
    client
        .transact_write_items()
        .transact_items(TransactWriteItem::builder().put(put).build())
        .customize()
        .config_override(aws_sdk_dynamodb::config::Builder::new().retry_config(retries))
        .send()
        .await
        .unwrap();
    assert_eq!(aws.calls().len(), 2, "it was repeated");
    assert_eq!(aws.stream().batch(9).len(), 1);
}

#[tokio::test]
async fn a_reader_waits_until_there_is_a_record() {
    let aws = Aws::memory(clock()).unwrap();
    aws.watch("sk", &["EVENT#"]);
    create_table(&dynamodb(&aws)).await;
    let waiting = tokio::spawn({
        let aws = aws.clone();
        async move { aws.stream().ready().await }
    });
    tokio::task::yield_now().await;
    put_new(&dynamodb(&aws), "a", "OTHER#1", None).await;
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    put_new(&dynamodb(&aws), "a", "EVENT#1", None).await;
    waiting.await.unwrap();
}
