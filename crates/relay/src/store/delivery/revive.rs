//! Delivering again, on request.
//!
//! What is revived is pending and due at a time not far off, so that `schedule` wakes it whatever
//! becomes of whoever asked for it.

use aws_sdk_dynamodb::types::ReturnValue;
use domain::delivery::{Delivery, State};
use domain::event::{EventKey, sortable};
use jiff::Timestamp;

use super::shown::{DeliveryRecord, record};
use crate::store::item::{EXPIRES, number, text};
use crate::store::key::{self, DUE, DUE_AT, STANDING, STANDING_SINCE};
use crate::store::table::unless_changed;
use crate::store::{Lane, Store, StoreError};

/// A delivery with more attempts than this is not revived: each is on its record, which is billed by
/// size at every write.
const ATTEMPTS_MAX: u32 = 200;

/// What came of a request to deliver again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Revived {
    /// It is pending and due.
    Done(Box<DeliveryRecord>),
    /// There is no such delivery, it changed just now, it waits behind another, or was tried too often.
    Not,
}

impl Store {
    /// Makes a delivery pending again, with a schedule of its own from here on, due at `at`. What
    /// is pending already is moved to that time.
    pub(crate) async fn revive(
        &self,
        lane: &Lane,
        delivery: &Delivery,
        at: Timestamp,
    ) -> Result<Revived, StoreError> {
        let action = "deliver again";
        let replayed = matches!(delivery.state, State::Delivered | State::Superseded);
        let mut update = "SET #state = :pending, attempts_before = attempts_made, \
                          #due = :due, #due_at = :at, #standing = :standing, \
                          #since = if_not_exists(#since, :at)"
            .to_owned();
        if replayed {
            update.push_str(", replayed = :true");
        }
        update.push_str(" REMOVE next_at, finished_at, halted, behind, #expires");
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(lane.delivery(&delivery.key).attributes()))
            .update_expression(update)
            .condition_expression(
                "#state = :was AND attempts_made = :made AND attempts_made < :max \
                 AND (#state <> :pending OR attribute_not_exists(behind))",
            )
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#due", DUE)
            .expression_attribute_names("#due_at", DUE_AT)
            .expression_attribute_names("#standing", STANDING)
            .expression_attribute_names("#since", STANDING_SINCE)
            .expression_attribute_names("#expires", EXPIRES)
            .expression_attribute_values(":pending", text(State::Pending.name()))
            .expression_attribute_values(":was", text(delivery.state.name()))
            .expression_attribute_values(":made", number(delivery.attempts_made))
            .expression_attribute_values(":max", number(ATTEMPTS_MAX))
            .expression_attribute_values(":due", text(key::due(at, &delivery.key)))
            .expression_attribute_values(":at", text(sortable(at)))
            .expression_attribute_values(":standing", text(key::undelivered(&delivery.tenant)))
            .return_values(ReturnValue::AllNew);
        let request = match replayed {
            true => request.expression_attribute_values(
                ":true",
                aws_sdk_dynamodb::types::AttributeValue::Bool(true),
            ),
            false => request,
        };
        let Some(written) = unless_changed(action, request.send().await)? else {
            return Ok(Revived::Not);
        };
        let stored = serde_dynamo::from_item(written.attributes.unwrap_or_default())
            .map_err(|source| StoreError::Shape { action, source: source.into() })?;
        Ok(Revived::Done(Box::new(record(action, stored)?)))
    }

    /// Lets go of one delivery that was held while its subscription was disabled.
    pub(crate) async fn release(
        &self,
        lane: &Lane,
        key: &EventKey,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.let_go("let go of a held delivery", lane, key, key::held(&lane.subscription), at).await
    }

    /// Lets go of one whose order waited, when nobody can act any more.
    pub(crate) async fn release_halted(
        &self,
        lane: &Lane,
        key: &EventKey,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let halted = key::halted(&lane.subscription);
        self.let_go("let go of a halted delivery", lane, key, halted, at).await
    }

    /// Has `schedule` wake a delivery that rests at `place` in the index.
    async fn let_go(
        &self,
        action: &'static str,
        lane: &Lane,
        key: &EventKey,
        place: String,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let written = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(lane.delivery(key).attributes()))
            .update_expression("SET #due = :due, #due_at = :at REMOVE halted")
            .condition_expression("#due = :place")
            .expression_attribute_names("#due", DUE)
            .expression_attribute_names("#due_at", DUE_AT)
            .expression_attribute_values(":due", text(key::due(at, key)))
            .expression_attribute_values(":at", text(sortable(at)))
            .expression_attribute_values(":place", text(place))
            .send()
            .await;
        unless_changed(action, written).map(drop)
    }
}
