//! Subscriptions in the table, their secrets sealed, and who asked for what.
//!
//! A subscription is two things that are written together: the whole of it under its tenant, and an
//! entry that fanout reads. To a topic, that is an item of its own; to one order, it stands in the
//! order's record, which fanout writes anyway and is given back for nothing. Either way its name is
//! the target's, so that no two subscriptions to the same have the same target.

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::builders::TransactWriteItemBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, Delete, Put, ReturnValuesOnConditionCheckFailure,
    TransactWriteItem, Update,
};
use domain::health::Health;
use domain::notification::Notification;
use domain::subscription::{Filter, GivenUp, type_key};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::item::{Item, RETENTION, number, read, text, write};
use super::key::{self, Key};
use super::table::{ABSENT, CONFLICTS_MAX, Page, Read, unless_changed};
use super::{Store, StoreError, failed};

/// An expired subscription is kept this long: what it matched may be delivered as long as the last of its
/// events is kept.
const EXPIRED_KEPT: SignedDuration = RETENTION;

/// Subscriptions to one order: each makes its record larger, which is written at each event.
pub(crate) const ORDER_SUBSCRIPTIONS_MAX: usize = 10;

/// Wishes for the state of now are read off the stream at once, which itself keeps a day.
const SNAPSHOT_KEPT: SignedDuration = SignedDuration::from_hours(48);

/// A subscription as it stands in the table.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Sealed {
    pub(crate) id: String,
    pub(crate) tenant: String,
    /// [`domain::subscription::Topic::key`].
    pub(crate) topic: String,
    /// A name for where to tell: a hash.
    pub(crate) target: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) order_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) order_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) event_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) email: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) daily: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) password: Option<ByteBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) public_key: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) json: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) e164: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mode: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) halt: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) states: Vec<String>,
    pub(crate) secrets: Vec<SealedSecret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) waits_ms: Option<Vec<i64>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) headers: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) disabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) given_up: Option<GivenUp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rate: Option<u32>,
    #[serde(flatten)]
    pub(crate) health: Health,
    pub(crate) created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<String>,
    pub(crate) revision: u64,
    /// The next slot that is free, where attempts are limited. Only ever taken, and never written with
    /// the rest.
    #[serde(default, skip_serializing)]
    pub(crate) slot_ms: Option<i64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SealedSecret {
    pub(crate) sealed: ByteBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<Timestamp>,
}

/// What fanout knows of a subscription.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) tenant: String,
    #[serde(flatten)]
    pub(crate) filter: Filter,
    /// Epoch seconds at which it has expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<i64>,
    /// Told by mail.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) mail: bool,
}

impl Entry {
    /// Whether a notification is to be delivered to it.
    pub(crate) fn passes(&self, notification: &Notification, now: Timestamp) -> bool {
        !self.mail && self.filter.passes(notification, now)
    }
}

/// Somebody wants to be told the present state of an order, as its first delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    pub upstream: String,
    pub order_type: String,
    pub subject: String,
    pub tenant: String,
    pub subscription: String,
    pub asked_at: Timestamp,
}

impl Snapshot {
    /// Reads a new image as the table's stream gives it; `None` where it is something else.
    pub(crate) fn from_stream(image: &serde_dynamo::Item) -> Result<Option<Snapshot>, StoreError> {
        let action = "read a wish from the stream";
        let is_one = match image.get("sk") {
            Some(serde_dynamo::AttributeValue::S(sk)) => sk.starts_with(key::SNAPSHOT_PREFIX),
            _ => false,
        };
        if !is_one {
            return Ok(None);
        }
        let item: Item<Snapshot> = serde_dynamo::from_item(image.clone())
            .map_err(|source| StoreError::Shape { action, source: source.into() })?;
        Ok(Some(item.body))
    }
}

/// Whether a subscription could be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subscribed {
    Done,
    /// Another subscription of the topic has this target.
    Duplicate,
    /// There are too many to this order.
    TooMany,
    /// It was changed or deleted meanwhile, or exists already.
    Changed,
    /// Its entry is no longer there, or is another's by now.
    NoEntry,
}

/// A part of a transaction, and what it means if that is turned away.
type Part = (TransactWriteItem, Subscribed);

impl Sealed {
    fn key(&self) -> Key {
        key::subscription(&self.tenant, &self.id)
    }

    /// Of a subscription to one order, where that is recorded.
    fn order_key(&self) -> Option<Key> {
        let (order_type, order_id) = self.order_type.as_ref().zip(self.order_id.as_ref())?;
        let subject = order_id.to_ascii_lowercase();
        Some(key::order_record(&self.tenant, &type_key(order_type), &subject))
    }

    /// Where its entry stands, and under what name there.
    fn entry_place(&self) -> (Key, &str) {
        let of_topic = || key::asked_for_topic(&self.tenant, &self.topic, &self.target);
        (self.order_key().unwrap_or_else(of_topic), &self.target)
    }

    pub(crate) fn entry(&self) -> Entry {
        Entry {
            id: self.id.clone(),
            tenant: self.tenant.clone(),
            filter: Filter {
                final_only: self.mode.as_deref() == Some("final"),
                states: self.states.clone(),
                expires_at: self.expires_at,
            },
            until: self.expires_at.map(Timestamp::as_second),
            mail: self.email.is_some(),
        }
    }

    /// Whether it has been expired for so long that it counts as deleted, whether the table has dropped
    /// it or not.
    pub(crate) fn is_gone(&self, now: Timestamp) -> bool {
        self.gone_at().is_some_and(|at| at <= now)
    }

    fn gone_at(&self) -> Option<Timestamp> {
        let at = |at: Timestamp| at.checked_add(EXPIRED_KEPT).unwrap_or(Timestamp::MAX);
        self.expires_at.map(at)
    }

    fn item<T>(&self, key: Key, body: T, kept: SignedDuration) -> Item<T> {
        let item = Item::new(key, body);
        match self.expires_at {
            Some(at) => item.kept_for(kept, at),
            None => item,
        }
    }
}

impl Store {
    /// Puts a new subscription, and with it the wish for the present state of its order.
    pub(crate) async fn add_subscription(
        &self,
        new: &Sealed,
        snapshot: Option<&Snapshot>,
        now: Timestamp,
    ) -> Result<Subscribed, StoreError> {
        let mut together = vec![
            (self.whole(new, Before::Nothing)?, Subscribed::Changed),
            (self.entry_put(new, Before::Nothing, now)?, Subscribed::Duplicate),
        ];
        if let Some(snapshot) = snapshot {
            together.push((self.snapshot_put(snapshot)?, Subscribed::Changed));
        }
        self.forget_topic(new);
        self.drain_when_gone(new).await?;
        self.subscribe("add a subscription", together).await
    }

    /// Replaces a subscription, if it has not changed since `old` was read.
    pub(crate) async fn change_subscription(
        &self,
        old: &Sealed,
        new: &Sealed,
        now: Timestamp,
    ) -> Result<Subscribed, StoreError> {
        let action = "change a subscription";
        let whole = self.whole(new, Before::Itself(old.revision))?;
        let mut together = vec![(whole, Subscribed::Changed)];
        let ((old_key, old_name), (new_key, new_name)) = (old.entry_place(), new.entry_place());
        if (&old_key, old_name) == (&new_key, new_name) {
            together.push((self.entry_put(new, Before::Itself(0), now)?, Subscribed::Duplicate));
        } else if old_key == new_key {
            together.push((self.entry_rename(old, new, old_key, now)?, Subscribed::Duplicate));
        } else {
            together.push((self.entry_put(new, Before::Nothing, now)?, Subscribed::Duplicate));
            together.push((self.entry_delete(old)?, Subscribed::NoEntry));
        }
        self.forget_topic(old);
        self.forget_topic(new);
        // What was halted under the policy of before still is.
        self.drain_when_gone(&Sealed { halt: old.halt || new.halt, ..new.clone() }).await?;
        self.with_entry_or_without(action, together).await
    }

    /// Has a subscription expire now: nothing new matches, what matched is still delivered.
    pub(crate) async fn expire_subscription(
        &self,
        old: &Sealed,
        now: Timestamp,
    ) -> Result<Subscribed, StoreError> {
        let revision = old.revision + 1;
        let new = Sealed { expires_at: Some(now), revision, ..old.clone() };
        let whole = self.whole(&new, Before::Itself(old.revision))?;
        let entry = self.entry_delete(old)?;
        self.forget_topic(old);
        self.drain_when_gone(&new).await?;
        let together = vec![(whole, Subscribed::Changed), (entry, Subscribed::NoEntry)];
        self.with_entry_or_without("end a subscription", together).await
    }

    /// Where something may rest for a subscription that will expire, has `schedule` let go of it when
    /// nobody can act any more. Before the write that is the reason: it does no harm without.
    pub(crate) async fn drain_when_gone(&self, one: &Sealed) -> Result<(), StoreError> {
        let Some(at) = one.gone_at().filter(|_| one.disabled || one.halt) else { return Ok(()) };
        self.add_drain(&one.tenant, &one.id, at).await
    }

    pub(crate) async fn delete_subscription(&self, old: &Sealed) -> Result<(), StoreError> {
        self.forget_topic(old);
        let action = "delete a subscription";
        let whole = Delete::builder()
            .table_name(&self.table)
            .set_key(Some(old.key().attributes()))
            .build()
            .map(|delete| TransactWriteItem::builder().delete(delete));
        let together = vec![
            (built(whole)?, Subscribed::Changed),
            (self.entry_delete(old)?, Subscribed::NoEntry),
        ];
        self.with_entry_or_without(action, together).await.map(drop)
    }

    /// Takes the entries of expired subscriptions out of an order's record; answers whether there
    /// were any.
    pub(crate) async fn make_room(&self, new: &Sealed, now: Timestamp) -> Result<bool, StoreError> {
        #[derive(Deserialize)]
        struct Asked {
            asked: HashMap<String, Entry>,
        }
        let action = "make room for a subscription";
        let Some(key) = new.order_key() else { return Ok(false) };
        let record: Option<Asked> = self.get(action, key.clone(), Read::Now).await?;
        let asked = record.map(|record| record.asked).unwrap_or_default();
        let is_over = |entry: &Entry| entry.until.is_some_and(|until| until <= now.as_second());
        let over = asked.into_iter().filter(|(_, entry)| is_over(entry)).map(|(target, _)| target);
        let over: Vec<_> = over.collect();
        for target in &over {
            let written = self
                .client
                .update_item()
                .table_name(&self.table)
                .set_key(Some(key.clone().attributes()))
                .update_expression("REMOVE asked.#target")
                .condition_expression("asked.#target.#until <= :now")
                .expression_attribute_names("#target", target)
                .expression_attribute_names("#until", "until")
                .expression_attribute_values(":now", number(now.as_second()))
                .send()
                .await;
            unless_changed(action, written)?;
        }
        Ok(!over.is_empty())
    }

    pub(crate) async fn sealed_subscription(
        &self,
        tenant: &str,
        id: &str,
    ) -> Result<Option<Sealed>, StoreError> {
        self.get("read a subscription", key::subscription(tenant, id), Read::Now).await
    }

    /// One page of a tenant's subscriptions, by id.
    pub(crate) async fn sealed_subscriptions(
        &self,
        tenant: &str,
        page: Page,
    ) -> Result<(Vec<Sealed>, Option<String>), StoreError> {
        let page = Page {
            after: page.after.map(|id| format!("{}{id}", key::SUBSCRIPTION_PREFIX)),
            ..page
        };
        let pk = key::subscriptions(tenant);
        let (found, next) = self.list("list subscriptions", &pk, page).await?;
        let id = |sk: String| sk.strip_prefix(key::SUBSCRIPTION_PREFIX).map(Into::into);
        Ok((found, next.and_then(id)))
    }

    /// Who asked for a topic, as it was at most `cache::AGE_MAX` ago.
    pub(crate) async fn asked_for_topic(
        &self,
        tenant: &str,
        topic: &str,
    ) -> Result<Arc<Vec<Entry>>, StoreError> {
        let pk = key::topic(tenant, topic);
        if let Some(known) = self.topics.get(&pk) {
            return Ok(known);
        }
        let action = "read who asked for a topic";
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", text(&pk))
            .into_paginator()
            .items()
            .send();
        let mut entries = Vec::new();
        while let Some(item) = pages.next().await {
            entries.push(read::<Entry>(action, item.map_err(failed(action))?)?.body);
        }
        let entries = Arc::new(entries);
        self.topics.put(&pk, entries.clone());
        Ok(entries)
    }

    /// Asks for the present state of an order. Asking twice is asking once.
    pub(crate) async fn put_snapshot(&self, snapshot: &Snapshot) -> Result<(), StoreError> {
        let action = "ask for the state of an order";
        self.put_absent(action, &snapshot_item(snapshot)).await.map(drop)
    }

    /// What was to be done to an entry that is gone needs no doing.
    async fn with_entry_or_without(
        &self,
        action: &'static str,
        mut together: Vec<Part>,
    ) -> Result<Subscribed, StoreError> {
        match self.subscribe(action, together.clone()).await? {
            Subscribed::NoEntry => {
                together.retain(|(_, otherwise)| *otherwise != Subscribed::NoEntry);
                self.subscribe(action, together).await
            }
            done => Ok(done),
        }
    }

    async fn subscribe(
        &self,
        action: &'static str,
        together: Vec<Part>,
    ) -> Result<Subscribed, StoreError> {
        let (together, otherwise): (Vec<_>, Vec<_>) = together.into_iter().unzip();
        for _ in 0..CONFLICTS_MAX {
            let write = self.client.transact_write_items();
            let written = write.set_transact_items(Some(together.clone())).send().await;
            let Err(error) = written else { return Ok(Subscribed::Done) };
            let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
                error.as_service_error()
            else {
                return Err(failed(action)(error));
            };
            let reasons = cancelled.cancellation_reasons.as_deref().unwrap_or_default();
            let says = |reason: &CancellationReason, code| reason.code.as_deref() == Some(code);
            let turned_away = |reason: &CancellationReason| says(reason, "ConditionalCheckFailed");
            match reasons.iter().zip(&otherwise).find(|(reason, _)| turned_away(reason)) {
                Some((reason, Subscribed::Duplicate)) if is_full(reason) => {
                    return Ok(Subscribed::TooMany);
                }
                Some((_, otherwise)) => return Ok(*otherwise),
                None if reasons.iter().any(|reason| says(reason, "TransactionConflict")) => {}
                None => return Err(failed(action)(error)),
            }
        }
        Err(StoreError::Table { action, source: "its transactions kept conflicting".into() })
    }

    /// This process at least need not go by what it remembers.
    fn forget_topic(&self, one: &Sealed) {
        self.topics.forget(&key::topic(&one.tenant, &one.topic));
    }

    fn whole(&self, one: &Sealed, before: Before) -> Result<TransactWriteItem, StoreError> {
        // Notes of how the endpoint is raise no revision: written back as it was read, a breaker that has
        // closed meanwhile would be open again, and on no list.
        let fresh = Sealed { health: Health::default(), ..one.clone() };
        let item = write(WRITE, &one.item(one.key(), &fresh, EXPIRED_KEPT))?;
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        let put = match before {
            Before::Nothing => put.condition_expression(ABSENT),
            Before::Itself(revision) => put
                .condition_expression("revision = :before")
                .expression_attribute_values(":before", number(revision)),
        };
        built(put.build().map(|put| TransactWriteItem::builder().put(put)))
    }

    fn entry_put(
        &self,
        one: &Sealed,
        before: Before,
        now: Timestamp,
    ) -> Result<TransactWriteItem, StoreError> {
        let Some(order) = one.order_key() else {
            // Expired, it matches nothing.
            let item = one.item(one.entry_place().0, one.entry(), SignedDuration::ZERO);
            let item = write(WRITE, &item)?;
            let put = Put::builder().table_name(&self.table).set_item(Some(item));
            let put = match before {
                // One that has expired is in nobody's way.
                Before::Nothing => put
                    .condition_expression("attribute_not_exists(pk) OR #until <= :now")
                    .expression_attribute_names("#until", "until")
                    .expression_attribute_values(":now", number(now.as_second())),
                Before::Itself(_) => put
                    .condition_expression("attribute_not_exists(pk) OR id = :id")
                    .expression_attribute_values(":id", text(&one.id)),
            };
            return built(put.build().map(|put| TransactWriteItem::builder().put(put)));
        };
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(order.attributes()))
            .update_expression("SET asked.#target = :entry")
            .expression_attribute_names("#target", &one.target)
            .expression_attribute_values(":entry", entry_map(one)?)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let update = match before {
            Before::Nothing => update
                .condition_expression(
                    "size(asked) < :max \
                     AND (attribute_not_exists(asked.#target) OR asked.#target.#until <= :now)",
                )
                .expression_attribute_names("#until", "until")
                .expression_attribute_values(":max", number(ORDER_SUBSCRIPTIONS_MAX))
                .expression_attribute_values(":now", number(now.as_second())),
            Before::Itself(_) => update
                .condition_expression(
                    "attribute_exists(asked) AND (asked.#target.id = :id \
                     OR (attribute_not_exists(asked.#target) AND size(asked) < :max))",
                )
                .expression_attribute_values(":max", number(ORDER_SUBSCRIPTIONS_MAX))
                .expression_attribute_values(":id", text(&one.id)),
        };
        built(update.build().map(|update| TransactWriteItem::builder().update(update)))
    }

    /// Gives an entry in an order's record another name: a transaction has one operation an item.
    fn entry_rename(
        &self,
        old: &Sealed,
        new: &Sealed,
        order: Key,
        now: Timestamp,
    ) -> Result<TransactWriteItem, StoreError> {
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(order.attributes()))
            .update_expression("SET asked.#target = :entry REMOVE asked.#before")
            .condition_expression(
                "attribute_exists(asked) \
                 AND (attribute_not_exists(asked.#before) OR asked.#before.id = :id) \
                 AND (attribute_not_exists(asked.#target) OR asked.#target.#until <= :now)",
            )
            .expression_attribute_names("#target", &new.target)
            .expression_attribute_names("#before", &old.target)
            .expression_attribute_names("#until", "until")
            .expression_attribute_values(":entry", entry_map(new)?)
            .expression_attribute_values(":id", text(&new.id))
            .expression_attribute_values(":now", number(now.as_second()))
            .build();
        built(update.map(|update| TransactWriteItem::builder().update(update)))
    }

    /// Deletes an entry unless another subscription has taken its place.
    fn entry_delete(&self, one: &Sealed) -> Result<TransactWriteItem, StoreError> {
        let id = text(&one.id);
        let Some(order) = one.order_key() else {
            let delete = Delete::builder()
                .table_name(&self.table)
                .set_key(Some(one.entry_place().0.attributes()))
                .condition_expression("attribute_not_exists(pk) OR id = :id")
                .expression_attribute_values(":id", id)
                .build();
            return built(delete.map(|delete| TransactWriteItem::builder().delete(delete)));
        };
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(order.attributes()))
            .update_expression("REMOVE asked.#target")
            .condition_expression("asked.#target.id = :id")
            .expression_attribute_names("#target", &one.target)
            .expression_attribute_values(":id", id)
            .build();
        built(update.map(|update| TransactWriteItem::builder().update(update)))
    }

    fn snapshot_put(&self, snapshot: &Snapshot) -> Result<TransactWriteItem, StoreError> {
        let item = write("ask for the state of an order", &snapshot_item(snapshot))?;
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        let put = put.condition_expression(ABSENT).build();
        built(put.map(|put| TransactWriteItem::builder().put(put)))
    }
}

/// What must stand where a subscription is put.
#[derive(Clone, Copy)]
enum Before {
    Nothing,
    /// The same one, at this revision.
    Itself(u64),
}

/// What is being done, in errors.
const WRITE: &str = "write a subscription";

fn entry_map(one: &Sealed) -> Result<AttributeValue, StoreError> {
    serde_dynamo::to_attribute_value(one.entry())
        .map_err(|source| StoreError::Shape { action: WRITE, source: source.into() })
}

/// Whether an order's record turned a subscription away although none has its target.
fn is_full(reason: &CancellationReason) -> bool {
    let asked = reason.item.as_ref().and_then(|item| item.get("asked"));
    let asked = asked.and_then(|asked| asked.as_m().ok());
    asked.is_some_and(|asked| asked.len() >= ORDER_SUBSCRIPTIONS_MAX)
}

fn snapshot_item(snapshot: &Snapshot) -> Item<Snapshot> {
    let key = key::snapshot(&snapshot.upstream, &snapshot.subject, &snapshot.subscription);
    Item::new(key, snapshot.clone()).kept_for(SNAPSHOT_KEPT, snapshot.asked_at)
}

fn built(
    item: Result<TransactWriteItemBuilder, BuildError>,
) -> Result<TransactWriteItem, StoreError> {
    item.map(TransactWriteItemBuilder::build)
        .map_err(|source| StoreError::Shape { action: WRITE, source: source.into() })
}
