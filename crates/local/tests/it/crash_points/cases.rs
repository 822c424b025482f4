//! What is crashed, and when.

use jiff::SignedDuration;
use simulator::endpoint::Received;

use crate::stage::{of, secs, state, text_of};

/// What is about to be done when the crash comes.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Moment {
    Ingest,
    Inbox,
    Fanout,
    Deliver,
    /// Schedule finds a parked delivery.
    Due,
    /// Deliver meets the tenth failure in a row.
    Opening,
    /// Deliver probes an endpoint that is well again.
    Probe,
    /// Schedule finds a breaker that has closed.
    Closed,
    /// The tenant enables a subscription that collects.
    Enabling,
    /// Schedule lets go of what has been collected.
    Drain,
    /// A new subscription is told of the orders that there are.
    Snapshot,
    /// The tenant asks for a replay.
    AskReplay,
    /// Schedule makes deliveries again.
    Replay,
    /// The tenant retries one delivery.
    Retry,
}

/// One situation to crash in.
#[derive(Clone)]
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) moment: Moment,
    /// The status with which the endpoint answers its nth request, from 0.
    pub(super) answer: fn(&Received, usize) -> u16,
    pub(super) waits: Option<Vec<SignedDuration>>,
    /// Bodies in the order of arrival.
    pub(super) bodies: Vec<String>,
    /// Statuses that the endpoint is to be told in the end.
    pub(super) told: Vec<&'static str>,
    /// What is to be told is of two orders, or late.
    pub(super) in_any_order: bool,
    /// Statuses that it is to be told once more.
    pub(super) told_again: Vec<&'static str>,
    /// The endpoint asked for this one order alone, and for its present state, after the first body.
    pub(super) bound: bool,
}

fn case(name: &'static str, moment: Moment) -> Case {
    Case {
        name,
        moment,
        answer: |_, _| 200,
        waits: None,
        bodies: vec![state("SUBMITTED", 1), state("FOC", 2), state("COMPLETE", 3)],
        told: vec!["SUBMITTED", "FOC", "COMPLETE"],
        in_any_order: false,
        told_again: vec![],
        bound: false,
    }
}

/// The same with a second order.
fn two_orders(name: &'static str, moment: Moment) -> Case {
    let mut both = case(name, moment);
    both.bodies.push(of("another", "EXCEPTION", 1));
    both.told.push("EXCEPTION");
    Case { in_any_order: true, ..both }
}

fn undated(status: &str) -> String {
    let dated = "<LastModifiedDate>2026-02-03T10:00:00.000Z</LastModifiedDate>";
    state(status, 0).replace(dated, "")
}

fn fails_once(_: &Received, nth: usize) -> u16 {
    if nth == 0 { 500 } else { 200 }
}

fn fails_ten_times(_: &Received, nth: usize) -> u16 {
    if nth < 10 { 500 } else { 200 }
}

fn is_gone_once(_: &Received, nth: usize) -> u16 {
    if nth == 0 { 410 } else { 200 }
}

fn refuses_submitted(one: &Received, _: usize) -> u16 {
    if text_of(one, "Status") == "SUBMITTED" { 500 } else { 200 }
}

/// Parks what fails, and has some attempts left for a machine that is too busy to answer in time.
pub(super) fn half_an_hour() -> Option<Vec<SignedDuration>> {
    Some([SignedDuration::from_mins(30)].into_iter().chain([secs(5); 3]).collect())
}

pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.extend(of_the_road());
    cases.extend(of_endpoints());
    cases.extend(of_doing_it_again());
    cases
}

fn of_the_road() -> Vec<Case> {
    vec![
        case("ingest", Moment::Ingest),
        Case {
            bodies: vec![undated("SUBMITTED")],
            told: vec!["SUBMITTED"],
            ..case("ingest of an undated event", Moment::Ingest)
        },
        case("inbox", Moment::Inbox),
        case("fanout", Moment::Fanout),
        Case {
            bodies: vec![state("FOC", 2), state("SUBMITTED", 1), state("COMPLETE", 3)],
            in_any_order: true,
            ..case("fanout of a late event", Moment::Fanout)
        },
        Case { bound: true, ..case("fanout of a wish for the state of now", Moment::Fanout) },
        case("deliver", Moment::Deliver),
        Case { bound: true, ..case("deliver the end of an order", Moment::Deliver) },
    ]
}

fn of_endpoints() -> Vec<Case> {
    let each_second = Some(vec![secs(1); 30]);
    vec![
        Case { answer: fails_once, ..case("deliver to one that fails", Moment::Deliver) },
        Case {
            answer: fails_once,
            waits: half_an_hour(),
            ..case("deliver, then park", Moment::Deliver)
        },
        Case { answer: fails_once, waits: half_an_hour(), ..case("wake", Moment::Due) },
        Case {
            answer: refuses_submitted,
            waits: Some(vec![]),
            told: vec!["FOC", "COMPLETE"],
            ..case("deliver, then give up", Moment::Deliver)
        },
        Case { answer: is_gone_once, ..two_orders("deliver to one that is gone", Moment::Deliver) },
        Case {
            answer: fails_ten_times,
            waits: each_second.clone(),
            ..case("open a breaker", Moment::Opening)
        },
        Case {
            answer: fails_ten_times,
            waits: each_second.clone(),
            ..two_orders("probe", Moment::Probe)
        },
        Case {
            answer: fails_ten_times,
            waits: each_second,
            ..two_orders("let go when a breaker has closed", Moment::Closed)
        },
    ]
}

fn of_doing_it_again() -> Vec<Case> {
    let all_again = vec!["SUBMITTED", "FOC", "COMPLETE"];
    vec![
        Case { answer: is_gone_once, ..two_orders("enable", Moment::Enabling) },
        Case { answer: is_gone_once, ..two_orders("let go when enabled", Moment::Drain) },
        Case {
            bodies: vec![state("SUBMITTED", 1), state("FOC", 2)],
            told: vec!["FOC"],
            ..case("tell of what there is", Moment::Snapshot)
        },
        Case { told_again: all_again.clone(), ..case("ask for a replay", Moment::AskReplay) },
        Case { told_again: all_again, ..case("replay", Moment::Replay) },
        Case { told_again: vec!["FOC"], ..case("retry one", Moment::Retry) },
    ]
}
