//! What attempts tell of an endpoint, and what follows for it.
//!
//! None of this is worth a second POST: what could not be noted, the next attempt notes.

use domain::delivery::Attempt;
use domain::health::Health;
use domain::operational::{ENDPOINT_DISABLED, ENDPOINT_FAILING, ENDPOINT_RECOVERED};
use domain::subscription::{GivenUp, Subscription};
use jiff::Timestamp;

use super::Deliver;
use crate::operational::tell;
use crate::store::{Breaker, StoreError};

/// Notes what came of an attempt.
pub(super) async fn note(
    deliver: &Deliver,
    subscription: &Subscription,
    attempt: &Attempt,
    status: &str,
    is_slow: bool,
) {
    let noted = match attempt.succeeded() {
        true => succeeded(deliver, subscription, status, is_slow).await,
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

/// Disables a subscription, and tells its owner. Disabled, it is so whatever becomes of us.
pub(super) async fn disable(
    deliver: &Deliver,
    subscription: &Subscription,
    because: GivenUp,
) -> Result<(), StoreError> {
    let why = match because {
        GivenUp::Gone => "its endpoint answered 410, which is: gone for good",
        GivenUp::Failing => "its endpoint has failed for five days without one success",
    };
    let message = format!(
        "Subscription {} is disabled: {why}. Its events are kept, and delivered when it is enabled.",
        subscription.id
    );
    let since = subscription.health.failing_since.unwrap_or_else(|| deliver.clock.now());
    tell_owner(deliver, subscription, ENDPOINT_DISABLED, message, since).await?;
    deliver.subscriptions.disable(subscription, because).await
}

async fn succeeded(
    deliver: &Deliver,
    subscription: &Subscription,
    status: &str,
    is_slow: bool,
) -> Result<(), StoreError> {
    if let Some(since) = subscription.health.open_since {
        let message = format!(
            "Subscription {}: its endpoint takes deliveries again. What waited since {since} follows.",
            subscription.id
        );
        tell_owner(deliver, subscription, ENDPOINT_RECOVERED, message, since).await?;
    }
    deliver.subscriptions.note_success(subscription, status, is_slow).await
}

async fn failed(
    deliver: &Deliver,
    subscription: &Subscription,
    attempt: &Attempt,
    status: &str,
) -> Result<(), StoreError> {
    let noted = deliver.subscriptions.note_failure(subscription, status, attempt.at).await?;
    let Some(health) = noted else { return Ok(()) };
    let now = deliver.clock.now();
    if health.is_given_up(now) {
        let subscription = Subscription { health, ..subscription.clone() };
        return disable(deliver, &subscription, GivenUp::Failing).await;
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
    deliver
        .store
        .list_breaker(&Breaker {
            tenant: subscription.tenant.clone(),
            subscription: subscription.id.clone(),
            opened_at: now,
        })
        .await?;
    tell_owner(deliver, subscription, ENDPOINT_FAILING, message, since).await?;
    deliver.subscriptions.open_breaker(subscription, now).await
}

async fn tell_owner(
    deliver: &Deliver,
    subscription: &Subscription,
    event_type: &str,
    message: String,
    since: Timestamp,
) -> Result<(), StoreError> {
    let now = deliver.clock.now();
    tell(&deliver.store, &subscription.tenant, event_type, message, since, now).await
}
