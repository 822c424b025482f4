//! Single items: read, put, put where none stands.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::item::{Attributes, Item, read, write};
use super::key::Key;
use super::{Store, StoreError, failed};

/// The condition of a put that must not replace anything.
pub(super) const ABSENT: &str = "attribute_not_exists(pk)";

/// How fresh a read must be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    /// Late by milliseconds at worst, at half the price.
    Soon,
    /// All that was written before.
    Now,
}

impl Store {
    /// What stands at `key`, if anything.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        action: &'static str,
        key: Key,
        freshness: Read,
    ) -> Result<Option<T>, StoreError> {
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
}
