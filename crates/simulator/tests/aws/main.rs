//! The real SDK against the AWS that is played here.

#![expect(clippy::unwrap_used, reason = "what a test cannot set up, it fails on")]

mod faults;
mod folder;
mod http;
mod kms;
mod queue;
mod stream;
mod table;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, GlobalSecondaryIndex, KeySchemaElement,
    KeyType, Projection, ProjectionType, ScalarAttributeType,
};
use jiff::{SignedDuration, Timestamp};
use simulator::Clock;
use simulator::aws::{Aws, QueueSettings};

const TABLE: &str = "things";

macro_rules! config {
    ($sdk:ident, $http:expr) => {
        $sdk::Config::builder()
            .behavior_version($sdk::config::BehaviorVersion::latest())
            .region($sdk::config::Region::from_static("us-east-1"))
            .credentials_provider($sdk::config::Credentials::new("a", "b", None, None, "test"))
            .retry_config($sdk::config::retry::RetryConfig::disabled())
            .http_client($http)
            .build()
    };
}

pub(crate) use config;

fn dynamodb(aws: &Aws) -> aws_sdk_dynamodb::Client {
    aws_sdk_dynamodb::Client::from_conf(config!(aws_sdk_dynamodb, aws.http_client()))
}

fn sqs(aws: &Aws) -> aws_sdk_sqs::Client {
    aws_sdk_sqs::Client::from_conf(config!(aws_sdk_sqs, aws.http_client()))
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
