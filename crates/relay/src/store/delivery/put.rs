//! Putting a delivery at its place in its lane.

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Put as PutItem, TransactWriteItem, Update};
use domain::delivery::{Delivery, State};
use domain::event::EventKey;
use domain::lane::Place;

use super::{Body, FOLLOWED, LIVE};
use crate::store::item::{Attributes, Item, number, text, write};
use crate::store::table::ABSENT;
use crate::store::{Lane, Store, StoreError, failed};

/// Whether a delivery could be put as decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    Done,
    /// The lane is no longer as it was read: decide again.
    Changed,
}

impl Store {
    /// Puts a new delivery at its place, if the lane is still as it was when the place was chosen. It
    /// does not expire as long as it is pending: others may stand behind it.
    pub async fn put_delivery(
        &self,
        lane: &Lane,
        place: &Place,
        fresh: &Delivery,
    ) -> Result<Put, StoreError> {
        let action = "put a delivery";
        let item = Item::new(lane.delivery(&fresh.key), Body::from(fresh));
        if place.behind.is_none() && place.newest.is_none() {
            let standing = self.put_absent(action, &item).await?;
            return Ok(standing.map_or(Put::Done, |_| Put::Changed));
        }
        let mut together = vec![transact(action, self.put_where_absent(write(action, &item)?))?];
        if let Some(ahead) = &place.behind {
            // It is the newest of the lane, unless this one is late.
            let sequence = place.newest.is_none().then_some(place.sequence);
            together.push(self.mark_followed(action, lane, ahead, LIVE, sequence)?);
        }
        if let Some(newest) = &place.newest {
            together.push(self.told_sequence(action, lane, newest, place.sequence)?);
        }
        self.all_or_none(action, together).await
    }

    /// Writes together what depends on one lane.
    pub(super) async fn all_or_none(
        &self,
        action: &'static str,
        together: Vec<TransactWriteItem>,
    ) -> Result<Put, StoreError> {
        let written =
            self.client.transact_write_items().set_transact_items(Some(together)).send().await;
        match written {
            Ok(_) => Ok(Put::Done),
            Err(error) if error.as_service_error().is_some_and(the_lane_changed) => {
                Ok(Put::Changed)
            }
            Err(error) => Err(failed(action)(error)),
        }
    }

    fn put_where_absent(&self, item: Attributes) -> Result<TransactWriteItem, BuildError> {
        let put = PutItem::builder().table_name(&self.table).set_item(Some(item));
        let put = put.condition_expression(ABSENT).build()?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// Marks a delivery as one that has another behind it, if it is still pending, and as live or as
    /// revived as `condition` says. With the sequence of the other only if it is the newest still: should
    /// two be put behind it, one of them would have nobody who comes.
    pub(super) fn mark_followed(
        &self,
        action: &'static str,
        lane: &Lane,
        ahead: &EventKey,
        condition: &str,
        sequence: Option<u64>,
    ) -> Result<TransactWriteItem, StoreError> {
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(lane.delivery(ahead).attributes()))
            .expression_attribute_names("#followed", FOLLOWED)
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":yes", AttributeValue::Bool(true))
            .expression_attribute_values(":pending", text(State::Pending.name()));
        let update = match sequence {
            None => {
                update.update_expression("SET #followed = :yes").condition_expression(condition)
            }
            Some(sequence) => update
                .update_expression("SET #followed = :yes, last_sequence = :sequence")
                .condition_expression(format!("{condition} AND last_sequence = :before"))
                .expression_attribute_values(":sequence", number(sequence))
                .expression_attribute_values(":before", number(sequence - 1)),
        };
        let update = update.build();
        transact(action, update.map(|update| TransactWriteItem::builder().update(update).build()))
    }

    fn told_sequence(
        &self,
        action: &'static str,
        lane: &Lane,
        newest: &EventKey,
        sequence: u64,
    ) -> Result<TransactWriteItem, StoreError> {
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(lane.delivery(newest).attributes()))
            .update_expression("SET last_sequence = :sequence")
            .condition_expression("last_sequence = :before")
            .expression_attribute_values(":sequence", number(sequence))
            .expression_attribute_values(":before", number(sequence - 1))
            .build();
        transact(action, update.map(|update| TransactWriteItem::builder().update(update).build()))
    }
}

pub(super) fn transact(
    action: &'static str,
    built: Result<TransactWriteItem, BuildError>,
) -> Result<TransactWriteItem, StoreError> {
    built.map_err(|source| StoreError::Shape { action, source: source.into() })
}

fn the_lane_changed(error: &TransactWriteItemsError) -> bool {
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error else {
        return false;
    };
    let reasons = cancelled.cancellation_reasons.as_deref().unwrap_or_default();
    let changed = ["ConditionalCheckFailed", "TransactionConflict"];
    reasons.iter().filter_map(|reason| reason.code.as_deref()).any(|code| changed.contains(&code))
}
