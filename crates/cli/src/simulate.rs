//! `hookline simulate`: the whole relay in a world where everything goes wrong, drawn from a seed.

use anyhow::Context as _;
use jiff::SignedDuration;
use local::simulation::{Plan, Summary, simulate};

use crate::output::say;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The same seed gives the same run
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long things happen and go wrong, before all comes to rest
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=20))]
    hours: u32,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let Options { seed, hours } = options;
    let time = SignedDuration::from_hours(hours.into());
    // It has a runtime of its own, with a time of its own.
    let run = tokio::task::spawn_blocking(move || simulate(Plan { seed, time, mutation: None }));
    let summary = run.await.context("the simulation broke off")??;
    show(seed, hours, &summary);
    Ok(())
}

fn show(seed: u64, hours: u32, summary: &Summary) {
    let Summary { accepted, ledger, counts, hash } = summary;
    say(format!("Nothing broke with seed {seed} in {hours} h.\n"));
    let deliveries = ledger.delivered + ledger.dead + ledger.superseded + ledger.waiting;
    let whole = [
        ("events accepted", *accepted),
        ("events stored", ledger.events),
        ("  of interest to nobody", ledger.unmatched),
        ("deliveries", deliveries),
        ("  delivered", ledger.delivered),
        ("  dead", ledger.dead),
        ("  superseded", ledger.superseded),
        ("  held or halted", ledger.waiting),
    ];
    for (what, count) in whole {
        say(format!("{what:<32} {count:>8}"));
    }
    for (what, count) in counts {
        say(format!("{what:<32} {count:>8}"));
    }
    say(format!("\nhash of all calls and POSTs: {hash:016x}"));
}
