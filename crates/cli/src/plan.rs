//! `hookline plan`: which limits of AWS a rate of notifications meets, which of them first, and what a
//! month of it costs.

mod limit;
mod limits;
mod partitions;
mod quotas;
mod rate;
mod show;
mod template;
mod traffic;

use crate::cost::{Assumed, within};
use traffic::Traffic;

#[derive(clap::Args)]
#[command(allow_negative_numbers = true)]
pub(crate) struct Options {
    /// Notifications in a time, such as 100/s, 6000/min or 1e6/day
    #[arg(long, value_name = "COUNT/TIME", value_parser = rate::parse)]
    rate: f64,
    /// Subscriptions that a notification goes to, on average
    #[arg(long, value_name = "COUNT", default_value = "1",
        value_parser = |text: &str| within(text, 0.0..=1e4))]
    fan_out: f64,
    #[command(flatten)]
    assumed: Assumed,
    /// Endpoints that deliveries go to, as many to each
    #[arg(long, value_name = "COUNT", default_value = "100",
        value_parser = |text: &str| within(text, 1.0..=1e6))]
    endpoints: f64,
    /// Share of the notifications that the largest tenant has, from 0.000001 to 1
    #[arg(long, value_name = "SHARE", default_value = "0.2", value_parser = part)]
    largest_tenant: f64,
    /// Share of the notifications that come from the largest account at Bandwidth, likewise
    #[arg(long, value_name = "SHARE", default_value = "1", value_parser = part)]
    largest_account: f64,
    /// Bandwidth is not asked about open orders: upstreams have no credentials for its API
    #[arg(long)]
    no_reconcile: bool,
}

fn part(text: &str) -> Result<f64, String> {
    within(text, 1e-6..=1.0)
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let traffic = Traffic {
        rate: options.rate,
        fan_out: options.fan_out,
        failure_rate: options.assumed.failure_rate,
        per_order: options.assumed.per_order,
        endpoint_ms: options.assumed.endpoint_ms,
        endpoints: options.endpoints,
        largest_tenant: options.largest_tenant,
        largest_account: options.largest_account,
        reconciles: !options.no_reconcile,
    };
    show::plan(&traffic, &limits::all(&traffic), &partitions::all(&traffic));
    Ok(())
}

#[cfg(test)]
mod tests;
