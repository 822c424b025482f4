//! `hookline sandbox`: a Bandwidth account to try an integration on.

use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;

use anyhow::Context as _;
use jiff::SignedDuration;
use serde_json::{Value, json};
use simulator::Clock;
use simulator::sandbox::{Knobs, Sandbox, Scenario, Settings, step_remote};
use tokio::net::TcpListener;

use crate::output::say;

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    /// The port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = PORT)]
    port: u16,
    /// How time goes by: real, fast=60 for a minute each second, or hand, where `sandbox step` moves
    /// it
    #[arg(long, default_value = "real")]
    clock: Pace,
    /// What ids, stock and chance come from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What becomes of orders: the name of a ready-made scenario, or a file
    #[arg(long)]
    scenario: Option<String>,
    /// Of a hundred notifications, those that get lost
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(..=100))]
    drop: u8,
    /// Of a hundred notifications, those that are POSTed twice
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(..=100))]
    duplicate: u8,
    /// How late notifications are at most, such as 10m
    #[arg(long, default_value = "0s")]
    delay: SignedDuration,
    /// Of a hundred notifications, those that the next one of the order overtakes
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(..=100))]
    disorder: u8,
    /// Print one JSON line when ready, and nothing else
    #[arg(long)]
    json: bool,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Moves the clock of a running sandbox whose clock is moved by hand
    Step(Step),
}

#[derive(clap::Args)]
struct Step {
    /// How far, such as 2h
    by: SignedDuration,
    #[arg(long, default_value_t = format!("http://127.0.0.1:{PORT}"))]
    url: String,
    /// The sandbox's credentials, `username:password`
    #[arg(long, default_value = "sandbox:sandbox")]
    user: String,
}

/// Where it listens, beside `hookline dev`.
const PORT: u16 = 8090;

/// How time goes by.
#[derive(Clone, Copy)]
enum Pace {
    Real,
    Fast(u32),
    Hand,
}

impl FromStr for Pace {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Pace, &'static str> {
        match (text, text.strip_prefix("fast=").map(str::parse)) {
            ("real", _) => Ok(Pace::Real),
            ("hand", _) => Ok(Pace::Hand),
            (_, Some(Ok(factor @ 1..))) => Ok(Pace::Fast(factor)),
            _ => Err("it is real, hand, or fast= with a whole number"),
        }
    }
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    match options.command {
        Some(Command::Step(step)) => take(step).await,
        None => serve(options).await,
    }
}

async fn serve(options: Options) -> anyhow::Result<()> {
    let clock = match options.clock {
        Pace::Real => Clock::system(),
        Pace::Fast(factor) => Clock::fast(factor),
        Pace::Hand => Clock::manual(Clock::system().now()),
    };
    let knobs = Knobs {
        drop: options.drop,
        duplicate: options.duplicate,
        delay_max: options.delay.max(SignedDuration::ZERO),
        disorder: options.disorder,
        requests_per_minute: None,
    };
    let scenario = options.scenario.as_deref().map(Scenario::load).transpose()?.unwrap_or_default();
    let settings = Settings { seed: options.seed, knobs, scenario, ..Settings::new(clock) };
    let sandbox = Sandbox::new(settings.clone());
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    let listener =
        TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    let serving = sandbox.serve(listener)?;
    match options.json {
        true => say(ready_line(serving.url(), &settings)),
        false => introduce(serving.url(), &settings),
    }
    tokio::select! {
        () = sandbox.run() => Ok(()),
        done = tokio::signal::ctrl_c() => Ok(done?),
    }
}

fn ready_line(url: &str, settings: &Settings) -> Value {
    json!({
        "url": url,
        "bandwidth_url": format!("{url}/api"),
        "account": settings.account,
        "username": settings.username,
        "password": settings.password,
        "site": settings.sites.first(),
    })
}

fn introduce(url: &str, settings: &Settings) {
    let Settings { account, username, password, sites, .. } = settings;
    let site = sites.first().map(String::as_str).unwrap_or_default();
    say(format!(
        "A sandbox of Bandwidth's order API listens on {url}. Ctrl-C stops it, and it forgets all.

  base URL      {url}/api
  account       {account}
  username      {username}
  password      {password}
  site          {site}

Have an endpoint of yours told of orders for numbers:

  curl -i -u {username}:{password} -H 'content-type: application/xml' \\
    --data '<Subscription><OrderType>orders</OrderType><CallbackSubscription><URL>http://127.0.0.1:9000/</URL></CallbackSubscription></Subscription>' \\
    {url}/api/accounts/{account}/subscriptions

Place a first order:

  curl -i -u {username}:{password} -H 'content-type: application/xml' \\
    --data '<Order><SiteId>{site}</SiteId><AreaCodeSearchAndOrderType><AreaCode>919</AreaCode><Quantity>2</Quantity></AreaCodeSearchAndOrderType></Order>' \\
    {url}/api/accounts/{account}/orders

What was sent, and what became of it:

  curl -u {username}:{password} {url}/sandbox/sent
"
    ));
}

/// One line for each thing that happened.
async fn take(step: Step) -> anyhow::Result<()> {
    let user = step.user.split_once(':').context("--user wants username:password")?;
    let answer = step_remote(&step.url, user, step.by).await?;
    for happened in answer["happened"].as_array().into_iter().flatten() {
        say(describe(happened));
    }
    say(format!("It is {}.", answer["now"].as_str().unwrap_or_default()));
    Ok(())
}

fn describe(happened: &Value) -> String {
    let text = |name: &str| happened[name].as_str().unwrap_or("-").to_owned();
    let (at, order) = (text("at"), text("order_id"));
    if happened["what"] == "changed" {
        return format!("{at} {} {order} is {}", text("order_type"), text("state"));
    }
    let answered = happened["answered"].as_u64().map(|status| status.to_string());
    let answered = answered.unwrap_or_else(|| "no answer".into());
    format!("{at} notified {order} {}: {answered}", text("status"))
}
