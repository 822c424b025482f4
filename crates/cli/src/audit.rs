//! `hookline audit`: adds up what was accepted and what became of it.

use domain::ledger::Ledger;
use domain::order::ORDER_TYPES;
use jiff::{SignedDuration, Timestamp};
use relay::Clock;
use relay::audit::{Audit, Found};

use crate::output::say;
use crate::place::Place;

/// Without `--from`.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Entries that are read at once.
const PAGE: u16 = 100;

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    place: Place,
    /// One tenant; all of them by default
    #[arg(long)]
    tenant: Option<String>,
    /// Events that came in from then on; a day before the end by default
    #[arg(long)]
    from: Option<Timestamp>,
    /// Events that came in before; now by default
    #[arg(long)]
    to: Option<Timestamp>,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let clock = Clock::system();
    let store = options.place.store(&clock).await?;
    let to = options.to.unwrap_or(clock.now());
    let from = options.from.unwrap_or(to - DAY);
    let audit = Audit::new(store, from, to, clock.now());
    let tenants = match options.tenant {
        Some(tenant) => vec![tenant],
        None => audit.tenants().await?,
    };
    say(format!("What came in from {from:.0} to {to:.0}:\n"));
    say(line(
        "tenant",
        [
            "accepted",
            "delivered",
            "pending",
            "parked",
            "dead",
            "superseded",
            "unmatched",
            "difference",
        ],
    ));
    let mut broken = 0;
    for tenant in tenants {
        let found = one(&audit, &tenant).await?;
        say(line(&tenant, sums(&found.ledger)));
        for breach in &found.breaches {
            say(format!("  broken: {breach}"));
        }
        broken += found.ledger.difference();
    }
    anyhow::ensure!(broken == 0, "{broken} of what was accepted is not accounted for");
    Ok(())
}

/// All of a tenant's ledger: its feed, then the orders that its feed does not name.
async fn one(audit: &Audit, tenant: &str) -> anyhow::Result<Found> {
    let mut sum = Found::default();
    let mut after = None;
    loop {
        let page = audit.feed(tenant, PAGE, after).await?;
        after = page.next.clone();
        add(&mut sum, page);
        if after.is_none() {
            break;
        }
    }
    for order_type in ORDER_TYPES {
        loop {
            let page = audit.orders(tenant, order_type.name, PAGE, after).await?;
            after = page.next.clone();
            add(&mut sum, page);
            if after.is_none() {
                break;
            }
        }
    }
    Ok(sum)
}

fn add(sum: &mut Found, page: Found) {
    sum.ledger += page.ledger;
    sum.breaches.extend(page.breaches);
}

fn sums(ledger: &Ledger) -> [String; 8] {
    let Ledger { accepted, delivered, pending, parked, dead, superseded, unmatched } = *ledger;
    let difference = ledger.difference();
    [accepted, delivered, pending, parked, dead, superseded, unmatched, difference]
        .map(|sum| sum.to_string())
}

fn line(tenant: &str, sums: [impl AsRef<str>; 8]) -> String {
    let sums = sums.iter().map(|sum| format!("{:>10}", sum.as_ref()));
    format!("{tenant:<20} {}", sums.collect::<Vec<_>>().join(" "))
}
