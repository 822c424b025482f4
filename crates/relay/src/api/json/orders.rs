//! Orders as their notifications tell of them, and what endpoints know of them.

use std::collections::{BTreeMap, HashMap};

use axum::Json;
use axum::extract::{Path, State};
use domain::delivery::{Attempt, State as DeliveryState};
use domain::event::EventKey;
use domain::limits;
use domain::notification::Notification;
use domain::record::OrderRecord;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problem::{Problem, Problems};
use super::request::{self, Asked, Listed, close_cursor, open_cursor};
use super::{fields, notifications};
use crate::api::Api;
use crate::deliver::webhook_id;
use crate::store::{DeliveryRecord, FeedEntry, Page, StoreError, StoredEvent};

/// Events that one page of an order's history reads. Most orders have ten or so.
const HISTORY_EVENTS: u16 = 100;

/// Deliveries that are read to tell what endpoints know, those of the newest events first.
const TOLD_DELIVERIES_MAX: usize = 500;

/// Which orders.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OrdersQuery {
    /// In this state, in any case.
    status: Option<String>,
    /// Orders read for the page, 1 to 200. A filter may leave fewer.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// `next` of the page before.
    #[param(max_length = 1024)]
    cursor: Option<String>,
}

/// Which part of an order's history.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct HistoryQuery {
    /// `history_next` of the answer before.
    #[param(max_length = 1024)]
    cursor: Option<String>,
}

/// What is known of an order.
#[derive(Serialize, ToSchema)]
pub(crate) struct OrderView {
    /// As Bandwidth wrote it.
    order_id: String,
    order_type: String,
    /// The name that Bandwidth's customer gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_order_id: Option<String>,
    /// Its last state; absent while there were only notes.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    /// When it was first heard of.
    first_at: Timestamp,
    /// When it last changed.
    last_at: Timestamp,
    /// Completed numbers.
    number_count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    actual_foc_date: Option<String>,
}

/// An order, what happened to it, and what the tenant's endpoints know of that.
#[derive(Serialize, ToSchema)]
pub(crate) struct OrderDetailView {
    #[serde(flatten)]
    order: OrderView,
    /// Newest first.
    history: Vec<HistoryItem>,
    /// Give it as `cursor` for what happened before; absent if that is all.
    #[serde(skip_serializing_if = "Option::is_none")]
    history_next: Option<String>,
    /// By subscription. Only without `cursor`.
    #[serde(skip_serializing_if = "Option::is_none")]
    told: Option<Vec<ToldItem>>,
}

/// One thing that happened to an order.
#[derive(Serialize, ToSchema)]
pub(crate) struct HistoryItem {
    /// The id of the notification that told of it.
    notification: String,
    at: Timestamp,
    /// The new state; absent for a note.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    received_at: Timestamp,
    /// Something that is newer came in before it.
    late: bool,
}

/// What an endpoint knows of an order.
#[derive(Default, Serialize, ToSchema)]
pub(crate) struct ToldItem {
    subscription: String,
    /// The state that it was last told with success; absent for a note, or if nothing yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    /// When it was told.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Timestamp>,
    /// Under which `webhook-id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_id: Option<String>,
    /// Deliveries that are still to come.
    pending: usize,
    /// When the first of them is tried again, where that is planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_at: Option<Timestamp>,
}

/// The tenant's orders of one type, by order id. The type may be in any case.
#[utoipa::path(
    get, path = "/tenants/{tenant}/orders/{order_type}", tag = "orders",
    params(("tenant" = String, Path), ("order_type" = String, Path), OrdersQuery),
    responses((status = 200, body = Listed<OrderView>), Problems)
)]
pub(super) async fn list(
    State(api): State<Api>,
    Path((tenant, order_type)): Path<(String, String)>,
    Asked(query): Asked<OrdersQuery>,
) -> Result<Json<Listed<OrderView>>, Problem> {
    name("order type", &order_type, limits::ORDER_TYPE_CHARS_MAX)?;
    let page = request::page(query.limit, query.cursor.as_deref())?;
    let (found, next) = api.store.order_records(&tenant, &order_type, page).await?;
    let in_state = |one: &OrderRecord| {
        let is = one.status.as_deref().unwrap_or_default();
        query.status.as_ref().is_none_or(|wanted| is.eq_ignore_ascii_case(wanted))
    };
    let orders = found.into_iter().filter(in_state).map(OrderView::from);
    Ok(Json(Listed::new(orders.collect(), next)))
}

/// One order, with its history and what endpoints were told of it.
#[utoipa::path(
    get, path = "/tenants/{tenant}/orders/{order_type}/{order_id}", tag = "orders",
    params(
        ("tenant" = String, Path), ("order_type" = String, Path), ("order_id" = String, Path),
        HistoryQuery
    ),
    responses((status = 200, body = OrderDetailView), Problems)
)]
pub(super) async fn get(
    State(api): State<Api>,
    Path((tenant, order_type, order_id)): Path<(String, String, String)>,
    Asked(query): Asked<HistoryQuery>,
) -> Result<Json<OrderDetailView>, Problem> {
    name("order", &order_type, limits::ORDER_TYPE_CHARS_MAX)?;
    name("order", &order_id, limits::ORDER_ID_CHARS_MAX)?;
    let after = query.cursor.as_deref().map(open_cursor).transpose()?;
    let is_first = after.is_none();
    let subject = order_id.to_ascii_lowercase();
    let record = api.store.order_record(&tenant, &order_type, &subject).await?;
    let record = record.ok_or_else(|| Problem::not_found("order"))?;
    let page = Page { limit: HISTORY_EVENTS, after, newest_first: true, ..Page::default() };
    let (events, next) = api.store.events(&record.upstream, &subject, page).await?;
    let entries = own_entries(&api, &tenant, &events).await?;
    let told = match is_first {
        true => Some(told(&api, &tenant, &entries).await?),
        false => None,
    };
    Ok(Json(OrderDetailView {
        order: record.into(),
        history: history(&events, &entries),
        history_next: next.map(close_cursor),
        told,
    }))
}

/// What the tenant's feed has of these events, newest first. An order whose upstream had another
/// tenant before has events that are not in it, and they are not this tenant's to see.
async fn own_entries(
    api: &Api,
    tenant: &str,
    events: &[StoredEvent],
) -> Result<Vec<FeedEntry>, StoreError> {
    let positions = events.iter().map(FeedEntry::position_of).collect();
    let mut entries = api.store.feed_entries(tenant, positions).await?;
    entries.sort_by(|one, other| other.key.cmp(&one.key));
    Ok(entries)
}

fn history(events: &[StoredEvent], own: &[FeedEntry]) -> Vec<HistoryItem> {
    let own: HashMap<&EventKey, &FeedEntry> = own.iter().map(|one| (&one.key, one)).collect();
    let mut first_of_newer: Option<Timestamp> = None;
    let mut history = Vec::new();
    for event in events {
        let Some(entry) = own.get(&event.key) else { continue };
        // Each was read before it was stored.
        let said = Notification::parse(&event.raw).unwrap_or_default();
        history.push(HistoryItem {
            notification: notifications::id_of(entry),
            at: event.key.at(),
            status: said.status,
            message: said.message,
            note: said.note,
            received_at: event.received_at,
            late: first_of_newer.is_some_and(|first| first < event.received_at),
        });
        let first = first_of_newer.map_or(event.received_at, |first| first.min(event.received_at));
        first_of_newer = Some(first);
    }
    history
}

/// What each subscription's endpoint was last told, and how much it is still to be told.
async fn told(api: &Api, tenant: &str, entries: &[FeedEntry]) -> Result<Vec<ToldItem>, StoreError> {
    let lanes = entries.iter().flat_map(|one| one.lanes().map(|lane| (lane, one.key.clone())));
    let wanted: Vec<_> = lanes.take(TOLD_DELIVERIES_MAX).collect();
    let states: HashMap<_, _> = entries.iter().map(|one| (&one.key, &one.status)).collect();
    let mut told: BTreeMap<String, ToldItem> = BTreeMap::new();
    for record in api.store.delivery_records(&wanted).await? {
        let DeliveryRecord { lane, delivery, attempts, held, .. } = record;
        if delivery.tenant != tenant {
            continue;
        }
        let one = told.entry(lane.subscription.clone()).or_default();
        // One that is to be delivered again has been delivered nevertheless.
        let success = attempts.iter().rev().find(|attempt| attempt.succeeded());
        if let Some(Attempt { at, .. }) = success
            && one.at.is_none_or(|known| known < *at)
        {
            one.at = Some(*at);
            one.status = states.get(&delivery.key).copied().cloned().flatten();
            one.webhook_id = Some(webhook_id(&lane, &delivery.key));
        }
        if delivery.state == DeliveryState::Pending {
            one.pending += 1;
            let rests = held || delivery.halted;
            let next_at = delivery.next_at.or(delivery.due_at).filter(|_| !rests);
            one.next_at = [one.next_at, next_at].into_iter().flatten().min();
        }
        one.subscription = lane.subscription;
    }
    Ok(told.into_values().collect())
}

/// What cannot be the name of a thing names nothing.
fn name(what: &str, text: &str, chars_max: usize) -> Result<(), Problem> {
    fields::text(what, text, chars_max).map_err(|_| Problem::not_found(what))
}

impl From<OrderRecord> for OrderView {
    fn from(record: OrderRecord) -> OrderView {
        OrderView {
            order_id: record.order_id,
            order_type: record.order_type,
            customer_order_id: record.customer_order_id,
            status: record.status,
            first_at: record.first_at,
            last_at: record.last_at,
            number_count: record.number_count,
            actual_foc_date: record.actual_foc_date,
        }
    }
}
