//! The relay's own API: JSON under `/relay/v1`, described by the OpenAPI document that is made from
//! the handlers here.
//!
//! Who may do what is decided in one place, by the path and the method: see [`for_tenant`] and
//! [`for_operators`].

mod deliveries;
mod fields;
mod notifications;
mod orders;
mod problem;
mod replays;
mod request;
mod subscriptions;

pub(super) use subscriptions::ask_for_snapshots;

use std::sync::LazyLock;

use axum::extract::{DefaultBodyLimit, RawPathParams, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, http};
use domain::limits;
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Api, auth, idempotency};
pub(super) use problem::Problem;

/// Where this API begins.
pub(super) const ROOT: &str = "/relay/v1";

/// Head of the OpenAPI document; paths and schemas come from the handlers.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Hookline",
        description = "Subscriptions, notifications, deliveries and orders of the relay's tenants, \
                       and what its operators set up. Errors are problems with a stable `code`. \
                       Any POST may carry an `Idempotency-Key`."
    ),
    security(("basic" = []), ("bearer" = []))
)]
struct Head;

pub(super) fn router(api: Api) -> Router {
    let (tenants, _) = for_tenants().split_for_parts();
    let (operators, _) = for_the_operators().split_for_parts();
    let open = Router::new().route("/openapi.json", get(document));
    let operators = match operators.has_routes() {
        true => operators.route_layer(from_fn_with_state(api.clone(), for_operators)),
        false => operators,
    };
    let guarded = tenants.route_layer(from_fn_with_state(api.clone(), for_tenant)).merge(operators);
    let routes = guarded
        .merge(open)
        .fallback(async || Problem::no_such_route())
        .method_not_allowed_fallback(async || Problem::method())
        .layer(DefaultBodyLimit::max(limits::API_BODY_BYTES_MAX))
        .with_state(api);
    Router::new().nest(ROOT, routes)
}

/// Routes below one tenant. Each has `{tenant}` in its path.
fn for_tenants() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(subscriptions::list, subscriptions::create))
        .routes(routes!(subscriptions::get, subscriptions::replace, subscriptions::delete))
        .routes(routes!(subscriptions::rotate_secret))
        .routes(routes!(subscriptions::test))
        .routes(routes!(notifications::list))
        .routes(routes!(notifications::get))
        .routes(routes!(deliveries::undelivered))
        .routes(routes!(deliveries::dead))
        .routes(routes!(deliveries::retry))
        .routes(routes!(replays::create))
        .routes(routes!(replays::get))
        .routes(routes!(orders::list))
        .routes(routes!(orders::get))
}

/// Routes of the operators.
fn for_the_operators() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
}

/// The OpenAPI document.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let paths = OpenApiRouter::with_openapi(Head::openapi())
        .nest(ROOT, for_tenants())
        .nest(ROOT, for_the_operators());
    let mut document = paths.into_openapi();
    name_operations(&mut document);
    let components = document.components.get_or_insert_default();
    for (name, scheme) in [("basic", HttpAuthScheme::Basic), ("bearer", HttpAuthScheme::Bearer)] {
        let scheme = SecurityScheme::Http(HttpBuilder::new().scheme(scheme).build());
        components.add_security_scheme(name, scheme);
    }
    document
}

/// Handlers have short names, each within its module; in the document a name stands alone.
fn name_operations(document: &mut utoipa::openapi::OpenApi) {
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            let tag = operation.tags.iter().flatten().next().cloned().unwrap_or_default();
            operation.operation_id = operation.operation_id.take().map(|id| format!("{tag}_{id}"));
        }
    }
}

static DOCUMENT: LazyLock<String> =
    LazyLock::new(|| openapi().to_pretty_json().unwrap_or_default());

async fn document() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT.as_str())
}

/// Lets through who may act for the tenant of the path.
async fn for_tenant(
    State(api): State<Api>,
    path: RawPathParams,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let caller = auth::caller(&api, request.headers()).await?;
    let tenant = path.iter().find(|(name, _)| *name == "tenant").map(|(_, tenant)| tenant);
    // A route below tenants that names none is open to nobody.
    let tenant = tenant.ok_or_else(Problem::no_such_route)?;
    caller.for_tenant(tenant, request.method())?;
    proceed(api, caller, request, next).await
}

/// Lets operators through.
async fn for_operators(
    State(api): State<Api>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
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
