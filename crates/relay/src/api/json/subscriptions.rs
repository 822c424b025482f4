//! Subscriptions, with what Bandwidth's XML cannot say.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::sign::{self, Scheme};
use domain::subscription::{SigningSecret, Subscription, Target, Topic};
use domain::{limits, order};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ROOT;
use super::problem::{Problem, Problems};
use super::request::{self, Asked, Body, Listed, PageQuery, etag};
use super::subscription_shape::{
    SignatureField, SubscriptionRequest, SubscriptionView, view, wanted,
};
use crate::api::Api;
use crate::egress::Post;
use crate::outgoing;
use crate::secret;
use crate::setup::{self, OVERLAP};
use crate::store::{Job, StoreError, Subscribed, Work};
use crate::subscriptions::{Bound, scheme};

/// A new subscription, and its secret, shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct Created {
    #[serde(flatten)]
    subscription: SubscriptionView,
    /// `whsec_...`, as Standard Webhooks libraries take it. Not for `v1a`: what verifies those
    /// signatures is in `public_keys`.
    #[serde(skip_serializing_if = "Option::is_none")]
    signing_secret: Option<String>,
}

/// A new secret, shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct RotatedSecret {
    /// `whsec_...`, of `v1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    signing_secret: Option<String>,
    /// `whpk_...`, of `v1a`.
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<String>,
    /// Until then the one before signs too.
    previous_until: Timestamp,
}

/// What an endpoint said to a test.
#[derive(Serialize, ToSchema)]
pub(crate) struct Tested {
    /// The endpoint took it.
    succeeded: bool,
    /// The HTTP status, if there was an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    /// The beginning of the answer's body.
    answer: String,
    duration_ms: u64,
}

/// What kind of secret is to be made.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RotateQuery {
    /// The scheme from now on. Left out: stays as it is.
    #[param(inline)]
    signature: Option<SignatureField>,
}

/// The tenant's subscriptions, by id.
#[utoipa::path(
    get, path = "/tenants/{tenant}/subscriptions", tag = "subscriptions",
    params(("tenant" = String, Path), PageQuery),
    responses((status = 200, body = Listed<SubscriptionView>), Problems)
)]
pub(super) async fn list(
    State(api): State<Api>,
    Path(tenant): Path<String>,
    Asked(query): Asked<PageQuery>,
) -> Result<Json<Listed<SubscriptionView>>, Problem> {
    let (found, next) = api.subscriptions.list(&tenant, query.page()?).await?;
    let now = api.clock.now();
    let current = found.into_iter().filter(|one| !one.is_expired(now));
    Ok(Json(Listed::new(current.map(|one| view(one, now)).collect(), next)))
}

/// Makes a subscription.
#[utoipa::path(
    post, path = "/tenants/{tenant}/subscriptions", tag = "subscriptions",
    params(("tenant" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body = SubscriptionRequest,
    responses((status = 201, body = Created), Problems)
)]
pub(super) async fn create(
    State(api): State<Api>,
    Path(tenant): Path<String>,
    Body(request): Body<SubscriptionRequest>,
) -> Result<Response, Problem> {
    let snapshot = request.snapshot;
    let wanted = wanted(&api, &tenant, request, None).await?;
    let bound = bound(&api, &tenant, &wanted.topic, snapshot).await?;
    let (made, secret) =
        setup::subscription(&api.subscriptions, wanted, bound.as_ref(), &api.clock).await?;
    if snapshot && bound.is_none() {
        ask_for_snapshots(&api, &made).await?;
    }
    let location = format!("{ROOT}/tenants/{tenant}/subscriptions/{}", made.id);
    let created =
        Created { subscription: view(made, api.clock.now()), signing_secret: shared(&secret) };
    Ok((StatusCode::CREATED, [(LOCATION, location)], etag(1), Json(created)).into_response())
}

/// One subscription.
#[utoipa::path(
    get, path = "/tenants/{tenant}/subscriptions/{id}", tag = "subscriptions",
    params(("tenant" = String, Path), ("id" = String, Path)),
    responses(
        (status = 200, body = SubscriptionView, headers(("ETag" = String))), Problems
    )
)]
pub(super) async fn get(
    State(api): State<Api>,
    Path((tenant, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let found = find(&api, &tenant, &id).await?;
    Ok((etag(found.revision), Json(view(found, api.clock.now()))).into_response())
}

/// Replaces a subscription: what is left out goes back to its default. Its secret stays. One that
/// expired while it was disabled can be enabled by this for 90 days.
#[utoipa::path(
    put, path = "/tenants/{tenant}/subscriptions/{id}", tag = "subscriptions",
    params(
        ("tenant" = String, Path), ("id" = String, Path), ("If-Match" = Option<String>, Header)
    ),
    request_body = SubscriptionRequest,
    responses(
        (status = 200, body = SubscriptionView, headers(("ETag" = String))), Problems
    )
)]
pub(super) async fn replace(
    State(api): State<Api>,
    Path((tenant, id)): Path<(String, String)>,
    headers: HeaderMap,
    Body(request): Body<SubscriptionRequest>,
) -> Result<Response, Problem> {
    let old = find_collecting(&api, &tenant, &id).await?;
    request::check_match(&headers, old.revision)?;
    if request.snapshot {
        return Err(Problem::invalid("snapshot", "Only a new subscription can ask for this."));
    }
    let wanted = wanted(&api, &tenant, request, Some(&old)).await?;
    if wanted.topic != old.topic {
        bound(&api, &tenant, &wanted.topic, false).await?;
    }
    let was_enabled = old.enabled;
    let status = old.status_at(&wanted.target);
    let new = wanted.made(id, old.secrets, old.created_at, status, old.revision + 1);
    if new.enabled && !was_enabled {
        api.subscriptions.drain(&new.tenant, &new.id).await?;
    }
    change(&api, &new).await?;
    Ok((etag(new.revision), Json(view(new, api.clock.now()))).into_response())
}

/// Deletes a subscription, for 90 days also one that has expired. What is still to be delivered to it is
/// given up.
#[utoipa::path(
    delete, path = "/tenants/{tenant}/subscriptions/{id}", tag = "subscriptions",
    params(("tenant" = String, Path), ("id" = String, Path)),
    responses((status = 204), Problems)
)]
pub(super) async fn delete(
    State(api): State<Api>,
    Path((tenant, id)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    api.subscriptions.get(&tenant, &id).await?.ok_or_else(|| Problem::not_found("subscription"))?;
    api.subscriptions.remove(&tenant, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a new signing secret. For 24 hours the one before signs too.
#[utoipa::path(
    post, path = "/tenants/{tenant}/subscriptions/{id}/secret", tag = "subscriptions",
    params(
        ("tenant" = String, Path), ("id" = String, Path), RotateQuery,
        ("Idempotency-Key" = Option<String>, Header)
    ),
    responses((status = 200, body = RotatedSecret), Problems)
)]
pub(super) async fn rotate_secret(
    State(api): State<Api>,
    Path((tenant, id)): Path<(String, String)>,
    Asked(query): Asked<RotateQuery>,
) -> Result<Json<RotatedSecret>, Problem> {
    let old = find(&api, &tenant, &id).await?;
    let until = api.clock.now() + OVERLAP;
    let now = api.clock.now();
    let scheme = query.signature.map_or_else(|| scheme(&old), SignatureField::scheme);
    let fresh = setup::signing_secret(scheme)?;
    let mut secrets = vec![SigningSecret { secret: fresh.clone(), until: None }];
    // Each of those before was promised a day.
    secrets.extend(
        old.secrets
            .iter()
            .filter(|one| one.until.is_none_or(|at| at > now))
            .map(|one| SigningSecret { until: Some(one.until.unwrap_or(until)), ..one.clone() }),
    );
    if secrets.len() > limits::SIGNING_SECRETS_MAX {
        let detail = "Secrets that were replaced lately are still good. Wait until one is not.";
        return Err(Problem::conflict("too_many_secrets", detail));
    }
    let new = Subscription { secrets, revision: old.revision + 1, ..old };
    change(&api, &new).await?;
    Ok(Json(RotatedSecret {
        signing_secret: shared(&fresh),
        public_key: sign::public_key_of(fresh.expose_secret()),
        previous_until: until,
    }))
}

/// What the tenant needs of a secret to verify signatures, unless a public key does.
fn shared(secret: &SecretString) -> Option<String> {
    let secret = secret.expose_secret();
    (sign::scheme_of(secret) == Scheme::V1).then(|| secret.into())
}

/// POSTs a sample notification to the endpoint, signed, and answers what it said.
#[utoipa::path(
    post, path = "/tenants/{tenant}/subscriptions/{id}/test", tag = "subscriptions",
    params(
        ("tenant" = String, Path), ("id" = String, Path),
        ("Idempotency-Key" = Option<String>, Header)
    ),
    responses((status = 200, body = Tested), Problems)
)]
pub(super) async fn test(
    State(api): State<Api>,
    Path((tenant, id)): Path<(String, String)>,
) -> Result<Json<Tested>, Problem> {
    let subscription = find(&api, &tenant, &id).await?;
    let Target::Callback(callback) = &subscription.target else {
        return Err(Problem::conflict("no_endpoint", "This subscription is told by mail."));
    };
    // The POST goes by it.
    api.policy().await?;
    let at = api.clock.now();
    let body = subscription.render(&sample(&subscription, at));
    let webhook_id = format!("test_{}", secret::uuid()?);
    let mut headers = outgoing::signed(&subscription, &webhook_id, at, &body)
        .map_err(|_| Problem::conflict("no_secret", "The signing secret cannot be used."))?;
    headers.push(("hookline-test".into(), "true".into()));
    let certificate = callback.public_key.as_deref();
    let post = Post { url: &callback.url, certificate, headers, body };
    let answer = api.egress.post(post).await?;
    let took = at.duration_until(api.clock.now()).as_millis();
    Ok(Json(Tested {
        succeeded: answer.error.is_none(),
        status: answer.status,
        error: answer.error.map(|error| error.name()),
        answer: answer.text,
        duration_ms: u64::try_from(took).unwrap_or_default(),
    }))
}

async fn find(api: &Api, tenant: &str, id: &str) -> Result<Subscription, Problem> {
    let found = api.subscriptions.get(tenant, id).await?;
    found
        .filter(|one| !one.is_expired(api.clock.now()))
        .ok_or_else(|| Problem::not_found("subscription"))
}

/// One that is current, or for which events have collected that only its tenant can let go of.
async fn find_collecting(api: &Api, tenant: &str, id: &str) -> Result<Subscription, Problem> {
    let found = api.subscriptions.get(tenant, id).await?;
    found
        .filter(|one| !one.is_expired(api.clock.now()) || !one.enabled)
        .ok_or_else(|| Problem::not_found("subscription"))
}

async fn change(api: &Api, new: &Subscription) -> Result<(), Problem> {
    match api.subscriptions.change(new).await? {
        Subscribed::Done => Ok(()),
        Subscribed::Changed | Subscribed::NoEntry => Err(Problem::changed()),
        Subscribed::Duplicate => Err(setup::SetupError::Duplicate.into()),
        Subscribed::TooMany => Err(setup::SetupError::TooMany.into()),
    }
}

/// Where the one order is that a subscription is about; `None` where it is about more.
async fn bound(
    api: &Api,
    tenant: &str,
    topic: &Topic,
    snapshot: bool,
) -> Result<Option<Bound>, Problem> {
    let Topic::Order { order_type, order_id } = topic else { return Ok(None) };
    let subject = order_id.to_ascii_lowercase();
    match api.store.order_record(tenant, order_type, &subject).await? {
        Some(record) => Ok(Some(Bound::to(record, snapshot))),
        None => Err(Problem::invalid("order_id", "The relay knows no such order of this tenant.")),
    }
}

/// Has `schedule` tell a new subscription the state of each open order.
pub(in crate::api) async fn ask_for_snapshots(
    api: &Api,
    made: &Subscription,
) -> Result<(), StoreError> {
    let order_types = match &made.topic {
        Topic::All => order::ORDER_TYPES.iter().map(|known| known.name.to_owned()).collect(),
        Topic::OrderType(order_type) => vec![order_type.clone()],
        Topic::Order { .. } | Topic::EventType(_) => return Ok(()),
    };
    let work = Work::Snapshot { subscription: made.id.clone(), order_types };
    api.store.add_job(&Job::new(&made.tenant, &made.id, work, api.clock.now())).await
}

/// What a test delivers: it looks like what the subscription is about, and names no real order.
fn sample(subscription: &Subscription, at: Timestamp) -> domain::notification::Notification {
    use domain::notification::{Notification, Order};
    const NO_ORDER: &str = "00000000-0000-0000-0000-000000000000";
    let common = Notification {
        message: Some("A test delivery: nothing has happened.".into()),
        last_modified_date: Some(domain::event::sortable(at)),
        ..Notification::default()
    };
    let of = |order_type: &str| Notification {
        order: Some(Order {
            order_type: order_type.into(),
            order_id: NO_ORDER.into(),
            customer_order_id: None,
        }),
        status: Some("COMPLETE".into()),
        ..common.clone()
    };
    match &subscription.topic {
        Topic::All => of("orders"),
        Topic::OrderType(order_type) | Topic::Order { order_type, .. } => of(order_type),
        Topic::EventType(event_type) => {
            Notification { event_type: Some(event_type.clone()), ..common }
        }
    }
}
