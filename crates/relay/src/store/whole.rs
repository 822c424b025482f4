//! Items as they are, whatever they are.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::ReturnConsumedCapacity;

use super::delivery::FOLLOWED;
use super::item::{Attributes, text};
use super::ledger::{ScanCursor, end_of};
use super::table::ABSENT;
use super::{Store, StoreError, failed, key};

/// An item that nobody has looked into.
pub(crate) struct Whole(Attributes);

/// Which items are read: those that the stream hands to fanout, or all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    FannedOut,
    Others,
}

/// A page of a scan.
pub(crate) struct WholePage {
    pub(crate) items: Vec<Whole>,
    /// Where the next page begins.
    pub(crate) next: Option<ScanCursor>,
    /// What it is billed by.
    pub(crate) read_units: f64,
}

impl Store {
    /// Reads on in the whole table.
    pub(crate) async fn scan_whole(
        &self,
        which: Which,
        after: Option<ScanCursor>,
    ) -> Result<WholePage, StoreError> {
        let fanned_out = "begins_with(sk, :event) OR begins_with(sk, :wish)";
        let filter = match which {
            Which::FannedOut => fanned_out.to_owned(),
            Which::Others => format!("NOT ({fanned_out})"),
        };
        let page = self
            .client
            .scan()
            .table_name(&self.table)
            .filter_expression(filter)
            .expression_attribute_values(":event", text(key::EVENT_PREFIX))
            .expression_attribute_values(":wish", text(key::SNAPSHOT_PREFIX))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .set_exclusive_start_key(after.map(|after| after.0))
            .send()
            .await
            .map_err(failed("scan the table"))?;
        let (next, read_units) = end_of(&page);
        let items = page.items.unwrap_or_default().into_iter().map(Whole).collect();
        Ok(WholePage { items, next, read_units })
    }

    /// Puts an item where none stands; answers whether it did.
    pub(crate) async fn put_whole(&self, item: Whole) -> Result<bool, StoreError> {
        let mut item = item.0;
        // Another may have been put behind it since.
        item.remove(FOLLOWED);
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression(ABSENT)
            .send()
            .await;
        match put {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(false),
                _ => Err(failed("put an item back")(error)),
            },
        }
    }
}
