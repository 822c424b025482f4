//! What every item carries, and the way between items and Rust.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::StoreError;
use super::key::Key;

/// Events and feed entries are kept this long, and deliveries from when they are finished: a quarter in
/// which an order can be looked up and replayed.
pub(super) const RETENTION: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Version of the item shapes written here.
const VERSION: u8 = 1;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Item<T> {
    #[serde(flatten)]
    pub(super) key: Key,
    v: u8,
    /// Epoch seconds after which DynamoDB may drop the item (up to days later).
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<i64>,
    #[serde(flatten)]
    pub(super) body: T,
}

impl<T> Item<T> {
    pub(super) fn new(key: Key, body: T) -> Item<T> {
        Item { key, v: VERSION, expires: None, body }
    }

    pub(super) fn kept_for(mut self, age_max: SignedDuration, from: Timestamp) -> Item<T> {
        self.expires = Some(expiry(age_max, from));
        self
    }
}

/// Name of [`Item::expires`].
pub(super) const EXPIRES: &str = "expires";

pub(super) fn expiry(age_max: SignedDuration, from: Timestamp) -> i64 {
    from.as_second() + age_max.as_secs()
}

pub(super) type Attributes = HashMap<String, AttributeValue>;

pub(super) fn write<T: Serialize>(
    action: &'static str,
    item: &T,
) -> Result<Attributes, StoreError> {
    serde_dynamo::to_item(item)
        .map_err(|source| StoreError::Shape { action, source: source.into() })
}

pub(super) fn read<T: DeserializeOwned>(
    action: &'static str,
    attributes: Attributes,
) -> Result<Item<T>, StoreError> {
    serde_dynamo::from_item(attributes)
        .map_err(|source| StoreError::Shape { action, source: source.into() })
}

impl Key {
    pub(super) fn attributes(self) -> Attributes {
        HashMap::from([
            ("pk".into(), AttributeValue::S(self.pk)),
            ("sk".into(), AttributeValue::S(self.sk)),
        ])
    }
}

pub(super) fn number(value: impl std::fmt::Display) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}
