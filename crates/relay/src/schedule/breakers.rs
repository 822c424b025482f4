//! Endpoints whose breakers are open: sends their probes, and lets go of what waits for those that
//! take deliveries again.

use domain::health::PROBE_EVERY;
use futures::StreamExt as _;
use jiff::{SignedDuration, Timestamp};

use super::{Schedule, ScheduleError};
use crate::queue::Wake;
use crate::store::{Breaker, NOTICE, Page};

/// Breakers that are read at once.
const PAGE: u16 = 100;

/// Breakers that are seen to at once: at four calls of 10 ms each, a run has time for some 20,000.
const AT_ONCE: usize = 16;

/// Probes of one endpoint in a run, which comes every minute.
const PROBES: i32 = 2;

/// Deliveries of an endpoint that are let go at once when it has recovered, a tenth of a second apart.
/// The rest follows as a job.
const FIRST: i32 = 100;
const FIRST_APART: SignedDuration = SignedDuration::from_millis(100);

pub(super) async fn run(schedule: &Schedule) -> Result<(), ScheduleError> {
    let now = schedule.clock.now();
    let mut after = None;
    loop {
        let page = Page { limit: PAGE, after, ..Page::default() };
        let (breakers, next) = schedule.store.breakers(page).await?;
        futures::stream::iter(breakers)
            .for_each_concurrent(AT_ONCE, async |breaker| {
                let Err(error) = one(schedule, &breaker, now).await else { return };
                // The others are not held up by it.
                tracing::error!(subscription = breaker.subscription, ?error, "a breaker was left");
            })
            .await;
        if next.is_none() {
            return Ok(());
        }
        after = next;
    }
}

async fn one(schedule: &Schedule, breaker: &Breaker, now: Timestamp) -> Result<(), ScheduleError> {
    let (tenant, id) = (&breaker.tenant, &breaker.subscription);
    let found = schedule.store.sealed_subscription(tenant, id).await?;
    match found {
        Some(one) if !one.disabled && one.health.open_since.is_some() => {
            // The oldest first. One that fails goes to the end of its like, so each has its turn.
            wake(schedule, breaker, PROBES, PROBE_EVERY, now, false).await
        }
        // Enabling lets go of what waits, deleting gives it up.
        Some(one) if one.disabled => Ok(schedule.store.unlist_breaker(breaker).await?),
        // It has closed, or the tenant has changed or deleted it. The job begins when no function goes
        // any more by what was before, so that it finds all that has been laid aside.
        _ => {
            schedule.store.add_drain(tenant, id, now).await?;
            schedule.store.unlist_breaker(breaker).await?;
            wake(schedule, breaker, FIRST, FIRST_APART, now, true).await
        }
    }
}

/// Sends wakes for the first of what is laid aside for an endpoint.
async fn wake(
    schedule: &Schedule,
    breaker: &Breaker,
    most: i32,
    apart: SignedDuration,
    now: Timestamp,
    let_go: bool,
) -> Result<(), ScheduleError> {
    let (held, _) = schedule.store.held(&breaker.subscription, None).await?;
    for (nth, mut one) in (0..most).zip(held) {
        if let_go {
            one.due_at = now + NOTICE;
            schedule.store.release(&one.lane, &one.key, one.due_at).await?;
        }
        let wake = Wake { aside: true, ..one.wake() };
        schedule.wakes.send(&wake, apart * nth).await?;
    }
    Ok(())
}
