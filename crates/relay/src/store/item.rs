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
pub(crate) const RETENTION: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Version of the item shapes written here, and the newest that is read.
///
/// While a release replaces another, or is taken back, both work on one table: each reads what the one before
/// it and the one after it write. An attribute that may be missing, and that may be lost when the older one
/// writes its item again, can come with any release. Every other change takes two: the first reads the next
/// version besides the old one, which it goes on writing; the second writes the next one.
const WRITTEN: u8 = 1;
const READ_MAX: u8 = 1;
const _: () = assert!(WRITTEN <= READ_MAX);

/// A version that this release reads.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "u8")]
struct Version(u8);

impl TryFrom<u8> for Version {
    type Error = String;

    fn try_from(v: u8) -> Result<Version, String> {
        match v <= READ_MAX {
            true => Ok(Version(v)),
            false => Err(format!("it has version {v}, and this release reads up to {READ_MAX}")),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Item<T> {
    #[serde(flatten)]
    pub(super) key: Key,
    v: Version,
    /// Epoch seconds after which DynamoDB may drop the item (up to days later).
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<i64>,
    #[serde(flatten)]
    pub(super) body: T,
}

impl<T> Item<T> {
    pub(super) fn new(key: Key, body: T) -> Item<T> {
        Item { key, v: Version(WRITTEN), expires: None, body }
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

#[cfg(test)]
mod tests {
    use super::{Attributes, READ_MAX, WRITTEN, number, read, text};

    #[derive(Debug, serde::Deserialize)]
    struct Body {
        name: String,
    }

    fn item(version: u8) -> Attributes {
        let of_today = [("pk", text("P")), ("sk", text("S")), ("v", number(version))];
        let of_tomorrow = [("name", text("n")), ("unheard_of", number(7))];
        of_today.into_iter().chain(of_tomorrow).map(|(name, is)| (name.into(), is)).collect()
    }

    #[test]
    fn an_attribute_of_a_later_release_is_passed_over() {
        assert_eq!(read::<Body>("read", item(WRITTEN)).unwrap().body.name, "n");
    }

    #[test]
    fn a_shape_of_a_later_release_is_refused_by_its_version() {
        let error = read::<Body>("read", item(READ_MAX + 1)).unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("it has version 2, and this release reads up to 1"), "{source}");
    }
}
