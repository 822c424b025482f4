use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, MessageAttributeValue, MessageSystemAttributeName,
    QueueAttributeName, SendMessageBatchRequestEntry,
};
use jiff::SignedDuration;
use simulator::aws::Aws;

use crate::{clock, send, settings, sqs};

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
    let id = aws.queue("q").messages()[0].id.clone();
    for _ in 0..2 {
        let message = aws.queue("q").receive(1).remove(0);
        aws.queue("q").release(&message.receipt);
        assert_eq!(message.id, id);
    }
    assert!(aws.queue("q").receive(1).is_empty());
    assert!(aws.queue("q").is_empty());
    let dead = aws.queue("dead").messages();
    assert_eq!((dead[0].body.as_str(), dead[0].group.as_deref()), ("poison", Some("g")));
    assert_eq!(dead[0].id, id, "a message keeps its id");
}

#[tokio::test]
async fn a_request_is_billed_for_each_64_kilobytes_and_a_poller_in_vain_for_none() {
    let aws = Aws::memory(clock()).unwrap();
    aws.create_queue("q", settings(None));
    aws.reset_calls();
    let billed = |expected: u64| {
        assert_eq!(aws.units().queue, expected);
        aws.reset_calls();
    };
    send(&aws, "small", 0).await.unwrap();
    send(&aws, &"x".repeat(64 * 1024), 0).await.unwrap();
    billed(2);
    send(&aws, &"x".repeat(64 * 1024 + 1), 0).await.unwrap();
    billed(2);
    let receive = sqs(&aws).receive_message().queue_url("https://x/0/q").max_number_of_messages(2);
    assert_eq!(receive.send().await.unwrap().messages().len(), 2);
    billed(2);
    let large = aws.queue("q").receive(10);
    assert!(aws.queue("q").receive(10).is_empty());
    aws.queue("q").delete(&large[0].receipt);
    billed(3);
}

#[tokio::test]
async fn what_sqs_refuses_is_refused() {
    let aws = Aws::memory(clock()).unwrap();
    for (body, delay) in [("x", 901), ("x", -1), ("", 0), ("a\u{1}b", 0), ("\u{fffe}", 0)] {
        assert!(send(&aws, body, delay).await.is_err(), "{body:?} {delay}");
    }
    let unknown =
        sqs(&aws).send_message().queue_url("https://x/0/nowhere").message_body("x").send().await;
    assert!(unknown.unwrap_err().into_service_error().is_queue_does_not_exist());
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

#[tokio::test]
async fn a_message_of_more_than_a_mebibyte_is_refused_with_its_attributes_counted() {
    let aws = Aws::memory(clock()).unwrap();
    let url = aws.create_queue("q", settings(None));
    let value = MessageAttributeValue::builder().data_type("String").string_value("four");
    let value = value.build().unwrap();
    // The attribute's name, type and value come to 14 bytes.
    for (bytes, fits) in [(1024 * 1024 - 14, true), (1024 * 1024 - 13, false)] {
        let sent = sqs(&aws)
            .send_message()
            .queue_url(&url)
            .message_body("x".repeat(bytes))
            .message_attributes("name", value.clone())
            .send()
            .await;
        assert_eq!(sent.is_ok(), fits, "{bytes}");
    }
}

#[tokio::test]
async fn a_refusal_has_the_type_that_the_sdk_knows() {
    let aws = Aws::memory(clock()).unwrap();
    let url = aws.create_queue("q", settings(None));
    let client = sqs(&aws);
    let sent = client.send_message().queue_url(&url).message_body("\u{1}").send().await;
    assert!(sent.unwrap_err().into_service_error().is_invalid_message_contents());
    let delete = client.delete_message().queue_url(&url).receipt_handle("nonsense").send().await;
    assert!(delete.unwrap_err().into_service_error().is_receipt_handle_is_invalid());
    let received = client.receive_message().queue_url(&url).max_number_of_messages(11);
    let code =
        received.send().await.unwrap_err().into_service_error().meta().code().map(String::from);
    assert_eq!(code.as_deref(), Some("InvalidParameterValue"));
}

#[tokio::test]
async fn a_batch_sends_what_is_right_and_names_what_is_not() {
    let aws = Aws::memory(clock()).unwrap();
    let url = aws.create_queue("q", settings(None));
    let client = sqs(&aws);
    let entry = |id: &str, delay| {
        let entry = SendMessageBatchRequestEntry::builder().id(id).message_body(id);
        entry.delay_seconds(delay).build().unwrap()
    };
    let batch = |entries: Vec<_>| {
        client.send_message_batch().queue_url(&url).set_entries(Some(entries)).send()
    };
    let sent = batch(vec![entry("a", 0), entry("b", 901), entry("c", 0)]).await.unwrap();
    let ids = |id: &str| id.to_owned();
    assert_eq!(sent.successful().iter().map(|one| ids(one.id())).collect::<Vec<_>>(), ["a", "c"]);
    assert_eq!(sent.failed().iter().map(|one| ids(one.id())).collect::<Vec<_>>(), ["b"]);

    let eleven = (0..11).map(|nth| entry(&nth.to_string(), 0)).collect();
    let refused = batch(eleven).await.unwrap_err().into_service_error();
    assert!(refused.is_too_many_entries_in_batch_request());
    let twice = batch(vec![entry("a", 0), entry("a", 0)]).await.unwrap_err().into_service_error();
    assert!(twice.is_batch_entry_ids_not_distinct());
    assert!(batch(vec![]).await.unwrap_err().into_service_error().is_empty_batch_request());

    let entries = aws.queue("q").receive(10).into_iter().map(|one| {
        let entry = DeleteMessageBatchRequestEntry::builder().id(one.id);
        entry.receipt_handle(one.receipt).build().unwrap()
    });
    let entries = entries.collect();
    let delete = client.delete_message_batch().queue_url(&url).set_entries(Some(entries));
    assert_eq!(delete.send().await.unwrap().successful().len(), 2);
    assert!(aws.queue("q").is_empty());
}

#[tokio::test]
async fn attributes_come_only_when_they_are_asked_for() {
    let aws = Aws::memory(clock()).unwrap();
    send(&aws, "x", 0).await.unwrap();
    let url = aws.create_queue("q", settings(None));
    let receive = || sqs(&aws).receive_message().queue_url(&url).visibility_timeout(0);
    let plain = receive().send().await.unwrap();
    assert!(plain.messages()[0].attributes().is_none_or(|attributes| attributes.is_empty()));
    let name = MessageSystemAttributeName::ApproximateReceiveCount;
    let asked = receive().message_system_attribute_names(name.clone()).send().await.unwrap();
    assert_eq!(asked.messages()[0].attributes().unwrap()[&name], "2");
    let counts = sqs(&aws).get_queue_attributes().queue_url(&url).send().await.unwrap();
    assert!(counts.attributes().is_none_or(|attributes| attributes.is_empty()));
}

#[tokio::test]
async fn visibility_changes_for_whoever_has_the_message_and_nobody_else() {
    let clock = clock();
    let aws = Aws::memory(clock.clone()).unwrap();
    send(&aws, "x", 0).await.unwrap();
    let url = aws.create_queue("q", settings(None));
    let queue = aws.queue("q");
    let change = async |receipt: &str, seconds| {
        let client = sqs(&aws);
        let change = client.change_message_visibility().queue_url(&url).receipt_handle(receipt);
        change.visibility_timeout(seconds).send().await.map_err(|error| error.into_service_error())
    };
    let first = queue.receive(1).remove(0);
    change(&first.receipt, 60).await.unwrap();
    assert_eq!(queue.next_visible_at(), Some(clock.now() + SignedDuration::from_secs(60)));
    change(&first.receipt, 0).await.unwrap();
    let second = queue.receive(1).remove(0);
    assert!(change(&first.receipt, 0).await.unwrap_err().is_message_not_inflight());
    queue.release(&first.receipt);
    assert!(queue.receive(1).is_empty(), "another receiver has it by now");
    queue.release(&second.receipt);
    assert_eq!(queue.receive(1).len(), 1);
}
