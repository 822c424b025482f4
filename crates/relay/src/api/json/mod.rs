//! The relay's own API: JSON under `/relay/v1`. Here are its routes; `description` is made from the
//! handlers, one file for each kind of thing.
//!
//! Who may do what is decided in one place, by the path and the method: see [`for_tenant`] and
//! [`for_operators`].

mod claims;
mod deliveries;
mod description;
mod fields;
mod keys;
mod networks;
mod notifications;
mod orders;
mod problem;
mod quarantine;
mod replays;
mod request;
mod subscription_shape;
mod subscriptions;
mod tenants;
mod upstream_api;
mod upstreams;

pub(super) use subscriptions::ask_for_snapshots;

use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{DefaultBodyLimit, RawPathParams, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{delete, get, post, put};
use axum::{Router, http};
use domain::limits;

use super::{Api, auth, idempotency};
pub use description::openapi;
pub(super) use problem::Problem;

/// Where this API begins.
pub(super) const ROOT: &str = "/relay/v1";

pub(super) fn router(api: Api) -> Router {
    let tenants = for_tenants().route_layer(from_fn_with_state(api.clone(), for_tenant));
    let operators = for_the_operators().route_layer(from_fn_with_state(api.clone(), for_operators));
    let open = Router::new().route("/openapi.json", get(description::document));
    let routes = tenants
        .merge(operators)
        .merge(open)
        .fallback(async || Problem::no_such_route())
        .method_not_allowed_fallback(async || Problem::method())
        .layer(DefaultBodyLimit::max(limits::API_BODY_BYTES_MAX))
        .with_state(api);
    Router::new().nest(ROOT, routes)
}

/// Routes below one tenant. Each has `{tenant}` in its path.
fn for_tenants() -> Router<Api> {
    let below = Router::new()
        .route("/subscriptions", get(subscriptions::list).post(subscriptions::create))
        .route(
            "/subscriptions/{id}",
            get(subscriptions::get).put(subscriptions::replace).delete(subscriptions::delete),
        )
        .route("/subscriptions/{id}/secret", post(subscriptions::rotate_secret))
        .route("/subscriptions/{id}/test", post(subscriptions::test))
        .route("/notifications", get(notifications::list))
        .route("/notifications/{id}", get(notifications::get))
        .route("/notifications/{id}/deliveries/{subscription}/retry", post(deliveries::retry))
        .route("/deliveries/undelivered", get(deliveries::undelivered))
        .route("/deliveries/dead", get(deliveries::dead))
        .route("/replays", post(replays::create))
        .route("/replays/{id}", get(replays::get))
        .route("/orders/{order_type}", get(orders::list))
        .route("/orders/{order_type}/{order_id}", get(orders::get));
    Router::new().nest("/tenants/{tenant}", below)
}

/// Routes of the operators.
fn for_the_operators() -> Router<Api> {
    Router::new()
        .route("/upstreams", get(upstreams::list).post(upstreams::create))
        .route("/upstreams/{account}", get(upstreams::get).put(upstreams::replace))
        .route("/upstreams/{account}/credentials", post(upstreams::replace_credentials))
        .route("/upstreams/{account}/api", put(upstream_api::replace).delete(upstream_api::delete))
        .route(
            "/upstreams/{account}/claims/{order}",
            get(claims::get).put(claims::set).delete(claims::delete),
        )
        .route("/upstreams/{account}/unowned", get(claims::unowned))
        .route("/upstreams/{account}/quarantine", get(quarantine::list))
        .route(
            "/upstreams/{account}/quarantine/{id}",
            get(quarantine::get).delete(quarantine::delete),
        )
        .route("/upstreams/{account}/quarantine/{id}/retry", post(quarantine::retry))
        .route("/tenants", get(tenants::list).post(tenants::create))
        .route("/tenants/{tenant}", get(tenants::get).put(tenants::replace))
        .route("/keys", get(keys::list).post(keys::create))
        .route("/keys/{id}", delete(keys::delete))
        .route("/networks", get(networks::get).put(networks::replace))
}

/// Lets through who may act for the tenant of the path.
async fn for_tenant(
    State(api): State<Api>,
    path: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let path = path.map_err(|_| Problem::no_such_route())?;
    let caller = auth::caller(&api, request.headers()).await?;
    let tenant = path.iter().find(|(name, _)| *name == "tenant").map(|(_, tenant)| tenant);
    // A route below tenants that names none is open to nobody.
    let tenant = tenant.ok_or_else(Problem::no_such_route)?;
    caller.for_tenant(tenant, request.method())?;
    if !auth::may_change(&api, &caller, tenant, request.method()).await? {
        return Err(Problem::not_found("tenant"));
    }
    proceed(api, caller, request, next).await
}

/// Lets operators through.
async fn for_operators(
    State(api): State<Api>,
    path: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    // Otherwise a handler would meet what is no UTF-8, and not answer in our own way.
    path.map_err(|_| Problem::no_such_route())?;
    let caller = auth::caller(&api, request.headers()).await?;
    caller.for_operators(request.method())?;
    proceed(api, caller, request, next).await
}

async fn proceed(
    api: Api,
    caller: auth::Caller,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    request.extensions_mut().insert(caller.clone());
    match *request.method() {
        http::Method::POST => idempotency::once(&api, &caller, request, next).await,
        _ => Ok(next.run(request).await),
    }
}
