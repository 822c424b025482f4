//! Delivering again, many at once.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use domain::limits;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::problem::{Problem, Problems};
use super::request::{Body, close_cursor, open_cursor};
use super::{ROOT, fields};
use crate::api::Api;
use crate::store::{Job, ReplayFilter, Work};
use crate::{replay, secret};

/// What is to be delivered again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplayRequest {
    /// Notifications received from then on. There is no default: nobody replays everything by
    /// accident.
    from: Timestamp,
    /// Received until then, but no later than the request: what comes in afterwards is delivered
    /// anyway.
    to: Option<Timestamp>,
    /// Only of this order.
    #[schema(max_length = 64)]
    order_id: Option<String>,
    /// Only of orders or events of this type, in any case.
    #[schema(max_length = 64)]
    order_type: Option<String>,
    /// Only those that tell this state, in any case.
    #[schema(max_length = 64)]
    status: Option<String>,
    /// Only to this subscription.
    #[schema(max_length = 128)]
    subscription: Option<String>,
    /// Only what has not been delivered: the dead, and the halted.
    #[serde(default)]
    dead_only: bool,
    /// Only count what it would be.
    #[serde(default)]
    dry_run: bool,
}

/// What a replay would do.
#[derive(Serialize, ToSchema)]
pub(crate) struct DryRun {
    /// Deliveries that it would make again.
    deliveries: usize,
    /// False if there are more notifications than a dry run looks at.
    complete: bool,
}

/// A replay that was asked for.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReplayView {
    id: String,
    asked_at: Timestamp,
    /// Deliveries that it has made pending again so far.
    count: u64,
    /// Absent while it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    done_at: Option<Timestamp>,
}

/// Delivers again, or counts what that would be.
///
/// What is pending already, what went to a subscription that is gone and what was tried 200 times is
/// left alone. It begins within minutes and makes at most 600 deliveries a minute, the oldest first,
/// those of one order one after the other. What is live does not wait for them. What had been
/// delivered or given up carries the header `hookline-replay: true`.
#[utoipa::path(
    post, path = "/tenants/{tenant}/replays", tag = "replays",
    params(("tenant" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body = ReplayRequest,
    responses(
        (status = 200, description = "A dry run", body = DryRun),
        (status = 202, description = "It will be done", body = ReplayView,
            headers(("Location" = String))),
        Problems
    )
)]
pub(super) async fn create(
    State(api): State<Api>,
    Path(tenant): Path<String>,
    Body(request): Body<ReplayRequest>,
) -> Result<Response, Problem> {
    let is_dry_run = request.dry_run;
    let filter = filter(&api, &tenant, request).await?;
    if is_dry_run {
        let counted = replay::count(&api.store, &tenant, &filter).await?;
        let (deliveries, complete) = (counted.deliveries, counted.is_complete);
        return Ok(Json(DryRun { deliveries, complete }).into_response());
    }
    let work = Work::Replay { filter };
    let job = Job::new(&tenant, &secret::uuid()?, work, api.clock.now());
    api.store.add_job(&job).await?;
    let view = view(&job);
    let location = format!("{ROOT}/tenants/{tenant}/replays/{}", view.id);
    Ok((StatusCode::ACCEPTED, [(LOCATION, location)], Json(view)).into_response())
}

/// How far a replay has come. One that is done is on record for 30 days.
#[utoipa::path(
    get, path = "/tenants/{tenant}/replays/{id}", tag = "replays",
    params(("tenant" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = ReplayView), Problems)
)]
pub(super) async fn get(
    State(api): State<Api>,
    Path((tenant, id)): Path<(String, String)>,
) -> Result<Json<ReplayView>, Problem> {
    let missing = || Problem::not_found("replay");
    let id = open_cursor(&id).map_err(|_| missing())?;
    let found = api.store.job(&tenant, &id).await?;
    let job = found.filter(|job| matches!(job.work, Work::Replay { .. })).ok_or_else(missing)?;
    Ok(Json(view(&job)))
}

async fn filter(api: &Api, tenant: &str, asked: ReplayRequest) -> Result<ReplayFilter, Problem> {
    fields::time("from", asked.from)?;
    asked.to.map_or(Ok(()), |to| fields::time("to", to))?;
    if asked.from > api.clock.now() {
        return Err(Problem::invalid("from", "This is in the future."));
    }
    if asked.to.is_some_and(|to| to < asked.from) {
        return Err(Problem::invalid("to", "This is before from."));
    }
    for (field, value, chars_max) in [
        ("order_id", &asked.order_id, limits::ORDER_ID_CHARS_MAX),
        ("order_type", &asked.order_type, limits::ORDER_TYPE_CHARS_MAX),
        ("status", &asked.status, limits::STATUS_CHARS_MAX),
        ("subscription", &asked.subscription, limits::SUBSCRIPTION_ID_CHARS_MAX),
    ] {
        if let Some(value) = value {
            fields::text(field, value, chars_max)?;
        }
    }
    if let Some(id) = &asked.subscription
        && api.store.sealed_subscription(tenant, id).await?.is_none()
    {
        return Err(Problem::invalid("subscription", "There is no such subscription."));
    }
    Ok(ReplayFilter {
        from: Some(asked.from),
        to: asked.to,
        order_id: asked.order_id,
        order_type: asked.order_type,
        status: asked.status,
        subscription: asked.subscription,
        dead_only: asked.dead_only,
    })
}

fn view(job: &Job) -> ReplayView {
    ReplayView {
        id: close_cursor(job.id.clone()),
        asked_at: job.asked_at,
        count: job.count,
        done_at: job.done_at,
    }
}
