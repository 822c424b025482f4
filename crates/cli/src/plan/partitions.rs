//! What the busiest partition of each kind takes. One partition has its own limits, whatever the table
//! may take, and what all of a tenant's events are written to is one.
//!
//! DynamoDB splits a partition that is busy for a while, between its sort keys. It does not where they
//! only ever grow, as times do: then all that is new goes to the last part. (AWS Database Blog, "Scaling
//! DynamoDB", part 2.)

use local::usage::partition::{self, Kind};
use relay::store::key::DUE_SHARDS;

use super::limit::{Limit, Whose};
use super::quotas::{PARTITION_READS, PARTITION_WRITES};
use super::traffic::{Traffic, read_again};

const SHARDS: Whose = Whose::Design("a shard in the key");
const COPIES: Whose = Whose::Design("remember for longer");

pub(super) fn all(traffic: &Traffic) -> Vec<Limit> {
    let writes = |kind, needed, whose| limit(kind, "writes", needed, PARTITION_WRITES, whose);
    let reads = |kind, needed, whose| limit(kind, "reads", needed, PARTITION_READS, whose);
    let mut all = vec![
        writes(partition::FEED, |one| one.of(partition::FEED).write * one.largest_tenant, SHARDS),
        // As if all were of one type. Order ids are no times.
        writes(
            partition::ORDERS,
            |one| one.of(partition::ORDERS).write * one.largest_tenant,
            Whose::Splits,
        ),
        // By id of the subscription.
        writes(
            partition::SUBSCRIPTIONS,
            |one| one.of(partition::SUBSCRIPTIONS).write * one.largest_tenant,
            Whose::Splits,
        ),
        writes(
            partition::UNDELIVERED,
            |one| one.of(partition::UNDELIVERED).write * one.largest_tenant,
            SHARDS,
        ),
        // What waits for one minute comes from several, and goes within that one.
        writes(
            partition::DUE,
            |one| of(partition::PARKED, partition::DUE) * one.parked() / f64::from(DUE_SHARDS),
            SHARDS,
        ),
        // An endpoint that hears of all that the largest tenant has.
        Limit {
            what: "writes, index: HELD#{subscription}, if down".into(),
            ..writes(
                partition::HELD_BACK,
                |one| of(partition::HELD, partition::HELD_BACK) * one.rate * one.largest_tenant,
                SHARDS,
            )
        },
        // An order and its lane have a partition of their own; these are all its events at once.
        writes(
            partition::ORDER,
            |one| of(partition::NOTIFICATION, partition::ORDER) * one.per_order,
            Whose::Splits,
        ),
        writes(
            partition::LANE,
            |one| of(partition::DELIVERY, partition::LANE) * one.per_order,
            Whose::Splits,
        ),
        // What processes remember they read again every few seconds: once by ingest, once by fanout.
        reads(
            partition::UPSTREAMS,
            |one| {
                let accounts = 1.0 / one.largest_account;
                read_again(one.rate, one.ingest() * accounts)
                    + read_again(one.rate, one.fanout() * accounts)
            },
            COPIES,
        ),
        reads(
            partition::SUBSCRIPTIONS,
            |one| {
                let uses = one.of(partition::SUBSCRIPTIONS).read * one.largest_tenant;
                read_again(uses, (one.deliver() + one.aside()) * one.fan_out)
            },
            Whose::Splits,
        ),
        reads(partition::VAULT, |one| one.of(partition::VAULT).read, COPIES),
    ];
    if traffic.reconciles {
        all.insert(
            1,
            writes(
                partition::WATCH,
                |one| one.of(partition::WATCH).write * one.largest_account,
                SHARDS,
            ),
        );
    }
    all
}

fn limit(kind: Kind, units: &str, needed: fn(&Traffic) -> f64, quota: f64, whose: Whose) -> Limit {
    let index = if kind.index.is_empty() { "" } else { ", index" };
    Limit { what: format!("{units}{index}: {}", kind.key), needed, quota, whose }
}

/// Units that one of a thing writes to a kind of partition.
fn of(loads: &[partition::Load], kind: Kind) -> f64 {
    loads.iter().filter(|load| load.kind == kind).map(|load| load.write).sum()
}
