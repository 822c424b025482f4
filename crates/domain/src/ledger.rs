//! The ledger: accepted = delivered + pending + parked + dead + superseded + unmatched. Each event
//! counts once for each subscription that it goes to, and once where it goes to none.
//!
//! What the queues hold cannot be known from the table. So a delivery counts as pending as long as
//! its wake may still be under way, and breaks the ledger from then on.

use std::fmt;
use std::ops::AddAssign;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::delivery::{Delivery, State};
use crate::lane::QUEUE_DELAY_MAX;

/// A wake whose handler died is hidden for this long before it comes back.
const WAKE_HIDDEN: SignedDuration = SignedDuration::from_secs(360);

/// Whatever should have been worked on is overdue after twice the longest time that a wake takes.
pub const OVERDUE: SignedDuration =
    SignedDuration::from_secs(2 * (QUEUE_DELAY_MAX.as_secs() + WAKE_HIDDEN.as_secs()));

/// A stored event is fanned out within seconds. What is not after this long is not going to be, or
/// the stream lags so much that somebody must look.
pub const FANNED_OUT_WITHIN: SignedDuration = SignedDuration::from_hours(1);

/// Where one event stands on its way to one subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    Delivered,
    /// It has a wake of its own, or stands behind another.
    Pending,
    /// It waits for its time, for its endpoint to take deliveries again, or for somebody to act.
    Parked,
    Dead,
    Superseded,
    /// It goes to no subscription.
    Unmatched,
}

/// How an event breaks the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It is stored, and no feed has it.
    NotFannedOut,
    /// Its feed entry names a lane in which it has no delivery.
    NoDelivery,
    /// Its delivery should have been tried at this time.
    NotTried { due: Timestamp },
    /// Its delivery stands behind one that was finished at this time.
    LeftBehind { since: Timestamp },
    /// Its delivery was laid aside at this time, and nobody is going to let go of it.
    LaidAside { since: Timestamp },
}

/// A delivery, and what decides whether anybody comes to it.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    pub delivery: &'a Delivery,
    /// When its event came in.
    pub received_at: Timestamp,
    /// When it was tried last.
    pub tried_at: Option<Timestamp>,
    /// It was laid aside.
    pub held: bool,
    /// Its endpoint is not to be tried at present, or `schedule` is letting go of what was laid aside.
    pub held_rightly: bool,
    /// Attempts to its endpoint are spoken for until then.
    pub slot_at: Option<Timestamp>,
    /// Those before it in its lane; only looked at where it stands behind another.
    pub before: &'a [Delivery],
}

/// Decides where a delivery stands.
pub fn judge(standing: &Standing, now: Timestamp) -> Result<Account, Fault> {
    match standing.delivery.state {
        State::Delivered => Ok(Account::Delivered),
        State::Dead => Ok(Account::Dead),
        State::Superseded => Ok(Account::Superseded),
        State::Pending if standing.delivery.halted => Ok(Account::Parked),
        State::Pending if standing.held => held(standing, now),
        State::Pending if standing.delivery.behind => behind(standing, now),
        State::Pending => on_its_own(standing, now),
    }
}

fn held(standing: &Standing, now: Timestamp) -> Result<Account, Fault> {
    let since = standing.delivery.due_at.unwrap_or(standing.received_at);
    match !standing.held_rightly && is_overdue(since, now) {
        true => Err(Fault::LaidAside { since }),
        false => Ok(Account::Parked),
    }
}

/// Whoever finishes the last pending one before it comes to it.
fn behind(standing: &Standing, now: Timestamp) -> Result<Account, Fault> {
    if standing.before.iter().any(|before| before.state == State::Pending) {
        return Ok(Account::Pending);
    }
    let finished = standing.before.iter().filter_map(|before| before.finished_at).max();
    let since = finished.map_or(standing.received_at, |at| at.max(standing.received_at));
    match is_overdue(since, now) {
        true => Err(Fault::LeftBehind { since }),
        false => Ok(Account::Pending),
    }
}

fn on_its_own(standing: &Standing, now: Timestamp) -> Result<Account, Fault> {
    let (account, due) = match (standing.delivery.due_at, standing.delivery.next_at) {
        (Some(due), _) => (Account::Parked, due),
        (None, Some(due)) => (Account::Pending, due),
        (None, None) => (Account::Pending, standing.tried_at.unwrap_or(standing.received_at)),
    };
    match is_overdue(standing.slot_at.map_or(due, |slot| slot.max(due)), now) {
        true => Err(Fault::NotTried { due }),
        false => Ok(account),
    }
}

fn is_overdue(due: Timestamp, now: Timestamp) -> bool {
    due.duration_until(now) > OVERDUE
}

/// Decides about an event that is stored and has no delivery, or no feed entry (`fault`).
pub fn missing(received_at: Timestamp, fault: Fault, now: Timestamp) -> Result<Account, Fault> {
    match received_at.duration_until(now) > FANNED_OUT_WITHIN {
        true => Err(fault),
        false => Ok(Account::Pending),
    }
}

/// The sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ledger {
    pub accepted: u64,
    pub delivered: u64,
    pub pending: u64,
    pub parked: u64,
    pub dead: u64,
    pub superseded: u64,
    pub unmatched: u64,
}

impl Ledger {
    /// Counts one event for one subscription, or for none.
    pub fn count(&mut self, account: Result<Account, Fault>) {
        self.accepted += 1;
        match account {
            Ok(Account::Delivered) => self.delivered += 1,
            Ok(Account::Pending) => self.pending += 1,
            Ok(Account::Parked) => self.parked += 1,
            Ok(Account::Dead) => self.dead += 1,
            Ok(Account::Superseded) => self.superseded += 1,
            Ok(Account::Unmatched) => self.unmatched += 1,
            Err(_) => {}
        }
    }

    /// What was accepted and is not accounted for.
    pub fn difference(&self) -> u64 {
        let Ledger { accepted, delivered, pending, parked, dead, superseded, unmatched } = self;
        accepted - (delivered + pending + parked + dead + superseded + unmatched)
    }
}

impl AddAssign for Ledger {
    fn add_assign(&mut self, other: Ledger) {
        self.accepted += other.accepted;
        self.delivered += other.delivered;
        self.pending += other.pending;
        self.parked += other.parked;
        self.dead += other.dead;
        self.superseded += other.superseded;
        self.unmatched += other.unmatched;
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Fault::NotFannedOut => f.write_str("is stored, and stands in no feed"),
            Fault::NoDelivery => f.write_str("is to go there, and has no delivery"),
            Fault::NotTried { due } => write!(f, "was due at {due:.0}, and nobody has tried"),
            Fault::LeftBehind { since } => {
                write!(f, "could go on since {since:.0}, and nobody has come to it")
            }
            Fault::LaidAside { since } => {
                write!(f, "was laid aside at {since:.0}, and nobody is going to let go of it")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Account, FANNED_OUT_WITHIN, Fault, Ledger, OVERDUE, Standing, judge, missing};
    use crate::delivery::{Delivery, State};
    use crate::event::EventKey;
    use jiff::{SignedDuration, Timestamp};

    fn start() -> Timestamp {
        "2026-02-03T10:00:00Z".parse().unwrap()
    }

    fn too_late(at: Timestamp) -> Timestamp {
        at + OVERDUE + SignedDuration::from_secs(1)
    }

    fn delivery() -> Delivery {
        Delivery {
            key: EventKey::new(start(), "000000000000000000000000000000e7"),
            tenant: "1001".into(),
            upstream: "99".into(),
            state: State::Pending,
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

    fn alone(delivery: &Delivery) -> Standing<'_> {
        Standing {
            delivery,
            received_at: start(),
            tried_at: None,
            held: false,
            held_rightly: false,
            slot_at: None,
            before: &[],
        }
    }

    #[test]
    fn what_is_finished_stands_where_its_state_says() {
        for (state, account) in [
            (State::Delivered, Account::Delivered),
            (State::Dead, Account::Dead),
            (State::Superseded, Account::Superseded),
        ] {
            let delivery = Delivery { state, ..delivery() };
            assert_eq!(judge(&alone(&delivery), too_late(start())), Ok(account));
        }
    }

    #[test]
    fn what_has_a_wake_is_pending_until_the_wake_should_have_come() {
        let fresh = delivery();
        assert_eq!(judge(&alone(&fresh), start() + OVERDUE), Ok(Account::Pending));
        let fault = Err(Fault::NotTried { due: start() });
        assert_eq!(judge(&alone(&fresh), too_late(start())), fault);

        let next_at = start() + SignedDuration::from_hours(2);
        let retried = Delivery { attempts_made: 3, next_at: Some(next_at), ..delivery() };
        let standing = Standing { tried_at: Some(start()), ..alone(&retried) };
        assert_eq!(judge(&standing, next_at + OVERDUE), Ok(Account::Pending));
        assert_eq!(judge(&standing, too_late(next_at)), Err(Fault::NotTried { due: next_at }));

        let tried_at = start() + SignedDuration::from_hours(1);
        let standing = Standing { tried_at: Some(tried_at), ..alone(&fresh) };
        assert_eq!(judge(&standing, too_late(start())), Ok(Account::Pending));
    }

    #[test]
    fn what_is_parked_may_rest_until_its_time_has_long_passed() {
        let due = start() + SignedDuration::from_hours(24);
        let parked = Delivery { due_at: Some(due), ..delivery() };
        let standing = alone(&parked);
        assert_eq!(judge(&standing, due + OVERDUE), Ok(Account::Parked));
        assert_eq!(judge(&standing, too_late(due)), Err(Fault::NotTried { due }));
    }

    #[test]
    fn what_is_held_or_halted_may_rest_for_ever() {
        let late = start() + SignedDuration::from_hours(1_000);
        let halted = Delivery { halted: true, ..delivery() };
        assert_eq!(judge(&alone(&halted), late), Ok(Account::Parked));
        let held = delivery();
        let held = Standing { held: true, held_rightly: true, ..alone(&held) };
        assert_eq!(judge(&held, late), Ok(Account::Parked));
        let forgotten = Standing { held_rightly: false, ..held };
        assert_eq!(judge(&forgotten, start() + OVERDUE), Ok(Account::Parked));
        assert_eq!(judge(&forgotten, late), Err(Fault::LaidAside { since: start() }));
    }

    #[test]
    fn what_waits_for_its_slot_is_not_late() {
        let delivery = delivery();
        let slot_at = start() + SignedDuration::from_hours(5);
        let waiting = Standing { slot_at: Some(slot_at), ..alone(&delivery) };
        assert_eq!(judge(&waiting, slot_at + OVERDUE), Ok(Account::Pending));
        let fault = Fault::NotTried { due: start() };
        assert_eq!(judge(&waiting, too_late(slot_at)), Err(fault));
    }

    #[test]
    fn what_stands_behind_waits_for_all_that_is_pending_before_it() {
        let behind = Delivery { behind: true, ..delivery() };
        let finished_at = start() + SignedDuration::from_hours(5);
        let finished =
            Delivery { state: State::Dead, finished_at: Some(finished_at), ..delivery() };
        let late = too_late(finished_at);

        let before = [delivery(), finished.clone()];
        let standing = Standing { before: &before, ..alone(&behind) };
        assert_eq!(judge(&standing, late), Ok(Account::Pending));

        let before = [finished];
        let standing = Standing { before: &before, ..alone(&behind) };
        assert_eq!(judge(&standing, finished_at + OVERDUE), Ok(Account::Pending));
        assert_eq!(judge(&standing, late), Err(Fault::LeftBehind { since: finished_at }));

        let fault = Err(Fault::LeftBehind { since: start() });
        assert_eq!(judge(&alone(&behind), late), fault, "behind nothing at all");
    }

    #[test]
    fn what_just_came_in_is_still_being_fanned_out() {
        let judged = |now| missing(start(), Fault::NoDelivery, now);
        assert_eq!(judged(start() + FANNED_OUT_WITHIN), Ok(Account::Pending));
        let late = start() + FANNED_OUT_WITHIN + SignedDuration::from_secs(1);
        assert_eq!(judged(late), Err(Fault::NoDelivery));
    }

    #[test]
    fn a_fault_is_the_difference() {
        let mut ledger = Ledger::default();
        for account in [
            Account::Delivered,
            Account::Pending,
            Account::Parked,
            Account::Dead,
            Account::Superseded,
            Account::Unmatched,
        ] {
            ledger.count(Ok(account));
        }
        assert_eq!((ledger.accepted, ledger.difference()), (6, 0));
        ledger.count(Err(Fault::NotFannedOut));
        let mut twice = ledger;
        twice += ledger;
        assert_eq!((twice.accepted, twice.difference()), (14, 2));
    }
}
