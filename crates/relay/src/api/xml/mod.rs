//! Bandwidth's own API as far as the relay can speak it: subscriptions, and orders as their
//! notifications tell of them. XML in, XML out. Where a tenant's gateway is open, its orders are
//! Bandwidth's to answer for.
//!
//! Clients find it under each of the bases that Bandwidth's clients know.

mod gateway;
mod orders;
mod refusal;
mod subscriptions;

use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{DefaultBodyLimit, RawPathParams, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Extension, Router};
use domain::limits;
use domain::notification::NumberFormat;
use domain::wire::ErrorRoot;
use tokio::time::Instant;

use super::{Api, auth};
use refusal::Refusal;

/// Each base, and how telephone numbers are written below it.
const BASES: [(&str, NumberFormat); 5] = [
    ("", NumberFormat::Legacy),
    ("/api", NumberFormat::Legacy),
    ("/api/v1", NumberFormat::Legacy),
    ("/api/v2", NumberFormat::E164),
    ("/v1.0", NumberFormat::Legacy),
];

/// Below each base.
const ACCOUNT: &str = "/accounts/{account}";

/// What a handler knows of the base that it was reached by.
#[derive(Clone, Copy)]
struct Base {
    path: &'static str,
    numbers: NumberFormat,
}

/// When a request came in: the function that answers it has only so long.
#[derive(Clone, Copy)]
struct Arrived(Instant);

pub(super) fn router(api: Api) -> Router {
    let mut all = Router::new();
    for (path, numbers) in BASES {
        let below = routes(&api)
            .route_layer(from_fn_with_state(api.clone(), for_account))
            .layer(Extension(Base { path, numbers }));
        all = all.nest(&format!("{path}{ACCOUNT}"), below);
    }
    all.fallback(async || Refusal::no_such_path())
        .method_not_allowed_fallback(async || Refusal::method())
        .layer(DefaultBodyLimit::max(limits::BODY_BYTES_MAX))
        .with_state(api)
}

fn routes(api: &Api) -> Router<Api> {
    Router::new()
        .route("/subscriptions", get(subscriptions::list).post(subscriptions::create))
        .route(
            "/subscriptions/{id}",
            get(subscriptions::get).put(subscriptions::replace).delete(subscriptions::delete),
        )
        .merge(orders().route_layer(from_fn_with_state(api.clone(), gateway::divert)))
}

/// Each of these is Bandwidth's to answer, where the gateway is open, but for the list.
fn orders() -> Router<Api> {
    Router::new()
        .route("/{kind}", get(orders::list).post(orders::refuse))
        .route(
            "/{kind}/{id}",
            get(orders::get)
                .post(orders::refuse)
                .put(orders::refuse)
                .patch(orders::refuse)
                .delete(orders::refuse),
        )
        .route("/{kind}/{id}/history", get(orders::history))
        .route(
            "/{kind}/{id}/notes",
            // One of Bandwidth's clients adds a note by PUT.
            get(orders::notes).post(orders::add_note).put(orders::add_note),
        )
        .route("/{kind}/{id}/notes/{note}", put(orders::change_note))
        .route("/{kind}/{id}/tns", get(orders::telephone_numbers))
        .route("/{kind}/{id}/areaCodes", get(orders::area_codes))
        .route("/{kind}/{id}/npaNxx", get(orders::exchanges))
        .route("/{kind}/{id}/totals", get(orders::totals))
        .route(
            "/{kind}/{id}/{*rest}",
            get(orders::refuse)
                .post(orders::refuse)
                .put(orders::refuse)
                .patch(orders::refuse)
                .delete(orders::refuse),
        )
}

/// Lets through who may act for the account of the path, which is a tenant.
async fn for_account(
    State(api): State<Api>,
    path: Result<RawPathParams, RawPathParamsRejection>,
    mut request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let arrived = Arrived(Instant::now());
    let path = path.map_err(|_| Refusal::no_such_path())?;
    let root = match request.uri().path().contains("/subscriptions") {
        true => ErrorRoot::Subscriptions,
        false => ErrorRoot::Error,
    };
    let denied = |denied| Refusal::denied(denied, root);
    let caller = auth::caller(&api, request.headers()).await.map_err(denied)?;
    let account = path.iter().find(|(name, _)| *name == "account").map(|(_, account)| account);
    // A route below accounts that names none is open to nobody.
    let account = account.ok_or_else(Refusal::no_such_path)?;
    caller.for_tenant(account, request.method()).map_err(denied)?;
    if !auth::may_change(&api, &caller, account, request.method()).await? {
        return Err(Refusal::no_account());
    }
    request.extensions_mut().insert(caller);
    request.extensions_mut().insert(arrived);
    Ok(next.run(request).await)
}

/// A good answer.
fn xml(body: String) -> Response {
    (StatusCode::OK, [(CONTENT_TYPE, XML)], body).into_response()
}

const XML: &str = "application/xml; charset=utf-8";
