//! Deliveries: put by fan-out, worked on by deliver, parked for schedule.

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Put as PutItem, TransactWriteItem, Update,
};
use domain::delivery::{Attempt, Delivery, State};
use domain::event::EventKey;
use domain::lane::Place;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::item::{Attributes, Item, RETENTION, read, write};
use super::key::{ATTEMPTS_MADE, DUE, DUE_AT};
use super::tenant::text;
use super::{ABSENT, Lane, Store, StoreError, failed, key, stands_already};

/// fanout checks a pending delivery within a transaction, which turns away an update of the same
/// delivery that comes at that very moment, and is over within milliseconds. Each try is a round
/// trip, so it takes more than bad luck to need this many.
const CONFLICTS_MAX: usize = 10;

/// Whether a delivery could be put as decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    Done,
    /// The lane is no longer as it was read: decide again.
    Changed,
}

/// Whether an attempt could be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    Done,
    /// Another handler has written meanwhile.
    Changed,
}

/// How a delivery stops being pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    Delivered,
    Dead,
}

/// A parked delivery, as the index knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    pub lane: Lane,
    pub key: EventKey,
    pub attempts_made: u32,
    pub due_at: Timestamp,
}

/// A delivery item; `attempts` and `answer` are written by [`Store::settle`] and read by people.
#[derive(Serialize, Deserialize)]
struct Body {
    key: EventKey,
    tenant: String,
    upstream: String,
    state: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    behind: bool,
    attempts_made: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<Timestamp>,
    sequence: u64,
    last_sequence: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    late: bool,
    #[serde(default)]
    attempts: Vec<AttemptBody>,
    /// The beginning of the last answer's body.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct AttemptBody {
    at: Timestamp,
    duration_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Store {
    /// The delivery at `key`, as it is now.
    pub async fn delivery(
        &self,
        lane: &Lane,
        key: &EventKey,
    ) -> Result<Option<Delivery>, StoreError> {
        let action = "read a delivery";
        let found = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(lane.delivery(key).attributes()))
            .consistent_read(true)
            .send()
            .await
            .map_err(failed(action))?;
        found.item.map(|item| delivery(action, item)).transpose()
    }

    /// The newest delivery of a lane, or the newest that is not newer than `until`, as it is now.
    pub async fn newest(
        &self,
        lane: &Lane,
        until: Option<&EventKey>,
    ) -> Result<Option<Delivery>, StoreError> {
        let action = "read the end of a lane";
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .expression_attribute_values(":lane", text(lane.pk()))
            .scan_index_forward(false)
            .consistent_read(true)
            .limit(1);
        let query = match until {
            None => query.key_condition_expression("pk = :lane"),
            Some(key) => query
                .key_condition_expression("pk = :lane AND sk <= :until")
                .expression_attribute_values(":until", text(key.to_string())),
        };
        let page = query.send().await.map_err(failed(action))?;
        page.items.unwrap_or_default().pop().map(|item| delivery(action, item)).transpose()
    }

    /// The first pending delivery after `key`, as it is now.
    pub async fn pending_after(
        &self,
        lane: &Lane,
        key: &EventKey,
    ) -> Result<Option<Delivery>, StoreError> {
        let action = "read on in a lane";
        // No limit: it would count items before the filter. What comes after is short but for
        // events that are late.
        let mut items = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :lane AND sk > :key")
            .filter_expression("#state = :pending")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":lane", text(lane.pk()))
            .expression_attribute_values(":key", text(key.to_string()))
            .expression_attribute_values(":pending", text(State::Pending.name()))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        match items.next().await {
            None => Ok(None),
            Some(item) => delivery(action, item.map_err(failed(action))?).map(Some),
        }
    }

    /// Puts a new delivery at its place, if the lane is still as it was when the place was chosen.
    pub async fn put_delivery(
        &self,
        lane: &Lane,
        place: &Place,
        fresh: &Delivery,
        received_at: Timestamp,
    ) -> Result<Put, StoreError> {
        let action = "put a delivery";
        let item = Item::new(lane.delivery(&fresh.key), Body::from(fresh));
        let attributes = write(action, &item.kept_for(RETENTION, received_at))?;
        if place.behind.is_none() && place.newest.is_none() {
            return self.put_alone(action, attributes).await;
        }
        let mut together = vec![transact(action, self.put_where_absent(attributes))?];
        if let Some(ahead) = &place.behind {
            together.push(self.still_pending(action, lane, ahead)?);
        }
        if let Some(newest) = &place.newest {
            together.push(self.told_sequence(action, lane, newest, place.sequence)?);
        }
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

    async fn put_alone(&self, action: &'static str, item: Attributes) -> Result<Put, StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression(ABSENT)
            .send()
            .await;
        match put {
            Ok(_) => Ok(Put::Done),
            Err(error) if stands_already(&error) => Ok(Put::Changed),
            Err(error) => Err(failed(action)(error)),
        }
    }

    fn put_where_absent(&self, item: Attributes) -> Result<TransactWriteItem, BuildError> {
        let put = PutItem::builder().table_name(&self.table).set_item(Some(item));
        let put = put.condition_expression(ABSENT).build()?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    fn still_pending(
        &self,
        action: &'static str,
        lane: &Lane,
        ahead: &EventKey,
    ) -> Result<TransactWriteItem, StoreError> {
        let check = ConditionCheck::builder()
            .table_name(&self.table)
            .set_key(Some(lane.delivery(ahead).attributes()))
            .condition_expression("#state = :pending")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":pending", text(State::Pending.name()))
            .build();
        transact(
            action,
            check.map(|check| TransactWriteItem::builder().condition_check(check).build()),
        )
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

    /// Writes a failed attempt, with the time of the next: in the table (`parked`), or in the queue,
    /// whose wake has been sent by now. Either way it stands behind no other from here on.
    pub async fn put_off(
        &self,
        lane: &Lane,
        delivery: &Delivery,
        attempt: &Attempt,
        answer: &str,
        next_at: Timestamp,
        parked: bool,
    ) -> Result<Settled, StoreError> {
        let mut set = Settling::new(delivery.attempts_made, attempt, answer);
        set.set("next_at", serde_text(next_at));
        if parked {
            set.set(DUE, text(key::due(next_at, &delivery.key)));
            set.set(DUE_AT, text(domain::event::sortable(next_at)));
            set.remove(&["behind"]);
        } else {
            set.remove(&["behind", DUE, DUE_AT]);
        }
        self.settle("write a failed attempt", lane, delivery, set, true).await
    }

    /// Writes the last attempt and that the delivery is finished.
    pub async fn finish(
        &self,
        lane: &Lane,
        delivery: &Delivery,
        attempt: &Attempt,
        answer: &str,
        finish: Finish,
        now: Timestamp,
    ) -> Result<Settled, StoreError> {
        let mut set = Settling::new(delivery.attempts_made, attempt, answer);
        set.set("finished_at", serde_text(now));
        match finish {
            Finish::Delivered => {
                set.set("state", text(State::Delivered.name()));
                set.remove(&[DUE, DUE_AT, "next_at"]);
            }
            Finish::Dead => {
                set.set("state", text(State::Dead.name()));
                set.set(DUE, text(key::dead(&delivery.tenant)));
                set.set(DUE_AT, text(domain::event::sortable(now)));
                set.remove(&["next_at"]);
            }
        }
        // A success counts whatever others wrote meanwhile; giving up does not.
        self.settle("finish a delivery", lane, delivery, set, finish == Finish::Dead).await
    }

    async fn settle(
        &self,
        action: &'static str,
        lane: &Lane,
        delivery: &Delivery,
        settling: Settling,
        only_if_nobody_tried: bool,
    ) -> Result<Settled, StoreError> {
        let Settling { mut names, mut values, expression } = settling;
        names.insert("#state".into(), "state".into());
        values.insert(":pending".into(), text(State::Pending.name()));
        let mut condition = "#state = :pending".to_owned();
        if only_if_nobody_tried {
            condition.push_str(" AND attempts_made = :made");
            values.insert(":made".into(), number(delivery.attempts_made));
        }
        for _ in 0..CONFLICTS_MAX {
            let written = self
                .client
                .update_item()
                .table_name(&self.table)
                .set_key(Some(lane.delivery(&delivery.key).attributes()))
                .update_expression(expression.as_str())
                .condition_expression(condition.as_str())
                .set_expression_attribute_names(Some(names.clone()))
                .set_expression_attribute_values(Some(values.clone()))
                .send()
                .await;
            let error = match written {
                Ok(_) => return Ok(Settled::Done),
                Err(error) => error,
            };
            match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => {
                    return Ok(Settled::Changed);
                }
                Some(UpdateItemError::TransactionConflictException(_)) => {}
                _ => return Err(failed(action)(error)),
            }
        }
        Err(StoreError::Table { action, source: "its transactions kept conflicting".into() })
    }

    /// One page of the deliveries parked in one partition of a minute, oldest first, and where the
    /// next page starts.
    pub async fn parked(
        &self,
        minute: Timestamp,
        shard: u32,
        after: Option<Page>,
    ) -> Result<(Vec<Parked>, Option<Page>), StoreError> {
        let action = "read what is due";
        let page = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(key::DUE_INDEX)
            .key_condition_expression("#due = :partition")
            .expression_attribute_names("#due", DUE)
            .expression_attribute_values(":partition", text(key::due_partition(minute, shard)))
            .set_exclusive_start_key(after.map(|page| page.0))
            .send()
            .await
            .map_err(failed(action))?;
        let parked = page.items.unwrap_or_default().into_iter().map(|item| parked(action, item));
        let more = page.last_evaluated_key.filter(|key| !key.is_empty()).map(Page);
        Ok((parked.collect::<Result<_, _>>()?, more))
    }
}

/// Where a listing goes on.
pub struct Page(Attributes);

type BuildError = aws_sdk_dynamodb::error::BuildError;

fn transact(
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

/// The update that writes one attempt.
struct Settling {
    expression: String,
    names: std::collections::HashMap<String, String>,
    values: Attributes,
}

impl Settling {
    fn new(attempts_made: u32, attempt: &Attempt, answer: &str) -> Settling {
        let names = [("#attempts", "attempts"), ("#made", ATTEMPTS_MADE), ("#answer", "answer")];
        Settling {
            expression: "SET #attempts = list_append(#attempts, :attempt), #made = :next, \
                         #answer = :answer"
                .into(),
            names: names.into_iter().map(|(mark, name)| (mark.into(), name.into())).collect(),
            values: Attributes::from([
                (":attempt".into(), AttributeValue::L(vec![attempt_value(attempt)])),
                (":next".into(), number(attempts_made + 1)),
                (":answer".into(), text(answer)),
            ]),
        }
    }

    /// Only before [`Settling::remove`].
    fn set(&mut self, name: &str, value: AttributeValue) {
        self.expression.push_str(&format!(", #{name} = :{name}"));
        self.names.insert(format!("#{name}"), name.into());
        self.values.insert(format!(":{name}"), value);
    }

    fn remove(&mut self, names: &[&str]) {
        let marks: Vec<_> = names.iter().map(|name| format!("#{name}")).collect();
        self.expression.push_str(&format!(" REMOVE {}", marks.join(", ")));
        self.names.extend(names.iter().map(|name| (format!("#{name}"), (*name).into())));
    }
}

fn attempt_value(attempt: &Attempt) -> AttributeValue {
    let mut map = Attributes::from([
        ("at".into(), serde_text(attempt.at)),
        ("duration_ms".into(), number(attempt.duration_ms)),
    ]);
    if let Some(status) = attempt.status {
        map.insert("status".into(), number(status));
    }
    if let Some(error) = attempt.error {
        map.insert("error".into(), text(error.name()));
    }
    AttributeValue::M(map)
}

fn number(value: impl std::fmt::Display) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// A time as serde writes it, so that what is set here is read back there.
fn serde_text(at: Timestamp) -> AttributeValue {
    text(at.to_string())
}

fn delivery(action: &'static str, item: Attributes) -> Result<Delivery, StoreError> {
    let body = read::<Body>(action, item)?.body;
    let state =
        State::ALL.into_iter().find(|state| state.name() == body.state).ok_or_else(|| {
            StoreError::Shape {
                action,
                source: format!("no state is called {:?}", body.state).into(),
            }
        })?;
    Ok(Delivery {
        key: body.key,
        tenant: body.tenant,
        upstream: body.upstream,
        state,
        behind: body.behind,
        attempts_made: body.attempts_made,
        next_at: body.next_at,
        finished_at: body.finished_at,
        sequence: body.sequence,
        last_sequence: body.last_sequence,
        late: body.late,
    })
}

fn parked(action: &'static str, item: Attributes) -> Result<Parked, StoreError> {
    /// What the index holds of a delivery.
    #[derive(Deserialize)]
    struct Entry {
        #[serde(flatten)]
        key: key::Key,
        attempts_made: u32,
        due_at: Timestamp,
    }
    let entry: Entry = serde_dynamo::from_item(item)
        .map_err(|source| StoreError::Shape { action, source: source.into() })?;
    let broken = |what: &str| StoreError::Shape { action, source: what.into() };
    Ok(Parked {
        lane: Lane::parse(&entry.key.pk).ok_or_else(|| broken("its pk names no lane"))?,
        key: EventKey::parse(&entry.key.sk).map_err(|_| broken("its sk is no event key"))?,
        attempts_made: entry.attempts_made,
        due_at: entry.due_at,
    })
}

impl From<&Delivery> for Body {
    fn from(delivery: &Delivery) -> Body {
        Body {
            key: delivery.key.clone(),
            tenant: delivery.tenant.clone(),
            upstream: delivery.upstream.clone(),
            state: delivery.state.name().into(),
            behind: delivery.behind,
            attempts_made: delivery.attempts_made,
            next_at: delivery.next_at,
            finished_at: delivery.finished_at,
            sequence: delivery.sequence,
            last_sequence: delivery.last_sequence,
            late: delivery.late,
            attempts: Vec::new(),
            answer: None,
        }
    }
}
