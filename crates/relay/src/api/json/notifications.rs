//! A tenant's notifications: what came in, and what became of it.

use axum::Json;
use axum::extract::{Path, State};
use domain::notification::{Notification, NumberFormat};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::deliveries::DeliveryView;
use super::fields;
use super::problem::{Problem, Problems};
use super::request::{self, Asked, Listed, close_cursor, open_cursor};
use crate::api::Api;
use crate::replay;
use crate::store::{FeedEntry, Page, ReplayFilter, StoredEvent};

/// Which notifications.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct NotificationsQuery {
    /// Of this order.
    order_id: Option<String>,
    /// Of orders or events of this type, such as `portins`, in any case.
    order_type: Option<String>,
    /// That tell this state, in any case.
    status: Option<String>,
    /// Received from then on.
    from: Option<Timestamp>,
    /// Received until then.
    to: Option<Timestamp>,
    /// Notifications read for the page, 1 to 200. A filter may leave fewer.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// `next` of the page before.
    #[param(max_length = 1024)]
    cursor: Option<String>,
}

/// What Bandwidth told, in short.
#[derive(Serialize, ToSchema)]
pub(crate) struct NotificationItem {
    id: String,
    /// The order, in lower case; absent for an event without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_type: Option<String>,
    /// The order's new state; absent for notes and events.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    received_at: Timestamp,
    /// Bandwidth did not tell it: the relay asked.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    reconciled: bool,
    /// As Bandwidth dates it; when it came in, where it does not say.
    happened_at: Timestamp,
    /// The subscriptions that it went to; none: nobody asked for it.
    subscriptions: Vec<String>,
}

/// What Bandwidth told, and what became of it.
#[derive(Serialize, ToSchema)]
pub(crate) struct NotificationView {
    #[serde(flatten)]
    notification: NotificationItem,
    /// As a subscription with the format `json` gets it. `subscriptionId` is Bandwidth's.
    #[schema(value_type = Option<Object>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Value>,
    /// The body as it came in, where it is UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<String>,
    /// One for each subscription.
    deliveries: Vec<DeliveryView>,
}

/// The tenant's notifications, as they came in, newest first.
///
/// `from` and `to` choose what is read; the other filters drop some of it. So a page may hold fewer
/// than `limit`, or none at all, and still have `next`.
#[utoipa::path(
    get, path = "/tenants/{tenant}/notifications", tag = "notifications",
    params(("tenant" = String, Path), NotificationsQuery),
    responses((status = 200, body = Listed<NotificationItem>), Problems)
)]
pub(super) async fn list(
    State(api): State<Api>,
    Path(tenant): Path<String>,
    Asked(query): Asked<NotificationsQuery>,
) -> Result<Json<Listed<NotificationItem>>, Problem> {
    let asked = request::page(query.limit, query.cursor.as_deref())?;
    let NotificationsQuery { order_id, order_type, status, from, to, .. } = query;
    for (field, at) in [("from", from), ("to", to)] {
        at.map_or(Ok(()), |at| fields::time(field, at))?;
    }
    if from.zip(to).is_some_and(|(from, to)| to < from) {
        return Err(Problem::malformed("to is before from."));
    }
    let filter = ReplayFilter { from, to, order_id, order_type, status, ..ReplayFilter::default() };
    let page = replay::feed_page(&filter, asked.limit, asked.after);
    let (found, next) = api.store.feed(&tenant, Page { newest_first: true, ..page }).await?;
    let chosen = found.into_iter().filter(|entry| replay::passes(&filter, entry));
    Ok(Json(Listed::new(chosen.map(item).collect(), next)))
}

/// One notification with its content and its deliveries.
#[utoipa::path(
    get, path = "/tenants/{tenant}/notifications/{id}", tag = "notifications",
    params(("tenant" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = NotificationView), Problems)
)]
pub(super) async fn get(
    State(api): State<Api>,
    Path((tenant, id)): Path<(String, String)>,
) -> Result<Json<NotificationView>, Problem> {
    let entry = find(&api, &tenant, &id).await?;
    let event = api.store.event(&entry.upstream, &entry.subject, &entry.key).await?;
    let wanted: Vec<_> = entry.lanes().map(|lane| (lane, entry.key.clone())).collect();
    let deliveries = api.store.delivery_records(&wanted).await?;
    let own = deliveries.into_iter().filter(|one| one.delivery.tenant == tenant);
    Ok(Json(NotificationView {
        content: event.as_ref().and_then(content),
        raw: event.and_then(|event| String::from_utf8(event.raw).ok()),
        deliveries: own.map(DeliveryView::from).collect(),
        notification: item(entry),
    }))
}

/// The notification with an id that [`id_of`] made. Of its own tenant's feed, whatever the id.
pub(super) async fn find(api: &Api, tenant: &str, id: &str) -> Result<FeedEntry, Problem> {
    let missing = || Problem::not_found("notification");
    let position = open_cursor(id).map_err(|_| missing())?;
    api.store.feed_entry(tenant, &position).await?.ok_or_else(missing)
}

pub(super) fn id_of(entry: &FeedEntry) -> String {
    close_cursor(entry.position())
}

fn item(entry: FeedEntry) -> NotificationItem {
    NotificationItem {
        id: id_of(&entry),
        happened_at: entry.key.at(),
        order_id: entry.order_type.is_some().then_some(entry.subject),
        order_type: entry.order_type,
        event_type: entry.event_type,
        status: entry.status,
        received_at: entry.received_at,
        reconciled: entry.reconciled,
        subscriptions: entry.subscriptions,
    }
}

/// Each event was read before it was stored.
fn content(event: &StoredEvent) -> Option<Value> {
    let notification = Notification::parse(&event.raw).ok()?;
    let subscription = notification.subscription_id.as_deref().unwrap_or_default();
    serde_json::from_str(&notification.to_json(subscription, NumberFormat::default())).ok()
}
