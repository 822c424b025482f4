//! The plan as a table.

use super::limit::{Limit, Whose};
use super::quotas;
use super::traffic::Traffic;
use crate::cost::bill::Line;
use crate::cost::{grouped, prices};
use crate::output::say;

pub(super) fn plan(traffic: &Traffic, limits: &[Limit], partitions: &[Limit]) {
    let (rate, deliveries) = (grouped(traffic.rate), grouped(traffic.deliveries()));
    say(format!("{rate} notifications a second, {deliveries} deliveries\n"));
    table("limit", limits, traffic);
    table("units a second of the busiest partition", partitions, traffic);
    first(&[limits, partitions].concat(), traffic);
    from_nothing(traffic);
    cost(traffic);
}

fn table(title: &str, limits: &[Limit], traffic: &Traffic) {
    say(row(title, ["needed", "quota", "used", "binds at"], "whose"));
    for limit in limits {
        let needed = grouped((limit.needed)(traffic));
        let used = format!("{} %", grouped(limit.used(traffic) * 100.0));
        let binds_at = at(limit.binds_at(traffic));
        say(row(
            &limit.what,
            [&needed, &grouped(limit.quota), &used, &binds_at],
            &limit.whose.name(),
        ));
    }
    say("");
}

/// What binds first: of all, and of what can only be moved with more and more effort.
fn first(limits: &[Limit], traffic: &Traffic) {
    let met = |is_one: fn(Whose) -> bool| {
        let met = limits.iter().filter(|limit| is_one(limit.whose));
        let met = met.filter_map(|limit| Some((limit.binds_at(traffic)?, limit)));
        met.min_by(|(one, _), (other, _)| one.total_cmp(other))
    };
    say(row("binds first", ["", "", "", "at"], "whose"));
    for (case, is_one) in [
        ("of all", (|_| true) as fn(Whose) -> bool),
        ("of what AWS is to be asked for", |whose| whose == Whose::Ask),
        ("of what the design has to change for", |whose| matches!(whose, Whose::Design(_))),
    ] {
        if let Some((rate, limit)) = met(is_one) {
            let what = format!("{case}:");
            say(row(&what, ["", "", "", &at(Some(rate))], &limit.whose.name()));
            say(format!("  {}", limit.what));
        }
    }
    say("");
}

/// How long AWS takes to give so much where nothing came before.
fn from_nothing(traffic: &Traffic) {
    let writes = traffic.table().write;
    let doublings = (writes / quotas::NEW_TABLE_WRITES).log2().max(0.0);
    let queue = traffic.deliver().max(traffic.aside());
    let function = traffic.ingest().max(traffic.fanout());
    say(row("from nothing to this rate", ["needed", "at once", "", "minutes"], "how"));
    for (what, needed, at_once, minutes, how) in [
        (
            "DynamoDB: write units of a new table",
            writes,
            quotas::NEW_TABLE_WRITES,
            doublings * quotas::TABLE_DOUBLES_MINUTES,
            "twice in 30 min; WarmThroughput",
        ),
        (
            "Lambda: instances of ingest or of fanout",
            function,
            quotas::STARTS,
            (function / quotas::STARTS - 1.0).max(0.0) * quotas::STARTS_SECONDS / 60.0,
            "1,000 more each 10 s",
        ),
        (
            "SQS: instances of deliver for one queue",
            queue,
            quotas::INSTANCES_OF_QUEUE_A_MINUTE,
            queue / quotas::INSTANCES_OF_QUEUE_A_MINUTE,
            "300 more each minute",
        ),
    ] {
        say(row(what, [&grouped(needed), &grouped(at_once), "", &grouped(minutes)], how));
    }
    say("");
}

fn cost(traffic: &Traffic) {
    let month = traffic.month();
    let total: f64 = month.bill().iter().map(Line::dollars).sum();
    say(row("a month in us-east-1", ["", "", "", "dollars"], ""));
    say(row("total", ["", "", "", &grouped(total)], ""));
    for (what, count) in
        [("for one notification", month.notifications), ("for one delivery", month.deliveries())]
    {
        if count > 0.0 {
            say(row(what, ["", "", "", &format!("{:.8}", total / count)], ""));
        }
    }
    say(format!(
        "\nNone of it is measured on AWS. Quotas are AWS's defaults, prices those of {}. What each line\n\
         means is in docs/plan.md.",
        prices::AS_OF
    ));
}

fn at(rate: Option<f64>) -> String {
    rate.map_or("no rate".into(), |rate| format!("{}/s", grouped(rate)))
}

fn row(what: &str, [needed, quota, used, at]: [&str; 4], whose: &str) -> String {
    let row = format!("{what:<44} {needed:>9} {quota:>9} {used:>9} {at:>11}  {whose}");
    row.trim_end().to_owned()
}
