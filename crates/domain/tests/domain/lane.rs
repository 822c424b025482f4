//! The decisions of a lane, one at a time.

use domain::delivery::{Delivery, State};
use domain::event::EventKey;
use domain::lane::{
    self, FINISHED_GRACE, Next, Outcome, Place, Placing, QUEUE_DELAY_MAX, Seen, Turn, Walk,
    after_attempt, place, turn, walk,
};
use domain::retry::WAITS;
use domain::subscription::Policy;
use jiff::{SignedDuration, Timestamp};

fn now() -> Timestamp {
    "2026-02-03T10:00:00Z".parse().unwrap()
}

fn key(second: i64) -> EventKey {
    EventKey::new(now() + SignedDuration::from_secs(second), &"0".repeat(32))
}

fn delivery(second: i64, state: State) -> Delivery {
    Delivery {
        key: key(second),
        tenant: "5500001".into(),
        upstream: "9900012".into(),
        state,
        behind: false,
        attempts_made: 0,
        attempts_before: 0,
        halted: false,
        revivals: 0,
        next_at: None,
        due_at: None,
        slot_at: None,
        finished_at: None,
        sequence: 1,
        last_sequence: 1,
        late: false,
        stateless: false,
    }
}

fn put(behind: Option<i64>, sequence: u64, newest: Option<i64>) -> Placing {
    Placing::Put(Place { behind: behind.map(key), sequence, newest: newest.map(key) })
}

#[test]
fn a_place_is_behind_what_is_pending_and_free_otherwise() {
    let check = |newest: Option<Delivery>, placing: Placing| {
        assert_eq!(place(&key(5), newest.as_ref(), newest.as_ref()), placing);
    };
    check(None, put(None, 1, None));
    check(Some(delivery(4, State::Pending)), put(Some(4), 2, None));
    for finished in [State::Delivered, State::Dead, State::Superseded] {
        check(Some(delivery(4, finished)), put(None, 2, None));
    }
    let revived = Delivery { revivals: 1, ..delivery(4, State::Pending) };
    check(Some(revived), put(None, 2, None));
}

#[test]
fn a_late_event_is_placed_by_the_one_before_it_and_numbered_after_the_newest() {
    let newest = Delivery { last_sequence: 7, ..delivery(9, State::Pending) };
    assert_eq!(place(&key(5), Some(&newest), None), put(None, 8, Some(9)));
    let before = delivery(4, State::Pending);
    assert_eq!(place(&key(5), Some(&newest), Some(&before)), put(Some(4), 8, Some(9)));
    let before = delivery(4, State::Delivered);
    assert_eq!(place(&key(5), Some(&newest), Some(&before)), put(None, 8, Some(9)));
}

#[test]
fn a_repeat_sends_the_wake_that_may_be_missing_and_puts_nothing() {
    let check = |own: Delivery, placing: Placing| {
        assert_eq!(place(&key(5), Some(&own), Some(&own)), placing);
        let newest = delivery(9, State::Pending);
        assert_eq!(place(&key(5), Some(&newest), Some(&own)), placing, "also behind newer ones");
    };
    let own = delivery(5, State::Pending);
    check(Delivery { attempts_made: 2, ..own.clone() }, Placing::Wake(seen(2, 0)));
    let parked = Delivery { due_at: Some(now()), ..own.clone() };
    check(parked.clone(), Placing::Wake(Seen::of(&parked)));
    check(Delivery { behind: true, ..own.clone() }, Placing::Done);
    check(Delivery { revivals: 1, ..own }, Placing::Done);
    check(delivery(5, State::Delivered), Placing::Done);
}

fn seen(attempts_made: u32, revivals: u32) -> Seen {
    Seen { attempts_made, revivals, due_at_ms: None }
}

#[test]
fn a_wake_from_before_a_delivery_was_laid_aside_is_stale() {
    let moment = SignedDuration::from_millis(1);
    let at = |due_at| Delivery { due_at, attempts_made: 1, ..delivery(5, State::Pending) };
    let places = [None, Some(now() - moment), Some(now() - moment * 2)];
    for due_at in places {
        for other in places {
            let expected = if due_at == other { Turn::Post } else { Turn::Stale };
            assert_eq!(turn(&at(due_at), Seen::of(&at(other)), false, now()), expected);
        }
        let ahead = if due_at.is_none() { Turn::Post } else { Turn::LeaveToSchedule };
        assert_eq!(turn(&at(due_at), seen(2, 0), false, now()), ahead);
    }
}

#[test]
fn a_wake_is_for_one_attempt_at_its_time() {
    let pending = Delivery { attempts_made: 2, ..delivery(5, State::Pending) };
    let due_in = |rest| Delivery { next_at: Some(now() + rest), ..pending.clone() };
    let check = |delivery: &Delivery, attempt, expected| {
        for came_back in [false, true] {
            assert_eq!(turn(delivery, seen(attempt, 0), came_back, now()), expected);
        }
    };
    let second = SignedDuration::from_secs(1);
    check(&pending, 1, Turn::Stale);
    check(&pending, 2, Turn::Post);
    check(&pending, 3, Turn::Post);
    check(&due_in(SignedDuration::ZERO), 2, Turn::Post);
    check(&due_in(-second), 2, Turn::Post);
    check(&due_in(second), 2, Turn::Later(second));
    check(&due_in(QUEUE_DELAY_MAX), 2, Turn::Later(QUEUE_DELAY_MAX));
    check(&due_in(QUEUE_DELAY_MAX + second), 2, Turn::Stale);
}

#[test]
fn a_wake_from_before_a_revival_goes_on_with_what_comes_after() {
    for state in State::ALL {
        let revived = Delivery { revivals: 2, attempts_made: 3, ..delivery(5, state) };
        for attempt in [2, 3, 4] {
            assert_eq!(turn(&revived, seen(attempt, 1), false, now()), Turn::WalkOn);
        }
    }
    let revived = Delivery { revivals: 2, attempts_made: 3, ..delivery(5, State::Pending) };
    assert_eq!(turn(&revived, seen(2, 2), false, now()), Turn::Stale);
    assert_eq!(turn(&revived, seen(3, 2), false, now()), Turn::Post);
}

#[test]
fn what_is_finished_is_left_alone_for_a_while_and_then_walked_past() {
    for state in [State::Delivered, State::Dead, State::Superseded] {
        let check = |finished_at, expected| {
            let finished = Delivery { finished_at, ..delivery(5, state) };
            assert_eq!(turn(&finished, seen(0, 0), false, now()), expected);
            assert_eq!(
                turn(&finished, seen(0, 0), true, now()),
                Turn::WalkOn,
                "its handler has died"
            );
        };
        let millisecond = SignedDuration::from_millis(1);
        check(Some(now()), Turn::Later(FINISHED_GRACE));
        check(Some(now() - FINISHED_GRACE + millisecond), Turn::Later(FINISHED_GRACE));
        check(Some(now() - FINISHED_GRACE), Turn::WalkOn);
        check(None, Turn::WalkOn);
    }
}

#[test]
fn after_an_attempt_comes_the_queue_for_short_waits_the_table_for_long_ones_and_an_end() {
    let check = |waits: &[SignedDuration], made, draw, expected| {
        assert_eq!(after_attempt(failed(0), made, waits, Policy::Skip, now(), draw), expected);
    };
    let last = |outcome| after_attempt(outcome, 13, &WAITS, Policy::Halt, now(), 0.5);
    assert_eq!(last(Outcome::Succeeded), Next::Delivered);
    assert_eq!(last(failed(0)), Next::Halt);
    assert_eq!(last(Outcome::Gone), Next::Hold);
    check(&WAITS, 1, 0.5, Next::Retry { delay: seconds(5), at: now() + seconds(5) });
    check(&[seconds(900)], 1, 0.5, Next::Retry { delay: seconds(900), at: now() + seconds(900) });
    check(&[seconds(901)], 1, 0.5, Next::Park { at: now() + seconds(901) });
    check(&[seconds(900)], 1, 0.75, Next::Park { at: now() + seconds(990) });
    check(&WAITS, 5, 0.5, Next::Park { at: now() + seconds(1800) });
    check(&WAITS, 13, 0.5, Next::Dead);
    check(&[], 1, 0.5, Next::Dead);
}

#[test]
fn a_pause_that_an_endpoint_asks_for_is_kept_where_it_is_longer_than_the_wait() {
    let after = |pause| after_attempt(failed(pause), 1, &WAITS, Policy::Skip, now(), 0.5);
    assert_eq!(after(3), Next::Retry { delay: seconds(5), at: now() + seconds(5) });
    assert_eq!(after(60), Next::Retry { delay: seconds(60), at: now() + seconds(60) });
    assert_eq!(after(3600), Next::Park { at: now() + seconds(3600) });
    let last = after_attempt(failed(60), 13, &WAITS, Policy::Skip, now(), 0.5);
    assert_eq!(last, Next::Dead, "a pause is no further attempt");
}

fn seconds(count: i64) -> SignedDuration {
    SignedDuration::from_secs(count)
}

fn failed(pause: i64) -> Outcome {
    Outcome::Failed { pause: seconds(pause) }
}

#[test]
fn where_only_the_newest_counts_what_is_older_is_outdated() {
    let own = delivery(5, State::Pending);
    let is_outdated = |own: &Delivery, newest| lane::is_outdated(own, &delivery(9, newest));
    assert!(is_outdated(&own, State::Pending) && is_outdated(&own, State::Delivered));
    assert!(!is_outdated(&own, State::Dead), "nobody was told of that");
    assert!(!lane::is_outdated(&own, &own));
    let note = Delivery { stateless: true, ..delivery(9, State::Delivered) };
    assert!(!lane::is_outdated(&own, &note), "the state has yet to be told");
    for told in [
        Delivery { late: true, ..own.clone() },
        Delivery { stateless: true, ..own.clone() },
        Delivery { revivals: 1, ..own.clone() },
        Delivery { attempts_before: 3, ..own.clone() },
    ] {
        assert!(!is_outdated(&told, State::Delivered));
    }
}

#[test]
fn a_walk_takes_only_what_stands_behind() {
    let own_wake = delivery(6, State::Pending);
    let behind = Delivery { behind: true, ..own_wake.clone() };
    assert_eq!(walk(None), Walk::Done);
    assert_eq!(walk(Some(&own_wake)), Walk::Done);
    assert_eq!(walk(Some(&behind)), Walk::Take);
}
