//! Subscriptions, as Bandwidth's clients know them.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_TYPE, LINK, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::subscription::{Subscription, Target, Topic};
use domain::wire::{self, ErrorRoot, SubscriptionRequest};
use domain::{address, order};
use serde::Deserialize;

use super::refusal::Refusal;
use super::{Base, XML, xml};
use crate::api::{Api, json, origin};
use crate::egress;
use crate::setup::{self, Wanted};
use crate::store::{Page, Subscribed};
use crate::subscriptions::Bound;

/// Bandwidth's list has no pages: this many are as many as one query gives. The rest is behind the
/// header `Link`.
const LIST_MAX: u16 = 500;

/// What a list may be asked for. Anything else is passed over.
#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(rename = "orderType")]
    order_type: Option<String>,
    #[serde(rename = "orderId")]
    order_id: Option<String>,
    /// Ours: the last id of the list before.
    after: Option<String>,
}

pub(super) async fn list(
    State(api): State<Api>,
    Extension(base): Extension<Base>,
    Path(account): Path<String>,
    asked: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let Query(asked) = asked.map_err(|error| Refusal::query(error.body_text()))?;
    let after = asked.after.clone().filter(|after| !after.is_empty());
    let page = Page { limit: LIST_MAX, after, ..Page::default() };
    let (mut found, next) = api.subscriptions.list(&account, page).await?;
    let now = api.clock.now();
    found.retain(|one| !one.is_expired(now) && is_asked_for(one, &asked));
    let mut response = xml(wire::subscriptions(&found, now));
    if let Some(after) = next {
        let all = format!("{}{}/accounts/{account}/subscriptions", origin::of(&headers), base.path);
        if let Ok(link) = format!("<{all}?after={after}>; rel=\"next\"").try_into() {
            response.headers_mut().insert(LINK, link);
        }
    }
    Ok(response)
}

fn is_asked_for(one: &Subscription, asked: &Asked) -> bool {
    let (order_type, order_id) = match &one.topic {
        Topic::OrderType(order_type) => (Some(order_type), None),
        Topic::Order { order_type, order_id } => (Some(order_type), Some(order_id)),
        Topic::All | Topic::EventType(_) => (None, None),
    };
    let of_type = |wanted: &String| order_type.is_some_and(|is| order::same_type(is, wanted));
    let of_order = |wanted: &String| order_id.is_some_and(|is| is.eq_ignore_ascii_case(wanted));
    asked.order_type.as_ref().is_none_or(of_type) && asked.order_id.as_ref().is_none_or(of_order)
}

pub(super) async fn create(
    State(api): State<Api>,
    Extension(base): Extension<Base>,
    Path(account): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let request = read(&api, body).await?;
    let snapshot = request.snapshot;
    let wanted = wanted(&api, base, &account, request, None);
    let bound = bound(&api, &wanted.tenant, &wanted.topic, snapshot).await?;
    let (made, _) =
        setup::subscription(&api.subscriptions, wanted, bound.as_ref(), &api.clock).await?;
    if snapshot && bound.is_none() {
        json::ask_for_snapshots(&api, &made).await?;
    }
    let all = format!("{}{}/accounts/{account}/subscriptions", origin::of(&headers), base.path);
    let location = format!("{all}/{}", made.id);
    Ok((StatusCode::CREATED, [(LOCATION, location), (CONTENT_TYPE, XML.into())]).into_response())
}

pub(super) async fn get(
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let found = find(&api, &account, &id).await?;
    Ok(xml(wire::subscription_one(&found, api.clock.now())))
}

/// What is left out goes back to its default; what this API cannot say stays.
pub(super) async fn replace(
    State(api): State<Api>,
    Extension(base): Extension<Base>,
    Path((account, id)): Path<(String, String)>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let request = read(&api, body).await?;
    let old = find(&api, &account, &id).await?;
    let wanted = wanted(&api, base, &account, request, Some(&old));
    if wanted.topic != old.topic {
        bound(&api, &account, &wanted.topic, false).await?;
    }
    let status = old.status_at(&wanted.target);
    let new = wanted.made(id, old.secrets, old.created_at, status, old.revision + 1);
    match api.subscriptions.change(&new).await? {
        Subscribed::Done => Ok(xml(String::new())),
        Subscribed::Duplicate => Err(setup::SetupError::Duplicate.into()),
        Subscribed::TooMany => Err(setup::SetupError::TooMany.into()),
        Subscribed::Changed | Subscribed::NoEntry => Err(Refusal::changed()),
    }
}

/// Exactly 200: one of Bandwidth's clients takes anything else for a failure.
pub(super) async fn delete(
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    // An expired one too: what it matched may still be on its way.
    api.subscriptions.get(&account, &id).await?.ok_or_else(Refusal::no_subscription)?;
    api.subscriptions.remove(&account, &id).await?;
    Ok(xml(String::new()))
}

async fn find(api: &Api, account: &str, id: &str) -> Result<Subscription, Refusal> {
    let found = api.subscriptions.get(account, id).await?;
    found.filter(|one| !one.is_expired(api.clock.now())).ok_or_else(Refusal::no_subscription)
}

/// Where the one order is that a subscription is about; `None` where it is about more.
async fn bound(
    api: &Api,
    account: &str,
    topic: &Topic,
    snapshot: bool,
) -> Result<Option<Bound>, Refusal> {
    let Topic::Order { order_type, order_id } = topic else { return Ok(None) };
    let subject = order_id.to_ascii_lowercase();
    match api.store.order_record(account, order_type, &subject).await? {
        Some(record) => Ok(Some(Bound::to(record, snapshot))),
        None => Err(Refusal::no_order_to_subscribe()),
    }
}

async fn read(
    api: &Api,
    body: Result<Bytes, BytesRejection>,
) -> Result<SubscriptionRequest, Refusal> {
    let body = body.map_err(|_| Refusal::too_long())?;
    let root = ErrorRoot::Subscriptions;
    let request = wire::subscription(&body).map_err(|refused| Refusal::of_body(root, refused))?;
    if let Target::Callback(callback) = &request.target {
        let url = address::endpoint(&callback.url, &*api.policy().await?)
            .map_err(|refused| Refusal::callback_url(refused.to_string()))?;
        if let Some(key) = &callback.public_key {
            if egress::certificate(key).is_none() {
                let text = "PublicKey is not the base64 of a certificate in DER";
                return Err(Refusal::of_body(root, wire::Refused::new(14504, text)));
            }
            if url.scheme() != "https" {
                return Err(Refusal::callback_url("an endpoint with a PublicKey is https"));
            }
        }
    }
    Ok(request)
}

fn wanted(
    api: &Api,
    base: Base,
    account: &str,
    request: SubscriptionRequest,
    old: Option<&Subscription>,
) -> Wanted {
    let lasting = match (&request.target, request.expiry) {
        (Target::Email(_), None) => None,
        (_, expiry) => Some(expiry.unwrap_or(wire::EXPIRY_DEFAULT)),
    };
    let fresh = Wanted {
        numbers: request.numbers.unwrap_or(base.numbers),
        expires_at: lasting.and_then(|lasting| api.clock.now().checked_add(lasting).ok()),
        ..Wanted::at(account, request.topic, request.target)
    };
    match old {
        None => fresh,
        Some(old) => Wanted {
            format: old.format,
            mode: old.mode,
            policy: old.policy,
            states: old.states.clone(),
            waits: old.waits.clone(),
            headers: old.headers.clone(),
            rate: old.rate,
            enabled: old.enabled,
            ..fresh
        },
    }
}
