//! Work that `schedule` does bit by bit, and the record of replays that are done.

use domain::event::sortable;
use domain::ledger::Ledger;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::item::Item;
use super::table::{Page, Read};
use super::{Breaker, Store, StoreError, key};

/// A replay that is done is on record for this long.
const DONE_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Jobs that are read at once.
const JOBS_AT_ONCE: u16 = 200;

/// Something that is too much for one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Sorts by time of asking.
    pub id: String,
    pub tenant: String,
    pub work: Work,
    /// Work begins a while after this, which may lie ahead.
    pub asked_at: Timestamp,
    /// How far it has come; `None` before the first run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Deliveries asked for so far, or feed entries audited.
    pub count: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_at: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Work {
    /// Tell a new subscription the state of each open order.
    Snapshot { subscription: String, order_types: Vec<String> },
    /// Let go of what was laid aside for a subscription, and of all that rests for one that is gone.
    Drain { subscription: String },
    /// Deliver again what a filter chooses.
    Replay { filter: ReplayFilter },
    /// Recompute the ledger of what came in within these times, for all tenants. It is nobody's.
    Audit { from: Timestamp, to: Timestamp, ledger: Ledger },
}

/// Which deliveries are to be made again.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReplayFilter {
    /// Events received from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Events received until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<String>,
    /// Only what is dead.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dead_only: bool,
}

impl Job {
    /// `name` tells it from others of the same moment.
    pub(crate) fn new(tenant: &str, name: &str, work: Work, asked_at: Timestamp) -> Job {
        Job {
            id: format!("{}-{name}", sortable(asked_at)),
            tenant: tenant.into(),
            work,
            asked_at,
            cursor: None,
            count: 0,
            done_at: None,
        }
    }

    /// The subscription of which it lets go what was laid aside.
    pub(crate) fn drains(&self) -> Option<&str> {
        match &self.work {
            Work::Drain { subscription } => Some(subscription),
            _ => None,
        }
    }
}

impl Store {
    pub(crate) async fn add_job(&self, job: &Job) -> Result<(), StoreError> {
        self.put_absent("ask for a job", &Item::new(key::job(&job.id), job)).await.map(drop)
    }

    /// Writes how far a job has come.
    pub(crate) async fn put_job(&self, job: &Job) -> Result<(), StoreError> {
        self.put("write how far a job has come", &Item::new(key::job(&job.id), job)).await
    }

    /// Takes a job off the list; a replay stays on record.
    pub(crate) async fn finish_job(&self, job: &Job, now: Timestamp) -> Result<(), StoreError> {
        if matches!(job.work, Work::Replay { .. }) {
            let done = Job { done_at: Some(now), ..job.clone() };
            let item = Item::new(key::job_done(&job.tenant, &job.id), done);
            self.put("record a replay", &item.kept_for(DONE_KEPT, now)).await?;
        }
        self.delete("finish a job", key::job(&job.id)).await
    }

    /// One job, running or done.
    pub(crate) async fn job(&self, tenant: &str, id: &str) -> Result<Option<Job>, StoreError> {
        let action = "read a job";
        let running: Option<Job> = self.get(action, key::job(id), Read::Now).await?;
        match running {
            Some(job) if job.tenant == tenant => Ok(Some(job)),
            _ => self.get(action, key::job_done(tenant, id), Read::Now).await,
        }
    }

    /// Whether `schedule` is going to let go of what was laid aside for a subscription.
    pub(crate) async fn is_let_go(
        &self,
        subscription: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let action = "read whether a breaker is listed";
        let breaker: Option<Breaker> =
            self.get(action, key::breaker(subscription), Read::Now).await?;
        if breaker.is_some() {
            return Ok(true);
        }
        Ok(self.jobs(now).await?.iter().any(|job| job.drains() == Some(subscription)))
    }

    /// Has `schedule` let go, some time after `at`, of what rests for a subscription.
    pub(crate) async fn add_drain(
        &self,
        tenant: &str,
        subscription: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let work = Work::Drain { subscription: subscription.into() };
        self.add_job(&Job::new(tenant, subscription, work, at)).await
    }

    /// The jobs whose time has come, oldest first. Some are put long before it; their ids begin with
    /// it.
    pub(crate) async fn jobs(&self, now: Timestamp) -> Result<Vec<Job>, StoreError> {
        let to = Some(format!("{}~", sortable(now)));
        let (mut jobs, mut after) = (Vec::new(), None);
        loop {
            let page = Page { limit: JOBS_AT_ONCE, after, to: to.clone(), ..Page::default() };
            let (some, next) = self.list("list jobs", key::JOBS, page).await?;
            jobs.extend(some);
            if next.is_none() {
                return Ok(jobs);
            }
            after = next;
        }
    }
}
