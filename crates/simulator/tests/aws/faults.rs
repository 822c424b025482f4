use simulator::aws::{Aws, Fault, Service};

use crate::{TABLE, clock, create_table, dynamodb, put_new, send, settings, sqs, text};

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
    assert_eq!(calls[4].resource, TABLE);
}

#[tokio::test]
async fn throttling_has_the_type_that_the_sdk_knows() {
    let aws = Aws::memory(clock()).unwrap();
    let url = aws.create_queue("q", settings(None));
    aws.inject(|_| Some(Fault::Throttle));
    let get = dynamodb(&aws).get_item().table_name(TABLE).key("pk", text("a")).send().await;
    assert!(get.unwrap_err().into_service_error().is_provisioned_throughput_exceeded_exception());
    let sent = sqs(&aws).send_message().queue_url(url).message_body("x").send().await;
    assert!(sent.unwrap_err().into_service_error().is_request_throttled());
}

#[tokio::test]
async fn a_silent_call_is_neither_answered_nor_applied() {
    let aws = Aws::memory(clock()).unwrap();
    let client = dynamodb(&aws);
    create_table(&client).await;
    aws.inject(|_| Some(Fault::Silence));
    aws.reset_calls();
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { put_new(&client, "a", "1", None).await }
    });
    while aws.calls().is_empty() {
        tokio::task::yield_now().await;
    }
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!waiting.is_finished());
    waiting.abort();
    aws.heal();
    assert!(put_new(&client, "a", "1", None).await);
}

#[tokio::test]
async fn calls_are_logged_only_while_that_is_asked_for_and_counted_always() {
    let aws = Aws::memory(clock()).unwrap();
    send(&aws, "unlogged", 0).await.unwrap();
    assert!(aws.calls().is_empty());
    aws.record_calls(true);
    send(&aws, "logged", 0).await.unwrap();
    aws.record_calls(false);
    send(&aws, "unlogged", 0).await.unwrap();
    let calls = aws.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!((calls[0].number, calls[0].service), (2, Service::Queue));
    assert_eq!((calls[0].operation.as_str(), calls[0].resource.as_str()), ("SendMessage", "q"));
}
