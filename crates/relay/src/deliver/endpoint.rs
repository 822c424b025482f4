//! What attempts tell of an endpoint, and what follows for it.
//!
//! None of this is worth a second POST: what could not be noted, the next attempt notes.

use domain::delivery::Attempt;
use domain::health::Health;
use domain::operational::{ENDPOINT_DISABLED, ENDPOINT_FAILING, ENDPOINT_RECOVERED};
use domain::subscription::{GivenUp, Subscription};

use super::Deliver;
use crate::operational::{self, tell};
use crate::store::StoreError;

/// Notes what came of an attempt. `after_failure`: the delivery had failed before.
pub(super) async fn note(
    deliver: &Deliver,
    subscription: &Subscription,
    attempt: &Attempt,
    status: &str,
    after_failure: bool,
) {
    let noted = match attempt.succeeded() {
        true => succeeded(deliver, subscription, status, after_failure).await,
        false => failed(deliver, subscription, attempt, status).await,
    };
    if let Err(error) = noted {
        tracing::warn!(?error, "what an endpoint said could not be noted");
    }
}

/// Notes that an endpoint takes long, while it still does: whatever comes for it meanwhile is then
/// worked on elsewhere.
pub(super) async fn note_slowness(deliver: &Deliver, subscription: &Subscription) {
    if let Err(error) = deliver.subscriptions.note_slowness(subscription).await {
        tracing::warn!(?error, "a slow endpoint could not be noted");
    }
}

/// Disables a subscription, and tells its owner; false if it is not the one any more that was tried.
pub(super) async fn disable(
    deliver: &Deliver,
    subscription: &Subscription,
    because: GivenUp,
) -> Result<bool, StoreError> {
    let why = match because {
        GivenUp::Gone => "its endpoint answered 410, which is: gone for good",
        GivenUp::Failing => "its endpoint has failed for five days without one success",
    };
    let message = format!(
        "Subscription {} is disabled: {why}. Its events are kept, and delivered when it is enabled.",
        subscription.id
    );
    let now = deliver.clock.now();
    let told = operational::event(&subscription.tenant, ENDPOINT_DISABLED, message, now, now);
    deliver.subscriptions.disable(subscription, because, &told).await
}

async fn succeeded(
    deliver: &Deliver,
    subscription: &Subscription,
    status: &str,
    after_failure: bool,
) -> Result<(), StoreError> {
    if let Some(since) = subscription.health.open_since {
        let message = format!(
            "Subscription {}: its endpoint takes deliveries again. What waited since {since} follows.",
            subscription.id
        );
        let (tenant, now) = (&subscription.tenant, deliver.clock.now());
        tell(&deliver.store, tenant, ENDPOINT_RECOVERED, message, since, now).await?;
    }
    deliver.subscriptions.note_success(subscription, status, after_failure).await
}

async fn failed(
    deliver: &Deliver,
    subscription: &Subscription,
    attempt: &Attempt,
    status: &str,
) -> Result<(), StoreError> {
    let noted = deliver.subscriptions.note_failure(subscription, status, attempt.at).await?;
    let Some(health) = noted else { return Ok(()) };
    if health.is_given_up(deliver.clock.now()) {
        return disable(deliver, subscription, GivenUp::Failing).await.map(drop);
    }
    if health.opens() {
        return open(deliver, subscription, &health).await;
    }
    Ok(())
}

async fn open(
    deliver: &Deliver,
    subscription: &Subscription,
    health: &Health,
) -> Result<(), StoreError> {
    let now = deliver.clock.now();
    let since = health.failing_since.unwrap_or(now);
    let message = format!(
        "Subscription {}: its endpoint has failed {} times in a row since {since}. \
         It is probed now and again; its deliveries wait until it succeeds.",
        subscription.id,
        domain::health::OPEN_AFTER,
    );
    let told = operational::event(&subscription.tenant, ENDPOINT_FAILING, message, now, now);
    deliver.subscriptions.open_breaker(subscription, &told, now).await
}
