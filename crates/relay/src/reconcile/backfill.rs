//! A sweep by hand, over any span of time.

use domain::order::ORDER_TYPES;
use domain::upstream::Upstream;
use jiff::{SignedDuration, Timestamp};

use super::ask::{Asker, Trouble};
use super::{GRACE, Reconcile, pause, sweep};
use crate::store::{Pass, Progress, RETENTION, StoreError, Sweep};

/// Questions of one step, which is over within so long.
const ASKS_A_STEP: u32 = 3;
const STEP_MAX: SignedDuration = SignedDuration::from_mins(2);

/// A backfill that goes on where an earlier one was left.
pub struct Backfill {
    reconcile: Reconcile,
    upstream: Upstream,
    progress: Progress,
    /// As it stands, or stood when it ended.
    sweep: Sweep,
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
    /// The type of orders that is being asked for, how many were before it, and how many there are.
    pub order_type: String,
    pub types_done: usize,
    pub types: usize,
    pub sum: Sum,
    /// How often Bandwidth was asked.
    pub asks: u32,
    /// Bandwidth is to be left alone until then, for that reason.
    pub wait: Option<(Timestamp, &'static str)>,
}

/// What came of all of it so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sum {
    /// Orders that Bandwidth listed.
    pub listed: u64,
    /// Of these, those that were asked about.
    pub asked: u64,
    /// States that no notification had told.
    pub found: u64,
}

impl Backfill {
    /// Of everything that changed since then, but for what is older than events are kept: nobody could
    /// say whether it was told. One that was left goes on, whatever its span.
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
        let sweep = left.and_then(|left| left.sweep);
        let sweep = sweep.unwrap_or_else(|| Sweep::new(since.max(now - RETENTION), now - GRACE));
        let progress = Progress { sweep: Some(sweep.clone()), ..Progress::since(since) };
        Ok(Backfill { reconcile, upstream: Upstream::clone(&upstream), progress, sweep })
    }

    /// The span that is asked for.
    pub fn span(&self) -> (Timestamp, Timestamp) {
        (self.sweep.from, self.sweep.until)
    }

    pub fn sum(&self) -> Sum {
        let Sweep { listed, asked_about, found, .. } = self.sweep;
        Sum { listed, asked: asked_about, found }
    }

    /// One order, or one page of a list.
    pub async fn step(&mut self) -> Result<Step, StoreError> {
        let now = self.reconcile.clock.now();
        let mut asker = Asker::new(&self.reconcile, &self.upstream, ASKS_A_STEP, now + STEP_MAX);
        asker.listens = false;
        let stepped = sweep::step(&mut asker, &mut self.progress).await;
        let asks = ASKS_A_STEP - asker.asks_left();
        let wait = match stepped {
            Err(Trouble::Store(error)) => return Err(error),
            Err(Trouble::Upstream { until, why }) => {
                self.progress.failures += 1;
                Some((until.unwrap_or(now + pause(self.progress.failures)), why))
            }
            Ok(()) | Err(Trouble::Spent | Trouble::Question(_)) => {
                self.progress.failures = 0;
                None
            }
        };
        let (store, account) = (self.reconcile.store(), &self.upstream.account);
        match &self.progress.sweep {
            Some(sweep) => {
                self.sweep = sweep.clone();
                store.put_progress(account, Pass::Backfill, &self.progress).await?;
            }
            None => store.delete_progress(account, Pass::Backfill).await?,
        }
        let is_done = self.progress.sweep.is_none();
        let mut types = ORDER_TYPES.iter().map(|one| one.name);
        let at = types.position(|name| name == self.sweep.order_type);
        Ok(Step {
            is_done,
            order_type: self.sweep.order_type.clone(),
            types_done: at.filter(|_| !is_done).unwrap_or(ORDER_TYPES.len()),
            types: ORDER_TYPES.len(),
            sum: self.sum(),
            asks,
            wait,
        })
    }
}
