//! What the functions meet: an AWS, an upstream, a tenant with an endpoint, and the sample events.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::upstream::{IngestCredentials, Upstream};
use jiff::SignedDuration;
use local::World;
use relay::Dice;
use relay::queue::Wake;
use relay::setup::{self, Wanted};
use relay::store::{ApiKey, Role};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use simulator::Clock;
use simulator::aws::Aws;
use simulator::endpoint::{Answer, Endpoint, Received};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::bench::HELLO;
use crate::emulator::Emulator;

pub(crate) const FUNCTIONS: [&str; 6] = ["ingest", "inbox", "fanout", "deliver", "schedule", "api"];

/// The account in the sample events.
pub(crate) const UPSTREAM: &str = "9900012";
pub(crate) const TENANT: &str = "5500001";

/// As template.yaml has it for most.
const FUNCTION_TIMEOUT: Duration = Duration::from_secs(60);

/// Lambda's image has all authorities in one file. Debian has this one, and each in one of its own besides:
/// whoever is not told reads all 290, which takes longer than everything else in a start.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Number of the POST that the endpoint answers with 500.
pub(crate) const FAILING_POST: usize = 2;

/// One event for each function, as AWS sends them.
pub(crate) struct Samples {
    pub(crate) ingest: Value,
    pub(crate) inbox: Value,
    pub(crate) fanout: Value,
    pub(crate) deliver: Value,
    pub(crate) schedule: Value,
    pub(crate) api: Value,
}

pub(crate) struct Stage {
    rie: PathBuf,
    functions: PathBuf,
    /// What they are measured by, when they are.
    hello: Option<PathBuf>,
    pub(crate) world: World,
    pub(crate) endpoint: Endpoint,
    pub(crate) samples: Samples,
    /// What no log may hold.
    pub(crate) secrets: Vec<String>,
    aws_url: String,
    server: JoinHandle<std::io::Result<()>>,
}

impl Stage {
    pub(crate) async fn new(
        rie: PathBuf,
        functions: PathBuf,
        hello: Option<PathBuf>,
    ) -> anyhow::Result<Stage> {
        let samples = Samples::read()?;
        let clock = Clock::system();
        let world = World::new(Aws::memory(clock.clone())?, clock, Dice::system()).await?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let aws_url = format!("http://{}", listener.local_addr()?);
        let aws = world.aws.clone();
        let server = tokio::spawn(async move { aws.serve(listener).await });

        let script =
            |_: &Received, nth: usize| Answer::status(if nth == FAILING_POST { 500 } else { 200 });
        let endpoint = Endpoint::start(0, Vec::new(), script).await?;
        let password = put_upstream(&world, &samples).await?;
        let api_password = put_tenant(&world, &samples).await?;
        let signing_secret = put_subscription(&world, &samples, &endpoint.url()).await?;
        endpoint.set_secrets(vec![signing_secret.clone()]);
        let secrets = vec![password, api_password, signing_secret];
        Ok(Stage { rie, functions, hello, world, endpoint, samples, secrets, aws_url, server })
    }

    /// Starts a function, with the settings that template.yaml gives it.
    pub(crate) async fn start(&self, function: &str) -> anyhow::Result<Emulator> {
        self.start_with(function, &self.settings()).await
    }

    /// Starts a function that is not told where the table is.
    pub(crate) async fn start_without_table(&self, function: &str) -> anyhow::Result<Emulator> {
        let mut settings = self.settings();
        settings.retain(|(name, _)| *name != "TABLE");
        self.start_with(function, &settings).await
    }

    async fn start_with(
        &self,
        function: &str,
        settings: &[(&str, String)],
    ) -> anyhow::Result<Emulator> {
        let mut variables = vec![
            ("AWS_LAMBDA_FUNCTION_NAME", format!("hookline-{function}")),
            ("AWS_LAMBDA_FUNCTION_TIMEOUT", FUNCTION_TIMEOUT.as_secs().to_string()),
            ("AWS_REGION", "us-east-1".into()),
            ("AWS_ACCESS_KEY_ID", "sample".into()),
            ("AWS_SECRET_ACCESS_KEY", "sample".into()),
            ("AWS_SESSION_TOKEN", "sample".into()),
            ("AWS_ENDPOINT_URL", self.aws_url.clone()),
        ];
        if Path::new(AUTHORITIES).exists() {
            variables.push(("SSL_CERT_FILE", AUTHORITIES.into()));
        }
        variables.extend_from_slice(settings);
        Emulator::start(&self.rie, &self.binary(function), &variables).await
    }

    /// `sam build` puts it under the name of the function's resource in template.yaml.
    pub(crate) fn binary(&self, function: &str) -> PathBuf {
        if let Some(hello) = &self.hello
            && function == HELLO
        {
            return hello.clone();
        }
        let (first, rest) = function.split_at(1);
        self.functions.join(first.to_ascii_uppercase() + rest).join("bootstrap")
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        let queue = |name| format!("{}/123456789012/{name}", self.aws_url);
        vec![
            ("TABLE", "hookline".into()),
            ("WAKE_QUEUE_URL", queue(local::WAKES)),
            ("ASIDE_QUEUE_URL", queue(local::ASIDE)),
            ("INBOX_QUEUE_URL", queue(local::INBOX)),
            ("KEY_ID", "alias/hookline".into()),
            ("ALLOWED_NETWORKS", "127.0.0.0/8".into()),
        ]
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Samples {
    fn read() -> anyhow::Result<Samples> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/events");
        let read = |function: &str| -> anyhow::Result<Value> {
            let path = folder.join(function).with_extension("json");
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))
        };
        Ok(Samples {
            ingest: read("ingest")?,
            inbox: read("inbox")?,
            fanout: read("fanout")?,
            deliver: read("deliver")?,
            schedule: read("schedule")?,
            api: read("api")?,
        })
    }

    /// The notification that is on its way through all samples but the inbox's.
    pub(crate) fn notification(&self) -> anyhow::Result<&str> {
        self.ingest["body"].as_str().context("infra/events/ingest.json has no body")
    }

    /// The wake in the sample for deliver.
    pub(crate) fn wake(&self) -> anyhow::Result<Wake> {
        Ok(Wake::parse(sqs_body(&self.deliver)?)?)
    }
}

/// The tenant whose key the sample for api carries; answers the key's secret.
async fn put_tenant(world: &World, samples: &Samples) -> anyhow::Result<String> {
    let now = world.relay_clock().now();
    setup::tenant(&world.store, TENANT, now).await?;
    let (id, secret) = credentials(&samples.api)?;
    let key = ApiKey {
        id,
        tenant: Some(TENANT.into()),
        role: Role::Write,
        name: None,
        secret_sha256: Sha256::digest(&secret).into(),
        created_at: now,
    };
    world.store.put_api_key(&key).await?;
    Ok(secret)
}

/// Username and password of a sample.
fn credentials(sample: &Value) -> anyhow::Result<(String, String)> {
    let header = sample["headers"]["authorization"].as_str();
    let encoded = header.and_then(|it| it.strip_prefix("Basic ")).context("no credentials")?;
    let decoded = String::from_utf8(STANDARD.decode(encoded)?)?;
    let (username, password) = decoded.split_once(':').context("no password")?;
    Ok((username.into(), password.into()))
}

/// The upstream whose credentials the sample for ingest carries; answers their password.
async fn put_upstream(world: &World, samples: &Samples) -> anyhow::Result<String> {
    let (username, password) = credentials(&samples.ingest)?;
    let credentials = IngestCredentials {
        username,
        password_sha256: Sha256::digest(&password).into(),
        until: None,
    };
    let upstream = Upstream {
        account: UPSTREAM.into(),
        credentials: vec![credentials],
        rules: Vec::new(),
        default_tenant: Some(TENANT.into()),
        api: None,
        gateway_until: None,
        revision: 1,
    };
    world.store.put_upstream(&upstream).await?;
    Ok(password)
}

/// The subscription that the sample for deliver names; answers its signing secret.
async fn put_subscription(world: &World, samples: &Samples, url: &str) -> anyhow::Result<String> {
    let wanted = Wanted {
        id: Some(samples.wake()?.lane.subscription),
        waits: Some(vec![SignedDuration::from_secs(30)]),
        ..Wanted::everything(TENANT, url)
    };
    let clock = world.relay_clock();
    let (_, secret) = setup::subscription(&world.subscriptions, wanted, None, clock).await?;
    Ok(secret.expose_secret().to_owned())
}

/// The body of the first message of an SQS event.
pub(crate) fn sqs_body(event: &Value) -> anyhow::Result<&str> {
    event["Records"][0]["body"].as_str().context("the sample has no message")
}

/// An SQS event of these messages, as the sample has them. Ids are `id-0`, `id-1` and so on.
pub(crate) fn sqs_event(sample: &Value, bodies: &[&str]) -> anyhow::Result<Value> {
    let one = sample["Records"][0].clone();
    ensure!(one.is_object(), "the sample has no message");
    let records = bodies.iter().enumerate().map(|(nth, body)| {
        let mut record = one.clone();
        record["messageId"] = format!("id-{nth}").into();
        record["body"] = (*body).into();
        record
    });
    Ok(json!({ "Records": records.collect::<Vec<_>>() }))
}

/// A stream event of these new items, as the sample has them. Sequence numbers are 1, 2 and so on.
pub(crate) fn stream_event(sample: &Value, images: &[Value]) -> anyhow::Result<Value> {
    let one = sample["Records"][0].clone();
    ensure!(one.is_object(), "the sample has no record");
    let records = images.iter().zip(1..).map(|(image, number)| {
        let mut record = one.clone();
        record["dynamodb"]["SequenceNumber"] = number.to_string().into();
        record["dynamodb"]["Keys"] = json!({ "pk": image["pk"], "sk": image["sk"] });
        record["dynamodb"]["NewImage"] = image.clone();
        record
    });
    Ok(json!({ "Records": records.collect::<Vec<_>>() }))
}
