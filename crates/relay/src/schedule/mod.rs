//! Every minute: wakes the parked deliveries that are due in the coming minute, works off jobs, and asks
//! Bandwidth for what it did not send.

mod audit;
mod breakers;
mod jobs;
mod silence;

pub(crate) use jobs::Spread;

use futures::TryStreamExt as _;
use jiff::{SignedDuration, Timestamp};

use crate::Clock;
use crate::queue::{QueueError, Wakes};
use crate::reconcile::{self, Reconcile};
use crate::store::key::DUE_SHARDS;
use crate::store::{Store, StoreError};

/// Wakes are sent this long ahead, with the exact rest as their delay in the queue.
const AHEAD: SignedDuration = SignedDuration::from_mins(1);

/// An index is told of a write after the write, mostly within a second. What it learned only after
/// its minute had been looked at is found by a second look, this long after the minute.
const SECOND_LOOK: SignedDuration = SignedDuration::from_mins(30);

/// After an outage one run works off at most this many minutes; the next goes on from there.
const MINUTES_MAX: usize = 240;

/// Wakes that are being sent at once: at 10 ms each, a run has time for some 90,000.
const SENDS_AT_ONCE: usize = 16;

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// What schedule needs.
#[derive(Clone)]
pub struct Schedule {
    pub store: Store,
    pub wakes: Wakes,
    pub reconcile: Reconcile,
    pub clock: Clock,
}

/// A run broke off. The next one goes on where it stopped.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// One run; answers how many deliveries were woken.
pub async fn run(schedule: &Schedule) -> Result<usize, ScheduleError> {
    let now = schedule.clock.now();
    let until = minute_of(now + AHEAD);
    // Nothing can have been parked before the first run: it parks nothing shorter than minutes.
    let through = schedule.store.woken_through().await?.unwrap_or(minute_of(now) - MINUTE);
    let mut woken = 0;
    let minutes = std::iter::successors(Some(through + MINUTE), |minute| Some(*minute + MINUTE));
    for minute in minutes.take_while(|minute| *minute <= until).take(MINUTES_MAX) {
        woken += wake_minute(schedule, minute, now).await?;
        woken += wake_minute(schedule, minute - SECOND_LOOK, now).await?;
        audit::ask_at(schedule, minute).await?;
        schedule.store.set_woken_through(minute).await?;
    }
    tracing::info!(woken, "woke what is due");
    // Neither is held up by the other.
    let breakers = breakers::run(schedule).await;
    let jobs = jobs::run(schedule).await;
    let reconciled = reconcile::run(&schedule.reconcile, now + reconcile::RUN_MAX).await;
    jobs?;
    breakers?;
    reconciled?;
    Ok(woken)
}

async fn wake_minute(
    schedule: &Schedule,
    minute: Timestamp,
    now: Timestamp,
) -> Result<usize, ScheduleError> {
    let mut woken = 0;
    for shard in 0..DUE_SHARDS {
        let mut page = None;
        loop {
            let (parked, more) = schedule.store.parked(minute, shard, page).await?;
            woken += parked.len();
            futures::stream::iter(parked.into_iter().map(Ok::<_, ScheduleError>))
                .try_for_each_concurrent(SENDS_AT_ONCE, async |delivery| {
                    let rest = now.duration_until(delivery.due_at);
                    Ok(schedule.wakes.send(&delivery.wake(), rest).await?)
                })
                .await?;
            match more {
                None => break,
                more => page = more,
            }
        }
    }
    Ok(woken)
}

fn minute_of(at: Timestamp) -> Timestamp {
    let second = at.as_second();
    Timestamp::from_second(second - second.rem_euclid(60)).unwrap_or(at)
}
