//! Turns a stored event into one delivery for each subscription that asked for it.
//!
//! Every step may be repeated: the stream gives a batch again until it has succeeded.

use std::collections::HashMap;

use domain::delivery::{Delivery, State};
use domain::lane::{self, Place, Placing};
use domain::notification::{Malformed, Notification};
use jiff::SignedDuration;

use crate::queue::{QueueError, Wake, Wakes};
use crate::store::{FeedEntry, Lane, Put, Store, StoreError, StoredEvent};

/// How often a place is chosen anew because its lane changed meanwhile. One handler works on a lane
/// at a time, so a second choice is rare and a fifth does not happen by itself.
const CHOICES_MAX: u32 = 5;

/// What fanout needs.
#[derive(Clone)]
pub struct Fanout {
    pub store: Store,
    pub wakes: Wakes,
}

/// A new event item of the stream.
pub struct Record {
    /// The stream's own number for it.
    pub sequence: String,
    pub image: serde_dynamo::Item,
}

/// An event could not be fanned out. Repeating is safe.
#[derive(Debug, thiserror::Error)]
pub enum FanoutError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error("a stored event cannot be read")]
    Malformed(#[source] Malformed),
    #[error("a lane kept changing")]
    Contended,
}

/// Fans out a batch; answers the sequence numbers of the records to be given again.
///
/// Events of one order go one after the other, and none after one that failed; orders go side by
/// side.
pub async fn batch(fanout: &Fanout, records: Vec<Record>) -> Vec<String> {
    let mut failed = Vec::new();
    let mut orders: HashMap<(String, String), Vec<(String, StoredEvent)>> = HashMap::new();
    for Record { sequence, image } in records {
        match StoredEvent::from_stream(image) {
            Ok(event) => {
                let order = (event.upstream.clone(), event.subject.clone());
                orders.entry(order).or_default().push((sequence, event));
            }
            Err(error) => {
                tracing::error!(?error, "an event goes back to the stream");
                failed.push(sequence);
            }
        }
    }
    let orders = orders.into_values().map(|events| in_order(fanout, events));
    failed.extend(futures::future::join_all(orders).await.into_iter().flatten());
    failed
}

async fn in_order(fanout: &Fanout, events: Vec<(String, StoredEvent)>) -> Option<String> {
    for (sequence, event) in events {
        if let Err(error) = one(fanout, &event).await {
            tracing::warn!(?error, event = %event.key, "an event goes back to the stream");
            return Some(sequence);
        }
    }
    None
}

async fn one(fanout: &Fanout, event: &StoredEvent) -> Result<(), FanoutError> {
    let notification = Notification::parse(&event.raw).map_err(FanoutError::Malformed)?;
    let owner = owner(fanout, event, &notification).await?;
    let matching = match &owner {
        Some(tenant) => matching(fanout, tenant, &notification).await?,
        None => Vec::new(),
    };
    let entry = feed_entry(event, &notification, matching);
    let decided = fanout.store.put_feed(owner.as_deref(), entry).await?;
    tracing::info!(
        upstream = %event.upstream,
        tenant = owner.as_deref(),
        order = %event.subject,
        event = %event.key,
        change = notification.change(),
        lanes = decided.subscriptions.len(),
        "fanned out an event"
    );
    for subscription in decided.subscriptions {
        let lane = Lane { subscription, subject: event.subject.clone() };
        place(fanout, &lane, event, owner.as_deref().unwrap_or_default()).await?;
    }
    Ok(())
}

/// Whose event this is. Where an upstream has rules, the owner of an order is recorded when it is
/// first seen: a later notification that lacks what the rule looks at, or a change of the rules,
/// must not show one tenant's order to another.
async fn owner(
    fanout: &Fanout,
    event: &StoredEvent,
    notification: &Notification,
) -> Result<Option<String>, StoreError> {
    let Some(upstream) = fanout.store.upstream(&event.upstream).await? else {
        return Ok(None);
    };
    if upstream.rules.is_empty() || notification.order.is_none() {
        return Ok(upstream.owner(notification).map(Into::into));
    }
    if let Some(claimed) = fanout.store.claim(&event.upstream, &event.subject).await? {
        return Ok(Some(claimed));
    }
    match upstream.owner(notification) {
        Some(tenant) => {
            fanout.store.put_claim(&event.upstream, &event.subject, tenant).await.map(Some)
        }
        None => Ok(None),
    }
}

async fn matching(
    fanout: &Fanout,
    tenant: &str,
    notification: &Notification,
) -> Result<Vec<String>, StoreError> {
    let subscriptions = fanout.store.subscriptions(tenant).await?;
    let covering = subscriptions.iter().filter(|one| one.topic.covers(notification));
    Ok(covering.map(|one| one.id.clone()).collect())
}

fn feed_entry(
    event: &StoredEvent,
    notification: &Notification,
    matching: Vec<String>,
) -> FeedEntry {
    FeedEntry {
        upstream: event.upstream.clone(),
        subject: event.subject.clone(),
        key: event.key.clone(),
        order_type: notification.order.as_ref().map(|order| order.order_type.clone()),
        event_type: notification.event_type.clone(),
        status: notification.status.clone(),
        received_at: event.received_at,
        subscriptions: matching,
    }
}

/// Puts the event's delivery into one lane, and sends its wake if it has one of its own.
async fn place(
    fanout: &Fanout,
    lane: &Lane,
    event: &StoredEvent,
    tenant: &str,
) -> Result<(), FanoutError> {
    for _ in 0..CHOICES_MAX {
        let newest = fanout.store.newest(lane, None).await?;
        let before = match &newest {
            Some(delivery) if delivery.key > event.key => {
                fanout.store.newest(lane, Some(&event.key)).await?
            }
            newest => newest.clone(),
        };
        let attempt = match lane::place(&event.key, newest.as_ref(), before.as_ref()) {
            Placing::Done => return Ok(()),
            Placing::Wake { attempts_made } => attempts_made,
            Placing::Put(place) => {
                let fresh = fresh(&place, event, tenant);
                match fanout.store.put_delivery(lane, &place, &fresh, event.received_at).await? {
                    Put::Changed => continue,
                    Put::Done if fresh.behind => return Ok(()),
                    Put::Done => 0,
                }
            }
        };
        let wake = Wake { lane: lane.clone(), key: event.key.clone(), attempt };
        return Ok(fanout.wakes.send(&wake, SignedDuration::ZERO).await?);
    }
    Err(FanoutError::Contended)
}

fn fresh(place: &Place, event: &StoredEvent, tenant: &str) -> Delivery {
    Delivery {
        key: event.key.clone(),
        tenant: tenant.into(),
        upstream: event.upstream.clone(),
        state: State::Pending,
        behind: place.behind.is_some(),
        attempts_made: 0,
        next_at: None,
        finished_at: None,
        sequence: place.sequence,
        last_sequence: place.sequence,
        late: place.newest.is_some(),
    }
}
