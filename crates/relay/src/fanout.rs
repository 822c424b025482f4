//! Turns a stored event into one delivery for each subscription that asked for it.
//!
//! Every step may be repeated: the stream gives a batch again until it has succeeded.

use std::collections::{BTreeMap, HashSet};

use domain::delivery::{Delivery, State};
use domain::lane::{self, Place, Placing, Seen};
use domain::notification::{Malformed, Notification};
use domain::order;
use domain::record::OrderRecord;
use domain::subscription::Topic;
use futures::stream::TryChunksError;
use futures::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;

use crate::Clock;
use crate::metrics;
use crate::queue::{self, QueueError, Wake, Wakes};
use crate::store::{
    Entry, FeedEntry, Lane, Put, Sealed, Snapshot, Store, StoreError, StoredEvent, takes_orders,
};

/// How often a place is chosen anew because its lane changed meanwhile. One handler works on a lane
/// at a time, so a second choice is rare and a fifth does not happen by itself.
const CHOICES_MAX: u32 = 5;

/// Lanes of one event that are worked on at once: 16 times 30 ms for some hundred subscriptions are
/// within what a run may take.
pub const LANES_AT_ONCE: usize = 16;

/// What fanout needs.
#[derive(Clone)]
pub struct Fanout {
    pub store: Store,
    pub wakes: Wakes,
    pub clock: Clock,
}

/// A new item of the stream: an event, or a wish for the present state of an order.
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
    /// Whose it is will be known within [`PLACING_MAX`](crate::store::PLACING_MAX).
    #[error("an order is being placed, and this event may tell of it")]
    BeingPlaced,
}

/// Fans out a batch; answers the sequence numbers of the records to be given again.
///
/// Events of one order go one after the other, and none after one that failed; orders go side by
/// side.
pub async fn batch(fanout: &Fanout, records: Vec<Record>) -> Vec<String> {
    let (mut failed, mut waiting) = (Vec::new(), Vec::new());
    // Sorted, so that a run with the same input makes the same calls.
    let mut orders: BTreeMap<(String, String), Vec<(String, New)>> = BTreeMap::new();
    for Record { sequence, image } in records {
        match New::from_stream(image) {
            Ok(new) => orders.entry(new.order()).or_default().push((sequence, new)),
            Err(error) => {
                tracing::error!(?error, "an event goes back to the stream");
                failed.push(sequence);
            }
        }
    }
    let orders = orders.into_values().map(|events| in_order(fanout, events));
    for (sequence, error) in futures::future::join_all(orders).await.into_iter().flatten() {
        match error {
            FanoutError::BeingPlaced => {
                tracing::info!(sequence, "a record waits for the order that is being placed");
                waiting.push(sequence);
            }
            error => {
                tracing::warn!(?error, sequence, "a record goes back to the stream");
                failed.push(sequence);
            }
        }
    }
    metrics::gave_back(failed.len());
    failed.append(&mut waiting);
    failed
}

/// Answers the record at which it stopped, and why.
async fn in_order(fanout: &Fanout, records: Vec<(String, New)>) -> Option<(String, FanoutError)> {
    for (sequence, new) in records {
        let done = match &new {
            New::Event(event) => one(fanout, event).await,
            New::Snapshot(wish) => snapshot(fanout, wish).await,
        };
        if let Err(error) = done {
            return Some((sequence, error));
        }
    }
    None
}

/// What the stream tells of.
pub(crate) enum New {
    Event(StoredEvent),
    Snapshot(Snapshot),
}

impl New {
    pub(crate) fn from_stream(image: serde_dynamo::Item) -> Result<New, StoreError> {
        match Snapshot::from_stream(&image)? {
            Some(snapshot) => Ok(New::Snapshot(snapshot)),
            None => StoredEvent::from_stream(image).map(New::Event),
        }
    }

    /// Records of one order go one after the other.
    pub(crate) fn order(&self) -> (String, String) {
        match self {
            New::Event(event) => (event.upstream.clone(), event.subject.clone()),
            New::Snapshot(wish) => (wish.upstream.clone(), wish.subject.clone()),
        }
    }
}

pub(crate) async fn one(fanout: &Fanout, event: &StoredEvent) -> Result<(), FanoutError> {
    let notification = Notification::parse(&event.raw).map_err(FanoutError::Malformed)?;
    let owner = owner(fanout, event, &notification).await?;
    let matching = match &owner {
        Some(tenant) => matching(fanout, tenant, event, &notification).await?,
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
    let owned = Owned::new(event, &notification, owner.as_deref().unwrap_or_default());
    place(fanout, decided.lanes(), &owned).await
}

/// Puts the present state of an order into a lane, unless it has been told that already; a note may
/// stand there before it. The stream gives one order's records one after the other, so nothing is put
/// into the lane meanwhile: what came before is found here, what comes after finds the subscription.
pub(crate) async fn snapshot(fanout: &Fanout, wish: &Snapshot) -> Result<(), FanoutError> {
    let lane = Lane { subscription: wish.subscription.clone(), subject: wish.subject.clone() };
    // Not the newest that is stored: what is yet to be fanned out follows by itself.
    let (tenant, subject) = (&wish.tenant, &wish.subject);
    let Some(key) = fanout.store.state_event(tenant, &wish.order_type, subject).await? else {
        return Ok(());
    };
    let Some(event) = fanout.store.event(&wish.upstream, subject, &key).await? else {
        return Ok(());
    };
    let notification = Notification::parse(&event.raw).map_err(FanoutError::Malformed)?;
    let subscription = fanout.store.sealed_subscription(tenant, &wish.subscription).await?;
    let now = fanout.clock.now();
    if !subscription.is_some_and(|one| one.entry().passes(&notification, now)) {
        return Ok(());
    }
    fanout.store.add_to_feed(tenant, &event, &wish.subscription).await?;
    tracing::info!(
        tenant = %wish.tenant,
        subscription = %wish.subscription,
        order = %wish.subject,
        event = %event.key,
        "a new subscription is told the present state"
    );
    place(fanout, [lane], &Owned::new(&event, &notification, tenant)).await
}

/// Whose event this is. Where an upstream has rules, the owner of an order is recorded when it is
/// first seen: a later notification that lacks what the rule looks at, or a change of the rules,
/// must not show one tenant's order to another. An operator can record one too.
async fn owner(
    fanout: &Fanout,
    event: &StoredEvent,
    notification: &Notification,
) -> Result<Option<String>, FanoutError> {
    if let Some(tenant) = placed_by(fanout, event, notification).await? {
        return Ok(Some(tenant));
    }
    match owner_now(&fanout.store, event, notification).await? {
        Owner::New(tenant) => {
            Ok(Some(fanout.store.put_claim(&event.upstream, &event.subject, &tenant).await?))
        }
        owner => Ok(owner.tenant()),
    }
}

/// Who is on record for an order of an upstream that takes orders. Where nobody is, and an order is
/// being placed there, the event may be the first of that very order: it waits.
async fn placed_by(
    fanout: &Fanout,
    event: &StoredEvent,
    notification: &Notification,
) -> Result<Option<String>, FanoutError> {
    if event.tenant.is_some() || notification.order.is_none() {
        return Ok(None);
    }
    let (store, account, subject) = (&fanout.store, &event.upstream, &event.subject);
    let upstream = store.upstream(account).await?;
    let now = fanout.clock.now();
    if !upstream.is_some_and(|upstream| takes_orders(&upstream, now)) {
        return Ok(None);
    }
    if let Some(tenant) = store.claim(account, subject).await? {
        return Ok(Some(tenant));
    }
    if store.is_placing(account, event.received_at, now).await? {
        return Err(FanoutError::BeingPlaced);
    }
    // Who places an order claims it before it says that it has done so.
    Ok(store.claim_now(account, subject).await?)
}

/// Whose event something is.
pub(crate) enum Owner {
    Nobody,
    /// It stays this one's.
    Settled(String),
    /// A rule says so, and it is yet to be recorded.
    New(String),
}

impl Owner {
    pub(crate) fn tenant(self) -> Option<String> {
        match self {
            Owner::Nobody => None,
            Owner::Settled(tenant) | Owner::New(tenant) => Some(tenant),
        }
    }
}

/// Whose event this is, as far as the table says now.
pub(crate) async fn owner_now(
    store: &Store,
    event: &StoredEvent,
    notification: &Notification,
) -> Result<Owner, StoreError> {
    if let Some(tenant) = &event.tenant {
        return Ok(Owner::Settled(tenant.clone()));
    }
    let Some(upstream) = store.upstream(&event.upstream).await? else {
        return Ok(Owner::Nobody);
    };
    let has_order = notification.order.is_some();
    if has_order && let Some(claimed) = store.claim(&event.upstream, &event.subject).await? {
        return Ok(Owner::Settled(claimed));
    }
    Ok(match upstream.owner(notification) {
        None => Owner::Nobody,
        Some(tenant) if has_order && !upstream.rules.is_empty() => Owner::New(tenant.into()),
        Some(tenant) => Owner::Settled(tenant.into()),
    })
}

/// Records what an event says of its order; answers the subscriptions that it goes to.
///
/// The record comes first: it is given back with who asked for this order alone, and whoever
/// subscribes later and asks for the state of now finds the event in it.
async fn matching(
    fanout: &Fanout,
    tenant: &str,
    event: &StoredEvent,
    notification: &Notification,
) -> Result<Vec<String>, StoreError> {
    let mut asked = match record(event, notification) {
        Some(record) => {
            let ask_at = ask_at(fanout, &record).await?;
            fanout.store.put_order_record(tenant, &record, event.received_at, ask_at).await?
        }
        None => Vec::new(),
    };
    end_unheard(fanout, &asked, notification).await?;
    for topic in Topic::keys_of(notification) {
        asked.extend(fanout.store.asked_for_topic(tenant, &topic).await?.iter().cloned());
    }
    let now = fanout.clock.now();
    // One that has just changed its topic may stand in both lists.
    let mut seen = HashSet::new();
    let passing = asked.iter().filter(|one| one.passes(notification, now) && seen.insert(&one.id));
    Ok(passing.map(|one| one.id.clone()).collect())
}

/// When Bandwidth is to be asked what became of an order, if it can be asked and nothing more is heard.
async fn ask_at(fanout: &Fanout, record: &OrderRecord) -> Result<Option<Timestamp>, StoreError> {
    let upstream = fanout.store.upstream(&record.upstream).await?;
    let status = record.status.as_deref().unwrap_or_default();
    let is_open = !order::is_terminal(&record.order_type, status);
    let can_be_asked = upstream.is_some_and(|upstream| upstream.api.is_some());
    let at = fanout.clock.now() + order::usual_stay(&record.order_type, status);
    Ok((is_open && can_be_asked).then_some(at))
}

/// Ends those subscriptions to this order alone that will not hear of its final state: they are told
/// by mail, or of other states only.
async fn end_unheard(
    fanout: &Fanout,
    asked: &[Entry],
    notification: &Notification,
) -> Result<(), StoreError> {
    let order_type = notification.order.as_ref().map_or("", |order| order.order_type.as_str());
    if !order::is_terminal(order_type, notification.status.as_deref().unwrap_or_default()) {
        return Ok(());
    }
    let now = fanout.clock.now();
    for unheard in asked.iter().filter(|one| !one.passes(notification, now)) {
        let found = fanout.store.sealed_subscription(&unheard.tenant, &unheard.id).await?;
        // It may have moved to another order meanwhile.
        let still = |one: &Sealed| {
            let order = notification.order.as_ref();
            one.order_id.as_deref().zip(order).is_some_and(|(is, order)| {
                is.eq_ignore_ascii_case(&order.order_id) && one.expires_at.is_none_or(|at| at > now)
            })
        };
        if let Some(subscription) = found.filter(still) {
            fanout.store.expire_subscription(&subscription, now).await?;
        }
    }
    Ok(())
}

/// What an event says of its order.
fn record(event: &StoredEvent, notification: &Notification) -> Option<OrderRecord> {
    let order = notification.order.as_ref()?;
    let at = event.key.at();
    Some(OrderRecord {
        upstream: event.upstream.clone(),
        order_type: order.order_type.clone(),
        order_id: order.order_id.clone(),
        customer_order_id: order.customer_order_id.clone(),
        status: notification.status.clone(),
        first_at: at,
        last_at: at,
        last_key: event.key.clone(),
        number_count: notification.completed_telephone_numbers.len().try_into().unwrap_or(u32::MAX),
        actual_foc_date: notification.actual_foc_date.clone(),
    })
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
        reconciled: event.reconciled,
        subscriptions: matching,
    }
}

/// An event on its way into lanes, and whose it is.
pub(crate) struct Owned<'a> {
    event: &'a StoredEvent,
    tenant: &'a str,
    /// It tells no state.
    stateless: bool,
}

impl<'a> Owned<'a> {
    pub(crate) fn new(
        event: &'a StoredEvent,
        notification: &Notification,
        tenant: &'a str,
    ) -> Owned<'a> {
        Owned { event, tenant, stateless: notification.status.is_none() }
    }
}

/// Puts the event's delivery into each of these lanes, and sends the wakes of those that have one of
/// their own.
pub(crate) async fn place(
    fanout: &Fanout,
    lanes: impl IntoIterator<Item = Lane>,
    owned: &Owned<'_>,
) -> Result<(), FanoutError> {
    let wakes = futures::stream::iter(lanes)
        .map(|lane| place_one(fanout, lane, owned))
        .buffered(LANES_AT_ONCE)
        // Those that have one.
        .try_filter_map(async |wake| Ok(wake));
    // Not all of them at the end: an event may go to more lanes than one run has time for.
    let mut batches = std::pin::pin!(wakes.try_chunks(queue::BATCH_MAX));
    while let Some(batch) = batches.next().await {
        let (wakes, failed) = match batch {
            Ok(wakes) => (wakes, None),
            // A lane that fails each time must not hold up those before it.
            Err(TryChunksError(wakes, error)) => (wakes, Some(error)),
        };
        if !wakes.is_empty() {
            fanout.wakes.send_together(&wakes).await?;
        }
        if let Some(error) = failed {
            return Err(error);
        }
    }
    Ok(())
}

/// Puts the event's delivery into one lane; answers its wake if it has one of its own.
async fn place_one(
    fanout: &Fanout,
    lane: Lane,
    owned: &Owned<'_>,
) -> Result<Option<Wake>, FanoutError> {
    let event = owned.event;
    for _ in 0..CHOICES_MAX {
        let newest = fanout.store.newest(&lane, None).await?;
        let before = match &newest {
            Some(delivery) if delivery.key > event.key => {
                fanout.store.newest(&lane, Some(&event.key)).await?
            }
            newest => newest.clone(),
        };
        let seen = match lane::place(&event.key, newest.as_ref(), before.as_ref()) {
            Placing::Done => return Ok(None),
            Placing::Wake(seen) => seen,
            Placing::Put(place) => {
                let fresh = fresh(&place, owned);
                match fanout.store.put_delivery(&lane, &place, &fresh).await? {
                    Put::Changed => continue,
                    Put::Done if fresh.behind => return Ok(None),
                    Put::Done => Seen::default(),
                }
            }
        };
        return Ok(Some(Wake::new(lane, event.key.clone(), seen)));
    }
    Err(FanoutError::Contended)
}

fn fresh(place: &Place, owned: &Owned<'_>) -> Delivery {
    let Owned { event, tenant, stateless } = *owned;
    Delivery {
        key: event.key.clone(),
        tenant: tenant.into(),
        upstream: event.upstream.clone(),
        state: State::Pending,
        behind: place.behind.is_some(),
        attempts_made: 0,
        attempts_before: 0,
        halted: false,
        revivals: 0,
        next_at: None,
        due_at: None,
        slot_at: None,
        finished_at: None,
        sequence: place.sequence,
        last_sequence: place.sequence,
        late: place.newest.is_some(),
        stateless,
    }
}
