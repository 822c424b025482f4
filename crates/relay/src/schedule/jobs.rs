//! Works off what tenants asked for and what is too much for one request, a bounded part of it each
//! minute, so that what is live is not held up.

use std::collections::HashMap;

use domain::order;
use jiff::{SignedDuration, Timestamp};

use super::{Schedule, ScheduleError, audit};
use crate::replay;
use crate::store::{Job, NOTICE, Page, Snapshot, Work};

/// Jobs of one tenant that a run works on: whoever asks for many holds up only itself. Letting go of
/// what was held is live, so it comes before the others, and as many for each subscription.
const JOBS_OF_A_TENANT: usize = 2;

/// Deliveries of one job that are asked for in one minute, spread over it: 10 a second. Where a feed
/// entry gives none it counts as one, so that a run reads a bounded part of a feed.
const DELIVERIES_A_MINUTE: u16 = 600;

/// Items that are read at once on the way to them.
const PAGE: u16 = 100;

/// A job begins no earlier than this after it was asked for: fanout and deliver go by subscriptions
/// as they were a few seconds ago, and a run of deliver takes a minute at most.
const SETTLING: SignedDuration = SignedDuration::from_secs(90);

pub(super) async fn run(schedule: &Schedule) -> Result<(), ScheduleError> {
    let now = schedule.clock.now();
    let mut jobs = schedule.store.jobs(now).await?;
    jobs.retain(|job| job.asked_at + SETTLING <= now);
    jobs.sort_by_key(|job| job.drains().is_none());
    let mut outcome = Ok(());
    let mut of_tenant = HashMap::<_, usize>::new();
    for job in jobs {
        let before =
            of_tenant.entry((job.tenant.clone(), job.drains().map(str::to_owned))).or_default();
        *before += 1;
        if *before > JOBS_OF_A_TENANT {
            continue;
        }
        let id = job.id.clone();
        match work(schedule, job, now).await {
            Ok((count, is_done)) => {
                tracing::info!(job = %id, count, is_done, "worked on a job");
            }
            // The others are not held up by it.
            Err(error) => {
                tracing::error!(job = %id, ?error, "a job broke off");
                outcome = Err(error);
            }
        }
    }
    outcome
}

/// Works on one job for a minute's worth; answers its count, and whether it is done. A run that breaks
/// off is repeated from the last page, which is harmless.
async fn work(
    schedule: &Schedule,
    mut job: Job,
    now: Timestamp,
) -> Result<(u64, bool), ScheduleError> {
    let mut spread = Spread { now, count: 0, made: 0 };
    let count_max = match job.work {
        Work::Audit { .. } => audit::ENTRIES_A_MINUTE,
        _ => u64::from(DELIVERIES_A_MINUTE),
    };
    while spread.count < count_max {
        let asked = spread.count;
        let before = spread.made;
        let next = match &job.work {
            Work::Snapshot { subscription, order_types } => {
                snapshot(schedule, &job, subscription, order_types, &mut spread).await?
            }
            Work::Drain { subscription } => {
                drain(schedule, &job, subscription, &mut spread).await?
            }
            Work::Replay { filter } => {
                replay::page(&schedule.store, &job, filter, PAGE, &mut spread).await?
            }
            Work::Audit { .. } => audit::page(schedule, &mut job, &mut spread).await?,
        };
        job.count += spread.made - before;
        job.cursor = next;
        if job.cursor.is_none() {
            schedule.store.finish_job(&job, now).await?;
            return Ok((job.count, true));
        }
        schedule.store.put_job(&job).await?;
        if job.cursor.as_deref() == Some(LAST_LOOK) && spread.count == asked {
            break;
        }
    }
    Ok((job.count, false))
}

/// Gives each delivery a time of its own within the coming minutes.
pub(crate) struct Spread {
    now: Timestamp,
    count: u64,
    /// Those of them that came to something.
    made: u64,
}

impl Spread {
    /// When the next delivery is due.
    pub(crate) fn next(&mut self) -> Timestamp {
        let share = 60_000 * self.count / u64::from(DELIVERIES_A_MINUTE);
        self.count += 1;
        let within = SignedDuration::from_millis(i64::try_from(share).unwrap_or_default());
        self.now + NOTICE + within
    }

    /// What the last time was given for has been asked for.
    pub(crate) fn made(&mut self) {
        self.made += 1;
    }

    /// So much was done that is no delivery, at the expense of as much as `share`.
    pub(crate) fn passed(&mut self, done: u64, share: u64) {
        self.made += done;
        self.count += share;
    }
}

/// Asks for the present state of a page of open orders; answers where to go on.
async fn snapshot(
    schedule: &Schedule,
    job: &Job,
    subscription: &str,
    order_types: &[String],
    spread: &mut Spread,
) -> Result<Option<String>, ScheduleError> {
    if schedule.store.sealed_subscription(&job.tenant, subscription).await?.is_none() {
        // It went before this was due, and whatever is put for it would only turn out dead.
        return Ok(None);
    }
    let (nth, after) = match job.cursor.as_deref().and_then(|cursor| cursor.split_once(':')) {
        Some((nth, after)) => (nth.parse().unwrap_or(0), Some(after.to_owned())),
        None => (0, None),
    };
    let Some(order_type) = order_types.get(nth) else { return Ok(None) };
    let page =
        Page { limit: PAGE, after: after.filter(|after| !after.is_empty()), ..Page::default() };
    let (records, next) = schedule.store.order_records(&job.tenant, order_type, page).await?;
    for record in records {
        let status = record.status.as_deref();
        if status.is_none_or(|status| order::is_terminal(&record.order_type, status)) {
            continue;
        }
        spread.next();
        let wish = Snapshot {
            upstream: record.upstream,
            order_type: record.order_type,
            subject: record.order_id.to_ascii_lowercase(),
            tenant: job.tenant.clone(),
            subscription: subscription.into(),
            asked_at: schedule.clock.now(),
        };
        schedule.store.put_snapshot(&wish).await?;
        spread.made();
    }
    Ok(match next {
        Some(after) => Some(format!("{nth}:{after}")),
        None if nth + 1 < order_types.len() => Some(format!("{}:", nth + 1)),
        None => None,
    })
}

/// Lets go of a page of what was held, and of what was halted where nobody can act any more; answers
/// whether there may be more. An index is told of a write after the write: what it has not heard of yet
/// is found by a last look, in the next run.
async fn drain(
    schedule: &Schedule,
    job: &Job,
    subscription: &str,
    spread: &mut Spread,
) -> Result<Option<String>, ScheduleError> {
    let (held, _) = schedule.store.held(subscription, None).await?;
    for one in &held {
        schedule.store.release(&one.lane, &one.key, spread.next()).await?;
        spread.made();
    }
    let found = schedule.store.sealed_subscription(&job.tenant, subscription).await?;
    let is_gone = found.is_none_or(|one| one.is_gone(schedule.clock.now()));
    let halted = match is_gone {
        true => schedule.store.halted(subscription, None).await?.0,
        false => Vec::new(),
    };
    for one in &halted {
        schedule.store.release_halted(&one.lane, &one.key, spread.next()).await?;
        spread.made();
    }
    // What is let go leaves the index, so each page is the first.
    Ok(match (held.is_empty() && halted.is_empty(), job.cursor.as_deref()) {
        (true, Some(LAST_LOOK)) => None,
        (true, _) => Some(LAST_LOOK.into()),
        (false, _) => Some("more".into()),
    })
}

/// The cursor of a job that has found nothing more, once.
const LAST_LOOK: &str = "last look";
