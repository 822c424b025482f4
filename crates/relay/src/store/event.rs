//! Events.

use std::cell::RefCell;
use std::io::Read as _;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::builders::PutBuilder;
use aws_sdk_dynamodb::types::{Put, ReturnValuesOnConditionCheckFailure};
use domain::event::EventKey;
use domain::limits;
use flate2::read::DeflateDecoder;
use flate2::{Compress, Compression, FlushCompress, Status};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::item::{Item, RETENTION, read, text, write};
use super::table::{ABSENT, Page, Read};
use super::{Store, StoreError, failed, key};

/// Equal content without a date of its own is one event for this long: Bandwidth posts once per
/// matching subscription, and a client of its API may see to a repeat.
const SAME_EVENT: SignedDuration = SignedDuration::from_mins(10);

/// A body longer than this is compressed where that makes it shorter. A write unit is 1 KB.
const PLAIN_BYTES_MAX: usize = 600;

/// A notification as Bandwidth sent it, and where it stands among its order's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// The upstream account.
    pub upstream: String,
    /// The order, or the event that stands alone.
    pub subject: String,
    pub key: EventKey,
    pub received_at: Timestamp,
    /// The body, byte for byte.
    pub raw: Vec<u8>,
    /// Of the relay's own events: whom it tells.
    pub tenant: Option<String>,
    /// Bandwidth did not send it: the relay asked, and wrote the body itself.
    pub reconciled: bool,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Body {
    upstream: String,
    subject: String,
    key: EventKey,
    received_at: Timestamp,
    #[serde(with = "serde_bytes")]
    raw: Vec<u8>,
    /// `raw` is deflated.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    packed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    reconciled: bool,
}

#[derive(Serialize, Deserialize)]
struct SeenBody {
    at: Timestamp,
}

impl Store {
    /// Puts an event once; answers the one that had its key before.
    pub async fn put_event(&self, event: &StoredEvent) -> Result<Option<StoredEvent>, StoreError> {
        let action = "put an event";
        match self.put_absent(action, &event.item()).await? {
            None => Ok(None),
            Some(standing) => {
                let standing = read::<Body>(action, standing)?.body;
                StoredEvent::from_body(action, standing).map(Some)
            }
        }
    }

    /// The time at which this content, which has no date of its own, was first seen; itself `at`
    /// when that is longer ago than `SAME_EVENT`. Copies that arrive together get one answer.
    pub async fn first_seen(
        &self,
        upstream: &str,
        subject: &str,
        digest: &str,
        at: Timestamp,
    ) -> Result<Timestamp, StoreError> {
        let action = "note the arrival of an undated event";
        let item = Item::new(key::seen(upstream, subject, digest), SeenBody { at })
            .kept_for(SAME_EVENT * 2, at);
        let sortable = |at: Timestamp| text(domain::event::sortable(at));
        let mut attributes = write(action, &item)?;
        // Compared as text in the condition below, so written in one width.
        attributes.insert("at".into(), sortable(at));
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(attributes))
            .condition_expression("attribute_not_exists(pk) OR #at < :from OR #at > :until")
            .expression_attribute_names("#at", "at")
            .expression_attribute_values(":from", sortable(at - SAME_EVENT))
            .expression_attribute_values(":until", sortable(at + SAME_EVENT))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let error = match put {
            Ok(_) => return Ok(at),
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(failure)) => {
                let standing = failure.item.clone().unwrap_or_default();
                Ok(read::<SeenBody>(action, standing)?.body.at)
            }
            _ => Err(failed(action)(error)),
        }
    }

    /// The events of an order from `after` on, oldest first: one page.
    pub async fn events(
        &self,
        upstream: &str,
        subject: &str,
        page: Page,
    ) -> Result<(Vec<StoredEvent>, Option<String>), StoreError> {
        let action = "read the events of an order";
        let page = Page {
            from: Some(key::EVENT_PREFIX.into()),
            to: Some(format!("{}~", key::EVENT_PREFIX)),
            ..page
        };
        let (bodies, next) =
            self.list::<Body>(action, &key::order(upstream, subject), page).await?;
        let events = bodies.into_iter().map(|body| StoredEvent::from_body(action, body));
        Ok((events.collect::<Result<_, _>>()?, next))
    }

    /// One event; `None` when it is past its retention.
    pub async fn event(
        &self,
        upstream: &str,
        subject: &str,
        key: &EventKey,
    ) -> Result<Option<StoredEvent>, StoreError> {
        let action = "read an event";
        let key = key::event(upstream, subject, key);
        // Whoever asks knows of it, so it is there; a late read may miss it for a moment.
        let body: Option<Body> = match self.get(action, key.clone(), Read::Soon).await? {
            None => self.get(action, key, Read::Now).await?,
            found => found,
        };
        body.map(|body| StoredEvent::from_body(action, body)).transpose()
    }
}

impl StoredEvent {
    /// Reads a new image as the table's stream gives it.
    pub fn from_stream(image: serde_dynamo::Item) -> Result<StoredEvent, StoreError> {
        let action = "read an event from the stream";
        let item: Item<Body> = serde_dynamo::from_item(image)
            .map_err(|source| StoreError::Shape { action, source: source.into() })?;
        StoredEvent::from_body(action, item.body)
    }

    pub(super) fn item(&self) -> Item<Body> {
        let (raw, packed) = pack(&self.raw);
        let body = Body {
            upstream: self.upstream.clone(),
            subject: self.subject.clone(),
            key: self.key.clone(),
            received_at: self.received_at,
            raw,
            packed,
            tenant: self.tenant.clone(),
            reconciled: self.reconciled,
        };
        Item::new(key::event(&self.upstream, &self.subject, &self.key), body)
            .kept_for(RETENTION, self.received_at)
    }

    /// A part of a transaction that puts it where it is new.
    pub(super) fn put(&self) -> Result<PutBuilder, StoreError> {
        let item = write("put an event", &self.item())?;
        Ok(Put::builder().set_item(Some(item)).condition_expression(ABSENT))
    }

    pub(super) fn from_body(action: &'static str, body: Body) -> Result<StoredEvent, StoreError> {
        let raw = match body.packed {
            true => unpack(&body.raw)
                .map_err(|source| StoreError::Shape { action, source: source.into() })?,
            false => body.raw,
        };
        Ok(StoredEvent {
            upstream: body.upstream,
            subject: body.subject,
            key: body.key,
            received_at: body.received_at,
            raw,
            tenant: body.tenant,
            reconciled: body.reconciled,
        })
    }
}

thread_local! {
    /// Making one takes longer than what it does here.
    static PACKER: RefCell<Compress> = RefCell::new(Compress::new(Compression::default(), false));
}

fn pack(raw: &[u8]) -> (Vec<u8>, bool) {
    let packed = (raw.len() > PLAIN_BYTES_MAX).then(|| deflate(raw)).flatten();
    packed.map_or_else(|| (raw.to_vec(), false), |packed| (packed, true))
}

/// In less than it was, or not at all.
fn deflate(raw: &[u8]) -> Option<Vec<u8>> {
    PACKER.with_borrow_mut(|packer| {
        packer.reset();
        let mut packed = Vec::with_capacity(raw.len() - 1);
        let done = packer.compress_vec(raw, &mut packed, FlushCompress::Finish);
        matches!(done, Ok(Status::StreamEnd)).then_some(packed)
    })
}

fn unpack(packed: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut raw = Vec::new();
    let limit = u64::try_from(limits::BODY_BYTES_MAX).unwrap_or(u64::MAX);
    DeflateDecoder::new(packed).take(limit).read_to_end(&mut raw)?;
    Ok(raw)
}

#[cfg(test)]
mod tests {
    use super::{PLAIN_BYTES_MAX, pack, unpack};

    #[test]
    fn a_long_body_is_packed_and_comes_back_byte_for_byte() {
        let short = vec![b'x'; PLAIN_BYTES_MAX];
        assert_eq!(pack(&short), (short.clone(), false));

        let long = b"<TelephoneNumber>9195550100</TelephoneNumber>".repeat(100);
        let (packed, is_packed) = pack(&long);
        assert!(is_packed && packed.len() < 200);
        assert_eq!(unpack(&packed).unwrap(), long);
    }
}
