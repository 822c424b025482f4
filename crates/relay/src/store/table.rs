//! Single items: read, put, put where none stands or where nobody was faster. Pages of a partition.

use std::collections::HashMap;

use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::builders::{PutBuilder, UpdateBuilder};
use aws_sdk_dynamodb::types::{
    AttributeValue, KeysAndAttributes, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::item::{Attributes, Item, number, read, text, write};
use super::key::Key;
use super::{Store, StoreError, failed};

/// The condition of a put that must not replace anything.
pub(super) const ABSENT: &str = "attribute_not_exists(pk)";

/// Items that one batch may ask for. (AWS: DynamoDB quotas.)
const BATCH_MAX: usize = 100;

/// How often the rest of a batch is asked for.
const BATCH_TRIES_MAX: usize = 4;

/// Nothing stands at a longer key. (AWS: DynamoDB quotas.)
const PK_BYTES_MAX: usize = 2_048;
const SK_BYTES_MAX: usize = 1_024;

/// How fresh a read must be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    /// Late by milliseconds at worst, at half the price.
    Soon,
    /// All that was written before.
    Now,
}

/// Whether a conditional write was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    Done,
    /// The item is no longer as it was read.
    Changed,
}

/// A transaction turns away another write of the same item that comes at that very moment, and is
/// over within milliseconds. The SDK does not repeat what was turned away. Each try is a round trip, so
/// it takes more than bad luck to need this many.
pub(super) const CONFLICTS_MAX: usize = 10;

/// A sort key is no longer. (AWS: DynamoDB quotas.)
const SORT_KEY_BYTES_MAX: usize = 1024;

/// What came of a conditional update; `None` where the item is not as the condition wants it.
pub(super) fn unless_changed<T>(
    action: &'static str,
    written: Result<T, SdkError<UpdateItemError>>,
) -> Result<Option<T>, StoreError> {
    match written {
        Ok(written) => Ok(Some(written)),
        Err(error) => match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(None),
            _ => Err(failed(action)(error)),
        },
    }
}

/// Which part of a listing is wanted.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Items that are read, and returned but for those that a filter drops.
    pub limit: u16,
    /// Where the last page ended: the `sk` of what was read last.
    pub after: Option<String>,
    /// Only these `sk`, both ends included.
    pub from: Option<String>,
    pub to: Option<String>,
    /// The highest `sk` first.
    pub newest_first: bool,
}

impl Store {
    /// What stands at `key`, if anything.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        action: &'static str,
        key: Key,
        freshness: Read,
    ) -> Result<Option<T>, StoreError> {
        if key.pk.len() > PK_BYTES_MAX || key.sk.len() > SK_BYTES_MAX {
            return Ok(None);
        }
        let found = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key.attributes()))
            .consistent_read(freshness == Read::Now)
            .send()
            .await
            .map_err(failed(action))?;
        found.item.map(|item| read::<T>(action, item).map(|item| item.body)).transpose()
    }

    /// Puts an item, in place of what stands there.
    pub(super) async fn put<T: Serialize>(
        &self,
        action: &'static str,
        item: &Item<T>,
    ) -> Result<(), StoreError> {
        self.client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(write(action, item)?))
            .send()
            .await
            .map(drop)
            .map_err(failed(action))
    }

    /// Puts an item where none stands; answers what stands there instead.
    ///
    /// The SDK repeats a call whose answer was lost: what stands may be our own.
    pub(super) async fn put_absent<T: Serialize>(
        &self,
        action: &'static str,
        item: &Item<T>,
    ) -> Result<Option<Attributes>, StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(write(action, item)?))
            .condition_expression(ABSENT)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match put {
            Ok(_) => Ok(None),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(failure)) => {
                    Ok(Some(failure.item.clone().unwrap_or_default()))
                }
                _ => Err(failed(action)(error)),
            },
        }
    }

    /// Puts an item that carries `revision`, in place of the one with the revision before; 1 is
    /// put where none stands.
    pub(super) async fn put_next<T: Serialize>(
        &self,
        action: &'static str,
        item: &Item<T>,
        revision: u64,
    ) -> Result<Written, StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(write(action, item)?))
            .condition_expression(match revision {
                0 | 1 => "attribute_not_exists(pk)",
                _ => "revision = :before",
            })
            .set_expression_attribute_values(
                (revision > 1).then(|| [(":before".into(), number(revision - 1))].into()),
            )
            .send()
            .await;
        match put {
            Ok(_) => Ok(Written::Done),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(Written::Changed),
                _ => Err(failed(action)(error)),
            },
        }
    }

    /// Writes all of it or nothing; false where a condition does not hold.
    pub(super) async fn together(
        &self,
        action: &'static str,
        update: UpdateBuilder,
        puts: Vec<PutBuilder>,
    ) -> Result<bool, StoreError> {
        let shape = |source: BuildError| StoreError::Shape { action, source: source.into() };
        let update = update.table_name(&self.table).build().map_err(shape)?;
        let mut parts = vec![TransactWriteItem::builder().update(update).build()];
        for put in puts {
            let put = put.table_name(&self.table).build().map_err(shape)?;
            parts.push(TransactWriteItem::builder().put(put).build());
        }
        for _ in 0..CONFLICTS_MAX {
            let write = self.client.transact_write_items().set_transact_items(Some(parts.clone()));
            let Err(error) = write.send().await else { return Ok(true) };
            let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
                error.as_service_error()
            else {
                return Err(failed(action)(error));
            };
            let reasons = cancelled.cancellation_reasons.as_deref().unwrap_or_default();
            let mut codes = reasons.iter().filter_map(|reason| reason.code.as_deref());
            if codes.clone().any(|code| code == "ConditionalCheckFailed") {
                return Ok(false);
            }
            if !codes.any(|code| code == "TransactionConflict") {
                return Err(failed(action)(error));
            }
        }
        Err(StoreError::Table { action, source: "its transactions kept conflicting".into() })
    }

    pub(super) async fn delete(&self, action: &'static str, key: Key) -> Result<(), StoreError> {
        self.client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(key.attributes()))
            .send()
            .await
            .map(drop)
            .map_err(failed(action))
    }

    /// One page of a partition, by one query, and where the next page begins.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        action: &'static str,
        pk: &str,
        page: Page,
    ) -> Result<(Vec<T>, Option<String>), StoreError> {
        let outside = |sk: &String| {
            page.from.as_ref().is_some_and(|from| sk < from)
                || page.to.as_ref().is_some_and(|to| sk > to)
        };
        let cannot_be = |sk: &String| sk.len() > SORT_KEY_BYTES_MAX || outside(sk);
        let is_empty = page.from.as_ref().zip(page.to.as_ref()).is_some_and(|(from, to)| from > to);
        if is_empty || page.after.as_ref().is_some_and(cannot_be) {
            return Ok((Vec::new(), None));
        }
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .expression_attribute_values(":pk", text(pk))
            .scan_index_forward(!page.newest_first)
            .limit(page.limit.max(1).into());
        let query = match (page.from, page.to) {
            (None, None) => query.key_condition_expression("pk = :pk"),
            (from, to) => query
                .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
                .expression_attribute_values(":from", text(from.unwrap_or(" ".into())))
                .expression_attribute_values(":to", text(to.unwrap_or("\u{10FFFF}".into()))),
        };
        let after = page.after.map(|sk| Key { pk: pk.into(), sk }.attributes());
        let found = query.set_exclusive_start_key(after).send().await.map_err(failed(action))?;
        let next = found.last_evaluated_key.and_then(|mut key| match key.remove("sk") {
            Some(AttributeValue::S(sk)) => Some(sk),
            _ => None,
        });
        let items = found.items.unwrap_or_default().into_iter();
        let bodies = items.map(|item| read::<T>(action, item).map(|item| item.body));
        Ok((bodies.collect::<Result<_, _>>()?, next))
    }

    /// What stands at these keys, in no order, late by milliseconds at worst.
    pub(super) async fn get_all<T: DeserializeOwned>(
        &self,
        action: &'static str,
        keys: Vec<Key>,
    ) -> Result<Vec<Item<T>>, StoreError> {
        let mut found = Vec::new();
        for some in keys.chunks(BATCH_MAX) {
            let keys = some.iter().cloned().map(Key::attributes).collect();
            let wanted = KeysAndAttributes::builder().set_keys(Some(keys)).build();
            let wanted =
                wanted.map_err(|source| StoreError::Shape { action, source: source.into() })?;
            let mut rest = Some(HashMap::from([(self.table.clone(), wanted)]));
            // What a throttled table left out is asked for again.
            for _ in 0..BATCH_TRIES_MAX {
                let Some(asked) = rest.take().filter(|rest| !rest.is_empty()) else { break };
                let batch = self.client.batch_get_item().set_request_items(Some(asked));
                let answer = batch.send().await.map_err(failed(action))?;
                let items = answer.responses.unwrap_or_default().into_values().flatten();
                for item in items {
                    found.push(read(action, item)?);
                }
                rest = answer.unprocessed_keys;
            }
            if rest.is_some_and(|rest| !rest.is_empty()) {
                return Err(StoreError::Table { action, source: "it gave only a part".into() });
            }
        }
        Ok(found)
    }
}
