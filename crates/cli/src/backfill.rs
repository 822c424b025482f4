//! `hookline backfill`: asks Bandwidth for what it did not send, as far back as somebody wants.

use std::io::{IsTerminal as _, Write as _};

use jiff::{SignedDuration, Timestamp};
use relay::reconcile::{ASKS_A_MINUTE, Backfill, Reconcile, Step};

use crate::output::say;
use crate::place::Asking;
use crate::recover::pause;

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    asking: Asking,
    /// Bandwidth's account id
    #[arg(long)]
    account: String,
    /// What changed from then on, 90 days back at most, as long as events are kept. One that was
    /// broken off goes on where it was, whatever its span
    #[arg(long)]
    since: Timestamp,
    /// Questions to Bandwidth in a minute
    #[arg(long, default_value_t = ASKS_A_MINUTE, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let (bandwidth, clock) = options.asking.bandwidth().await?;
    let reconcile = Reconcile { bandwidth, clock: clock.clone() };
    let mut backfill = Backfill::new(reconcile, &options.account, options.since).await?;
    let (from, until) = backfill.span();
    say(format!("asking for what changed from {from:.0} until {until:.0}"));
    loop {
        let step = backfill.step().await?;
        show(&step);
        if step.is_done {
            break;
        }
        let rest = step.wait.map_or(SignedDuration::ZERO, |(at, _)| clock.now().duration_until(at));
        pause(rest.as_secs_f64() + f64::from(step.asks) * 60.0 / f64::from(options.rate)).await;
    }
    let sum = backfill.sum();
    say(format!(
        "{} orders asked about, {} states found that were not known",
        sum.asked, sum.found
    ));
    Ok(())
}

/// A bar that stays in its line. Into a file nothing is written: it would be one line for each order.
fn show(step: &Step) {
    const WIDTH: usize = 30;
    let mut stderr = std::io::stderr();
    if !stderr.is_terminal() {
        return;
    }
    let full = WIDTH * step.types_done / step.types.max(1);
    let bar = format!("{}{}", "#".repeat(full), ".".repeat(WIDTH.saturating_sub(full)));
    let wait = step.wait.map_or(String::new(), |(at, why)| format!(", {why}: waits until {at:.0}"));
    let sum = &step.sum;
    let _ = write!(
        stderr,
        "\r\x1b[K[{bar}] {} {}/{} orders, {} found{wait}",
        step.order_type, sum.asked, sum.listed, sum.found
    );
    if step.is_done {
        let _ = writeln!(stderr);
    }
}
