//! The table. Only this folder names an attribute; keys are in `key`, item shapes beside the
//! operations that use them.
//!
//! Every write is conditional or may be repeated; a condition that fails is an answer, not an error.

mod cache;
mod delivery;
mod event;
mod item;
pub mod key;
mod quarantine;
mod schedule;
mod table;
mod tenant;
mod upstream;

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use domain::subscription::Subscription;
use domain::upstream::Upstream;

use crate::Clock;
use cache::Cache;

pub use delivery::{Finish, Parked, Put, Settled};
pub use event::{FeedEntry, Kept, StoredEvent};
pub use key::Lane;
pub use quarantine::Quarantined;
pub use tenant::{Operator, Tenant};

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
    subscriptions: Cache<Vec<Subscription>>,
}

impl Store {
    pub fn new(client: Client, table: impl Into<String>, clock: Clock) -> Store {
        Store {
            client,
            table: table.into(),
            upstreams: Cache::new(clock.clone()),
            subscriptions: Cache::new(clock),
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

    /// All subscriptions of a tenant as they were at most `cache::AGE_MAX` ago.
    pub async fn subscriptions(&self, tenant: &str) -> Result<Arc<Vec<Subscription>>, StoreError> {
        match self.subscriptions.get(tenant) {
            Some(known) => Ok(known),
            None => self.refreshed_subscriptions(tenant).await,
        }
    }

    /// One subscription; `None` when the tenant has none of that id.
    pub async fn subscription(
        &self,
        tenant: &str,
        id: &str,
    ) -> Result<Option<Subscription>, StoreError> {
        let find = |all: &Vec<Subscription>| all.iter().find(|one| one.id == id).cloned();
        if let Some(found) = find(&*self.subscriptions(tenant).await?) {
            return Ok(Some(found));
        }
        // It may be younger than what is remembered.
        Ok(find(&*self.refreshed_subscriptions(tenant).await?))
    }

    async fn refreshed_subscriptions(
        &self,
        tenant: &str,
    ) -> Result<Arc<Vec<Subscription>>, StoreError> {
        let read = Arc::new(self.read_subscriptions(tenant).await?);
        self.subscriptions.put(tenant, read.clone());
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
