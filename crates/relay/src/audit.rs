//! Recomputes the ledger from the table, and names every event that breaks it.
//!
//! A tenant's feed names the lanes that an event went to, and each lane's delivery says what became
//! of it. An event that no feed names is found beside another of its order: in the part of the feed
//! that is audited ([`Audit::feed`]), or among the orders that a tenant is known to have
//! ([`Audit::orders`]). One whose order was never heard of otherwise is not found here.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use domain::delivery::State;
use domain::event::{EventKey, sortable};
use domain::ledger::{Account, Fault, Ledger, Standing, judge, missing};
use domain::notification::Notification;
use futures::future::try_join_all;
use jiff::Timestamp;

use crate::fanout::owner_now;
use crate::store::{DeliveryRecord, FeedEntry, Lane, Page, Sealed, Store, StoreError, StoredEvent};

/// What is audited: events that came in at or after `from` and before `to`.
pub struct Audit {
    store: Store,
    now: Timestamp,
    from: String,
    to: String,
}

/// What was found in one page.
#[derive(Debug, Default)]
pub struct Found {
    pub ledger: Ledger,
    pub breaches: Vec<Breach>,
    /// What was looked at: feed entries, or orders.
    pub looked_at: u64,
    /// Where the next page begins.
    pub next: Option<String>,
}

/// An event that breaks the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    pub tenant: String,
    pub upstream: String,
    /// The order, or the event that stands alone.
    pub order: String,
    pub event: EventKey,
    /// Where it was to go; `None` for all of its subscriptions.
    pub subscription: Option<String>,
    pub fault: Fault,
}

/// The entries of one order in a page of the feed, by their places.
type Listed<'a> = BTreeMap<String, &'a FeedEntry>;

impl Audit {
    pub fn new(store: Store, from: Timestamp, to: Timestamp, now: Timestamp) -> Audit {
        Audit { store, now, from: sortable(from), to: sortable(to) }
    }

    /// Every tenant.
    pub async fn tenants(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.store.all_tenants().await?.into_iter().map(|tenant| tenant.id).collect())
    }

    /// Audits one page of a tenant's feed, and what is stored beside its entries.
    pub async fn feed(
        &self,
        tenant: &str,
        limit: u16,
        after: Option<String>,
    ) -> Result<Found, StoreError> {
        // An entry's place begins with its time, so none is equal to `to`.
        let (from, to) = (Some(self.from.clone()), Some(self.to.clone()));
        let page = Page { limit, after, from, to, newest_first: false };
        let (entries, next) = self.store.feed(tenant, page).await?;
        let looked_at = entries.len().try_into().unwrap_or(u64::MAX);
        let mut found = Found { looked_at, next, ..Found::default() };
        self.lanes(tenant, &entries, &mut found).await?;
        self.beside(tenant, &entries, &mut found).await?;
        Ok(found)
    }

    /// Audits one page of the orders that a tenant has of one type: only those of whose events none
    /// stands in the audited part of the feed. The others are [`Audit::feed`]'s.
    pub async fn orders(
        &self,
        tenant: &str,
        order_type: &str,
        limit: u16,
        after: Option<String>,
    ) -> Result<Found, StoreError> {
        let page = Page { limit, after, ..Page::default() };
        let (orders, next) = self.store.order_records(tenant, order_type, page).await?;
        let looked_at = orders.len().try_into().unwrap_or(u64::MAX);
        let mut found = Found { looked_at, next, ..Found::default() };
        let unlisted = orders.iter().map(async |order| {
            let subject = order.order_id.to_ascii_lowercase();
            self.unlisted(tenant, &order.upstream, &subject, &Listed::new()).await
        });
        for Unlisted { events, first_listed } in try_join_all(unlisted).await? {
            if first_listed.is_none() {
                self.count_unlisted(tenant, events, &mut found).await?;
            }
        }
        Ok(found)
    }

    /// Counts what became of these entries.
    async fn lanes(
        &self,
        tenant: &str,
        entries: &[FeedEntry],
        found: &mut Found,
    ) -> Result<(), StoreError> {
        let wanted: Vec<(Lane, EventKey)> = entries
            .iter()
            .flat_map(|entry| entry.lanes().map(|lane| (lane, entry.key.clone())))
            .collect();
        let records = self.store.delivery_records(&wanted).await?;
        let mut records: HashMap<(Lane, EventKey), DeliveryRecord> = records
            .into_iter()
            .map(|record| ((record.lane.clone(), record.delivery.key.clone()), record))
            .collect();
        for entry in entries {
            if entry.subscriptions.is_empty() {
                found.ledger.count(Ok(Account::Unmatched));
            }
            for lane in entry.lanes() {
                let account = match records.remove(&(lane.clone(), entry.key.clone())) {
                    Some(record) => {
                        judge_record(&self.store, &record, entry.received_at, self.now).await?
                    }
                    None => missing(entry.received_at, Fault::NoDelivery, self.now),
                };
                found.ledger.count(account);
                found.breaches.extend(account.err().map(|fault| Breach {
                    tenant: tenant.into(),
                    upstream: entry.upstream.clone(),
                    order: entry.subject.clone(),
                    event: entry.key.clone(),
                    subscription: Some(lane.subscription),
                    fault,
                }));
            }
        }
        Ok(())
    }

    /// Counts what is stored for the orders of these entries, and stands in no feed. That of an
    /// order is counted once, with the first of its entries.
    async fn beside(
        &self,
        tenant: &str,
        entries: &[FeedEntry],
        found: &mut Found,
    ) -> Result<(), StoreError> {
        let mut orders: BTreeMap<(&str, &str), Listed> = BTreeMap::new();
        for entry in entries {
            let order = orders.entry((&entry.upstream, &entry.subject)).or_default();
            order.insert(entry.position(), entry);
        }
        let unlisted = orders.iter().map(async |((upstream, subject), listed)| {
            let unlisted = self.unlisted(tenant, upstream, subject, listed).await?;
            let is_first = unlisted.first_listed.as_ref() == listed.keys().next();
            Ok::<_, StoreError>(is_first.then_some(unlisted.events))
        });
        for events in try_join_all(unlisted).await?.into_iter().flatten() {
            self.count_unlisted(tenant, events, found).await?;
        }
        Ok(())
    }

    /// The events of an order within the window that the tenant's feed does not list; `listed` is
    /// what is known of it.
    async fn unlisted(
        &self,
        tenant: &str,
        upstream: &str,
        subject: &str,
        listed: &Listed<'_>,
    ) -> Result<Unlisted, StoreError> {
        let mut events = self.store.events_within(upstream, subject, &self.from, &self.to).await?;
        events.retain(|event| !listed.contains_key(&FeedEntry::position_of(event)));
        let places = events.iter().map(FeedEntry::position_of).collect();
        let others = self.store.feed_entries(tenant, places).await?;
        let others: Vec<String> = others.iter().map(FeedEntry::position).collect();
        events.retain(|event| !others.contains(&FeedEntry::position_of(event)));
        let first_listed = listed.keys().chain(&others).min().cloned();
        Ok(Unlisted { events, first_listed })
    }

    async fn count_unlisted(
        &self,
        tenant: &str,
        events: Vec<StoredEvent>,
        found: &mut Found,
    ) -> Result<(), StoreError> {
        if events.is_empty() {
            return Ok(());
        }
        // An order may have changed hands.
        let owners = owners(self.tenants().await?);
        for event in events {
            if self.store.decision(&event, &owners).await?.is_some()
                || self.is_anothers(tenant, &event).await?
            {
                continue;
            }
            let account = missing(event.received_at, Fault::NotFannedOut, self.now);
            found.ledger.count(account);
            found.breaches.extend(account.err().map(|fault| Breach {
                tenant: tenant.into(),
                upstream: event.upstream,
                order: event.subject,
                event: event.key,
                subscription: None,
                fault,
            }));
        }
        Ok(())
    }

    async fn is_anothers(&self, tenant: &str, event: &StoredEvent) -> Result<bool, StoreError> {
        let Ok(notification) = Notification::parse(&event.raw) else { return Ok(false) };
        let owner = owner_now(&self.store, event, &notification).await?.tenant();
        Ok(owner.is_some_and(|owner| owner != tenant))
    }
}

struct Unlisted {
    events: Vec<StoredEvent>,
    /// The first place of the order in the audited part of the tenant's feed.
    first_listed: Option<String>,
}

/// All for whom fan-out may have decided.
pub(crate) fn owners(tenants: Vec<String>) -> Vec<Option<String>> {
    tenants.into_iter().map(Some).chain([None]).collect()
}

/// Decides where a delivery stands, with a look at those before it where that matters.
pub(crate) async fn judge_record(
    store: &Store,
    record: &DeliveryRecord,
    received_at: Timestamp,
    now: Timestamp,
) -> Result<Result<Account, Fault>, StoreError> {
    let is_pending = record.delivery.state == State::Pending;
    let (tenant, lane) = (&record.delivery.tenant, &record.lane);
    let subscription = match is_pending {
        true => store.sealed_subscription(tenant, &lane.subscription).await?,
        false => None,
    };
    let rests = |one: &Sealed| one.disabled || one.health.open_since.is_some();
    let held_rightly = is_pending
        && record.held
        && (subscription.as_ref().is_some_and(rests)
            || store.is_let_go(&lane.subscription, now).await?);
    let before = match record.delivery.behind {
        true => store.deliveries_before(&record.lane, &record.delivery.key).await?,
        false => Vec::new(),
    };
    let standing = Standing {
        delivery: &record.delivery,
        received_at,
        tried_at: record.attempts.last().map(|attempt| attempt.at),
        held: record.held,
        held_rightly,
        slot_at: subscription.and_then(|one| Timestamp::from_millisecond(one.slot_ms?).ok()),
        before: &before,
    };
    Ok(judge(&standing, now))
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Breach { tenant, upstream, order, event, subscription, fault } = self;
        write!(f, "tenant {tenant}, upstream {upstream}, order {order}, event {event}")?;
        if let Some(subscription) = subscription {
            write!(f, ", subscription {subscription}")?;
        }
        write!(f, ": {fault}")
    }
}
