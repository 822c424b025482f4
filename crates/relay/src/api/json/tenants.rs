//! Tenants.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::limits;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::problem::{Problem, Problems};
use super::request::{self, Asked, Body, Listed, PageQuery, etag};
use super::{ROOT, fields};
use crate::api::Api;
use crate::setup::SetupError;
use crate::store::{StoreError, Tenant, Written};

/// A tenant to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTenant {
    /// The account id in the tenant's API paths: letters, digits, hyphens, underscores and dots.
    #[schema(max_length = 64)]
    id: String,
    #[schema(max_length = 200)]
    name: Option<String>,
    /// The upstream at which it may place orders through the relay. Left out: none.
    #[schema(max_length = 64)]
    upstream: Option<String>,
}

/// What can be changed of a tenant.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TenantRequest {
    /// Left out: none.
    #[schema(max_length = 200)]
    name: Option<String>,
    /// The upstream at which it may place orders through the relay. Left out: none.
    #[schema(max_length = 64)]
    upstream: Option<String>,
}

/// A tenant as it stands.
#[derive(Serialize, ToSchema)]
pub(crate) struct TenantView {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    created_at: Timestamp,
    /// The upstream at which it may place orders through the relay.
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream: Option<String>,
}

/// The tenants, by id.
#[utoipa::path(
    get, path = "/tenants", tag = "tenants", params(PageQuery),
    responses((status = 200, body = Listed<TenantView>), Problems)
)]
pub(super) async fn list(
    State(api): State<Api>,
    Asked(query): Asked<PageQuery>,
) -> Result<Json<Listed<TenantView>>, Problem> {
    let (found, next) = api.store.tenants(query.page()?).await?;
    Ok(Json(Listed::new(found.into_iter().map(TenantView::from).collect(), next)))
}

/// Makes a tenant. It needs API keys, and an upstream whose orders it owns.
#[utoipa::path(
    post, path = "/tenants", tag = "tenants",
    params(("Idempotency-Key" = Option<String>, Header)),
    request_body = NewTenant,
    responses((
        status = 201, body = TenantView, headers(("ETag" = String), ("Location" = String))
    ), Problems)
)]
pub(super) async fn create(
    State(api): State<Api>,
    Body(request): Body<NewTenant>,
) -> Result<Response, Problem> {
    fields::account("id", &request.id)?;
    let NewTenant { id, name, upstream } = request;
    let (name, upstream) = (named(name)?, placing_at(&api, upstream).await?);
    let tenant = Tenant { id, name, created_at: api.clock.now(), upstream, revision: 1 };
    match api.store.add_tenant(&tenant).await? {
        Written::Done => {}
        Written::Changed => return Err(SetupError::Changed.into()),
    }
    let location = format!("{ROOT}/tenants/{}", tenant.id);
    let made = Json(TenantView::from(tenant));
    Ok((StatusCode::CREATED, [(LOCATION, location)], etag(1), made).into_response())
}

/// One tenant.
#[utoipa::path(
    get, path = "/tenants/{tenant}", tag = "tenants", params(("tenant" = String, Path)),
    responses((status = 200, body = TenantView, headers(("ETag" = String))), Problems)
)]
pub(super) async fn get(
    State(api): State<Api>,
    Path(tenant): Path<String>,
) -> Result<Response, Problem> {
    let found = find(&api, &tenant).await?;
    Ok((etag(found.revision), Json(TenantView::from(found))).into_response())
}

/// Replaces what can be changed of a tenant.
#[utoipa::path(
    put, path = "/tenants/{tenant}", tag = "tenants",
    params(("tenant" = String, Path), ("If-Match" = Option<String>, Header)),
    request_body = TenantRequest,
    responses((status = 200, body = TenantView, headers(("ETag" = String))), Problems)
)]
pub(super) async fn replace(
    State(api): State<Api>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    Body(request): Body<TenantRequest>,
) -> Result<Response, Problem> {
    let old = find(&api, &tenant).await?;
    request::check_match(&headers, old.revision)?;
    let TenantRequest { name, upstream } = request;
    let (name, upstream) = (named(name)?, placing_at(&api, upstream).await?);
    let new = Tenant { name, upstream, revision: old.revision + 1, ..old };
    match api.store.change_tenant(&new).await? {
        Written::Done => Ok((etag(new.revision), Json(TenantView::from(new))).into_response()),
        Written::Changed => Err(Problem::changed()),
    }
}

/// Refuses a field that names a tenant that there is not.
pub(super) async fn must_exist(api: &Api, field: &str, id: &str) -> Result<(), Problem> {
    match look_up(api, id).await? {
        Some(_) => Ok(()),
        None => Err(Problem::invalid(field, "There is no such tenant.")),
    }
}

async fn find(api: &Api, id: &str) -> Result<Tenant, Problem> {
    look_up(api, id).await?.ok_or_else(|| Problem::not_found("tenant"))
}

async fn look_up(api: &Api, id: &str) -> Result<Option<Tenant>, StoreError> {
    match fields::is_id(id, limits::ACCOUNT_BYTES_MAX) {
        true => api.store.tenant(id).await,
        false => Ok(None),
    }
}

fn named(name: Option<String>) -> Result<Option<String>, Problem> {
    if let Some(name) = &name {
        fields::text("name", name, limits::NAME_CHARS_MAX)?;
    }
    Ok(name)
}

/// The upstream that a tenant is to place orders at; it must exist.
async fn placing_at(api: &Api, upstream: Option<String>) -> Result<Option<String>, Problem> {
    if let Some(account) = &upstream {
        let is_known = fields::is_id(account, limits::ACCOUNT_BYTES_MAX)
            && api.store.upstream(account).await?.is_some();
        if !is_known {
            return Err(Problem::invalid("upstream", "There is no such upstream."));
        }
    }
    Ok(upstream)
}

impl From<Tenant> for TenantView {
    fn from(tenant: Tenant) -> TenantView {
        let Tenant { id, name, created_at, upstream, revision: _ } = tenant;
        TenantView { id, name, created_at, upstream }
    }
}
