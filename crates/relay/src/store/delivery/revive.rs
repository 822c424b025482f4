//! Delivering again, on request.
//!
//! What is revived is pending and due at a time not far off, so that `schedule` wakes it whatever
//! becomes of whoever asked for it; or it stands behind another that is revived.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use domain::delivery::{Delivery, State};
use domain::event::{EventKey, sortable};
use jiff::Timestamp;

use super::put::{Put, transact};
use super::shown::{DeliveryRecord, record};
use super::{BEFORE, REVIVED, first, listed};
use crate::store::item::{Attributes, EXPIRES, number, text};
use crate::store::key::{self, DUE, DUE_AT, STANDING, STANDING_SINCE};
use crate::store::table::unless_changed;
use crate::store::{Lane, Store, StoreError, failed};

/// A delivery with more attempts than this is not revived: each is on its record, which is billed by
/// size at every write.
pub(crate) const ATTEMPTS_MAX: u32 = 200;

/// What came of a request to deliver again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Revived {
    /// It is pending and due.
    Done(Box<DeliveryRecord>),
    /// It changed just now, it waits behind another, or was tried too often.
    Not,
}

impl Store {
    /// Makes a delivery pending again, with a schedule of its own from here on, due at `at`. What
    /// is pending already is moved to that time, and stays what it is, live or revived.
    pub(crate) async fn revive(
        &self,
        lane: &Lane,
        delivery: &Delivery,
        at: Timestamp,
    ) -> Result<Revived, StoreError> {
        let action = "deliver again";
        let mut change = Change::new(delivery);
        change.update.push_str(
            ", #due = :due, #due_at = :at, #standing = :standing, \
             #since = if_not_exists(#since, :at) REMOVE next_at, finished_at, halted, behind, \
             #expires",
        );
        change.values.extend([
            (":due".into(), text(key::due(at, &delivery.key))),
            (":at".into(), text(sortable(at))),
            (":standing".into(), text(key::undelivered(&delivery.tenant))),
        ]);
        let written = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(lane.delivery(&delivery.key).attributes()))
            .update_expression(change.update)
            .condition_expression(CONDITION)
            .set_expression_attribute_names(Some(change.names))
            .set_expression_attribute_values(Some(change.values))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let item = match written {
            Ok(written) => written.attributes,
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failure)) => {
                    failure.item.clone().filter(|item| is_done(item, delivery, at))
                }
                _ => return Err(failed(action)(error)),
            },
        };
        let Some(item) = item else { return Ok(Revived::Not) };
        let stored = serde_dynamo::from_item(item)
            .map_err(|source| StoreError::Shape { action, source: source.into() })?;
        Ok(Revived::Done(Box::new(record(action, stored)?)))
    }

    /// Makes a delivery that is finished pending again, behind the one at `ahead`, if that is revived
    /// and pending.
    pub(crate) async fn revive_behind(
        &self,
        lane: &Lane,
        delivery: &Delivery,
        ahead: &EventKey,
    ) -> Result<Put, StoreError> {
        let action = "deliver again behind another";
        let mut change = Change::new(delivery);
        change.update.push_str(
            ", behind = :true \
             REMOVE next_at, finished_at, halted, #due, #due_at, #standing, #since, #expires",
        );
        change.values.insert(":true".into(), AttributeValue::Bool(true));
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(lane.delivery(&delivery.key).attributes()))
            .update_expression(change.update)
            .condition_expression(CONDITION)
            .set_expression_attribute_names(Some(change.names))
            .set_expression_attribute_values(Some(change.values))
            .build()
            .map(|update| TransactWriteItem::builder().update(update).build());
        let marked = self.mark_followed(action, lane, ahead, REVIVED, None)?;
        let together = vec![transact(action, update)?, marked];
        self.all_or_none(action, together).await
    }

    /// The newest pending delivery before `key` that was revived, as it is now.
    pub(crate) async fn revived_before(
        &self,
        lane: &Lane,
        key: &EventKey,
    ) -> Result<Option<Delivery>, StoreError> {
        let query = self
            .beside(lane, key, BEFORE)
            .filter_expression(REVIVED)
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":pending", text(State::Pending.name()))
            .scan_index_forward(false);
        first("read back among the revived", query).await
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

/// It is as it was read, has attempts left, and waits behind no other.
const CONDITION: &str = "#state = :was AND attempts_made = :made AND attempts_made < :max \
                         AND (#state <> :pending OR attribute_not_exists(behind))";

/// What every revival writes.
struct Change {
    /// Its part `SET`, to be continued.
    update: String,
    names: HashMap<String, String>,
    values: Attributes,
}

impl Change {
    fn new(delivery: &Delivery) -> Change {
        let names = [
            ("#state", "state"),
            ("#due", DUE),
            ("#due_at", DUE_AT),
            ("#standing", STANDING),
            ("#since", STANDING_SINCE),
            ("#expires", EXPIRES),
        ];
        let mut change = Change {
            update: "SET #state = :pending, attempts_before = attempts_made".into(),
            names: names.into_iter().map(|(mark, name)| (mark.into(), name.into())).collect(),
            values: Attributes::from([
                (":pending".into(), text(State::Pending.name())),
                (":was".into(), text(delivery.state.name())),
                (":made".into(), number(delivery.attempts_made)),
                (":max".into(), number(ATTEMPTS_MAX)),
            ]),
        };
        if delivery.state != State::Pending {
            change.update.push_str(", revivals = :revivals");
            change.values.insert(":revivals".into(), number(delivery.revivals + 1));
        }
        change
    }
}

/// Whether this very revival has been written before: its answer was lost, and it was sent again.
fn is_done(item: &Attributes, before: &Delivery, at: Timestamp) -> bool {
    let revivals = before.revivals + u32::from(before.state != State::Pending);
    listed("read a revived delivery", item.clone()).is_ok_and(|now| {
        now.state == State::Pending
            && now.revivals == revivals
            && now.attempts_made == before.attempts_made
            && now.due_at.is_some_and(|due| sortable(due) == sortable(at))
    })
}
