//! The model, held to the bill and to sense.

use local::usage;

use super::limit::{Limit, Whose};
use super::traffic::Traffic;
use super::{limits, partitions};

const TRAFFIC: Traffic = Traffic {
    rate: 1_000.0,
    fan_out: 5.0,
    failure_rate: 0.02,
    per_order: 4.0,
    endpoint_ms: 200.0,
    endpoints: 100.0,
    largest_tenant: 0.2,
    largest_account: 1.0,
    reconciles: true,
};

/// Nothing fails, and Bandwidth is not asked.
const SMOOTH: Traffic = Traffic { failure_rate: 0.0, reconciles: false, ..TRAFFIC };

fn is_near(one: f64, other: f64) -> bool {
    (one - other).abs() < 1e-6 * other.abs().max(1.0)
}

fn all(traffic: &Traffic) -> Vec<Limit> {
    [limits::all(traffic), partitions::all(traffic)].concat()
}

fn find(traffic: &Traffic, what: &str) -> Limit {
    let mut found = all(traffic).into_iter().filter(|limit| limit.what.contains(what));
    let one = found.next().unwrap_or_else(|| panic!("no {what}"));
    assert!(found.next().is_none(), "one {what}");
    one
}

/// When a limit binds.
fn binds(traffic: Traffic, what: &str) -> f64 {
    find(&traffic, what).binds_at(&traffic).unwrap_or_else(|| panic!("{what} never binds"))
}

#[test]
fn the_units_of_all_partitions_are_those_of_the_bill() {
    for traffic in [TRAFFIC, SMOOTH, Traffic { rate: 1.0, fan_out: 0.0, ..TRAFFIC }] {
        let month = traffic.month();
        let seconds = month.notifications / traffic.rate;
        let mut bill = month.traffic();
        // The audit is schedule's, a day later; and starts are reckoned of what the bill does.
        bill.read -= usage::AUDITED_NOTIFICATION.read * month.notifications
            + usage::AUDITED_DELIVERY.read * month.deliveries();
        let parts = [traffic.table(), traffic.index("due"), traffic.index("standing")];
        let (reads, writes) = parts
            .iter()
            .fold((0.0, 0.0), |(reads, writes), part| (reads + part.read, writes + part.write));
        assert!(is_near(reads * seconds, bill.read), "{reads} and {}", bill.read / seconds);
        assert!(is_near(writes * seconds, bill.write), "{writes} and {}", bill.write / seconds);
        assert!(is_near(traffic.starts() * seconds, bill.key));
    }
}

#[test]
fn a_tenants_feed_takes_a_thousand_notifications_a_second() {
    let alone = Traffic { largest_tenant: 1.0, ..SMOOTH };
    assert!(is_near(binds(alone, "#FEED"), 1_000.0));
    assert!(is_near(binds(SMOOTH, "#FEED"), 5_000.0));
}

#[test]
fn an_account_that_is_asked_about_takes_half_of_that() {
    let long = Traffic { per_order: 1e6, ..TRAFFIC };
    assert!((500.0..500.01).contains(&binds(long, "WATCH#")));
    assert!(is_near(binds(TRAFFIC, "WATCH#"), 500.0 / 0.75));
    let short = Traffic { per_order: 1.0, ..TRAFFIC };
    assert!(
        find(&short, "WATCH#").binds_at(&short).is_none(),
        "what ends at once is never watched"
    );
}

#[test]
fn the_gateway_and_lambda_take_each_notification_twice() {
    assert!(is_near(binds(TRAFFIC, "requests to ingest, 10"), 5_000.0));
    assert!(is_near(binds(TRAFFIC, "requests of the account"), 5_000.0));
    assert!(is_near(binds(TRAFFIC, "Gateway: requests to ingest"), 2_500.0));
}

#[test]
fn the_table_takes_what_its_units_allow() {
    // Three of a notification and two of each delivery.
    assert!(is_near(binds(SMOOTH, "write units of the table"), 40_000.0 / 13.0));
}

#[test]
fn instances_of_deliver_take_ten_wakes_each() {
    // Each of 20 does 10 in 315 ms, 200 of them the endpoint's.
    let one = Traffic { fan_out: 1.0, ..SMOOTH };
    assert!(is_near(binds(one, "endpoints that are well"), 20.0 * 10.0 / 0.315));
}

#[test]
fn one_failure_in_minutes_sends_an_endpoints_wakes_aside() {
    let busy = find(&TRAFFIC, "endpoints that ail");
    assert!((busy.needed)(&TRAFFIC) > 100.0);
    assert_eq!((busy.needed)(&SMOOTH), 0.0);
    let quiet = Traffic { endpoints: 1e6, ..TRAFFIC };
    assert!((busy.needed)(&quiet) < 10.0, "each of them hears little");
}

#[test]
fn a_limit_binds_where_it_is_used_up() {
    for limit in all(&TRAFFIC) {
        let Some(rate) = limit.binds_at(&TRAFFIC) else { continue };
        let used = limit.used(&Traffic { rate, ..TRAFFIC });
        assert!((used - 1.0).abs() < 1e-6, "{}: {used} at {rate}", limit.what);
        let below = limit.used(&Traffic { rate: rate * 0.99, ..TRAFFIC });
        assert!(below < 1.0, "{}: {below}", limit.what);
    }
}

#[test]
fn what_cannot_be_turned_is_said_to_be_of_the_design() {
    let is_design = |limit: &Limit| matches!(limit.whose, Whose::Design(_));
    for what in ["#FEED", "WATCH#", "HELD#", "UNDELIVERED#"] {
        assert!(is_design(&find(&TRAFFIC, what)), "{what} is sorted by time");
    }
}
