//! Subscriptions, with what Bandwidth's XML cannot say.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::notification::NumberFormat;
use domain::subscription::{
    Callback, Credentials, Digest, Email, Format, Mode, Policy, SigningSecret, Subscription,
    Target, Topic,
};
use domain::{limits, order};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::problem::{Problem, Problems};
use super::request::{self, Asked, Body, Listed, PageQuery, etag};
use super::{ROOT, fields};
use crate::api::Api;
use crate::egress::Post;
use crate::outgoing;
use crate::secret;
use crate::setup::{self, OVERLAP, Wanted};
use crate::store::{Job, StoreError, Subscribed, Work};
use crate::subscriptions::Bound;

/// What a subscription is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SubscriptionRequest {
    /// Only orders of this type, such as `portins`. Without it and `event_type`: everything.
    #[schema(max_length = 64)]
    order_type: Option<String>,
    /// Only this order; needs `order_type`. Ends when its final state has been delivered.
    #[schema(max_length = 64)]
    order_id: Option<String>,
    /// Only events of this type, such as `MESSAGING_LOST`.
    #[schema(max_length = 64)]
    event_type: Option<String>,
    /// The endpoint: https, unless the operator allows http.
    #[schema(max_length = 2048)]
    url: String,
    /// Basic credentials that the endpoint asks for.
    credentials: Option<CredentialsRequest>,
    #[serde(default)]
    format: FormatField,
    #[serde(default)]
    number_format: NumberFormatField,
    #[serde(default)]
    mode: ModeField,
    #[serde(default)]
    order_policy: PolicyField,
    /// Only these states; notes are then left out.
    #[serde(default)]
    #[schema(max_items = 20)]
    states: Vec<String>,
    /// Seconds between attempts; by default 12 waits over three days.
    #[schema(max_items = 30)]
    retry_schedule: Option<Vec<u32>>,
    /// Sent with each delivery.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// While it is not, its events collect.
    #[serde(default = "yes")]
    enabled: bool,
    /// From then on nothing new matches.
    expires_at: Option<Timestamp>,
    /// First deliver the present state of each open order that matches. Only when creating.
    #[serde(default)]
    snapshot: bool,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CredentialsRequest {
    #[schema(max_length = 100)]
    username: String,
    /// Never returned. Left out when replacing: stays as it is.
    #[schema(max_length = 256)]
    password: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum FormatField {
    /// Bandwidth's `<Notification>`.
    #[default]
    Xml,
    Json,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum NumberFormatField {
    /// Numbers of country code 1 as 10 digits.
    #[default]
    Legacy,
    E164,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum ModeField {
    /// Every event, one after the other.
    #[default]
    Every,
    /// The newest that waits; those before it are superseded.
    Latest,
    /// Only states that end an order.
    Final,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum PolicyField {
    /// When all attempts for an event have failed, the order goes on with its next.
    #[default]
    Skip,
    /// The order then waits until somebody acts.
    Halt,
}

/// A subscription as it stands.
#[derive(Serialize, ToSchema)]
pub(crate) struct SubscriptionView {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// Of a subscription by mail, which only Bandwidth's API makes.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<&'static str>,
    /// Of the credentials for the endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    format: FormatField,
    number_format: NumberFormatField,
    mode: ModeField,
    order_policy: PolicyField,
    states: Vec<String>,
    /// Seconds between attempts.
    retry_schedule: Vec<i64>,
    headers: BTreeMap<String, String>,
    enabled: bool,
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    /// What the endpoint said when its answer last changed, such as `200 OK`.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    /// How many secrets sign at present: two while one is being rotated.
    signing_secrets: usize,
}

/// A new subscription, and its secret, shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct Created {
    #[serde(flatten)]
    subscription: SubscriptionView,
    /// `whsec_...`, as Standard Webhooks libraries take it.
    signing_secret: String,
}

/// A new secret, shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct RotatedSecret {
    /// `whsec_...`
    signing_secret: String,
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
    let wanted = wanted(&api, &tenant, request, None)?;
    let bound = bound(&api, &tenant, &wanted.topic, snapshot).await?;
    let (made, secret) =
        setup::subscription(&api.subscriptions, wanted, bound.as_ref(), &api.clock).await?;
    if snapshot && bound.is_none() {
        ask_for_snapshots(&api, &made).await?;
    }
    let location = format!("{ROOT}/tenants/{tenant}/subscriptions/{}", made.id);
    let created = Created {
        subscription: view(made, api.clock.now()),
        signing_secret: secret.expose_secret().into(),
    };
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

/// Replaces a subscription: what is left out goes back to its default. Its secret stays.
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
    let old = find(&api, &tenant, &id).await?;
    request::check_match(&headers, old.revision)?;
    if request.snapshot {
        return Err(Problem::invalid("snapshot", "Only a new subscription can ask for this."));
    }
    let wanted = wanted(&api, &tenant, request, Some(&old))?;
    if wanted.topic != old.topic {
        bound(&api, &tenant, &wanted.topic, false).await?;
    }
    let was_enabled = old.enabled;
    let new = wanted.made(id, old.secrets, old.created_at, old.status, old.revision + 1);
    change(&api, &new).await?;
    if new.enabled && !was_enabled {
        drain(&api, &new).await?;
    }
    Ok((etag(new.revision), Json(view(new, api.clock.now()))).into_response())
}

/// Deletes a subscription. What is still to be delivered to it is given up.
#[utoipa::path(
    delete, path = "/tenants/{tenant}/subscriptions/{id}", tag = "subscriptions",
    params(("tenant" = String, Path), ("id" = String, Path)),
    responses((status = 204), Problems)
)]
pub(super) async fn delete(
    State(api): State<Api>,
    Path((tenant, id)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    find(&api, &tenant, &id).await?;
    api.subscriptions.remove(&tenant, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a new signing secret. For 24 hours the one before signs too.
#[utoipa::path(
    post, path = "/tenants/{tenant}/subscriptions/{id}/secret", tag = "subscriptions",
    params(
        ("tenant" = String, Path), ("id" = String, Path),
        ("Idempotency-Key" = Option<String>, Header)
    ),
    responses((status = 200, body = RotatedSecret), Problems)
)]
pub(super) async fn rotate_secret(
    State(api): State<Api>,
    Path((tenant, id)): Path<(String, String)>,
) -> Result<Json<RotatedSecret>, Problem> {
    let old = find(&api, &tenant, &id).await?;
    let until = api.clock.now() + OVERLAP;
    let fresh = setup::signing_secret()?;
    let mut secrets = vec![SigningSecret { secret: fresh.clone(), until: None }];
    // Of those before, the newest goes on for a day; whatever was on its way out is out.
    let newest = old.secrets.iter().find(|one| one.until.is_none());
    secrets.extend(newest.map(|one| SigningSecret { until: Some(until), ..one.clone() }));
    let new = Subscription { secrets, revision: old.revision + 1, ..old };
    change(&api, &new).await?;
    Ok(Json(RotatedSecret { signing_secret: fresh.expose_secret().into(), previous_until: until }))
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
    let at = api.clock.now();
    let body = subscription.render(&sample(&subscription, at));
    let webhook_id = format!("test_{}", secret::uuid()?);
    let mut headers = outgoing::signed(&subscription, &webhook_id, at, &body)
        .map_err(|_| Problem::conflict("no_secret", "The signing secret cannot be used."))?;
    headers.push(("hookline-test".into(), "true".into()));
    let answer = api.egress.post(Post { url: &callback.url, headers, body }).await;
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

async fn change(api: &Api, new: &Subscription) -> Result<(), Problem> {
    match api.subscriptions.change(new).await? {
        Subscribed::Done => Ok(()),
        Subscribed::Changed => Err(Problem::changed()),
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
        Some(record) => Ok(Some(Bound { upstream: record.upstream, snapshot })),
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

/// Has `schedule` let go of what was held while a subscription was disabled.
async fn drain(api: &Api, enabled: &Subscription) -> Result<(), StoreError> {
    let work = Work::Drain { subscription: enabled.id.clone() };
    api.store.add_job(&Job::new(&enabled.tenant, &enabled.id, work, api.clock.now())).await
}

fn wanted(
    api: &Api,
    tenant: &str,
    request: SubscriptionRequest,
    old: Option<&Subscription>,
) -> Result<Wanted, Problem> {
    let topic = topic(&request)?;
    fields::endpoint("url", &request.url, api.egress.policy())?;
    if request.states.len() > limits::STATES_MAX {
        let detail = format!("There are more than {} states.", limits::STATES_MAX);
        return Err(Problem::invalid("states", detail));
    }
    for (n, state) in request.states.iter().enumerate() {
        fields::text(&format!("states[{n}]"), state, limits::STATUS_CHARS_MAX)?;
    }
    if request.expires_at.is_some_and(|at| at <= api.clock.now()) {
        return Err(Problem::invalid("expires_at", "This is in the past."));
    }
    let headers: Vec<_> = request.headers.into_iter().collect();
    fields::headers("headers", &headers)?;
    let waits = request.retry_schedule.map(|waits| fields::waits("retry_schedule", &waits));
    let callback = Callback {
        url: request.url,
        basic: request.credentials.map(|wanted| basic(wanted, old)).transpose()?,
        public_key: old.and_then(public_key),
    };
    Ok(Wanted {
        format: match request.format {
            FormatField::Xml => Format::Xml,
            FormatField::Json => Format::Json,
        },
        numbers: match request.number_format {
            NumberFormatField::Legacy => NumberFormat::Legacy,
            NumberFormatField::E164 => NumberFormat::E164,
        },
        mode: match request.mode {
            ModeField::Every => Mode::Every,
            ModeField::Latest => Mode::Latest,
            ModeField::Final => Mode::Final,
        },
        policy: match request.order_policy {
            PolicyField::Skip => Policy::Skip,
            PolicyField::Halt => Policy::Halt,
        },
        states: request.states,
        waits: waits.transpose()?,
        headers,
        enabled: request.enabled,
        expires_at: request.expires_at,
        ..Wanted::at(tenant, topic, Target::Callback(callback))
    })
}

fn topic(request: &SubscriptionRequest) -> Result<Topic, Problem> {
    let named = [
        ("order_type", &request.order_type, limits::ORDER_TYPE_CHARS_MAX),
        ("order_id", &request.order_id, limits::ORDER_ID_CHARS_MAX),
        ("event_type", &request.event_type, limits::EVENT_TYPE_CHARS_MAX),
    ];
    for (field, value, chars_max) in named {
        if let Some(value) = value {
            fields::text(field, value, chars_max)?;
        }
    }
    let unknown = |name: &&String| order::order_type(name).is_none();
    if request.order_type.as_ref().filter(unknown).is_some() {
        let known: Vec<_> = order::ORDER_TYPES.iter().map(|known| known.name).collect();
        let detail = format!("There are the types {}.", known.join(", "));
        return Err(Problem::invalid("order_type", detail));
    }
    match (&request.order_type, &request.order_id, &request.event_type) {
        (None, None, None) => Ok(Topic::All),
        (Some(order_type), None, None) => Ok(Topic::OrderType(order_type.clone())),
        (Some(order_type), Some(order_id), None) => {
            Ok(Topic::Order { order_type: order_type.clone(), order_id: order_id.clone() })
        }
        (None, None, Some(event_type)) => Ok(Topic::EventType(event_type.clone())),
        (None, Some(_), _) => Err(Problem::invalid("order_id", "This needs order_type too.")),
        (Some(_), _, Some(_)) => {
            Err(Problem::invalid("event_type", "A subscription is to orders or to events."))
        }
    }
}

fn basic(wanted: CredentialsRequest, old: Option<&Subscription>) -> Result<Credentials, Problem> {
    fields::text("credentials.username", &wanted.username, limits::USERNAME_CHARS_MAX)?;
    if wanted.username.contains(':') {
        return Err(Problem::invalid("credentials.username", "A username holds no colon."));
    }
    let password = match (wanted.password, old.map(|old| &old.target)) {
        (Some(password), _) => {
            fields::text("credentials.password", &password, limits::PASSWORD_CHARS_MAX)?;
            SecretString::from(password)
        }
        (None, Some(Target::Callback(Callback { basic: Some(old), .. }))) => old.password.clone(),
        (None, _) => return Err(Problem::invalid("credentials.password", "This is missing.")),
    };
    Ok(Credentials { username: wanted.username, password })
}

/// The certificate that Bandwidth's API set, which this one does not show.
fn public_key(old: &Subscription) -> Option<String> {
    match &old.target {
        Target::Callback(callback) => callback.public_key.clone(),
        Target::Email(_) => None,
    }
}

fn view(one: Subscription, now: Timestamp) -> SubscriptionView {
    let signing_secrets = crate::subscriptions::signing(&one, now).count();
    let waits = one.waits.as_deref().unwrap_or(&domain::retry::WAITS);
    let retry_schedule = waits.iter().map(|wait| wait.as_secs()).collect();
    let (order_type, order_id, event_type) = match one.topic {
        Topic::All => (None, None, None),
        Topic::OrderType(order_type) => (Some(order_type), None, None),
        Topic::Order { order_type, order_id } => (Some(order_type), Some(order_id), None),
        Topic::EventType(event_type) => (None, None, Some(event_type)),
    };
    let (url, username, mail) = match one.target {
        Target::Callback(callback) => {
            (Some(callback.url), callback.basic.map(|basic| basic.username), None)
        }
        Target::Email(email) => (None, None, Some(email)),
    };
    SubscriptionView {
        id: one.id,
        order_type,
        order_id,
        event_type,
        url,
        digest: mail.as_ref().map(|mail: &Email| match mail.digest {
            Digest::None => "none",
            Digest::Daily => "daily",
        }),
        email: mail.map(|mail| mail.address),
        username,
        format: match one.format {
            Format::Xml => FormatField::Xml,
            Format::Json => FormatField::Json,
        },
        number_format: match one.numbers {
            NumberFormat::Legacy => NumberFormatField::Legacy,
            NumberFormat::E164 => NumberFormatField::E164,
        },
        mode: match one.mode {
            Mode::Every => ModeField::Every,
            Mode::Latest => ModeField::Latest,
            Mode::Final => ModeField::Final,
        },
        order_policy: match one.policy {
            Policy::Skip => PolicyField::Skip,
            Policy::Halt => PolicyField::Halt,
        },
        states: one.states,
        retry_schedule,
        headers: one.headers.into_iter().collect(),
        enabled: one.enabled,
        created_at: one.created_at,
        expires_at: one.expires_at,
        status: one.status,
        signing_secrets,
    }
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
