//! `hookline restore`: puts back what a table lacks, from a copy of it as it was at an earlier time.

use relay::Clock;
use relay::restore::{Restore, Step};
use relay::store::Store;

use crate::output::say;
use crate::place;
use crate::recover::pause;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Name of the table that was restored from a point in time
    #[arg(long)]
    from: String,
    /// Name of the deployed table: the stack's output TableName
    #[arg(long)]
    table: String,
    /// Read units a second that it may take; the whole copy is read twice, at one unit for 8 KB
    #[arg(long, default_value = "1000", value_parser = clap::value_parser!(u32).range(1..))]
    read_units: u32,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    anyhow::ensure!(options.from != options.table, "--from and --table are the same table");
    let client = aws_sdk_dynamodb::Client::new(&place::sdk().await);
    let table = |name: &str| Store::new(client.clone(), name, Clock::system());
    let mut restore = Restore::new(table(&options.from), table(&options.table));
    let mut sum = Step::default();
    while let Some(step) = restore.step().await? {
        sum.read += step.read;
        sum.put += step.put;
        sum.read_units += step.read_units;
        pause(step.read_units / f64::from(options.read_units)).await;
    }
    say(format!(
        "read {} items, put back {} that were missing, used {:.0} read units",
        sum.read, sum.put, sum.read_units
    ));
    Ok(())
}
