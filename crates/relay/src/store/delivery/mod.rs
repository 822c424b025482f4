//! Deliveries: put by fanout (`put`), worked on by deliver (`settle`), parked for schedule
//! (`parked`), shown to tenants (`shown`), delivered again on request (`revive`), and audited with what
//! stands before them (`before`). Here is their shape, and how the road reads them.

mod before;
mod parked;
mod put;
mod revive;
mod settle;
mod shown;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use domain::delivery::{Delivery, State};
use domain::event::EventKey;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::item::{Attributes, read, text};
use super::table::Read;
use super::{Lane, Store, StoreError, failed};

pub(crate) use parked::NOTICE;
pub use parked::Parked;
pub use put::Put;
pub(crate) use revive::{ATTEMPTS_MAX, Revived};
pub use settle::{Finish, Settled};
pub(crate) use shown::{DeliveryRecord, Standing, StandingCursor};

/// A delivery item; `attempts` and `answer` are written by `settle` and read by people.
#[derive(Serialize, Deserialize)]
struct Body {
    key: EventKey,
    tenant: String,
    upstream: String,
    state: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    behind: bool,
    attempts_made: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    attempts_before: u32,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    halted: bool,
    /// Absent in what is live: filters and conditions ask for that.
    #[serde(default, skip_serializing_if = "is_zero")]
    revivals: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slot_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<Timestamp>,
    sequence: u64,
    last_sequence: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    late: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    stateless: bool,
    /// [`FOLLOWED`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    followed: Option<bool>,
    #[serde(default)]
    attempts: Vec<AttemptBody>,
    /// The beginning of the last answer's body.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
}

/// What is pending in the live order of its lane, and what was revived.
const LIVE: &str = "#state = :pending AND attribute_not_exists(revivals)";
const REVIVED: &str = "#state = :pending AND attribute_exists(revivals)";

/// Whether another was put behind it while it was pending, for whoever finishes it. Absent where that is not
/// known: in what an earlier version put, or what was restored.
pub(super) const FOLLOWED: &str = "followed";

/// The sides of a key in its lane.
const AFTER: &str = "pk = :lane AND sk > :key";
const BEFORE: &str = "pk = :lane AND sk < :key";

fn is_zero(number: &u32) -> bool {
    *number == 0
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
        let body: Option<Body> = self.get(action, lane.delivery(key), Read::Now).await?;
        body.map(|body| delivery(action, body)).transpose()
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
        page.items.unwrap_or_default().pop().map(|item| listed(action, item)).transpose()
    }

    /// The newest delivery after `key` that tells a state, as it is now.
    pub async fn newest_state_after(
        &self,
        lane: &Lane,
        key: &EventKey,
    ) -> Result<Option<Delivery>, StoreError> {
        let action = "read the newest state in a lane";
        let query = self
            .beside(lane, key, AFTER)
            .filter_expression("attribute_not_exists(stateless)")
            .scan_index_forward(false);
        first(action, query).await
    }

    /// The first pending delivery after `key`, of those that are live or of those that are revived,
    /// as it is now.
    pub async fn pending_after(
        &self,
        lane: &Lane,
        key: &EventKey,
        is_revived: bool,
    ) -> Result<Option<Delivery>, StoreError> {
        let action = "read on in a lane";
        // What comes after is short but for events that are late.
        let query = self
            .beside(lane, key, AFTER)
            .filter_expression(if is_revived { REVIVED } else { LIVE })
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":pending", text(State::Pending.name()));
        first(action, query).await
    }

    /// Reads a lane on one side of `key`, [`AFTER`] or [`BEFORE`], as it is now.
    fn beside(&self, lane: &Lane, key: &EventKey, side: &str) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.table)
            .key_condition_expression(side)
            .expression_attribute_values(":lane", text(lane.pk()))
            .expression_attribute_values(":key", text(key.to_string()))
            .consistent_read(true)
    }
}

/// The first that the filter of a query lets through. The query has no limit: it would count items
/// before the filter.
async fn first(
    action: &'static str,
    query: QueryFluentBuilder,
) -> Result<Option<Delivery>, StoreError> {
    match query.into_paginator().items().send().next().await {
        None => Ok(None),
        Some(item) => listed(action, item.map_err(failed(action))?).map(Some),
    }
}

fn listed(action: &'static str, item: Attributes) -> Result<Delivery, StoreError> {
    delivery(action, read::<Body>(action, item)?.body)
}

fn delivery(action: &'static str, body: Body) -> Result<Delivery, StoreError> {
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
        attempts_before: body.attempts_before,
        halted: body.halted,
        revivals: body.revivals,
        next_at: body.next_at,
        due_at: body.due_at,
        slot_at: body.slot_at,
        finished_at: body.finished_at,
        sequence: body.sequence,
        last_sequence: body.last_sequence,
        late: body.late,
        stateless: body.stateless,
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
            attempts_before: delivery.attempts_before,
            halted: delivery.halted,
            revivals: delivery.revivals,
            next_at: delivery.next_at,
            due_at: delivery.due_at,
            slot_at: delivery.slot_at,
            finished_at: delivery.finished_at,
            sequence: delivery.sequence,
            last_sequence: delivery.last_sequence,
            late: delivery.late,
            stateless: delivery.stateless,
            followed: Some(false),
            attempts: Vec::new(),
            answer: None,
        }
    }
}
