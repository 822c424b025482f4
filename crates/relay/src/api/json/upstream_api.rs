//! How the relay asks Bandwidth's API for an upstream.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::address::{self, Policy};
use domain::limits;
use domain::upstream::{ApiAccess, Upstream};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use super::fields;
use super::problem::{Problem, Problems};
use super::request::{self, Body, etag};
use super::upstreams::{UpstreamView, change, find, view};
use crate::api::Api;
use crate::bandwidth;

/// Where Bandwidth's API is, and what the relay is to present there.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApiRequest {
    /// What is before `/accounts`, such as `https://dashboard.bandwidth.com/api`.
    #[schema(max_length = 2048)]
    url: String,
    #[schema(min_length = 1, max_length = 100)]
    username: String,
    /// Never shown again. May be left out while `url` and `username` stay as they are.
    #[schema(min_length = 1, max_length = 256)]
    password: Option<String>,
    /// Whether tenants may place orders through the relay.
    gateway: bool,
}

/// Replaces how the relay asks Bandwidth's API for an upstream.
#[utoipa::path(
    put, path = "/upstreams/{account}/api", tag = "upstreams", operation_id = "replace_api",
    params(("account" = String, Path), ("If-Match" = Option<String>, Header)),
    request_body = ApiRequest,
    responses((status = 200, body = UpstreamView, headers(("ETag" = String))), Problems)
)]
pub(super) async fn replace(
    State(api): State<Api>,
    Path(account): Path<String>,
    headers: HeaderMap,
    Body(request): Body<ApiRequest>,
) -> Result<Response, Problem> {
    let old = find(&api, &account).await?;
    request::check_match(&headers, old.revision)?;
    let ApiRequest { url, username, password, gateway } = request;
    let url = base(&url, &*api.policy().await?)?;
    fields::text("username", &username, limits::USERNAME_CHARS_MAX)?;
    if username.contains(':') {
        return Err(Problem::invalid("username", "A username holds no colon."));
    }
    let now = api.clock.now();
    let on_since = old.api.as_ref().and_then(|old| old.gateway_since);
    // What is kept is for whom it was given: nobody has it presented elsewhere without knowing it.
    let kept = old.api.as_ref().filter(|old| old.url == url && old.username == username);
    let sealed_password = match (password, kept) {
        (Some(password), _) => {
            fields::text("password", &password, limits::PASSWORD_CHARS_MAX)?;
            bandwidth::seal(&api.vault, &account, &password.into()).await?
        }
        (None, Some(kept)) => kept.sealed_password.clone(),
        (None, None) => {
            let detail = "It may be left out only while url and username stay as they are.";
            return Err(Problem::invalid("password", detail));
        }
    };
    let access = ApiAccess {
        url,
        username,
        sealed_password,
        gateway_since: gateway.then(|| on_since.unwrap_or(now)),
    };
    let gateway_until = if gateway { None } else { closed_at(&old, now) };
    let new = Upstream { api: Some(access), gateway_until, revision: old.revision + 1, ..old };
    change(&api, &new).await?;
    Ok((etag(new.revision), Json(view(new, now))).into_response())
}

/// Has the relay ask Bandwidth's API no more for an upstream, and forget the password.
#[utoipa::path(
    delete, path = "/upstreams/{account}/api", tag = "upstreams", operation_id = "delete_api",
    params(("account" = String, Path), ("If-Match" = Option<String>, Header)),
    responses((status = 204), Problems)
)]
pub(super) async fn delete(
    State(api): State<Api>,
    Path(account): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let old = find(&api, &account).await?;
    request::check_match(&headers, old.revision)?;
    if old.api.is_some() {
        let gateway_until = closed_at(&old, api.clock.now());
        let new = Upstream { api: None, gateway_until, revision: old.revision + 1, ..old };
        change(&api, &new).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// When the gateway was closed, where it is not open after now.
fn closed_at(old: &Upstream, now: Timestamp) -> Option<Timestamp> {
    let is_open = old.api.as_ref().is_some_and(|access| access.gateway_since.is_some());
    if is_open { Some(now) } else { old.gateway_until }
}

/// A base as it is kept. Credentials go there, so that plain http is for allowed networks only.
fn base(url: &str, policy: &Policy) -> Result<String, Problem> {
    let invalid = |detail: String| Problem::invalid("url", detail);
    if url.contains(['?', '#']) {
        return Err(invalid("A base has neither query nor fragment.".into()));
    }
    let policy = Policy { http: false, ..policy.clone() };
    let parsed =
        address::endpoint(url, &policy).map_err(|refused| invalid(format!("{refused}.")))?;
    if parsed.as_str().len() > limits::URL_BYTES_MAX {
        return Err(invalid(format!("{}.", address::Refused::Length)));
    }
    Ok(parsed.as_str().trim_end_matches('/').to_owned())
}
