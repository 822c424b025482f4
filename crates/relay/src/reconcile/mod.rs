//! Asks Bandwidth for what it did not send.
//!
//! A notification comes once, or not at all. What Bandwidth did with an order stands in its history:
//! a state there that the record lacks becomes an event, flagged as `reconciled`, with the key that its
//! notification would have, so that one that comes late after all is the same event.
//!
//! Open orders come first, where nothing has been heard of them for longer than usual. Then the lists of
//! what changed, type by type, in sweeps that each begin where the last one ended.

mod ask;
mod backfill;
mod order;
mod silence;
mod sweep;

use domain::upstream::Upstream;
use futures::StreamExt as _;
use jiff::{SignedDuration, Timestamp};

use crate::Clock;
use crate::bandwidth::Bandwidth;
use crate::store::{Pass, Progress, Store, StoreError};
use ask::{Asker, Trouble};

pub use backfill::{Backfill, BackfillError, Step, Sum};

/// Questions to one upstream in a minute. Bandwidth does not publish its limits; one a second leaves
/// the rest to its customer.
pub const ASKS_A_MINUTE: u32 = 60;

/// Of those, at most so many are spent on open orders, three each, so that sweeps go on.
const WATCHED_A_RUN: u16 = 10;

/// Nothing is asked later than this after `schedule` has begun, so that an answer, which may take 10 s,
/// comes within the minute that it has.
pub(crate) const RUN_MAX: SignedDuration = SignedDuration::from_secs(40);

/// Upstreams that are asked at once.
const UPSTREAMS_AT_ONCE: usize = 8;

/// What is younger may be on its way, or in the inbox.
const GRACE: SignedDuration = SignedDuration::from_mins(10);

/// When an upstream is first asked, what happened within this time before is asked for too; what is older
/// by a backfill.
const FIRST_LOOK: SignedDuration = SignedDuration::from_hours(24);

/// What reconciling needs.
#[derive(Clone)]
pub struct Reconcile {
    pub bandwidth: Bandwidth,
    pub clock: Clock,
}

impl Reconcile {
    fn store(&self) -> &Store {
        &self.bandwidth.store
    }
}

/// A minute's worth, for every upstream that can be asked, until then; answers how many states were
/// found.
pub async fn run(reconcile: &Reconcile, ends_at: Timestamp) -> Result<u64, StoreError> {
    let mut upstreams = reconcile.store().all_upstreams().await?;
    upstreams.retain(|upstream| upstream.api.is_some());
    if !upstreams.is_empty() {
        // Each minute another one comes first, should there be too many for one.
        let minute = reconcile.clock.now().as_second().unsigned_abs() / 60;
        let first = minute % upstreams.len() as u64;
        upstreams.rotate_left(usize::try_from(first).unwrap_or_default());
    }
    let asked: Vec<_> = futures::stream::iter(upstreams)
        .map(async |upstream| one(reconcile, &upstream, ends_at).await)
        .buffer_unordered(UPSTREAMS_AT_ONCE)
        .collect()
        .await;
    // None is held up by the others.
    asked.into_iter().sum()
}

async fn one(
    reconcile: &Reconcile,
    upstream: &Upstream,
    ends_at: Timestamp,
) -> Result<u64, StoreError> {
    let account = &upstream.account;
    let now = reconcile.clock.now();
    let stood = reconcile.store().progress(account, Pass::Standing).await?;
    let mut progress = stood.clone().unwrap_or_else(|| Progress::since(now - FIRST_LOOK));
    if progress.not_before.is_some_and(|at| now < at) {
        return Ok(0);
    }
    let mut asker = Asker::new(reconcile, upstream, ASKS_A_MINUTE, ends_at);
    let worked = work(&mut asker, &mut progress).await;
    let found = asker.found;
    let outcome = match worked {
        Ok(()) | Err(Trouble::Spent) => {
            (progress.not_before, progress.failures) = (None, 0);
            Ok(found)
        }
        Err(Trouble::Upstream { until, why }) => {
            progress.failures += 1;
            let until = until.unwrap_or(now + pause(progress.failures));
            progress.not_before = Some(until);
            tracing::warn!(upstream = %account, why, %until, "Bandwidth is asked later");
            Ok(found)
        }
        Err(Trouble::Question(why)) => {
            tracing::error!(upstream = %account, why, "Bandwidth has no answer");
            Ok(found)
        }
        Err(Trouble::Store(error)) => Err(error),
    };
    // What was reached is kept, whatever came after it.
    if stood.as_ref() != Some(&progress) {
        reconcile.store().put_progress(account, Pass::Standing, &progress).await?;
    }
    if found > 0 {
        tracing::warn!(upstream = %account, found, "Bandwidth knew of states that no notification told");
    }
    outcome
}

async fn work(asker: &mut Asker<'_>, progress: &mut Progress) -> Result<(), Trouble> {
    order::overdue(asker, progress, WATCHED_A_RUN).await?;
    sweep::go_on(asker, progress).await
}

/// How long Bandwidth is left alone after so many failures in a row.
fn pause(failures: u32) -> SignedDuration {
    SignedDuration::from_mins(1 << failures.saturating_sub(1).min(PAUSE_DOUBLINGS_MAX))
}

/// 32 minutes: an outage of hours is asked about some twice an hour.
const PAUSE_DOUBLINGS_MAX: u32 = 5;

impl Progress {
    fn since(at: Timestamp) -> Progress {
        Progress { through: at, sweep: None, not_before: None, failures: 0, unheard: None }
    }
}
