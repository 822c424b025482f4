//! Parked deliveries, by the sparse index.

use domain::event::EventKey;
use domain::lane::Seen;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::queue::Wake;
use crate::store::item::{Attributes, text};
use crate::store::key::DUE;
use crate::store::{Lane, Store, StoreError, failed, key};

/// A parked delivery, as the index knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    pub lane: Lane,
    pub key: EventKey,
    pub attempts_made: u32,
    pub revivals: u32,
    pub due_at: Timestamp,
}

impl Parked {
    /// The wake that `schedule` sends for it.
    pub fn wake(self) -> Wake {
        let Parked { lane, key, attempts_made, revivals, due_at } = self;
        let due_at_ms = Some(due_at.as_millisecond());
        Wake::new(lane, key, Seen { attempts_made, revivals, due_at_ms })
    }
}

/// What becomes due no earlier than this from now is woken in time: a run of `schedule` looks a minute
/// ahead, and has looked at the minute that comes.
pub(crate) const NOTICE: SignedDuration = SignedDuration::from_mins(2);

/// Deliveries at rest that are read at once.
const AT_REST_PAGE: i32 = 100;

/// Where a listing goes on.
pub struct Page(Attributes);

impl Store {
    /// One page of the deliveries parked in one partition of a minute, oldest first, and where the
    /// next page starts.
    pub async fn parked(
        &self,
        minute: Timestamp,
        shard: u32,
        after: Option<Page>,
    ) -> Result<(Vec<Parked>, Option<Page>), StoreError> {
        self.at_rest("read what is due", key::due_partition(minute, shard), after).await
    }

    /// One page of the deliveries laid aside for a subscription, oldest first, and where the
    /// next page starts.
    pub async fn held(
        &self,
        subscription: &str,
        after: Option<Page>,
    ) -> Result<(Vec<Parked>, Option<Page>), StoreError> {
        self.at_rest("read what is held", key::held(subscription), after).await
    }

    /// The same of those whose orders wait until somebody acts.
    pub async fn halted(
        &self,
        subscription: &str,
        after: Option<Page>,
    ) -> Result<(Vec<Parked>, Option<Page>), StoreError> {
        self.at_rest("read what is halted", key::halted(subscription), after).await
    }

    async fn at_rest(
        &self,
        action: &'static str,
        partition: String,
        after: Option<Page>,
    ) -> Result<(Vec<Parked>, Option<Page>), StoreError> {
        let page = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(key::DUE_INDEX)
            .key_condition_expression("#due = :partition")
            .expression_attribute_names("#due", DUE)
            .expression_attribute_values(":partition", text(partition))
            .limit(AT_REST_PAGE)
            .set_exclusive_start_key(after.map(|page| page.0))
            .send()
            .await
            .map_err(failed(action))?;
        let parked = page.items.unwrap_or_default().into_iter().map(|item| parked(action, item));
        let more = page.last_evaluated_key.filter(|key| !key.is_empty()).map(Page);
        Ok((parked.collect::<Result<_, _>>()?, more))
    }
}

fn parked(action: &'static str, item: Attributes) -> Result<Parked, StoreError> {
    /// What the index holds of a delivery.
    #[derive(Deserialize)]
    struct Entry {
        #[serde(flatten)]
        key: key::Key,
        attempts_made: u32,
        #[serde(default)]
        revivals: u32,
        due_at: Timestamp,
    }
    let entry: Entry = serde_dynamo::from_item(item)
        .map_err(|source| StoreError::Shape { action, source: source.into() })?;
    let broken = |what: &str| StoreError::Shape { action, source: what.into() };
    Ok(Parked {
        lane: Lane::parse(&entry.key.pk).ok_or_else(|| broken("its pk names no lane"))?,
        key: EventKey::parse(&entry.key.sk).map_err(|_| broken("its sk is no event key"))?,
        attempts_made: entry.attempts_made,
        revivals: entry.revivals,
        due_at: entry.due_at,
    })
}
