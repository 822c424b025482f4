//! Whose a single order is, where that is recorded; and what nobody owns.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use domain::limits;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::problem::{Problem, Problems};
use super::request::{Asked, Body, Listed, PageQuery};
use super::{fields, tenants, upstreams};
use crate::api::Api;
use crate::store::{FeedEntry, Page};

/// Who is to own an order.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClaimRequest {
    #[schema(max_length = 64)]
    tenant: String,
}

/// Who owns an order.
#[derive(Serialize, ToSchema)]
pub(crate) struct ClaimView {
    /// In lower case.
    order_id: String,
    tenant: String,
}

/// An event that nobody owned when it came.
#[derive(Serialize, ToSchema)]
pub(crate) struct UnownedEvent {
    /// The order, in lower case; absent for an event without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    /// When it happened, and a hash of its content.
    event: String,
    received_at: Timestamp,
}

/// The recorded owner of an order. Without a record its owner is who the upstream's rules say.
#[utoipa::path(
    get, path = "/upstreams/{account}/claims/{order}", tag = "claims",
    params(("account" = String, Path), ("order" = String, Path)),
    responses((status = 200, body = ClaimView), Problems)
)]
pub(super) async fn get(
    State(api): State<Api>,
    Path((account, order)): Path<(String, String)>,
) -> Result<Json<ClaimView>, Problem> {
    let subject = find(&api, &account, &order).await?;
    let claim = api.store.claim(&account, &subject).await?;
    let tenant = claim.ok_or_else(no_claim)?;
    Ok(Json(ClaimView { order_id: subject, tenant }))
}

/// Records who owns an order, whoever was recorded before: its next event goes there. What came
/// before stays where it is.
#[utoipa::path(
    put, path = "/upstreams/{account}/claims/{order}", tag = "claims",
    params(("account" = String, Path), ("order" = String, Path)),
    request_body = ClaimRequest,
    responses((status = 200, body = ClaimView), Problems)
)]
pub(super) async fn set(
    State(api): State<Api>,
    Path((account, order)): Path<(String, String)>,
    Body(request): Body<ClaimRequest>,
) -> Result<Json<ClaimView>, Problem> {
    let subject = find(&api, &account, &order).await?;
    tenants::must_exist(&api, "tenant", &request.tenant).await?;
    api.store.set_claim(&account, &subject, &request.tenant).await?;
    Ok(Json(ClaimView { order_id: subject, tenant: request.tenant }))
}

/// Forgets who owns an order: its next event goes by the upstream's rules.
#[utoipa::path(
    delete, path = "/upstreams/{account}/claims/{order}", tag = "claims",
    params(("account" = String, Path), ("order" = String, Path)),
    responses((status = 204), Problems)
)]
pub(super) async fn delete(
    State(api): State<Api>,
    Path((account, order)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let subject = find(&api, &account, &order).await?;
    api.store.claim(&account, &subject).await?.ok_or_else(no_claim)?;
    api.store.delete_claim(&account, &subject).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Events that nobody owned when they came, newest first.
#[utoipa::path(
    get, path = "/upstreams/{account}/unowned", tag = "claims",
    params(("account" = String, Path), PageQuery),
    responses((status = 200, body = Listed<UnownedEvent>), Problems)
)]
pub(super) async fn unowned(
    State(api): State<Api>,
    Path(account): Path<String>,
    Asked(query): Asked<PageQuery>,
) -> Result<Json<Listed<UnownedEvent>>, Problem> {
    let page = Page { newest_first: true, ..query.page()? };
    upstreams::find(&api, &account).await?;
    let (found, next) = api.store.unowned(&account, page).await?;
    Ok(Json(Listed::new(found.into_iter().map(UnownedEvent::from).collect(), next)))
}

/// Under what an order is recorded. It need not have been heard of.
async fn find(api: &Api, account: &str, order: &str) -> Result<String, Problem> {
    upstreams::find(api, account).await?;
    match fields::is_id(order, limits::ORDER_ID_CHARS_MAX) {
        true => Ok(order.to_ascii_lowercase()),
        false => Err(Problem::not_found("order")),
    }
}

fn no_claim() -> Problem {
    Problem::not_found("claim")
}

impl From<FeedEntry> for UnownedEvent {
    fn from(entry: FeedEntry) -> UnownedEvent {
        UnownedEvent {
            order_id: entry.order_type.is_some().then_some(entry.subject),
            order_type: entry.order_type,
            event_type: entry.event_type,
            status: entry.status,
            event: entry.key.to_string(),
            received_at: entry.received_at,
        }
    }
}
