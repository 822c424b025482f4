//! The feed: what fan-out decided for each event, in the order in which they came in.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::event::EventKey;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::item::{Item, RETENTION, read, text};
use super::table::{Page, Read, unless_changed};
use super::{Lane, Store, StoreError, StoredEvent, key};

/// What fan-out decided for one event. The first decision stands, so that a repeat does the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedEntry {
    pub upstream: String,
    pub subject: String,
    pub key: EventKey,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    pub received_at: Timestamp,
    /// No notification told it: the relay asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reconciled: bool,
    /// The subscriptions it goes to; with the subject each is a lane. None: unmatched.
    pub subscriptions: Vec<String>,
}

impl FeedEntry {
    /// Where it stands in its feed: the end of its key.
    pub fn position(&self) -> String {
        key::feed(None, "", self.received_at, self.key.digest()).sk
    }

    /// Where the entry of an event stands in its owner's feed.
    pub(crate) fn position_of(event: &StoredEvent) -> String {
        key::feed(None, "", event.received_at, event.key.digest()).sk
    }

    pub fn lanes(&self) -> impl Iterator<Item = Lane> {
        self.subscriptions.iter().map(|subscription| Lane {
            subscription: subscription.clone(),
            subject: self.subject.clone(),
        })
    }
}

impl Store {
    /// Writes what fan-out decided, or answers what it decided before. `owner` is the tenant.
    pub async fn put_feed(
        &self,
        owner: Option<&str>,
        entry: FeedEntry,
    ) -> Result<FeedEntry, StoreError> {
        let action = "put a feed entry";
        let key = key::feed(owner, &entry.upstream, entry.received_at, entry.key.digest());
        let item = Item::new(key, &entry).kept_for(RETENTION, entry.received_at);
        match self.put_absent(action, &item).await? {
            None => Ok(entry),
            Some(standing) => Ok(read::<FeedEntry>(action, standing)?.body),
        }
    }

    /// Notes that an event goes to one more subscription, which asked for it later.
    pub(crate) async fn add_to_feed(
        &self,
        tenant: &str,
        event: &StoredEvent,
        subscription: &str,
    ) -> Result<(), StoreError> {
        let action = "add to a feed entry";
        let key = key::feed(Some(tenant), "", event.received_at, event.key.digest());
        let written = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key.attributes()))
            .update_expression("SET subscriptions = list_append(subscriptions, :one)")
            .condition_expression("attribute_exists(pk) AND NOT contains(subscriptions, :id)")
            .expression_attribute_values(":one", AttributeValue::L(vec![text(subscription)]))
            .expression_attribute_values(":id", text(subscription))
            .send()
            .await;
        unless_changed(action, written).map(drop)
    }

    /// One page of a tenant's feed.
    pub async fn feed(
        &self,
        tenant: &str,
        page: Page,
    ) -> Result<(Vec<FeedEntry>, Option<String>), StoreError> {
        self.list("read the feed", &key::feed_of(Some(tenant), ""), page).await
    }

    /// One page of what nobody owns.
    pub async fn unowned(
        &self,
        account: &str,
        page: Page,
    ) -> Result<(Vec<FeedEntry>, Option<String>), StoreError> {
        self.list("read what nobody owns", &key::feed_of(None, account), page).await
    }

    /// One entry of a tenant's feed.
    pub async fn feed_entry(
        &self,
        tenant: &str,
        position: &str,
    ) -> Result<Option<FeedEntry>, StoreError> {
        let key = key::Key { pk: key::feed_of(Some(tenant), ""), sk: position.into() };
        self.get("read a feed entry", key, Read::Soon).await
    }

    /// The feed entries at these positions, as far as there are any: by one batch of reads.
    pub async fn feed_entries(
        &self,
        tenant: &str,
        positions: Vec<String>,
    ) -> Result<Vec<FeedEntry>, StoreError> {
        let pk = key::feed_of(Some(tenant), "");
        let keys = positions.into_iter().map(|sk| key::Key { pk: pk.clone(), sk });
        let found = self.get_all("read feed entries", keys.collect()).await?;
        Ok(found.into_iter().map(|item| item.body).collect())
    }
}
