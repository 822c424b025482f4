//! Start-up of the Lambda functions, and the little that is Lambda's: the shape of its events, the
//! answer to a batch. The functions themselves are modules of `relay`.

mod metrics;
mod settings;

use std::future::Future;
use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_types::timeout::TimeoutConfig;
use relay::Clock;
use relay::queue::{Inbox, Wakes};
use relay::store::Store;
use relay::subscriptions::Subscriptions;
use relay::vault::Vault;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use metrics::Metrics;
pub use settings::{Settings, SettingsError};

/// DynamoDB, SQS and KMS answer within milliseconds; a connection that does not is better left.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const CALL_TIMEOUT: Duration = Duration::from_secs(2);

/// What a function is made of: the settings, and clients for what they name.
pub struct Start {
    pub settings: Settings,
    sdk: SdkConfig,
}

/// Reads the settings, starts logging, makes the SDK ready.
pub fn start() -> Start {
    let mut settings = Settings::from_environment();
    let log = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_target(false);
    let filter = settings.log_filter().with_target(relay::metrics::TARGET, LevelFilter::OFF);
    let metrics = Metrics { stack: settings.optional("STACK"), clock: Clock::system() };
    tracing_subscriber::registry().with(log.with_filter(filter)).with(metrics).init();
    let sdk = sdk(&settings);
    Start { settings, sdk }
}

/// Lambda hands out credentials and region in the environment, so no chain of providers is asked.
fn sdk(settings: &Settings) -> SdkConfig {
    let https = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(CALL_TIMEOUT)
        .build();
    let mut sdk = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(https)
        .timeout_config(timeouts)
        .credentials_provider(SharedCredentialsProvider::new(
            EnvironmentVariableCredentialsProvider::new(),
        ));
    sdk.set_region(settings.optional("AWS_REGION").map(Region::new));
    sdk.set_endpoint_url(settings.optional("AWS_ENDPOINT_URL"));
    sdk.build()
}

impl Start {
    /// The table that `TABLE` names.
    pub fn store(&mut self) -> Store {
        let client = aws_sdk_dynamodb::Client::new(&self.sdk);
        Store::new(client, self.settings.required("TABLE"), Clock::system())
    }

    /// Secrets in the table, sealed under the key of KMS that `KEY_ID` names.
    pub fn vault(&mut self, store: &Store) -> Vault {
        let client = aws_sdk_kms::Client::new(&self.sdk);
        Vault::new(client, self.settings.required("KEY_ID"), store.clone())
    }

    /// Subscriptions, their secrets in the clear.
    pub fn subscriptions(&mut self, store: &Store) -> Subscriptions {
        Subscriptions::new(store.clone(), self.vault(store), Clock::system())
    }

    /// The queue that `WAKE_QUEUE_URL` names.
    pub fn wakes(&mut self) -> Wakes {
        Wakes::new(aws_sdk_sqs::Client::new(&self.sdk), self.settings.required("WAKE_QUEUE_URL"))
    }

    /// The same, with the queue that `ASIDE_QUEUE_URL` names.
    pub fn wakes_and_aside(&mut self) -> Wakes {
        self.wakes().with_aside(self.settings.required("ASIDE_QUEUE_URL"))
    }

    /// The queue that `INBOX_QUEUE_URL` names.
    pub fn inbox(&mut self) -> Inbox {
        Inbox::new(aws_sdk_sqs::Client::new(&self.sdk), self.settings.required("INBOX_QUEUE_URL"))
    }
}

/// Handles each message of a batch on its own; those that fail come back, the others do not.
/// `handle` is given a message's body, and how often the queue has given it, from 1.
pub async fn each_message<F, E>(
    event: SqsEvent,
    handle: impl Fn(String, u32) -> F,
) -> SqsBatchResponse
where
    F: Future<Output = Result<(), E>>,
    E: std::error::Error,
{
    let runs = event.records.into_iter().map(|message| {
        let receives = receives(&message);
        let run = handle(message.body.unwrap_or_default(), receives);
        async move {
            let error = run.await.err()?;
            tracing::warn!(?error, "a message goes back to the queue");
            message.message_id
        }
    });
    let mut response = SqsBatchResponse::default();
    let failures: Vec<_> = futures::future::join_all(runs).await.into_iter().flatten().collect();
    relay::metrics::gave_back(failures.len());
    response.set_failures(failures);
    response
}

fn receives(message: &SqsMessage) -> u32 {
    let count = message.attributes.get("ApproximateReceiveCount");
    count.and_then(|count| count.parse().ok()).unwrap_or(1)
}
