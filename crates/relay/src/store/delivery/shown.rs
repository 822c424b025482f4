//! Deliveries as their tenants see them.

use std::collections::BTreeMap;

use domain::delivery::{Attempt, Delivery, ErrorClass};
use domain::event::EventKey;
use serde::Deserialize;

use super::{Body, delivery};
use crate::store::item::{Item, text};
use crate::store::key::{self, Key, STANDING, STANDING_SINCE};
use crate::store::{Lane, Store, StoreError, failed};

/// A delivery with all its attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeliveryRecord {
    pub(crate) lane: Lane,
    pub(crate) delivery: Delivery,
    pub(crate) attempts: Vec<Attempt>,
    /// The beginning of the last answer's body, or why there was none.
    pub(crate) answer: Option<String>,
    /// It waits until its endpoint takes deliveries again.
    pub(crate) held: bool,
}

/// What an endpoint has not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Tried without success, and not given up.
    Undelivered,
    Dead,
}

impl Store {
    /// These deliveries, as far as they are there, in the order in which they are named.
    pub(crate) async fn delivery_records(
        &self,
        wanted: &[(Lane, EventKey)],
    ) -> Result<Vec<DeliveryRecord>, StoreError> {
        let action = "read deliveries";
        let keys = wanted.iter().map(|(lane, key)| lane.delivery(key)).enumerate();
        // A batch may name a key only once.
        let places: BTreeMap<(String, String), usize> =
            keys.map(|(place, Key { pk, sk })| ((pk, sk), place)).collect();
        let keys = places.keys().cloned().map(|(pk, sk)| Key { pk, sk }).collect();
        let mut found = Vec::new();
        for stored in self.get_all::<Stored>(action, keys).await? {
            let place = (stored.key.pk.clone(), stored.key.sk.clone());
            found.push((places.get(&place).copied(), record(action, stored)?));
        }
        found.sort_by_key(|(place, _)| *place);
        Ok(found.into_iter().map(|(_, record)| record).collect())
    }

    /// One page of what a tenant's endpoints have not taken, newest first, and where the next begins.
    pub(crate) async fn standing(
        &self,
        tenant: &str,
        standing: Standing,
        limit: u16,
        after: Option<StandingCursor>,
    ) -> Result<(Vec<DeliveryRecord>, Option<StandingCursor>), StoreError> {
        let action = "list deliveries";
        let partition = match standing {
            Standing::Undelivered => key::undelivered(tenant),
            Standing::Dead => key::dead(tenant),
        };
        let page = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(key::STANDING_INDEX)
            .key_condition_expression("#standing = :standing")
            .expression_attribute_names("#standing", STANDING)
            .expression_attribute_values(":standing", text(&partition))
            .scan_index_forward(false)
            .limit(limit.max(1).into())
            .set_exclusive_start_key(after.map(|after| {
                [("pk", after.pk), ("sk", after.sk), (STANDING_SINCE, after.since)]
                    .into_iter()
                    .chain([(STANDING, partition.clone())])
                    .map(|(name, value)| (name.into(), text(value)))
                    .collect()
            }))
            .send()
            .await
            .map_err(failed(action))?;
        let mut wanted = Vec::new();
        for item in page.items.unwrap_or_default() {
            let entry: StandingCursor = cursor(action, item)?;
            let lane = Lane::parse(&entry.pk).zip(EventKey::parse(&entry.sk).ok());
            wanted.extend(lane);
        }
        let next = match page.last_evaluated_key {
            Some(key) if !key.is_empty() => Some(cursor(action, key)?),
            _ => None,
        };
        Ok((self.delivery_records(&wanted).await?, next))
    }
}

/// Where a listing by index goes on.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Deserialize)]
pub(crate) struct StandingCursor {
    pub(crate) pk: String,
    pub(crate) sk: String,
    #[serde(rename = "standing_since")]
    pub(crate) since: String,
}

/// A delivery item, with what the index adds to it.
#[derive(Deserialize)]
pub(super) struct Stored {
    #[serde(default)]
    due: Option<String>,
    #[serde(flatten)]
    body: Body,
}

fn cursor(
    action: &'static str,
    item: crate::store::item::Attributes,
) -> Result<StandingCursor, StoreError> {
    serde_dynamo::from_item(item)
        .map_err(|source| StoreError::Shape { action, source: source.into() })
}

pub(super) fn record(
    action: &'static str,
    stored: Item<Stored>,
) -> Result<DeliveryRecord, StoreError> {
    let lane = Lane::parse(&stored.key.pk)
        .ok_or_else(|| StoreError::Shape { action, source: "its pk names no lane".into() })?;
    let Stored { due, mut body } = stored.body;
    let attempts = std::mem::take(&mut body.attempts);
    let answer = body.answer.take();
    let attempts = attempts.into_iter().map(|attempt| Attempt {
        at: attempt.at,
        duration_ms: attempt.duration_ms,
        status: attempt.status,
        error: attempt
            .error
            .and_then(|name| ErrorClass::ALL.into_iter().find(|class| class.name() == name)),
    });
    let held = due.is_some_and(|due| due == key::held(&lane.subscription));
    Ok(DeliveryRecord {
        held,
        lane,
        attempts: attempts.collect(),
        answer: answer.filter(|answer| !answer.is_empty()),
        delivery: delivery(action, body)?,
    })
}
