//! One small lane, searched exhaustively: every order in which fan-out, handlers, crashes, repeated
//! messages and failed POSTs can meet. The decisions are the product's own; each read, write and
//! send around them is a step of its own, in the order in which the relay makes them.

use std::collections::{HashSet, VecDeque};

use domain::delivery::{Delivery, State};
use domain::event::EventKey;
use domain::lane::{self, Next, Outcome, Placing, Turn, Walk};
use domain::subscription::Policy;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

/// What is searched.
#[derive(Clone)]
struct Case {
    /// Events, numbered in the order in which they happened, in the order in which they arrive.
    arrivals: Vec<u8>,
    crashes: u8,
    duplicates: u8,
    failures: u8,
    waits: Vec<SignedDuration>,
    bug: Option<Bug>,
}

/// Mistakes that are planted to see whether the search finds them.
#[derive(Clone, Copy, PartialEq)]
enum Bug {
    /// The attempt is written before the next wake is sent.
    WriteBeforeWake,
    /// A delivery is put behind another without checking that it is still pending.
    NoTransaction,
    /// A handler looks only at the delivery right after its own.
    StopAtFinished,
}

const FAILED: Outcome = Outcome::Failed { pause: SignedDuration::ZERO };

/// Bounds of the search: handlers at work at once, wakes in the queue.
const HANDLERS_MAX: usize = 2;
const WAKES_MAX: usize = 4;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Lane {
    /// How many arrivals have been fanned out.
    fanned_out: usize,
    fanout: Fanout,
    /// The delivery of each event, by its number less one.
    items: Vec<Option<Item>>,
    wakes: Vec<Wake>,
    handlers: Vec<Handler>,
    crashes: u8,
    duplicates: u8,
    failures: u8,
    posts: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Item {
    pending: bool,
    behind: bool,
    attempts: u8,
    /// Pending: the next attempt is still to come. Finished: not long ago. It may end at any moment.
    timer: bool,
    /// `schedule` wakes it when its timer has ended.
    parked: bool,
    sequence: u64,
    last_sequence: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Fanout {
    Read,
    ReadBefore { newest: u8, seen: Item },
    Put { behind: Option<u8>, sequence: u64, newest: Option<u8> },
    Send { attempt: u8 },
    Sent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Wake {
    event: u8,
    attempt: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Handler {
    /// The message that comes back if the handler dies; none for a copy of a message.
    message: Option<Wake>,
    event: u8,
    attempt: u8,
    step: Step,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Step {
    Look,
    Post { made: u8 },
    Succeeded { made: u8 },
    Failed { made: u8 },
    WriteRetry { made: u8 },
    SendRetry { made: u8 },
    LookWhetherFinished,
    ReadOn,
}

fn now() -> Timestamp {
    "2026-02-03T10:00:00Z".parse().unwrap()
}

fn key(event: u8) -> EventKey {
    EventKey::new(now() + SignedDuration::from_secs(event.into()), &"0".repeat(32))
}

impl Item {
    /// As the product sees it.
    fn delivery(self, event: u8) -> Delivery {
        let soon =
            if self.parked { SignedDuration::from_hours(1) } else { SignedDuration::from_secs(9) };
        Delivery {
            key: key(event),
            tenant: String::new(),
            upstream: String::new(),
            state: if self.pending { State::Pending } else { State::Delivered },
            behind: self.behind,
            attempts_made: self.attempts.into(),
            attempts_before: 0,
            halted: false,
            replayed: false,
            next_at: (self.pending && self.timer).then(|| now() + soon),
            finished_at: (!self.pending && self.timer).then(now),
            sequence: self.sequence,
            last_sequence: self.last_sequence,
            late: false,
        }
    }
}

impl Lane {
    fn new(case: &Case) -> Lane {
        Lane {
            fanned_out: 0,
            fanout: Fanout::Read,
            items: vec![None; case.arrivals.len()],
            wakes: vec![],
            handlers: vec![],
            crashes: case.crashes,
            duplicates: case.duplicates,
            failures: case.failures,
            posts: vec![],
        }
    }

    fn item(&self, event: u8) -> Option<Item> {
        self.items[usize::from(event) - 1]
    }

    fn with_item(mut self, event: u8, item: Item) -> Lane {
        self.items[usize::from(event) - 1] = Some(item);
        self
    }

    fn with_wake(mut self, event: u8, attempt: u8) -> Lane {
        self.wakes.push(Wake { event, attempt });
        self.wakes.sort();
        self
    }

    fn with_handler(mut self, handler: Handler) -> Lane {
        self.handlers.push(handler);
        self.handlers.sort();
        self
    }

    fn without(mut self, handler: usize) -> Lane {
        self.handlers.remove(handler);
        self
    }

    /// The newest delivery up to and including an event.
    fn newest(&self, until: u8) -> Option<(u8, Item)> {
        (1..=until).rev().find_map(|event| self.item(event).map(|item| (event, item)))
    }

    fn after(&self, case: &Case) -> Vec<Lane> {
        let mut next = Vec::new();
        self.fan_out(case, &mut next);
        self.start_handlers(&mut next);
        self.let_time_pass(&mut next);
        for handler in 0..self.handlers.len() {
            self.handle(case, handler, &mut next);
        }
        next
    }

    fn fan_out(&self, case: &Case, next: &mut Vec<Lane>) {
        let Some(&event) = case.arrivals.get(self.fanned_out) else { return };
        let newest_event = self.items.len() as u8;
        let step = |fanout| Lane { fanout, ..self.clone() };
        let done = |lane: Lane| {
            let fanned_out = self.fanned_out + 1;
            Lane { fanout: Fanout::Read, fanned_out, ..lane }
        };
        let decide = |newest: Option<(u8, Item)>, before: Option<(u8, Item)>| {
            let [newest, before] =
                [newest, before].map(|seen| seen.map(|(event, item)| item.delivery(event)));
            let number = |found: Option<EventKey>| {
                (1..=newest_event).find(|event| Some(key(*event)) == found)
            };
            match lane::place(&key(event), newest.as_ref(), before.as_ref()) {
                Placing::Done => done(self.clone()),
                Placing::Wake { attempts_made } => {
                    step(Fanout::Send { attempt: attempts_made as u8 })
                }
                Placing::Put(place) => step(Fanout::Put {
                    behind: number(place.behind),
                    sequence: place.sequence,
                    newest: number(place.newest),
                }),
            }
        };
        next.push(match self.fanout {
            Fanout::Read => match self.newest(newest_event) {
                Some((newest, seen)) if newest > event => step(Fanout::ReadBefore { newest, seen }),
                newest => decide(newest, newest),
            },
            Fanout::ReadBefore { newest, seen } => decide(Some((newest, seen)), self.newest(event)),
            Fanout::Put { behind, sequence, newest } => {
                let still_pending = |event| self.item(event).is_some_and(|item| item.pending);
                let holds = self.item(event).is_none()
                    && (case.bug == Some(Bug::NoTransaction) || behind.is_none_or(still_pending))
                    && newest.is_none_or(|newest| {
                        self.item(newest).is_some_and(|item| item.last_sequence + 1 == sequence)
                    });
                match (holds, behind) {
                    (false, _) => step(Fanout::Read),
                    (true, behind) => {
                        let put = self.clone().put(event, behind.is_some(), sequence, newest);
                        match behind {
                            Some(_) => done(put),
                            None => Lane { fanout: Fanout::Send { attempt: 0 }, ..put },
                        }
                    }
                }
            }
            Fanout::Send { attempt } => {
                Lane { fanout: Fanout::Sent, ..self.clone().with_wake(event, attempt) }
            }
            Fanout::Sent => done(self.clone()),
        });
        if self.crashes > 0 && self.fanout != Fanout::Read {
            next.push(Lane { crashes: self.crashes - 1, ..step(Fanout::Read) });
        }
    }

    fn put(self, event: u8, behind: bool, sequence: u64, newest: Option<u8>) -> Lane {
        let item = Item {
            pending: true,
            behind,
            attempts: 0,
            timer: false,
            parked: false,
            sequence,
            last_sequence: sequence,
        };
        let told = newest.and_then(|newest| Some((newest, self.item(newest)?)));
        let lane = self.with_item(event, item);
        match told {
            Some((newest, seen)) => {
                lane.with_item(newest, Item { last_sequence: sequence, ..seen })
            }
            None => lane,
        }
    }

    fn start_handlers(&self, next: &mut Vec<Lane>) {
        if self.handlers.len() >= HANDLERS_MAX {
            return;
        }
        for (nth, wake) in self.wakes.iter().enumerate() {
            if nth > 0 && self.wakes[nth - 1] == *wake {
                continue;
            }
            let handler = Handler {
                message: Some(*wake),
                event: wake.event,
                attempt: wake.attempt,
                step: Step::Look,
            };
            let mut received = self.clone();
            received.wakes.remove(nth);
            next.push(received.with_handler(handler));
            if self.duplicates > 0 {
                let copied = Lane { duplicates: self.duplicates - 1, ..self.clone() };
                next.push(copied.with_handler(Handler { message: None, ..handler }));
            }
        }
    }

    fn let_time_pass(&self, next: &mut Vec<Lane>) {
        for event in 1..=self.items.len() as u8 {
            let Some(item) = self.item(event).filter(|item| item.timer) else { continue };
            let due = self.clone().with_item(event, Item { timer: false, parked: false, ..item });
            next.push(match item.parked {
                true => due.with_wake(event, item.attempts),
                false => due,
            });
        }
    }

    fn handle(&self, case: &Case, nth: usize, next: &mut Vec<Lane>) {
        let handler = self.handlers[nth];
        let rest = || self.clone().without(nth);
        let go = |lane: Lane, step| lane.with_handler(Handler { step, ..handler });
        let event = handler.event;
        let item = self.item(event);
        if self.crashes > 0 {
            let mut died = Lane { crashes: self.crashes - 1, ..rest() };
            if let Some(message) = handler.message {
                died = died.with_wake(message.event, message.attempt);
            }
            next.push(died);
        }
        // A wake is sent only for what stands in the table.
        let Some(item) = item else { return next.push(rest()) };
        let tried_by_nobody_else = |made| item.pending && item.attempts == made;
        match handler.step {
            Step::Look => next.push(self.look(rest(), handler, event, handler.attempt)),
            Step::Post { made } => {
                let mut posted = rest();
                posted.posts.push(event);
                if self.failures > 0 {
                    let failed = Lane { failures: self.failures - 1, ..posted.clone() };
                    next.push(go(failed, Step::Failed { made }));
                }
                next.push(go(posted, Step::Succeeded { made }));
            }
            Step::Succeeded { made } => {
                let written = match item.pending {
                    true if item.attempts == made => rest().with_item(event, finished(item)),
                    // Another has written meanwhile: if it parked the delivery, that stays.
                    true => {
                        let parked = item.parked;
                        rest().with_item(event, Item { parked, ..finished(item) })
                    }
                    false => rest(),
                };
                next.push(go(written, Step::ReadOn));
            }
            Step::Failed { made } => next.push(self.failed(case, rest(), handler, made)),
            Step::WriteRetry { made } => {
                let written = match tried_by_nobody_else(made) {
                    true => rest().with_item(event, put_off(item, false)),
                    false => rest(),
                };
                next.push(match case.bug {
                    Some(Bug::WriteBeforeWake) => go(written, Step::SendRetry { made }),
                    _ => written,
                });
            }
            Step::SendRetry { made } => {
                let sent = rest().with_wake(event, made + 1);
                next.push(match case.bug {
                    Some(Bug::WriteBeforeWake) => sent,
                    _ => go(sent, Step::WriteRetry { made }),
                });
            }
            Step::LookWhetherFinished => next.push(match item.pending {
                true => rest(),
                false => go(rest(), Step::ReadOn),
            }),
            Step::ReadOn => next.push(self.read_on(case, rest(), handler)),
        }
    }

    /// What the product does with a delivery as it was just read.
    fn look(&self, rest: Lane, handler: Handler, event: u8, attempt: u8) -> Lane {
        let Some(item) = self.item(event) else { return rest };
        let at = Handler { event, attempt, ..handler };
        match lane::turn(&item.delivery(event), attempt.into(), false, now()) {
            Turn::Stale => rest,
            Turn::Later(_) => rest.with_wake(event, attempt),
            Turn::Post => {
                rest.with_handler(Handler { step: Step::Post { made: item.attempts }, ..at })
            }
            Turn::WalkOn => rest.with_handler(Handler { step: Step::ReadOn, ..at }),
        }
    }

    fn failed(&self, case: &Case, rest: Lane, handler: Handler, made: u8) -> Lane {
        let go = |lane: Lane, step| lane.with_handler(Handler { step, ..handler });
        let Some(item) = self.item(handler.event) else { return rest };
        let tried_by_nobody_else = item.pending && item.attempts == made;
        match lane::after_attempt(
            FAILED,
            u32::from(made) + 1,
            &case.waits,
            Policy::Skip,
            now(),
            0.5,
        ) {
            Next::Retry { .. } => match case.bug {
                Some(Bug::WriteBeforeWake) => go(rest, Step::WriteRetry { made }),
                _ => go(rest, Step::SendRetry { made }),
            },
            Next::Park { .. } if tried_by_nobody_else => {
                rest.with_item(handler.event, put_off(item, true))
            }
            Next::Dead if tried_by_nobody_else => {
                go(rest.with_item(handler.event, finished(item)), Step::ReadOn)
            }
            Next::Park { .. } | Next::Dead => go(rest, Step::LookWhetherFinished),
            Next::Delivered => unreachable!("it failed"),
            Next::Halt | Next::Hold => unreachable!("the policy is to skip, and nobody is gone"),
        }
    }

    fn read_on(&self, case: &Case, rest: Lane, handler: Handler) -> Lane {
        let mut later = handler.event + 1..=self.items.len() as u8;
        let found = later.find(|event| {
            self.item(*event)
                .is_some_and(|item| item.pending || case.bug == Some(Bug::StopAtFinished))
        });
        let found = found.filter(|event| self.item(*event).is_some_and(|item| item.pending));
        let next = found.and_then(|event| Some(self.item(event)?.delivery(event)));
        match (lane::walk(next.as_ref()), found, next) {
            (Walk::Take, Some(event), Some(next)) => {
                self.look(rest, handler, event, next.attempts_made as u8)
            }
            _ => rest,
        }
    }

    fn is_at_rest(&self, case: &Case) -> bool {
        self.fanned_out == case.arrivals.len()
            && self.wakes.is_empty()
            && self.handlers.is_empty()
            && !self.items.iter().flatten().any(|item| item.parked)
    }

    fn is_stuck(&self, case: &Case) -> bool {
        self.is_at_rest(case) && self.items.iter().flatten().any(|item| item.pending)
    }

    /// The events that were not late were first POSTed in the order in which they happened.
    fn is_in_order(&self, case: &Case) -> bool {
        let late = |event: &u8| {
            case.arrivals.iter().take_while(|other| *other != event).any(|other| other > event)
        };
        let mut first = Vec::new();
        for event in self.posts.iter().filter(|event| !late(event)) {
            if !first.contains(event) {
                first.push(*event);
            }
        }
        first.is_sorted()
    }

    fn is_numbered(&self) -> bool {
        let mut sequences: Vec<_> = self.items.iter().flatten().map(|item| item.sequence).collect();
        sequences.sort();
        sequences.iter().copied().eq(1..=sequences.len() as u64)
    }

    fn repeats(&self) -> usize {
        self.posts.len() - self.posts.iter().collect::<HashSet<_>>().len()
    }
}

fn finished(item: Item) -> Item {
    Item { pending: false, attempts: item.attempts + 1, timer: true, parked: false, ..item }
}

fn put_off(item: Item, parked: bool) -> Item {
    Item { attempts: item.attempts + 1, timer: true, parked, behind: false, ..item }
}

/// What a search found.
#[derive(Debug, Default, PartialEq)]
struct Found {
    states: usize,
    stuck: usize,
    out_of_order: usize,
    misnumbered: usize,
    repeats_max: usize,
}

fn search(case: &Case) -> Found {
    let start = Lane::new(case);
    let mut seen = HashSet::from([start.clone()]);
    let mut open = VecDeque::from([start]);
    let mut found = Found::default();
    while let Some(lane) = open.pop_front() {
        found.stuck += usize::from(lane.is_stuck(case));
        found.out_of_order += usize::from(!lane.is_in_order(case));
        found.misnumbered += usize::from(!lane.is_numbered());
        found.repeats_max = found.repeats_max.max(lane.repeats());
        for next in lane.after(case) {
            if next.wakes.len() <= WAKES_MAX && !seen.contains(&next) {
                seen.insert(next.clone());
                open.push_back(next);
            }
        }
    }
    found.states = seen.len();
    found
}

fn case(arrivals: &[u8], crashes: u8, duplicates: u8, failures: u8) -> Case {
    let waits = vec![SignedDuration::from_secs(5); 9];
    Case { arrivals: arrivals.into(), crashes, duplicates, failures, waits, bug: None }
}

#[track_caller]
fn check(case: &Case) -> Found {
    let found = search(case);
    assert_eq!((found.stuck, found.out_of_order, found.misnumbered), (0, 0, 0), "{found:?}");
    assert!(found.states > 10);
    found
}

#[test]
fn without_crashes_and_copies_no_post_of_two_is_repeated() {
    assert_eq!(check(&case(&[1, 2], 0, 0, 0)).repeats_max, 0);
    // An attempt that failed is made again, once for each failure.
    assert_eq!(check(&case(&[1, 2], 0, 0, 2)).repeats_max, 2);
}

#[test]
fn a_handler_that_stalls_before_it_reads_on_can_repeat_one_post() {
    // It finished the first; the second came with a wake of its own and was finished meanwhile; the
    // third stands behind the second, and now both handlers come to it.
    assert_eq!(check(&case(&[1, 2, 3], 0, 0, 0)).repeats_max, 1);
}

#[test]
fn with_crashes_copies_and_failures_nothing_is_stuck_or_out_of_order() {
    check(&case(&[1, 2], 2, 1, 1));
    check(&case(&[1, 2, 3], 1, 0, 1));
}

#[test]
fn late_events_are_delivered_and_numbered() {
    check(&case(&[2, 1], 1, 0, 0));
    check(&case(&[1, 3, 2], 1, 0, 0));
    check(&case(&[3, 1, 2], 1, 0, 0));
}

#[test]
fn what_is_parked_or_given_up_holds_up_nothing_for_good() {
    let parked = vec![SignedDuration::from_hours(1); 9];
    check(&Case { waits: parked.clone(), ..case(&[1, 2], 2, 1, 1) });
    check(&Case { waits: parked, ..case(&[1, 2], 1, 1, 2) });
    check(&Case { waits: vec![], ..case(&[1, 2], 2, 1, 1) });
}

#[test]
fn planted_mistakes_are_found() {
    let found = |bug, case: Case| search(&Case { bug: Some(bug), ..case });
    assert!(found(Bug::WriteBeforeWake, case(&[1], 1, 0, 1)).stuck > 0);
    assert!(found(Bug::NoTransaction, case(&[1, 2], 0, 0, 0)).stuck > 0);
    assert!(found(Bug::StopAtFinished, case(&[1, 2, 3], 1, 1, 0)).stuck > 0);
}

/// Steps of a random walk until it must have come to rest: some ten for each event, attempt and wake.
const STEPS_MAX: usize = 20_000;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Lanes too long to be searched. Timers end at any moment, as if the clock jumped.
    #[test]
    fn long_lanes_come_to_rest_with_nothing_pending(
        arrivals in Just((1..=9).collect::<Vec<u8>>()).prop_shuffle(),
        in_order: bool,
        (crashes, duplicates, failures) in (0..6_u8, 0..6_u8, 0..9_u8),
        wait in prop::sample::select(vec![5, 3600]),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 100..500),
    ) {
        let mut arrivals = arrivals;
        if in_order {
            arrivals.sort();
        }
        let waits = vec![SignedDuration::from_secs(wait); 20];
        let case = Case { waits, ..case(&arrivals, crashes, duplicates, failures) };
        let mut lane = Lane::new(&case);
        for pick in picks.iter().cycle().take(STEPS_MAX) {
            let mut next = lane.after(&case);
            if next.is_empty() {
                break;
            }
            // Otherwise most of what happens is one more copy of a wake.
            if next.iter().any(|next| next.wakes.len() <= WAKES_MAX) {
                next.retain(|next| next.wakes.len() <= WAKES_MAX);
            }
            lane = next.swap_remove(pick.index(next.len()));
            prop_assert!(lane.is_numbered());
            prop_assert!(!in_order || lane.is_in_order(&case), "{:?}", lane.posts);
        }
        prop_assert!(lane.is_at_rest(&case), "it never rests: {lane:?}");
        prop_assert!(!lane.is_stuck(&case), "{lane:?}");
    }
}
