use aws_smithy_http_client::Builder;
use simulator::aws::{Aws, Fault};
use tokio::net::TcpListener;

use crate::{TABLE, clock, config, create_table, dynamodb, put_new, settings};

/// Starts it beside the test; its URL.
async fn start(aws: &Aws) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let aws = aws.clone();
    tokio::spawn(async move { aws.serve(listener).await });
    url
}

fn dynamodb_at(url: &str) -> aws_sdk_dynamodb::Client {
    let config = config!(aws_sdk_dynamodb, Builder::new().build_http());
    aws_sdk_dynamodb::Client::from_conf(config.to_builder().endpoint_url(url).build())
}

fn sqs_at(url: &str) -> aws_sdk_sqs::Client {
    let config = config!(aws_sdk_sqs, Builder::new().build_http());
    aws_sdk_sqs::Client::from_conf(config.to_builder().endpoint_url(url).build())
}

#[tokio::test]
async fn a_program_beside_this_one_meets_the_same_table_and_queues() {
    let aws = Aws::memory(clock()).unwrap();
    let url = start(&aws).await;
    create_table(&dynamodb(&aws)).await;
    assert!(put_new(&dynamodb_at(&url), "a", "1", None).await);
    assert!(!put_new(&dynamodb(&aws), "a", "1", None).await);

    aws.create_queue("q", settings(None));
    // Escaped as JSON it is twice as long, which is more than axum takes unless told to.
    let body = "\n\"".repeat(1024 * 1024 / 2);
    let queue_url = format!("{url}/000000000000/q");
    let sent = sqs_at(&url).send_message().queue_url(queue_url).message_body(&body).send().await;
    sent.unwrap();
    assert_eq!(aws.queue("q").bodies(), [body]);
    let nowhere = format!("{url}/000000000000/nowhere");
    let refused = sqs_at(&url).send_message().queue_url(nowhere).message_body("x").send().await;
    assert!(refused.unwrap_err().into_service_error().is_queue_does_not_exist());
}

#[tokio::test]
async fn faults_meet_those_calls_too_and_a_lost_answer_is_none() {
    let aws = Aws::memory(clock()).unwrap();
    let url = start(&aws).await;
    create_table(&dynamodb(&aws)).await;
    aws.inject(|_| Some(Fault::LoseAnswer));
    let put = dynamodb_at(&url).put_item().table_name(TABLE);
    let lost = put.item("pk", crate::text("a")).item("sk", crate::text("1")).send().await;
    assert!(lost.unwrap_err().as_service_error().is_none(), "a service that answers has answered");
    aws.heal();
    assert!(!put_new(&dynamodb(&aws), "a", "1", None).await, "it was applied");
}
