//! The table. Only this folder names an attribute; keys are in `key`, item shapes beside the
//! operations that use them.
//!
//! Every write is conditional or may be repeated; a condition that fails is an answer, not an error.

mod breaker;
mod cache;
mod delivery;
mod event;
mod feed;
mod health;
mod idempotency;
mod item;
mod job;
pub mod key;
mod ledger;
mod order;
mod placing;
mod quarantine;
mod reconcile;
mod registry;
mod schedule;
mod subscription;
mod table;
mod upstream;
mod vault;
mod whole;

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use domain::upstream::Upstream;
use ipnet::IpNet;

use crate::Clock;
pub(crate) use breaker::Breaker;
pub use cache::AGE_MAX;
pub(crate) use cache::Cache;

pub(crate) use delivery::{
    ATTEMPTS_MAX, DeliveryRecord, NOTICE, Revived, Standing, StandingCursor,
};
pub use delivery::{Finish, Parked, Put, Settled};
pub use event::StoredEvent;
pub use feed::FeedEntry;
pub(crate) use idempotency::{ANSWER_KEPT, Remembered, RememberedAnswer};
pub(crate) use item::RETENTION;
pub use job::{Job, ReplayFilter, Work};
pub use key::Lane;
pub(crate) use ledger::{Decision, ScanCursor};
pub use placing::PLACING_MAX;
pub(crate) use placing::{Placing, takes_orders};
pub use quarantine::Quarantined;
pub(crate) use reconcile::{Listed, Pass, Progress, Sweep, Unheard, Watched};
pub use registry::{ApiKey, Role, Tenant};
pub use subscription::Snapshot;
pub(crate) use subscription::{Entry, Sealed, SealedSecret, Subscribed};
pub use table::{Page, Written};
pub(crate) use whole::Which;

/// The table could not be read or written as asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// DynamoDB failed or is out of reach. Repeating the whole handler is safe.
    #[error("cannot {action}")]
    Table {
        action: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The item was written by a newer version, or by hand.
    #[error("an item is not as expected: cannot {action}")]
    Shape {
        action: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The table, with a short memory for what changes rarely.
#[derive(Clone)]
pub struct Store {
    client: Client,
    table: String,
    upstreams: Cache<Upstream>,
    topics: Cache<Vec<Entry>>,
    api_keys: Cache<ApiKey>,
    networks: Cache<Vec<IpNet>>,
}

impl Store {
    pub fn new(client: Client, table: impl Into<String>, clock: Clock) -> Store {
        Store {
            client,
            table: table.into(),
            upstreams: Cache::new(clock.clone()),
            topics: Cache::new(clock.clone()),
            api_keys: Cache::new(clock.clone()),
            networks: Cache::new(clock),
        }
    }

    /// An upstream as it was at most `cache::AGE_MAX` ago; `None` where there is no such account.
    pub async fn upstream(&self, account: &str) -> Result<Option<Arc<Upstream>>, StoreError> {
        match self.upstreams.get(account) {
            Some(known) => Ok(Some(known)),
            None => self.refreshed_upstream(account).await,
        }
    }

    /// An upstream as it is.
    pub async fn refreshed_upstream(
        &self,
        account: &str,
    ) -> Result<Option<Arc<Upstream>>, StoreError> {
        let read = self.read_upstream(account).await?.map(Arc::new);
        if let Some(upstream) = &read {
            self.upstreams.put(account, upstream.clone());
        }
        Ok(read)
    }
}

/// Names what was being done when the SDK gave up.
fn failed<E, R>(action: &'static str) -> impl FnOnce(SdkError<E, R>) -> StoreError
where
    SdkError<E, R>: std::error::Error + Send + Sync + 'static,
{
    move |source| StoreError::Table { action, source: source.into() }
}
