//! `hookline dev`: the whole relay in one process, on the embedded table and queues.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use local::World;
use relay::Dice;
use relay::setup::{self, Login, Wanted};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use simulator::Clock;
use simulator::aws::Aws;
use simulator::sandbox::{Sandbox, Settings};
use tokio::net::TcpListener;
use tracing::Level;

use crate::output::say;

/// The accounts that the first start makes.
const UPSTREAM: &str = "9900012";
const TENANT: &str = "5500001";
/// The sandbox, made anew at each start.
const SANDBOX: &str = "9900013";
const SUBSCRIPTION: &str = "0f3d9a52-6c1e-4b7a-9d84-52e1c7a0b6f1";

/// Where `hookline listen` listens.
const ENDPOINT: &str = "http://127.0.0.1:9000/";

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Where the table and the queues are kept
    #[arg(long, default_value = ".hookline")]
    data: PathBuf,
    /// Where the relay listens; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where the tenant that the first start makes wants its notifications
    /// [default: http://127.0.0.1:9000/]
    #[arg(long)]
    endpoint: Option<String>,
    /// Where a sandbox of Bandwidth's order API listens, at which the tenant may place orders through the
    /// relay; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    sandbox: SocketAddr,
    /// Print one JSON line when ready, and nothing else, on stdout
    #[arg(long)]
    json: bool,
    /// What is logged on stderr: error, warn, info, debug or trace
    #[arg(long, default_value = "info")]
    log: Level,
}

/// What the first start made. It can be read this once.
struct Made {
    upstream: Login,
    tenant: Login,
    operator: Login,
    subscription: String,
    signing_secret: String,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .with_max_level(options.log)
        .init();
    let clock = Clock::system();
    let aws = Aws::in_folder(&options.data, clock.clone())
        .with_context(|| format!("cannot use the data in {}", options.data.display()))?;
    let world = World::new(aws, clock, Dice::system()).await?;
    let endpoint = options.endpoint.as_deref().unwrap_or(ENDPOINT);
    domain::address::endpoint(endpoint, &local::loopback())
        .with_context(|| format!("cannot deliver to {endpoint}"))?;
    let made = first_start(&world, endpoint).await?;
    if made.is_none() && options.endpoint.is_some() {
        tracing::warn!("the first start was earlier: its --endpoint stays");
    }
    let running = local::serve(world.clone(), options.listen).await?;
    let url = format!("http://{}", running.address);
    // Ids come from the seed, and those of earlier starts stand in the data.
    let seed = Clock::system().now().as_millisecond().unsigned_abs();
    let settings = Settings { account: SANDBOX.into(), seed, ..Settings::new(Clock::system()) };
    let sandbox = Sandbox::new(settings.clone());
    let listener = TcpListener::bind(options.sandbox).await;
    let listener = listener.with_context(|| format!("cannot listen on {}", options.sandbox))?;
    let serving = sandbox.serve(listener)?;
    local::attach(&world, &settings, serving.url(), &url, TENANT).await?;

    match (options.json, made) {
        (true, made) => say(ready_line(&url, serving.url(), &settings, made)),
        (false, Some(made)) => introduce(&url, serving.url(), &settings, &made),
        (false, None) => say(format!(
            "Hookline listens on {url}, and a sandbox of Bandwidth on {}. Ctrl-C stops both.",
            serving.url()
        )),
    }
    tokio::select! {
        () = sandbox.run() => {}
        done = stopped() => done?,
    }
    running.stop().await;
    Ok(())
}

/// Makes an upstream, a tenant and a subscription in an empty table. The upstream comes last: once
/// it stands, all of it does; a start that broke off before is made good by the next.
async fn first_start(world: &World, endpoint: &str) -> anyhow::Result<Option<Made>> {
    let (store, clock) = (&world.store, world.relay_clock());
    if store.upstream(UPSTREAM).await?.is_some() {
        return Ok(None);
    }
    let tenant = setup::tenant(store, TENANT, clock.now()).await?;
    let operator = setup::operator(store, clock.now()).await?;
    // A start that broke off may have made it, with a secret that nobody has read.
    world.subscriptions.remove(TENANT, SUBSCRIPTION).await?;
    let wanted = Wanted { id: Some(SUBSCRIPTION.into()), ..Wanted::everything(TENANT, endpoint) };
    let (subscription, signing_secret) =
        setup::subscription(&world.subscriptions, wanted, None, clock).await?;
    let upstream = setup::upstream(store, UPSTREAM, Some(TENANT), Vec::new()).await?;
    let signing_secret = signing_secret.expose_secret().to_owned();
    Ok(Some(Made { upstream, tenant, operator, subscription: subscription.id, signing_secret }))
}

fn ready_line(url: &str, sandbox_url: &str, sandbox: &Settings, made: Option<Made>) -> Value {
    let mut line = json!({
        "url": url,
        "notify_url": format!("{url}/notify/{UPSTREAM}"),
        "upstream": { "account": UPSTREAM },
        "tenant": { "account": TENANT },
        "api_url": format!("{url}/relay/v1"),
        "bandwidth_url": format!("{url}/api"),
        "sandbox": {
            "url": sandbox_url,
            "account": sandbox.account,
            "username": sandbox.username,
            "password": sandbox.password,
            "site": sandbox.sites.first(),
        },
    });
    if let Some(made) = made {
        line["upstream"]["username"] = made.upstream.username.into();
        line["upstream"]["password"] = made.upstream.password.into();
        line["tenant"]["username"] = made.tenant.username.into();
        line["tenant"]["password"] = made.tenant.password.into();
        line["operator"] = json!({
            "username": made.operator.username,
            "password": made.operator.password,
        });
        line["subscription"] =
            json!({ "id": made.subscription, "signing_secret": made.signing_secret });
    }
    line
}

fn introduce(url: &str, sandbox_url: &str, sandbox: &Settings, made: &Made) {
    let Login { username, password } = &made.upstream;
    let site = sandbox.sites.first().map(String::as_str).unwrap_or_default();
    let secret = &made.signing_secret;
    say(format!(
        "Hookline listens on {url}. Ctrl-C stops it.

First start. These are shown once:

  upstream      account {UPSTREAM}
                username {username}
                password {password}
  tenant        account {TENANT}
                username {}
                password {}
  operator      username {}
                password {}
  subscription  {}
                signing secret {secret}

An endpoint for that subscription, in a second terminal:

  cargo run -- listen --port 9000 --secret {secret}

A notification as Bandwidth sends it, in a third:

  curl -i -u {username}:{password} -H 'content-type: application/xml' \\
    --data '<Notification><Status>COMPLETE</Status><OrderId>1b9a2c44-8a1b-4f0e-9a57-9b1b6d5e7c02</OrderId><OrderType>orders</OrderType></Notification>' \\
    {url}/notify/{UPSTREAM}

  cargo run -- send --url {url}/notify/{UPSTREAM} --user {username}:{password} --status COMPLETE

The tenant's API: Bandwidth's own at {url}/api/accounts/{TENANT}/..., the relay's at {url}/relay/v1,
described in {url}/relay/v1/openapi.json:

  curl -u {}:{} {url}/relay/v1/tenants/{TENANT}/notifications

An order that the tenant places through the relay, at a sandbox of Bandwidth ({sandbox_url}, which forgets all when
this stops); its notifications come by themselves:

  curl -i -u {}:{} -H 'content-type: application/xml' \\
    --data '<Order><SiteId>{site}</SiteId><AreaCodeSearchAndOrderType><AreaCode>919</AreaCode><Quantity>2</Quantity></AreaCodeSearchAndOrderType></Order>' \\
    {url}/api/accounts/{TENANT}/orders
",
        made.tenant.username,
        made.tenant.password,
        made.operator.username,
        made.operator.password,
        made.subscription,
        made.tenant.username,
        made.tenant.password,
        made.tenant.username,
        made.tenant.password,
    ));
}

/// Ctrl-C, or a polite kill.
async fn stopped() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        done = tokio::signal::ctrl_c() => done?,
        _ = terminate.recv() => {}
    }
    Ok(())
}
