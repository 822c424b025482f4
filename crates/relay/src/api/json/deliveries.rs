//! Deliveries: what endpoints have not taken, and trying again.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use domain::delivery::{Attempt, Delivery, ErrorClass, State as DeliveryState};
use domain::event::EventKey;
use domain::limits;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::{Problem, Problems};
use super::request::{Asked, Listed, PageQuery};
use super::{fields, notifications};
use crate::api::Api;
use crate::deliver::webhook_id;
use crate::queue::Wake;
use crate::store::{ATTEMPTS_MAX, DeliveryRecord, Lane, NOTICE, Revived, Standing, StandingCursor};

/// One notification on its way to one subscription.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeliveryView {
    subscription: String,
    /// The order, in lower case; absent for an event without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<String>,
    /// What is delivered: when it happened, and a hash of its content.
    event: String,
    state: StateField,
    /// All attempts have failed, and its order waits for a retry.
    halted: bool,
    /// Its subscription is disabled, or its endpoint is only probed at present.
    held: bool,
    /// Number of the delivery within its order and subscription, from 1.
    sequence: u64,
    /// Something newer was on its way before it.
    late: bool,
    /// Somebody asked for it again after it had been delivered or given up.
    replayed: bool,
    /// Oldest first.
    attempts: Vec<AttemptView>,
    /// The beginning of the last answer's body, or why there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
    /// When it is to be tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<Timestamp>,
    /// The header `webhook-id`, the same in every attempt.
    webhook_id: String,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum StateField {
    Pending,
    Delivered,
    /// Given up: all attempts have failed, or its subscription is gone.
    Dead,
    /// A newer state made it pointless.
    Superseded,
}

/// One POST to the endpoint.
#[derive(Serialize, ToSchema)]
pub(crate) struct AttemptView {
    at: Timestamp,
    duration_ms: u64,
    /// The HTTP status, if there was an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// Why it failed, such as `status`, `timeout` or `connect`; absent for a success.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
}

/// What was tried without success and is not given up, newest first.
#[utoipa::path(
    get, path = "/tenants/{tenant}/deliveries/undelivered", tag = "deliveries",
    params(("tenant" = String, Path), PageQuery),
    responses((status = 200, body = Listed<DeliveryView>), Problems)
)]
pub(super) async fn undelivered(
    State(api): State<Api>,
    Path(tenant): Path<String>,
    Asked(query): Asked<PageQuery>,
) -> Result<Json<Listed<DeliveryView>>, Problem> {
    standing(&api, &tenant, Standing::Undelivered, &query).await
}

/// What was given up, newest first.
#[utoipa::path(
    get, path = "/tenants/{tenant}/deliveries/dead", tag = "deliveries",
    params(("tenant" = String, Path), PageQuery),
    responses((status = 200, body = Listed<DeliveryView>), Problems)
)]
pub(super) async fn dead(
    State(api): State<Api>,
    Path(tenant): Path<String>,
    Asked(query): Asked<PageQuery>,
) -> Result<Json<Listed<DeliveryView>>, Problem> {
    standing(&api, &tenant, Standing::Dead, &query).await
}

/// Delivers again, now, with a retry schedule from its beginning: what waits for its next attempt or is
/// halted; and what is finished, with the header `hookline-replay: true`.
///
/// Answers 409 `behind` for what waits behind an earlier one of its order, `unsubscribed` where the
/// subscription is gone, `too_often` after 200 attempts, and `changed` where it changed meanwhile.
#[utoipa::path(
    post, path = "/tenants/{tenant}/notifications/{id}/deliveries/{subscription}/retry",
    tag = "deliveries",
    params(
        ("tenant" = String, Path), ("id" = String, Path), ("subscription" = String, Path),
        ("Idempotency-Key" = Option<String>, Header)
    ),
    responses((status = 202, body = DeliveryView), Problems)
)]
pub(super) async fn retry(
    State(api): State<Api>,
    Path((tenant, id, subscription)): Path<(String, String, String)>,
) -> Result<(StatusCode, Json<DeliveryView>), Problem> {
    let entry = notifications::find(&api, &tenant, &id).await?;
    let missing = || Problem::not_found("delivery");
    fields::text("subscription", &subscription, limits::SUBSCRIPTION_ID_CHARS_MAX)
        .map_err(|_| missing())?;
    let lane = Lane { subscription, subject: entry.subject };
    let found = api.store.delivery(&lane, &entry.key).await?;
    let delivery = found.filter(|found| found.tenant == tenant).ok_or_else(missing)?;
    if delivery.state == DeliveryState::Pending && delivery.behind {
        let detail = "It waits behind an earlier one of its order. Retry that one.";
        return Err(Problem::conflict("behind", detail));
    }
    if delivery.attempts_made >= ATTEMPTS_MAX {
        let detail = format!("It was tried {ATTEMPTS_MAX} times, and is not tried again.");
        return Err(Problem::conflict("too_often", detail));
    }
    if delivery.state != DeliveryState::Pending
        && api.store.sealed_subscription(&tenant, &lane.subscription).await?.is_none()
    {
        // What was delivered would turn out dead; what waits for nothing may do so.
        return Err(Problem::conflict("unsubscribed", "Its subscription is gone."));
    }
    Ok((StatusCode::ACCEPTED, Json(again(&api, lane, &delivery).await?)))
}

/// The write first: should the wake get lost, its time comes nevertheless.
async fn again(api: &Api, lane: Lane, delivery: &Delivery) -> Result<DeliveryView, Problem> {
    let fallback = api.clock.now() + NOTICE;
    let Revived::Done(revived) = api.store.revive(&lane, delivery, fallback).await? else {
        return Err(Problem::conflict("changed", "It changed just now. Read it again."));
    };
    let wake = Wake::of(lane, &revived.delivery);
    if let Err(error) = api.wakes.send(&wake, jiff::SignedDuration::ZERO).await {
        tracing::warn!(?error, "a retry waits for its time");
    }
    Ok(DeliveryView::from(*revived))
}

async fn standing(
    api: &Api,
    tenant: &str,
    which: Standing,
    query: &PageQuery,
) -> Result<Json<Listed<DeliveryView>>, Problem> {
    let page = query.page()?;
    let after = page.after.as_deref().map(position).transpose()?;
    let (found, next) = api.store.standing(tenant, which, page.limit, after).await?;
    let state = match which {
        Standing::Undelivered => DeliveryState::Pending,
        Standing::Dead => DeliveryState::Dead,
    };
    // The index is a moment behind.
    let current = found
        .into_iter()
        .filter(|one| one.delivery.state == state && one.delivery.tenant == tenant);
    let next = next.and_then(|next| serde_json::to_string(&next).ok());
    Ok(Json(Listed::new(current.map(DeliveryView::from).collect(), next)))
}

/// Reads where a list of these goes on.
fn position(text: &str) -> Result<StandingCursor, Problem> {
    let read = serde_json::from_str(text).ok();
    let sound = |cursor: &StandingCursor| {
        Lane::parse(&cursor.pk).is_some()
            && EventKey::parse(&cursor.sk).is_ok()
            && cursor.since.parse::<Timestamp>().is_ok()
    };
    read.filter(sound).ok_or_else(|| Problem::malformed("The cursor is none of ours."))
}

impl From<DeliveryRecord> for DeliveryView {
    fn from(record: DeliveryRecord) -> DeliveryView {
        let DeliveryRecord { lane, delivery, attempts, answer, held } = record;
        let is_pending = delivery.state == DeliveryState::Pending;
        let is_tried = is_pending && !held && !delivery.halted;
        let stands_alone = lane.subject == format!("event-{}", delivery.key.digest());
        DeliveryView {
            webhook_id: webhook_id(&lane, &delivery.key),
            subscription: lane.subscription,
            order_id: (!stands_alone).then_some(lane.subject),
            event: delivery.key.to_string(),
            state: delivery.state.into(),
            halted: delivery.halted,
            held,
            sequence: delivery.sequence,
            late: delivery.late,
            replayed: delivery.is_revived(),
            attempts: attempts.iter().map(AttemptView::from).collect(),
            answer,
            next_at: delivery.next_at.or(delivery.due_at).filter(|_| is_tried),
            finished_at: delivery.finished_at,
        }
    }
}

impl From<&Attempt> for AttemptView {
    fn from(attempt: &Attempt) -> AttemptView {
        AttemptView {
            at: attempt.at,
            duration_ms: attempt.duration_ms,
            status: attempt.status,
            error: attempt.error.map(ErrorClass::name),
        }
    }
}

impl From<DeliveryState> for StateField {
    fn from(state: DeliveryState) -> StateField {
        match state {
            DeliveryState::Pending => StateField::Pending,
            DeliveryState::Delivered => StateField::Delivered,
            DeliveryState::Dead => StateField::Dead,
            DeliveryState::Superseded => StateField::Superseded,
        }
    }
}
