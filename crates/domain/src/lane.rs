//! The decisions that keep a lane in order. A lane is the deliveries of one subscription for one
//! order, sorted by event key; only its oldest pending delivery is worked on. What is revived is
//! pending again beside them, in an order of its own: nothing live waits for it.
//!
//! Invariant: a pending delivery has a wake in flight, a due time, or a pending predecessor; or it was
//! laid aside, and is let go when its endpoint takes deliveries again; or it waits for somebody to act.
//! Each function below is one look at what was just read; the write that follows is conditional on it.

use jiff::{SignedDuration, Timestamp};

use crate::delivery::{Delivery, State};
use crate::event::EventKey;
use crate::retry;
use crate::subscription::Policy;

/// After a delivery is finished, its handler goes on with the next one for at most this long. A
/// second handler that meets the finished delivery earlier than that looks again later instead of
/// overtaking. Longer than a handler may run.
pub const FINISHED_GRACE: SignedDuration = SignedDuration::from_secs(90);

/// SQS delays a message by 900 s at most; longer waits are parked in the table. (AWS: SQS quotas.)
pub const QUEUE_DELAY_MAX: SignedDuration = SignedDuration::from_secs(900);

/// What fan-out does for one event in one lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placing {
    /// It stands there and somebody comes to it.
    Done,
    /// It stands there, but the handler that put it may have died before it sent the wake.
    Wake(Seen),
    Put(Place),
}

/// Where a new delivery is put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The pending delivery before it, which must still be pending when this one is put. Without
    /// one the delivery is put with a wake of its own.
    pub behind: Option<EventKey>,
    pub sequence: u64,
    /// For a late event: the newest delivery of the lane, which must learn `sequence`.
    pub newest: Option<EventKey>,
}

/// Decides where `key` goes. `newest` is the lane's newest delivery; `before` the newest that is not
/// newer than `key` (the same one, unless the event is late).
pub fn place(key: &EventKey, newest: Option<&Delivery>, before: Option<&Delivery>) -> Placing {
    if let Some(own) = before.filter(|delivery| delivery.key == *key) {
        // What is revived was finished, so its wake was sent.
        let has_wake_of_its_own = is_live(own) && !own.behind;
        return match has_wake_of_its_own {
            true => Placing::Wake(Seen::of(own)),
            false => Placing::Done,
        };
    }
    Placing::Put(Place {
        behind: before.filter(|delivery| is_live(delivery)).map(|delivery| delivery.key.clone()),
        sequence: newest.map_or(0, |delivery| delivery.last_sequence) + 1,
        newest: newest.filter(|delivery| delivery.key > *key).map(|delivery| delivery.key.clone()),
    })
}

fn is_live(delivery: &Delivery) -> bool {
    delivery.state == State::Pending && !delivery.is_revived()
}

/// What a handler does with the delivery that a wake names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// A wake for an attempt that was made already, or long before the next one, or for a delivery that
    /// has been laid aside: another wake is on its way, or will be.
    Stale,
    /// Send the same wake again after this long.
    Later(SignedDuration),
    /// The wake is ahead of its attempt: put the delivery to another place, from which `schedule` wakes it.
    LeaveToSchedule,
    Post,
    /// It is finished: go on with what comes after it.
    WalkOn,
}

/// A delivery as it stood when its wake was sent.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Attempts that had been made.
    pub attempts_made: u32,
    /// How often it had been revived.
    pub revivals: u32,
    /// Where it stood among those that `schedule` wakes. Epoch milliseconds; `None`: nowhere.
    pub due_at_ms: Option<i64>,
}

impl Seen {
    pub fn of(delivery: &Delivery) -> Seen {
        Seen {
            attempts_made: delivery.attempts_made,
            revivals: delivery.revivals,
            due_at_ms: delivery.due_at.map(Timestamp::as_millisecond),
        }
    }
}

/// Decides what a wake means that was sent for a delivery as it was `seen`. `came_back`: the queue
/// has given it before, to a handler that died or gave it back.
pub fn turn(delivery: &Delivery, seen: Seen, came_back: bool, now: Timestamp) -> Turn {
    let is = Seen::of(delivery);
    // The delivery was finished when it was revived, maybe by a handler that died right then.
    if seen.revivals < is.revivals {
        return Turn::WalkOn;
    }
    if delivery.state != State::Pending {
        // Who had this wake before is no longer there, and in all likelihood it was who finished it.
        let is_busy = !came_back
            && delivery.finished_at.is_some_and(|at| at.duration_until(now) < FINISHED_GRACE);
        return if is_busy { Turn::Later(FINISHED_GRACE) } else { Turn::WalkOn };
    }
    // Who revives a halted delivery sends a wake of its own.
    if is.attempts_made > seen.attempts_made || delivery.halted {
        return Turn::Stale;
    }
    // It was laid aside or let go meanwhile, maybe by a handler of the same wake: that is spent then, and
    // would not come back to anybody who dies on the way. Where the wake is ahead of its attempt, it may
    // also be that the delivery still stands where its sender is about to take it away, so that nobody
    // else would come; or that the sender has died, and the attempt is never written. Once it stands
    // elsewhere neither matters: who means to take it away has `schedule` come by instead.
    if is.due_at_ms != seen.due_at_ms {
        return match is.attempts_made == seen.attempts_made {
            true => Turn::Stale,
            false => Turn::LeaveToSchedule,
        };
    }
    match delivery.next_at.map(|at| now.duration_until(at)) {
        // Only what is parked waits for that long, and `schedule` wakes it.
        Some(rest) if rest > QUEUE_DELAY_MAX => Turn::Stale,
        Some(rest) if rest.is_positive() => Turn::Later(rest),
        _ => Turn::Post,
    }
}

/// What follows an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    Delivered,
    /// First send the next wake with this delay, then write the attempt.
    Retry {
        delay: SignedDuration,
        at: Timestamp,
    },
    /// One write parks it.
    Park {
        at: Timestamp,
    },
    Dead,
    /// It stays pending, and its order waits until somebody acts.
    Halt,
    /// It is laid aside: the endpoint said that it has gone.
    Hold,
}

/// What an endpoint's answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Succeeded,
    /// It asked for a pause of at least this long, which may be none.
    Failed {
        pause: SignedDuration,
    },
    /// It said that it is gone for good.
    Gone,
}

/// Decides what follows attempt number `attempts_made` (from 1) of its schedule. `draw` is uniform
/// in `0.0..1.0`.
pub fn after_attempt(
    outcome: Outcome,
    attempts_made: u32,
    waits: &[SignedDuration],
    policy: Policy,
    now: Timestamp,
    draw: f64,
) -> Next {
    let pause = match outcome {
        Outcome::Succeeded => return Next::Delivered,
        Outcome::Gone => return Next::Hold,
        Outcome::Failed { pause } => pause,
    };
    let exhausted = match policy {
        Policy::Skip => Next::Dead,
        Policy::Halt => Next::Halt,
    };
    let Some(wait) = retry::wait(waits, attempts_made, draw) else {
        return exhausted;
    };
    let wait = wait.max(pause);
    let Ok(at) = now.checked_add(wait) else {
        return exhausted;
    };
    if wait > QUEUE_DELAY_MAX { Next::Park { at } } else { Next::Retry { delay: wait, at } }
}

/// Whether a delivery is pointless where only the newest state counts: a newer one was told, or is
/// about to be. `newest` is the lane's newest that tells a state. What tells none, came late, or was
/// asked for again, is told all the same.
pub fn is_outdated(delivery: &Delivery, newest: &Delivery) -> bool {
    let is_told = matches!(newest.state, State::Pending | State::Delivered);
    let was_asked_for = delivery.is_revived() || delivery.attempts_before > 0;
    let tell_states = !delivery.stateless && !newest.stateless;
    newest.key > delivery.key && tell_states && is_told && !delivery.late && !was_asked_for
}

/// Whether a handler looks for what stands behind a delivery that it has just finished. `followed`:
/// another was put behind it while it was pending and live, which is marked by the very write that puts
/// the other. What came late may stand before some that were put behind an older one. Of what is revived
/// the mark may be of its life before.
pub fn reads_on(delivery: &Delivery, followed: bool) -> bool {
    followed || delivery.late || delivery.is_revived()
}

/// What a handler does with the first pending delivery after one that is finished, among the live
/// if that was live, among the revived if it was revived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Walk {
    /// Nothing pending, or what is pending has a wake of its own.
    Done,
    /// It stood behind the finished one: go on with it.
    Take,
}

/// Decides whether a handler that finished a delivery goes on with `next`.
pub fn walk(next: Option<&Delivery>) -> Walk {
    match next {
        Some(delivery) if delivery.behind => Walk::Take,
        _ => Walk::Done,
    }
}
