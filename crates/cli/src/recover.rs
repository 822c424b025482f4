//! `hookline recover`: fans out again what is stored, after records of the stream were lost.

use std::time::Duration;

use jiff::Timestamp;
use relay::Clock;
use relay::fanout::Fanout;
use relay::queue::Wakes;
use relay::recover::{Recovery, Step};
use relay::store::Store;

use crate::output::say;
use crate::place::{self, Place};

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    place: Place,
    /// With --table: the queue of wakes, the stack's output WakeQueueUrl
    #[arg(long, requires = "table", required_unless_present = "data")]
    wake_queue: Option<String>,
    /// Events that came in from then on, except those of the last hour
    #[arg(long)]
    since: Timestamp,
    /// One upstream's; all by default
    #[arg(long)]
    upstream: Option<String>,
    /// Read units a second that it may take; the whole table is read, at one unit for 8 KB
    #[arg(long, default_value = "1000", value_parser = clap::value_parser!(u32).range(1..))]
    read_units: u32,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let fanout = fanout(&options.place, options.wake_queue).await?;
    let mut recovery = Recovery::new(fanout, options.since, options.upstream).await?;
    let mut sum = Step::default();
    while let Some(step) = recovery.step().await? {
        for failure in &step.failed {
            say(format!("failed: {failure}"));
        }
        let units = step.read_units;
        sum += step;
        pause(units / f64::from(options.read_units)).await;
    }
    say(format!(
        "found {}, fanned out {} that had not been, used {:.0} read units to find them",
        sum.stored, sum.fanned_out, sum.read_units
    ));
    anyhow::ensure!(sum.failed.is_empty(), "{} failed: run it again", sum.failed.len());
    Ok(())
}

async fn fanout(place: &Place, wake_queue: Option<String>) -> anyhow::Result<Fanout> {
    if let Some(folder) = &place.data {
        return Ok(place::world(folder).await?.fanout);
    }
    let clock = Clock::system();
    let store: Store = place.store(&clock).await?;
    let sqs = aws_sdk_sqs::Client::new(&place::sdk().await);
    let wakes = Wakes::new(sqs, wake_queue.unwrap_or_default());
    Ok(Fanout { store, wakes, clock })
}

/// Waits, so that no more is asked for in a time than may be.
#[expect(clippy::disallowed_methods, reason = "an operator's command, which must not hurry")]
pub(crate) async fn pause(seconds: f64) {
    if seconds > 0.0 {
        tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    }
}
