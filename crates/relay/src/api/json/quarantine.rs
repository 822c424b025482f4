//! Bodies that an upstream sent and that are no notifications: looked at, read again, dropped.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};
use domain::notification::Notification;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::{Problem, Problems};
use super::request::{Asked, Listed, PageQuery, close_cursor, open_cursor};
use super::upstreams;
use crate::api::Api;
use crate::ingest::{self, Unreadable};
use crate::store::{Page, Quarantined};

/// A body in quarantine. It is kept for 30 days.
#[derive(Serialize, ToSchema)]
pub(crate) struct QuarantinedView {
    id: String,
    received_at: Timestamp,
    /// Why it could not be read. Quotes nothing of it.
    reason: String,
    /// How long it is, as far as it was read.
    bytes: usize,
}

/// What a body turned out to be.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReadAgain {
    /// The order, in lower case; absent for an event without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<String>,
    /// When it happened, and a hash of its content.
    event: String,
    received_at: Timestamp,
}

/// The bytes as they came.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "bytes go out as they are")]
pub(crate) struct RawBody(Vec<u8>);

/// What is in quarantine, newest first. A page may hold fewer than `limit` and still have `next`.
#[utoipa::path(
    get, path = "/upstreams/{account}/quarantine", tag = "quarantine",
    params(("account" = String, Path), PageQuery),
    responses((status = 200, body = Listed<QuarantinedView>), Problems)
)]
pub(super) async fn list(
    State(api): State<Api>,
    Path(account): Path<String>,
    Asked(query): Asked<PageQuery>,
) -> Result<Json<Listed<QuarantinedView>>, Problem> {
    let page = Page { newest_first: true, ..query.page()? };
    upstreams::find(&api, &account).await?;
    let (found, next) = api.store.quarantined(&account, page).await?;
    Ok(Json(Listed::new(found.into_iter().map(QuarantinedView::from).collect(), next)))
}

/// One body, byte for byte, as far as it was read.
#[utoipa::path(
    get, path = "/upstreams/{account}/quarantine/{id}", tag = "quarantine",
    params(("account" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = RawBody, content_type = "application/octet-stream"), Problems)
)]
pub(super) async fn get(
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let (_, found) = find(&api, &account, &id).await?;
    // Somebody unknown wrote it: no browser is to run it.
    let headers = [
        (CONTENT_TYPE, "application/octet-stream"),
        (CONTENT_DISPOSITION, "attachment"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, found.raw).into_response())
}

/// Reads a body again, as if it came in now, at the time at which it came in. If it is a
/// notification by now, it goes its way and leaves the quarantine; else the answer is 409.
#[utoipa::path(
    post, path = "/upstreams/{account}/quarantine/{id}/retry", tag = "quarantine",
    params(
        ("account" = String, Path), ("id" = String, Path),
        ("Idempotency-Key" = Option<String>, Header)
    ),
    responses((status = 200, body = ReadAgain), Problems)
)]
pub(super) async fn retry(
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
) -> Result<Json<ReadAgain>, Problem> {
    let (position, Quarantined { received_at, raw, .. }) = find(&api, &account, &id).await?;
    let notification = Notification::parse(&raw).map_err(|malformed| {
        Problem::conflict("unreadable", Unreadable::Malformed(malformed).to_string())
    })?;
    let event = ingest::put_event_of(&api.store, &account, received_at, raw, &notification).await?;
    // Should this fail, the same event is put again, which changes nothing.
    api.store.delete_quarantined(&account, &position).await?;
    let order_id = notification.order.is_some().then_some(event.subject);
    Ok(Json(ReadAgain { order_id, event: event.key.to_string(), received_at }))
}

/// Drops a body.
#[utoipa::path(
    delete, path = "/upstreams/{account}/quarantine/{id}", tag = "quarantine",
    params(("account" = String, Path), ("id" = String, Path)),
    responses((status = 204), Problems)
)]
pub(super) async fn delete(
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let (position, _) = find(&api, &account, &id).await?;
    api.store.delete_quarantined(&account, &position).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A body, and where it stands in the quarantine of its upstream.
async fn find(api: &Api, account: &str, id: &str) -> Result<(String, Quarantined), Problem> {
    upstreams::find(api, account).await?;
    let missing = || Problem::not_found("body in quarantine");
    let position = open_cursor(id).map_err(|_| missing())?;
    let found = api.store.quarantined_one(account, &position).await?.ok_or_else(missing)?;
    Ok((position, found))
}

impl From<Quarantined> for QuarantinedView {
    fn from(kept: Quarantined) -> QuarantinedView {
        QuarantinedView {
            id: close_cursor(kept.position()),
            received_at: kept.received_at,
            bytes: kept.raw.len(),
            reason: kept.reason,
        }
    }
}
