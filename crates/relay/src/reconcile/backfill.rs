//! A sweep by hand, over any span of time.

use domain::order::ORDER_TYPES;
use domain::upstream::Upstream;
use jiff::{SignedDuration, Timestamp};

use super::ask::{Asker, Trouble};
use super::{GRACE, Reconcile, pause, sweep};
use crate::store::{Pass, Progress, StoreError, Sweep};

/// Questions of one step.
const ASKS_A_STEP: u32 = 3;

/// Bandwidth lists what changed within two years.
const SINCE_MAX: SignedDuration = SignedDuration::from_hours(2 * 365 * 24);

/// A backfill that goes on where an earlier one was left.
pub struct Backfill {
    reconcile: Reconcile,
    upstream: Upstream,
    progress: Progress,
}

/// It cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum BackfillError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("there is no upstream {0}")]
    NoUpstream(String),
    #[error("upstream {0} has no credentials for Bandwidth's API")]
    NoApi(String),
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub is_done: bool,
    /// Types of orders whose lists were read, and how many there are.
    pub types: (usize, usize),
    /// Orders that were listed, and those of them that were asked about.
    pub orders: (u64, u64),
    /// States that were found.
    pub found: u64,
    /// How often Bandwidth was asked.
    pub asks: u32,
    /// Bandwidth is to be left alone until then, for that reason.
    pub wait: Option<(Timestamp, &'static str)>,
}

impl Backfill {
    /// Of everything that changed since then. One that was left goes on, whatever its span.
    pub async fn new(
        reconcile: Reconcile,
        account: &str,
        since: Timestamp,
    ) -> Result<Backfill, BackfillError> {
        let upstream = reconcile.store().refreshed_upstream(account).await?;
        let upstream = upstream.ok_or_else(|| BackfillError::NoUpstream(account.into()))?;
        if upstream.api.is_none() {
            return Err(BackfillError::NoApi(account.into()));
        }
        let now = reconcile.clock.now();
        let left = reconcile.store().progress(account, Pass::Backfill).await?;
        let progress = left.filter(|left| left.sweep.is_some()).unwrap_or_else(|| Progress {
            sweep: Some(Sweep::new(since.max(now - SINCE_MAX), now - GRACE)),
            ..Progress::since(since)
        });
        Ok(Backfill { reconcile, upstream: Upstream::clone(&upstream), progress })
    }

    /// The span that is asked for.
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        self.progress.sweep.as_ref().map(|sweep| (sweep.from, sweep.until))
    }

    /// One order, or one page of a list.
    pub async fn step(&mut self) -> Result<Step, StoreError> {
        let now = self.reconcile.clock.now();
        let before = self.progress.sweep.clone();
        let ends_at = now + SignedDuration::from_hours(1);
        let mut asker = Asker::new(&self.reconcile, &self.upstream, ASKS_A_STEP, ends_at);
        let stepped = sweep::step(&mut asker, &mut self.progress).await;
        let asks = ASKS_A_STEP - asker.asks_left();
        let wait = match stepped {
            Ok(()) | Err(Trouble::Spent) => None,
            Err(Trouble::Store(error)) => return Err(error),
            Err(Trouble::Upstream { until, why }) => {
                self.progress.failures += 1;
                Some((until.unwrap_or(now + pause(self.progress.failures)), why))
            }
        };
        if wait.is_none() {
            self.progress.failures = 0;
        }
        let (store, account) = (self.reconcile.store(), &self.upstream.account);
        match &self.progress.sweep {
            Some(_) => store.put_progress(account, Pass::Backfill, &self.progress).await?,
            None => store.delete_progress(account, Pass::Backfill).await?,
        }
        let is_done = self.progress.sweep.is_none();
        let shown = self.progress.sweep.as_ref().or(before.as_ref());
        Ok(Step {
            is_done,
            types: (
                shown.filter(|_| !is_done).map_or(ORDER_TYPES.len(), |sweep| {
                    let names = ORDER_TYPES.iter().map(|one| one.name);
                    names.take_while(|name| *name != sweep.order_type).count()
                }),
                ORDER_TYPES.len(),
            ),
            orders: shown.map_or((0, 0), |sweep| (sweep.listed, sweep.asked_about)),
            found: shown.map_or(0, |sweep| sweep.found),
            asks,
            wait,
        })
    }
}
