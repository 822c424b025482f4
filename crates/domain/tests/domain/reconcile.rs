//! Which states of a history were told, and what would have been told of the others.

use domain::event::EventKey;
use domain::notification::{Notification, NumberFormat};
use domain::reconcile::{Told, missing, notification};
use domain::wire::{Described, Stated};
use jiff::Timestamp;

/// Minutes after some time.
fn at(minute: i64) -> Timestamp {
    let start: Timestamp = "2026-02-03T10:00:00Z".parse().unwrap();
    start + jiff::SignedDuration::from_mins(minute)
}

fn states(text: &str) -> Vec<(String, Timestamp)> {
    let pairs = text.split_whitespace().map(|pair| pair.split_once('@').unwrap());
    pairs.map(|(status, minute)| (status.to_owned(), at(minute.parse().unwrap()))).collect()
}

/// Each as `STATE@minute`.
#[track_caller]
fn check(order_type: &str, history: &str, told: &str, expected: &str) {
    let line = |(status, at)| Stated { status, at, note: None };
    let history: Vec<_> = states(history).into_iter().map(line).collect();
    let told: Vec<_> = states(told).into_iter().map(|(status, at)| Told { status, at }).collect();
    let found = missing(order_type, &history, &told);
    let found: Vec<_> = found.into_iter().map(|line| (line.status.clone(), line.at)).collect();
    assert_eq!(found, states(expected), "{history:?} {told:?}");
}

#[test]
fn what_was_told_is_not_missing_and_the_rest_is() {
    let history = "SUBMITTED@0 FOC@60 COMPLETE@120";
    check("portins", history, "SUBMITTED@0 FOC@60 COMPLETE@120", "");
    check("portins", history, "", history);
    check("portins", history, "submitted@0 COMPLETE@120", "FOC@60");
    check("portins", history, "COMPLETE@120 FOC@60", "SUBMITTED@0");
    check("portins", "", "SUBMITTED@0", "");
}

#[test]
fn states_that_bandwidth_tells_nobody_of_are_not_missing() {
    check("orders", "RECEIVED@0 BACKORDERED@1 COMPLETE@9", "", "BACKORDERED@1 COMPLETE@9");
    check("portins", "DRAFT@0 SUBMITTED@1 SNAPBACK@2", "", "SUBMITTED@1 SNAPBACK@2");
    check("tollfreePortingValidations", "PROCESSING@0 COMPLETE@1", "", "COMPLETE@1");
    check("ordersOfTheFuture", "NEW@0 DONE@1", "NEW@0", "DONE@1");
}

#[test]
fn a_line_about_something_else_is_no_change_of_state() {
    check("orders", "BACKORDERED@0 BACKORDERED@3 COMPLETE@9", "BACKORDERED@0", "COMPLETE@9");
    check("orders", "BACKORDERED@0 BACKORDERED@3", "", "BACKORDERED@0");
}

#[test]
fn each_stay_in_a_state_is_told_by_its_own_notification() {
    let history = "SUBMITTED@0 EXCEPTION@60 REQUESTED_SUPP@70 SUBMITTED@80 EXCEPTION@200";
    let told = "SUBMITTED@0 EXCEPTION@200 REQUESTED_SUPP@70";
    check("portins", history, told, "EXCEPTION@60 SUBMITTED@80");
    check(
        "portins",
        history,
        "EXCEPTION@60 EXCEPTION@200 SUBMITTED@0 SUBMITTED@80",
        "REQUESTED_SUPP@70",
    );
}

#[test]
fn a_date_may_be_a_little_off() {
    check("portins", "SUBMITTED@10 FOC@60", "SUBMITTED@6 FOC@58", "");
    check("portins", "SUBMITTED@10 FOC@60", "SUBMITTED@4", "SUBMITTED@10 FOC@60");
    // It came without a date, and late.
    check("portins", "SUBMITTED@10 FOC@60", "SUBMITTED@64 FOC@90", "");
    check("portins", "SUBMITTED@10 FOC@60", "SUBMITTED@66", "SUBMITTED@10 FOC@60");
}

#[test]
fn what_was_asked_for_has_the_key_of_what_comes_late() {
    let line = Stated { status: "COMPLETE".into(), at: at(1), note: Some("2 numbers".into()) };
    let order = Described {
        customer_order_id: Some("c-1".into()),
        numbers: vec!["9195550100".into()],
        actual_foc_date: Some("2026-02-10T16:30:00Z".into()),
        ..Described::default()
    };
    let asked = notification("orders", "a-1", &line, &order);
    assert_eq!(asked.completed_telephone_numbers, order.numbers);
    assert_eq!(asked.message, line.note);
    assert_eq!(asked.actual_foc_date, None);
    let body = asked.to_xml("", NumberFormat::default());
    assert_eq!(Notification::parse(body.as_bytes()).unwrap().status.as_deref(), Some("COMPLETE"));

    let late = "<Notification><Status>COMPLETE</Status><OrderId>A-1</OrderId>\
        <OrderType>orders</OrderType><Message>Done</Message>\
        <LastModifiedDate>2026-02-03T10:01:00.000Z</LastModifiedDate></Notification>";
    let late = Notification::parse(late.as_bytes()).unwrap();
    assert_eq!(EventKey::stated(&late), EventKey::stated(&asked));

    let foc = Stated { status: "FOC".into(), ..line };
    let foc = notification("portins", "a-1", &foc, &order);
    assert_eq!(foc.actual_foc_date, order.actual_foc_date);
    assert!(foc.completed_telephone_numbers.is_empty());
}
