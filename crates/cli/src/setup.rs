//! `hookline setup`: puts upstreams, tenants and subscriptions into a deployed table.

use anyhow::Context as _;
use domain::address::{self, Policy};
use domain::notification::NumberFormat;
use domain::subscription::{Format, Topic};
use domain::upstream::Rule;
use relay::Clock;
use relay::setup::{self, Login, Wanted};
use relay::store::Store;
use relay::subscriptions::Subscriptions;
use relay::vault::Vault;
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::output::say;
use crate::place;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Name of the deployed table: the stack's output TableName
    #[arg(long)]
    table: String,
    /// Key of KMS that seals secrets: the stack's output KeyId
    #[arg(long, default_value = "alias/hookline")]
    key: String,
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// A Bandwidth account; prints the credentials that Bandwidth is to present. Run again, it
    /// replaces the account's credentials and rules
    Upstream(Upstream),
    /// A customer of the relay; prints its API credentials
    Tenant(Tenant),
    /// Prints the operator's API credentials. Run again, it replaces them
    Operator,
    /// Where a tenant wants to be told; prints the signing secret
    Subscription(Subscription),
}

#[derive(clap::Args)]
struct Upstream {
    /// Bandwidth's account id
    #[arg(long)]
    account: String,
    /// Owner of the orders that no rule matches
    #[arg(long)]
    default_tenant: Option<String>,
    /// PREFIX=TENANT: orders whose CustomerOrderId starts with PREFIX are TENANT's. The first that
    /// matches counts
    #[arg(long = "rule", value_parser = rule)]
    rules: Vec<Rule>,
}

#[derive(clap::Args)]
struct Tenant {
    #[arg(long)]
    tenant: String,
}

#[derive(clap::Args)]
struct Subscription {
    #[arg(long)]
    tenant: String,
    #[arg(long)]
    url: String,
    /// Orders of one type, such as portins; everything by default
    #[arg(long, conflicts_with = "event_type")]
    order_type: Option<String>,
    /// Events of one type, such as MESSAGING_LOST
    #[arg(long)]
    event_type: Option<String>,
    /// JSON instead of Bandwidth's XML
    #[arg(long)]
    json: bool,
    /// All numbers in E.164, instead of ten digits for those of +1
    #[arg(long)]
    e164: bool,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let clock = Clock::system();
    let (store, subscriptions) = stores(&options.table, options.key, &clock).await;
    let made = match options.what {
        What::Upstream(it) => {
            let tenant = it.default_tenant.as_deref();
            let Login { username, password } =
                setup::upstream(&store, &it.account, tenant, it.rules).await?;
            json!({ "account": it.account, "username": username, "password": password })
        }
        What::Tenant(it) => {
            let Login { username, password } =
                setup::tenant(&store, &it.tenant, clock.now()).await?;
            json!({ "account": it.tenant, "username": username, "password": password })
        }
        What::Operator => {
            let Login { username, password } = setup::operator(&store, clock.now()).await?;
            json!({ "username": username, "password": password })
        }
        What::Subscription(it) => {
            // Networks that the operator allows are known only to the deployed functions, so the
            // address is judged there, at each attempt.
            let any = Policy { networks: everywhere()?, http: true };
            address::endpoint(&it.url, &any)
                .with_context(|| format!("cannot deliver to {}", it.url))?;
            let (made, secret) =
                setup::subscription(&subscriptions, it.into(), None, &clock).await?;
            json!({ "subscription": made.id, "signing_secret": secret.expose_secret() })
        }
    };
    say(made);
    Ok(())
}

impl From<Subscription> for Wanted {
    fn from(it: Subscription) -> Wanted {
        Wanted {
            topic: match (it.order_type, it.event_type) {
                (Some(name), _) => Topic::OrderType(name),
                (None, Some(name)) => Topic::EventType(name),
                (None, None) => Topic::All,
            },
            format: if it.json { Format::Json } else { Format::Xml },
            numbers: if it.e164 { NumberFormat::E164 } else { NumberFormat::Legacy },
            ..Wanted::everything(&it.tenant, &it.url)
        }
    }
}

async fn stores(table: &str, key: String, clock: &Clock) -> (Store, Subscriptions) {
    let sdk = place::sdk().await;
    let store = Store::new(aws_sdk_dynamodb::Client::new(&sdk), table, clock.clone());
    let vault = Vault::new(aws_sdk_kms::Client::new(&sdk), key, store.clone());
    (store.clone(), Subscriptions::new(store, vault, clock.clone()))
}

fn everywhere() -> anyhow::Result<Vec<ipnet::IpNet>> {
    Ok(vec!["0.0.0.0/0".parse()?, "::/0".parse()?])
}

fn rule(text: &str) -> Result<Rule, String> {
    let (prefix, tenant) = text.split_once('=').ok_or("a rule is PREFIX=TENANT")?;
    Ok(Rule { prefix: prefix.into(), tenant: tenant.into() })
}
