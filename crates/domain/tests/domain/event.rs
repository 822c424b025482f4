//! Event keys, stated times, digests and subjects.

use domain::event::{EventKey, sortable, stated_time};
use domain::notification::{Notification, Order};
use jiff::Timestamp;

use crate::shapes::{ORDER, complete, messaging_lost};

const DIGEST: &str = "00112233445566778899aabbccddeeff";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn a_key_is_a_time_of_fixed_width_and_a_digest() {
    let key = EventKey::new(at("2026-02-03T10:11:12.3456789Z"), DIGEST);
    assert_eq!(key.as_str(), format!("2026-02-03T10:11:12.345Z#{DIGEST}"));
    assert_eq!(key.to_string(), key.as_str());
    assert_eq!((key.time(), key.digest()), ("2026-02-03T10:11:12.345Z", DIGEST));
    assert_eq!(EventKey::parse(key.as_str()), Ok(key));
}

#[test]
fn keys_sort_by_time_and_then_by_digest() {
    let times = [
        "2000-01-01T00:00:00Z",
        "2026-02-03T10:11:12Z",
        "2026-02-03T10:11:12.001Z",
        "2999-12-31T23:59:59.999Z",
    ];
    let keys = times.map(|time| EventKey::new(at(time), DIGEST));
    assert!(keys.is_sorted());
    assert!(
        EventKey::new(at(times[0]), DIGEST)
            < EventKey::new(at(times[0]), &DIGEST.replace('0', "1"))
    );
}

#[test]
fn only_what_a_key_looks_like_is_read_as_one() {
    for text in [
        "",
        "#",
        DIGEST,
        "2026-02-03T10:11:12.345Z",
        "2026-02-03T10:11:12.345Z#",
        "2026-02-03T10:11:12.345Z#00112233445566778899aabbccddeef",
        "2026-02-03T10:11:12.345Z#00112233445566778899aabbccddeeff0",
        "2026-02-03T10:11:12.345Z#00112233445566778899AABBCCDDEEFF",
        "2026-02-03T10:11:12.345Z##0112233445566778899aabbccddeeff",
        "2026-02-03T10:11:12Z#00112233445566778899aabbccddeeff",
        "2026-02-03T10:11:12.3456Z#00112233445566778899aabbccddeeff",
        "2026-02-03 10:11:12.345Z#00112233445566778899aabbccddeeff",
        "2026-02-03T10:11:12.345+00:00#00112233445566778899aabbccddeeff",
        "2026-02-30T10:11:12.345Z#00112233445566778899aabbccddeeff",
        " 2026-02-03T10:11:12.345Z#00112233445566778899aabbccddeeff",
        "2026-02-03T10:11:12.345Z#\u{e4}112233445566778899aabbccddeeff",
    ] {
        assert!(EventKey::parse(text).is_err(), "{text}");
    }
}

#[track_caller]
fn check_time(stated: &str, expected: Option<&str>) {
    let n = Notification { last_modified_date: Some(stated.into()), ..complete() };
    assert_eq!(stated_time(&n).map(sortable).as_deref(), expected, "{stated}");
}

#[test]
fn a_stated_time_is_an_instant_of_this_millennium() {
    check_time("2026-02-03T10:11:12.345Z", Some("2026-02-03T10:11:12.345Z"));
    check_time("2026-02-03T10:11:12Z", Some("2026-02-03T10:11:12.000Z"));
    check_time("2026-02-03T10:11:12.345678Z", Some("2026-02-03T10:11:12.345Z"));
    check_time("2026-02-03T05:11:12.345-05:00", Some("2026-02-03T10:11:12.345Z"));
    check_time("2000-01-01T00:00:00Z", Some("2000-01-01T00:00:00.000Z"));
    check_time("2999-12-31T23:59:59.999Z", Some("2999-12-31T23:59:59.999Z"));
    check_time("1999-12-31T23:59:59.999Z", None);
    check_time("2000-01-01T00:00:00+01:00", None);
    check_time("3000-01-01T00:00:00Z", None);
    check_time("9999-12-31T23:59:59Z", None);
    check_time("-002026-02-03T10:11:12Z", None);
    check_time("2026-02-03T10:11:12", None);
    check_time("2026-02-03", None);
    check_time("2026-02-30T10:11:12Z", None);
    check_time("1770113472", None);
    check_time("Tue, 3 Feb 2026 10:11:12 GMT", None);
    check_time("", None);
    assert_eq!(stated_time(&messaging_lost()), None);
}

#[track_caller]
fn check_digest(change: impl Fn(&mut Notification), same: bool) {
    let mut changed = complete();
    change(&mut changed);
    assert_eq!(changed.digest() == complete().digest(), same, "{changed:?}");
}

fn order(n: &mut Notification) -> &mut Order {
    n.order.as_mut().unwrap()
}

#[test]
fn the_digest_of_a_change_does_not_depend_on_who_was_told() {
    check_digest(|n| n.subscription_id = None, true);
    check_digest(|n| n.subscription_id = Some("other".into()), true);
    check_digest(|n| n.status = Some("complete".into()), true);
    check_digest(|n| order(n).order_type = "ORDERS".into(), true);
    check_digest(|n| order(n).order_id = ORDER.to_uppercase(), true);
    check_digest(|n| n.completed_telephone_numbers.reverse(), true);
    check_digest(|n| n.completed_telephone_numbers[0] = "+19195550100".into(), true);
}

#[test]
fn the_digest_of_another_change_is_another() {
    check_digest(|n| n.status = None, false);
    check_digest(|n| n.status = Some("PARTIAL".into()), false);
    check_digest(|n| n.message = n.message.take().map(|text| text.to_lowercase()), false);
    check_digest(|n| n.note = n.message.take(), false);
    check_digest(|n| n.event_type = Some("E".into()), false);
    check_digest(|n| n.last_modified_date = Some("2026-02-03T10:11:12.346Z".into()), false);
    check_digest(|n| n.actual_foc_date = n.last_modified_date.take(), false);
    check_digest(|n| order(n).customer_order_id = None, false);
    check_digest(|n| order(n).order_id.push('0'), false);
    check_digest(|n| order(n).order_type = "portins".into(), false);
    check_digest(|n| n.completed_telephone_numbers.truncate(1), false);
    check_digest(
        |n| n.impacted_telephone_numbers = std::mem::take(&mut n.completed_telephone_numbers),
        false,
    );
    check_digest(|n| n.completed_telephone_numbers = vec!["91955501009195550101".into()], false);
}

#[track_caller]
fn check_state_digest(change: impl Fn(&mut Notification), same: bool) {
    let mut changed = complete();
    change(&mut changed);
    assert_eq!(changed.state_digest("1") == complete().state_digest("1"), same, "{changed:?}");
}

#[test]
fn a_change_of_state_is_named_by_order_and_state_alone() {
    check_state_digest(|n| n.message = None, true);
    check_state_digest(|n| n.completed_telephone_numbers.clear(), true);
    check_state_digest(|n| order(n).customer_order_id = None, true);
    check_state_digest(|n| n.status = Some("complete".into()), true);
    check_state_digest(|n| order(n).order_id = ORDER.to_uppercase(), true);
    check_state_digest(|n| n.status = Some("PARTIAL".into()), false);
    check_state_digest(|n| order(n).order_id.push('0'), false);
    check_state_digest(|n| order(n).order_type = "portins".into(), false);
    // Neither is a change of state.
    check_state_digest(|n| n.note = Some("a".into()), false);
    check_state_digest(|n| n.status = None, false);
    assert_eq!(messaging_lost().state_digest("1"), None);
    assert_ne!(complete().state_digest("1"), complete().state_digest("2"));
}

#[test]
fn the_name_of_a_type_does_not_matter_to_its_states() {
    let of = |order_type: &str| {
        let mut n = complete();
        order(&mut n).order_type = order_type.into();
        n.state_digest("1")
    };
    assert_eq!(of("lidb"), of("LIDBS"));
    assert_eq!(of("ordersOfTheFuture"), of("ordersofthefuture"));
}

#[test]
fn a_dated_change_of_state_has_the_key_that_the_orders_history_gives_it() {
    let told = complete();
    let key = EventKey::stated(&told).unwrap();
    let (at, digest) =
        (stated_time(&told).unwrap(), told.state_digest(&sortable(key.at())).unwrap());
    assert_eq!((key.at(), key.digest()), (at, digest.as_str()));

    let note = Notification { note: Some("a".into()), ..complete() };
    assert_eq!(EventKey::stated(&note).unwrap().digest(), note.digest());
    assert_eq!(EventKey::stated(&messaging_lost()), None);
}

/// Stored keys hold digests: these may never change.
#[test]
fn the_digests_are_what_they_were_in_the_first_release() {
    assert_eq!(complete().digest(), "16a718e89ef86c444706c5a6d572300f");
    assert_eq!(EventKey::stated(&complete()).unwrap().digest(), "3d18c31278ef36ee9f7deaadf1c9ace2");
}

#[test]
fn events_of_an_order_keep_together_and_an_event_without_one_stands_alone() {
    let mut upper = complete();
    order(&mut upper).order_id = ORDER.to_uppercase();
    assert_eq!(upper.subject(), ORDER);
    assert_eq!(messaging_lost().subject(), format!("event-{}", messaging_lost().digest()));
}
