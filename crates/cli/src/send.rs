//! `hookline send`: one notification, as Bandwidth would post it.

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use simulator::bandwidth::{Bandwidth, Message};

use crate::output::say;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The ingest URL of an upstream
    #[arg(long, default_value = "http://127.0.0.1:8080/notify/9900012")]
    url: String,
    /// The upstream's ingest credentials, `username:password`
    #[arg(long)]
    user: String,
    #[arg(long)]
    status: Option<String>,
    #[arg(long)]
    message: Option<String>,
    #[arg(long)]
    note: Option<String>,
    /// An order type such as orders, portins, disconnects
    #[arg(long, default_value = "orders")]
    order_type: String,
    /// A new order by default
    #[arg(long)]
    order_id: Option<String>,
    #[arg(long)]
    customer_order_id: Option<String>,
    /// A completed number; may be given more than once. With --event-type, one that it touches
    #[arg(long = "number")]
    numbers: Vec<String>,
    /// An event such as MESSAGING_LOST, which belongs to no order
    #[arg(long)]
    event_type: Option<String>,
    /// RFC 3339; now by default
    #[arg(long)]
    last_modified_date: Option<String>,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let (username, password) =
        options.user.split_once(':').context("--user wants username:password")?;
    let bandwidth = Bandwidth::new(&options.url, username, password);
    let xml = message(&options)?.to_xml();
    let told =
        bandwidth.notify(&xml).await.with_context(|| format!("{} is out of reach", options.url))?;
    if told.first_status != told.status {
        say(format!("{} without credentials, {} with them", told.first_status, told.status));
    }
    match told.status {
        200 => say("Accepted."),
        status => bail!("refused with {status}: {}", told.body),
    }
    Ok(())
}

fn message(options: &Options) -> anyhow::Result<Message> {
    let common = Message {
        status: options.status.clone(),
        message: options.message.clone(),
        note: options.note.clone(),
        subscription_id: Some(uuid()?),
        ..Message::default()
    };
    Ok(match &options.event_type {
        Some(event_type) => Message {
            event_type: Some(event_type.clone()),
            impacted_telephone_numbers: options.numbers.clone(),
            ..common
        },
        None => Message {
            order_id: Some(options.order_id.clone().map_or_else(uuid, Ok)?),
            order_type: Some(options.order_type.clone()),
            customer_order_id: options.customer_order_id.clone(),
            completed_telephone_numbers: options.numbers.clone(),
            last_modified_date: Some(options.last_modified_date.clone().unwrap_or_else(now)),
            ..common
        },
    })
}

pub(crate) fn uuid() -> anyhow::Result<String> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).context("the system gives no random bytes")?;
    Ok(uuid::Builder::from_random_bytes(random).into_uuid().to_string())
}

#[expect(clippy::disallowed_methods, reason = "stands in for Bandwidth, whose clock is its own")]
fn now() -> String {
    format!("{:.3}", Timestamp::now())
}
