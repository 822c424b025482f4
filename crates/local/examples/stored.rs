//! What one notification leaves in the table and in the queue of wakes, and what it is billed by, as JSON.
//!
//! `infra/bench/counts.py` holds it against what is kept. The notification is the one whose instructions
//! it counts. The bytes are those of what the relay wrote through the SDK; the units are those of
//! `local::usage`, which `tests/it/cost` holds to the calls.

use anyhow::{Context as _, ensure};
use aws_sdk_dynamodb::config::{BehaviorVersion, Config, Credentials, Region};
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use local::usage::{self, Item, Usage};
use local::{WAKES, World};
use relay::Dice;
use relay::setup::{self, Wanted};
use serde_json::{Value, json};
use simulator::Clock;
use simulator::aws::Aws;
use simulator::endpoint::{Answer, Endpoint};
use tower::ServiceExt as _;

const BODY: &str = include_str!("../../../infra/bench/notification.xml");

const UPSTREAM: &str = "9900012";
const TENANT: &str = "5500001";

/// By its partition, and where other items are in that too, by its sort key.
const EVENT: [&str; 2] = ["ORDER#", "EVENT#"];
const FEED_ENTRY: [&str; 2] = ["TENANT#5500001#FEED", ""];
const ORDER_RECORD: [&str; 2] = ["TENANT#5500001#ORDERS#", ""];
const DELIVERY: [&str; 2] = ["LANE#", ""];

#[tokio::main]
#[expect(clippy::print_stdout, reason = "its output is for a program")]
async fn main() -> anyhow::Result<()> {
    println!("{}", json!({ "bytes": bytes().await?, "units": units() }));
    Ok(())
}

async fn bytes() -> anyhow::Result<Value> {
    let clock = Clock::manual("2026-02-03T10:11:13Z".parse()?);
    let world = World::new(Aws::memory(clock.clone())?, clock, Dice::new(|| 0.5)).await?;
    let endpoint = Endpoint::start(0, Vec::new(), |_, _| Answer::status(200)).await?;
    setup::tenant(&world.store, TENANT, world.relay_clock().now()).await?;
    let wanted = Wanted::everything(TENANT, &endpoint.url());
    setup::subscription(&world.subscriptions, wanted, None, world.relay_clock()).await?;

    post(&world).await?;
    ensure!(world.fan_out_batch().await == 1, "nothing was fanned out");
    let put = items(&world).await?;
    let wake = world.receive_wakes(WAKES, 1).pop().context("no wake")?;
    world.handle_wake(WAKES, &wake).await;
    ensure!(endpoint.received().len() == 1, "nothing was delivered");
    let delivered = items(&world).await?;

    Ok(json!({
        "notification": BODY.len(),
        "event": size(&delivered, EVENT)?,
        "feed entry": size(&delivered, FEED_ENTRY)?,
        "order record": size(&delivered, ORDER_RECORD)?,
        "delivery, put": size(&put, DELIVERY)?,
        "delivery, delivered": size(&delivered, DELIVERY)?,
        "wake": wake.body.len(),
    }))
}

async fn post(world: &World) -> anyhow::Result<()> {
    let login = setup::upstream(&world.store, UPSTREAM, Some(TENANT), vec![]).await?;
    let user = STANDARD.encode(format!("{}:{}", login.username, login.password));
    let request = Request::post(format!("/notify/{UPSTREAM}"))
        .header("authorization", format!("Basic {user}"))
        .body(Body::from(BODY))?;
    let status = world.router().oneshot(request).await?.status();
    ensure!(status == 200, "the notification was answered {status}");
    Ok(())
}

/// The whole table, past the relay.
async fn items(world: &World) -> anyhow::Result<Vec<Item>> {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("stored", "stored", None, None, "stored"))
        .http_client(world.aws.http_client())
        .build();
    let client = aws_sdk_dynamodb::Client::from_conf(config);
    Ok(client.scan().table_name("hookline").send().await?.items.unwrap_or_default())
}

/// Bytes of the only one of its kind.
fn size(items: &[Item], [pk, sk]: [&str; 2]) -> anyhow::Result<usize> {
    let begins = |item: &Item, name: &str, prefix: &str| {
        item[name].as_s().is_ok_and(|key| key.starts_with(prefix))
    };
    let found = items.iter().filter(|item| begins(item, "pk", pk) && begins(item, "sk", sk));
    let [item] = found.collect::<Vec<_>>()[..] else { anyhow::bail!("not one of {pk}") };
    Ok(usage::item_bytes(item))
}

fn units() -> Value {
    let with = |usage: Usage| -> Value {
        let used = usage.each().into_iter().filter(|(_, count)| *count > 0.0);
        used.map(|(unit, count)| (unit.to_owned(), json!(count))).collect()
    };
    json!({
        "notification": with(usage::NOTIFICATION),
        "delivery": with(usage::DELIVERY),
        "retry": with(usage::RETRY),
        "audited notification": with(usage::AUDITED_NOTIFICATION),
        "audited delivery": with(usage::AUDITED_DELIVERY),
        "idle minute": with(usage::MINUTE),
    })
}
