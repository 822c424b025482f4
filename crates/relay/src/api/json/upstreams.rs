//! Upstreams: Bandwidth accounts whose notifications arrive here, and which tenants own them.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::limits;
use domain::upstream::{ApiAccess, Rule, Upstream};
use futures::future::join_all;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::problem::{Problem, Problems};
use super::request::{self, Asked, Body, Listed, PageQuery, etag};
use super::{ROOT, fields, tenants};
use crate::api::Api;
use crate::setup::{self, OVERLAP, SetupError};
use crate::store::Written;

/// An upstream to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUpstream {
    /// Bandwidth's account id.
    #[schema(max_length = 64)]
    account: String,
    /// Owner of what no rule matches. Left out: nobody.
    #[schema(max_length = 64)]
    default_tenant: Option<String>,
    #[serde(default)]
    #[schema(max_items = 100)]
    rules: Vec<RuleField>,
}

/// Who owns an upstream's orders.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpstreamRequest {
    /// Owner of what no rule matches. Left out: nobody.
    #[schema(max_length = 64)]
    default_tenant: Option<String>,
    #[serde(default)]
    #[schema(max_items = 100)]
    rules: Vec<RuleField>,
}

/// Orders whose CustomerOrderId starts with `prefix` belong to `tenant`. The first match decides,
/// when an order is first seen.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RuleField {
    #[schema(min_length = 1, max_length = 256)]
    prefix: String,
    #[schema(max_length = 64)]
    tenant: String,
}

/// An upstream as it stands.
#[derive(Serialize, ToSchema)]
pub(crate) struct UpstreamView {
    account: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_tenant: Option<String>,
    rules: Vec<RuleField>,
    /// Accepted from Bandwidth, newest first: more than one while they are being replaced.
    credentials: Vec<CredentialsView>,
    /// Where Bandwidth is to send its notifications.
    notify_path: String,
    /// How the relay asks Bandwidth's API; absent: it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    api: Option<ApiView>,
}

/// Where Bandwidth's API is, and as whom the relay asks it.
#[derive(Serialize, ToSchema)]
pub(crate) struct ApiView {
    url: String,
    username: String,
    /// Whether tenants may place orders through the relay.
    gateway: bool,
}

#[derive(Serialize, ToSchema)]
struct CredentialsView {
    username: String,
    /// Not accepted from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
}

/// A new upstream, and what Bandwidth is to present, shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct UpstreamCreated {
    #[serde(flatten)]
    upstream: UpstreamView,
    username: String,
    password: String,
}

/// New credentials, shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct CredentialsCreated {
    username: String,
    password: String,
    /// Until then those before are accepted too.
    previous_until: Timestamp,
}

/// The upstreams, by account.
#[utoipa::path(
    get, path = "/upstreams", tag = "upstreams", params(PageQuery),
    responses((status = 200, body = Listed<UpstreamView>), Problems)
)]
pub(super) async fn list(
    State(api): State<Api>,
    Asked(query): Asked<PageQuery>,
) -> Result<Json<Listed<UpstreamView>>, Problem> {
    let (found, next) = api.store.upstreams(query.page()?).await?;
    let now = api.clock.now();
    Ok(Json(Listed::new(found.into_iter().map(|one| view(one, now)).collect(), next)))
}

/// Makes an upstream, with credentials for Bandwidth to present.
#[utoipa::path(
    post, path = "/upstreams", tag = "upstreams",
    params(("Idempotency-Key" = Option<String>, Header)),
    request_body = NewUpstream,
    responses((
        status = 201, body = UpstreamCreated, headers(("ETag" = String), ("Location" = String))
    ), Problems)
)]
pub(super) async fn create(
    State(api): State<Api>,
    Body(request): Body<NewUpstream>,
) -> Result<Response, Problem> {
    let NewUpstream { account, default_tenant, rules } = request;
    fields::account("account", &account)?;
    check_owners(&api, default_tenant.as_deref(), &rules).await?;
    let (credentials, login) = setup::ingest_credentials(&account)?;
    let rules = rules.into_iter().map(Rule::from).collect();
    let credentials = vec![credentials];
    let made = Upstream {
        account,
        credentials,
        rules,
        default_tenant,
        api: None,
        gateway_until: None,
        revision: 1,
    };
    match api.store.put_upstream(&made).await? {
        Written::Done => {}
        Written::Changed => return Err(SetupError::Changed.into()),
    }
    let location = format!("{ROOT}/upstreams/{}", made.account);
    let created = UpstreamCreated {
        upstream: view(made, api.clock.now()),
        username: login.username,
        password: login.password,
    };
    Ok((StatusCode::CREATED, [(LOCATION, location)], etag(1), Json(created)).into_response())
}

/// One upstream.
#[utoipa::path(
    get, path = "/upstreams/{account}", tag = "upstreams", params(("account" = String, Path)),
    responses((status = 200, body = UpstreamView, headers(("ETag" = String))), Problems)
)]
pub(super) async fn get(
    State(api): State<Api>,
    Path(account): Path<String>,
) -> Result<Response, Problem> {
    let found = find(&api, &account).await?;
    Ok((etag(found.revision), Json(view(found, api.clock.now()))).into_response())
}

/// Replaces who owns an upstream's orders. Orders whose owner is recorded keep it; the rest go by
/// the new rules within 5 seconds. Credentials stay, and so does the access to Bandwidth's API.
#[utoipa::path(
    put, path = "/upstreams/{account}", tag = "upstreams",
    params(("account" = String, Path), ("If-Match" = Option<String>, Header)),
    request_body = UpstreamRequest,
    responses((status = 200, body = UpstreamView, headers(("ETag" = String))), Problems)
)]
pub(super) async fn replace(
    State(api): State<Api>,
    Path(account): Path<String>,
    headers: HeaderMap,
    Body(request): Body<UpstreamRequest>,
) -> Result<Response, Problem> {
    let old = find(&api, &account).await?;
    request::check_match(&headers, old.revision)?;
    let UpstreamRequest { default_tenant, rules } = request;
    check_owners(&api, default_tenant.as_deref(), &rules).await?;
    let rules = rules.into_iter().map(Rule::from).collect();
    let new = Upstream { default_tenant, rules, revision: old.revision + 1, ..old };
    change(&api, &new).await?;
    Ok((etag(new.revision), Json(view(new, api.clock.now()))).into_response())
}

/// Makes new credentials for Bandwidth to present. For 24 hours those before are accepted too, but
/// for no more than the two newest of them.
#[utoipa::path(
    post, path = "/upstreams/{account}/credentials", tag = "upstreams",
    params(("account" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, body = CredentialsCreated), Problems)
)]
pub(super) async fn replace_credentials(
    State(api): State<Api>,
    Path(account): Path<String>,
) -> Result<Json<CredentialsCreated>, Problem> {
    let old = find(&api, &account).await?;
    let now = api.clock.now();
    let (new, login) = setup::with_fresh_credentials(&old, now)?;
    change(&api, &new).await?;
    let (username, password) = (login.username, login.password);
    Ok(Json(CredentialsCreated { username, password, previous_until: now + OVERLAP }))
}

/// The upstream with this account, as it is now.
pub(super) async fn find(api: &Api, account: &str) -> Result<Upstream, Problem> {
    let missing = || Problem::not_found("upstream");
    if !fields::is_id(account, limits::ACCOUNT_BYTES_MAX) {
        return Err(missing());
    }
    let found = api.store.refreshed_upstream(account).await?.ok_or_else(missing)?;
    Ok(Upstream::clone(&found))
}

pub(super) async fn change(api: &Api, new: &Upstream) -> Result<(), Problem> {
    match api.store.put_upstream(new).await? {
        Written::Done => Ok(()),
        Written::Changed => Err(Problem::changed()),
    }
}

/// Whether these rules and this default can be: each tenant that they name must exist.
async fn check_owners(
    api: &Api,
    default_tenant: Option<&str>,
    rules: &[RuleField],
) -> Result<(), Problem> {
    if rules.len() > limits::RULES_MAX {
        let detail = format!("There are more than {} rules.", limits::RULES_MAX);
        return Err(Problem::invalid("rules", detail));
    }
    let mut named = BTreeMap::new();
    for (n, rule) in rules.iter().enumerate() {
        let chars_max = limits::CUSTOMER_ORDER_ID_CHARS_MAX;
        fields::text(&format!("rules[{n}].prefix"), &rule.prefix, chars_max)?;
        named.entry(rule.tenant.as_str()).or_insert_with(|| format!("rules[{n}].tenant"));
    }
    if let Some(tenant) = default_tenant {
        named.entry(tenant).or_insert_with(|| "default_tenant".into());
    }
    let checks = named.iter().map(|(tenant, field)| tenants::must_exist(api, field, tenant));
    join_all(checks).await.into_iter().collect()
}

pub(super) fn view(upstream: Upstream, now: Timestamp) -> UpstreamView {
    let credentials = upstream.credentials.into_iter().filter(|one| one.is_accepted(now));
    UpstreamView {
        notify_path: format!("/notify/{}", upstream.account),
        account: upstream.account,
        default_tenant: upstream.default_tenant,
        rules: upstream.rules.into_iter().map(RuleField::from).collect(),
        credentials: credentials
            .map(|one| CredentialsView { username: one.username, until: one.until })
            .collect(),
        api: upstream.api.map(ApiView::from),
    }
}

impl From<RuleField> for Rule {
    fn from(rule: RuleField) -> Rule {
        Rule { prefix: rule.prefix, tenant: rule.tenant }
    }
}

impl From<Rule> for RuleField {
    fn from(rule: Rule) -> RuleField {
        RuleField { prefix: rule.prefix, tenant: rule.tenant }
    }
}

impl From<ApiAccess> for ApiView {
    fn from(access: ApiAccess) -> ApiView {
        ApiView {
            url: access.url,
            username: access.username,
            gateway: access.gateway_since.is_some(),
        }
    }
}
