//! One attempt: the POST, and writing down what came of it.

use std::time::Duration;

use domain::delivery::{Attempt, Delivery, ErrorClass, State};
use domain::event::EventKey;
use domain::health::SLOW;
use domain::lane::{self, Next, Outcome};
use domain::notification::Notification;
use domain::operational::{self, DELIVERY_EXHAUSTED};
use domain::subscription::{GivenUp, Subscription, Topic};
use domain::{order, retry};
use jiff::{SignedDuration, Timestamp};

use super::{Deliver, DeliverError, after, endpoint, gate, give_up, read_event};
use crate::egress::{Answer, EgressError, Post};
use crate::metrics;
use crate::operational::tell;
use crate::outgoing;
use crate::queue::Wake;
use crate::secret::sha256;
use crate::store::{Finish, Lane, Settled, StoredEvent};

/// The status with which an endpoint says that it is gone for good.
const GONE: u16 = 410;

/// Those with which it may ask for a pause.
const TOO_MANY_REQUESTS: u16 = 429;
const SERVICE_UNAVAILABLE: u16 = 503;

/// A wake for which there was no socket, or no memory, comes again within this.
const EXHAUSTED_WAIT: SignedDuration = SignedDuration::from_secs(5);

/// Makes one attempt; answers whether to read on in the lane.
pub(super) async fn make(
    deliver: &Deliver,
    wake: &Wake,
    delivery: &Delivery,
    subscription: &Subscription,
) -> Result<bool, DeliverError> {
    let lane = &wake.lane;
    let Some((event, notification)) = read_event(deliver, lane, delivery).await? else {
        return give_up(deliver, wake, delivery, ErrorClass::Expired).await;
    };
    deliver.egress.allow(&deliver.store.allowed_networks().await?)?;

    let at = deliver.clock.now();
    let post = request(subscription, (&event, &notification), lane, delivery, at)?;
    let answer = match post_watched(deliver, subscription, post).await {
        Err(EgressError::Exhausted(error)) => {
            tracing::error!(?error, "no POST could be made");
            deliver.wakes.send(wake, EXHAUSTED_WAIT.mul_f64(deliver.dice.draw())).await?;
            return Ok(false);
        }
        answered => answered?,
    };
    let now = deliver.clock.now();
    let attempt = Attempt {
        at,
        duration_ms: u64::try_from(at.duration_until(now).as_millis()).unwrap_or_default(),
        status: answer.status,
        error: answer.error,
    };
    let change = notification.change();
    let is_probe = subscription.health.open_since.is_some();
    let outcome = outcome(&answer, now);
    let had_failed = delivery.attempts_made > 0;
    if is_probe && !attempt.succeeded() && outcome != Outcome::Gone {
        // It shows how the endpoint is, and takes nothing from the delivery's own schedule.
        log(lane, delivery, change, &attempt, None);
        metrics::attempted(delivery, &attempt, None);
        endpoint::note(deliver, subscription, &attempt, &answer.status_line(), had_failed).await;
        return gate::rest(deliver, wake, delivery).await;
    }

    let waits = subscription.waits.as_deref().unwrap_or(&retry::WAITS);
    let made = delivery.attempts_made - delivery.attempts_before + 1;
    let draw = deliver.dice.draw();
    let mut next = lane::after_attempt(outcome, made, waits, subscription.policy, now, draw);
    // First, so that nothing is laid aside that nobody will let go of.
    if next == Next::Hold && !endpoint::disable(deliver, subscription, GivenUp::Gone).await? {
        // What is gone is the endpoint that the tenant has left.
        let failed = Outcome::Failed { pause: SignedDuration::ZERO };
        next = lane::after_attempt(failed, made, waits, subscription.policy, now, draw);
    }
    log(lane, delivery, change, &attempt, Some(next));
    metrics::attempted(delivery, &attempt, Some(next));
    let ends = ends(subscription, &notification);
    if next == Next::Delivered && ends {
        let finish = Finish::DeliveredLast;
        deliver.store.finish(lane, delivery, &attempt, &answer.text, finish, now).await?;
        deliver.subscriptions.expire(&subscription.tenant, &subscription.id).await?;
        endpoint::note(deliver, subscription, &attempt, &answer.status_line(), had_failed).await;
        return Ok(true);
    }
    if matches!(next, Next::Dead | Next::Halt) {
        tell_exhausted(deliver, lane, delivery, &notification, now).await?;
    }
    let reads_on = settle(deliver, wake, delivery, &attempt, &answer, next).await?;
    if next == Next::Dead && ends {
        deliver.subscriptions.expire(&subscription.tenant, &subscription.id).await?;
    }
    endpoint::note(deliver, subscription, &attempt, &answer.status_line(), had_failed).await;
    Ok(reads_on)
}

/// Makes the POST, and notes when it begins to take long.
async fn post_watched(
    deliver: &Deliver,
    subscription: &Subscription,
    post: Post<'_>,
) -> Result<Answer, EgressError> {
    let mut answer = std::pin::pin!(deliver.egress.post(post));
    let slow = Duration::from_millis(u64::try_from(SLOW.as_millis()).unwrap_or_default());
    match tokio::time::timeout(slow, &mut answer).await {
        Ok(answer) => answer,
        Err(_) => {
            endpoint::note_slowness(deliver, subscription).await;
            answer.await
        }
    }
}

fn outcome(answer: &Answer, now: Timestamp) -> Outcome {
    let asked_for = || answer.retry_after.as_ref().and_then(|said| retry::asked_for(said, now));
    match (answer.error, answer.status) {
        (None, _) => Outcome::Succeeded,
        (_, Some(GONE)) => Outcome::Gone,
        (_, Some(TOO_MANY_REQUESTS | SERVICE_UNAVAILABLE)) => {
            Outcome::Failed { pause: asked_for().unwrap_or(SignedDuration::ZERO) }
        }
        _ => Outcome::Failed { pause: SignedDuration::ZERO },
    }
}

/// Tells the owner that a delivery is given up. Of the relay's own events nothing is told.
async fn tell_exhausted(
    deliver: &Deliver,
    lane: &Lane,
    delivery: &Delivery,
    notification: &Notification,
    now: Timestamp,
) -> Result<(), DeliverError> {
    if notification.event_type.as_deref().is_some_and(operational::is_operational) {
        return Ok(());
    }
    let message = format!(
        "Subscription {}: all {} attempts to deliver {} of {} have failed.",
        lane.subscription,
        delivery.attempts_made + 1,
        notification.change(),
        lane.subject
    );
    let since = delivery.key.at();
    Ok(tell(&deliver.store, &delivery.tenant, DELIVERY_EXHAUSTED, message, since, now).await?)
}

/// Whether a subscription has come to its end with this notification: it was about one order.
fn ends(subscription: &Subscription, notification: &Notification) -> bool {
    let status = notification.status.as_deref().unwrap_or_default();
    match &subscription.topic {
        Topic::Order { order_type, .. } => order::is_terminal(order_type, status),
        Topic::All | Topic::OrderType(_) | Topic::EventType(_) => false,
    }
}

/// Ends a subscription to one order whose final state has been delivered, or given up: what else
/// waits for it is then still delivered. Whoever comes by later finds whether anything does: if not,
/// there is nothing to keep it for.
pub(super) async fn retire(
    deliver: &Deliver,
    lane: &Lane,
    delivery: &Delivery,
) -> Result<(), DeliverError> {
    if !matches!(delivery.state, State::Delivered | State::Dead) {
        return Ok(());
    }
    let (tenant, id) = (&delivery.tenant, &lane.subscription);
    let Some(subscription) = deliver.subscriptions.known(tenant, id).await? else {
        return Ok(());
    };
    if !matches!(subscription.topic, Topic::Order { .. }) {
        return Ok(());
    }
    let event = read_event(deliver, lane, delivery).await?;
    if event.is_some_and(|(_, notification)| ends(&subscription, &notification)) {
        deliver.subscriptions.expire(tenant, id).await?;
        let is_told = delivery.state == State::Delivered;
        if is_told && nothing_follows(deliver, lane, delivery).await? {
            deliver.subscriptions.forget(tenant, id).await?;
        }
    }
    Ok(())
}

async fn nothing_follows(
    deliver: &Deliver,
    lane: &Lane,
    delivery: &Delivery,
) -> Result<bool, DeliverError> {
    for is_revived in [false, true] {
        if deliver.store.pending_after(lane, &delivery.key, is_revived).await?.is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Writes the attempt and what follows from it.
async fn settle(
    deliver: &Deliver,
    wake: &Wake,
    delivery: &Delivery,
    attempt: &Attempt,
    answer: &Answer,
    next: Next,
) -> Result<bool, DeliverError> {
    let (store, lane, text) = (&deliver.store, &wake.lane, &answer.text);
    let now = deliver.clock.now();
    let (settled, finished) = match next {
        Next::Delivered => {
            let finish = Finish::Delivered;
            let settled = store.finish(lane, delivery, attempt, text, finish, now).await?;
            if settled == Settled::Changed {
                // Another has finished it meanwhile, and maybe died before it read on.
                return Ok(true);
            }
            (settled, true)
        }
        Next::Retry { delay, at } => {
            // The wake first: should we die between the two, this wake comes back too. Should
            // another have finished the delivery, the next wake goes on from there.
            deliver.wakes.send(&wake.again(delivery), delay).await?;
            store.put_off(lane, delivery, attempt, text, at, false).await?;
            return Ok(false);
        }
        Next::Park { at } => (store.put_off(lane, delivery, attempt, text, at, true).await?, false),
        Next::Halt => (store.halt(lane, delivery, attempt, text).await?, false),
        Next::Hold => (store.hold(lane, delivery, Some((attempt, text)), now).await?, false),
        Next::Dead => (store.finish(lane, delivery, attempt, text, Finish::Dead, now).await?, true),
    };
    after(deliver, wake, delivery, settled, finished).await
}

fn request<'a>(
    subscription: &'a Subscription,
    (event, notification): (&StoredEvent, &Notification),
    lane: &Lane,
    delivery: &Delivery,
    at: Timestamp,
) -> Result<Post<'a>, DeliverError> {
    let callback = subscription.callback().ok_or(DeliverError::NoEndpoint)?;
    let body = subscription.render(notification);
    let id = webhook_id(lane, &delivery.key);
    let mut headers =
        outgoing::signed(subscription, &id, at, &body).map_err(DeliverError::Secret)?;
    headers.push(("hookline-attempt".into(), (delivery.attempts_made + 1).to_string()));
    headers.push(("hookline-sequence".into(), delivery.sequence.to_string()));
    if let Some(order) = &notification.order {
        headers.push(("hookline-order".into(), order.order_id.clone()));
    }
    if delivery.late {
        headers.push(("hookline-late".into(), "true".into()));
    }
    if event.reconciled {
        headers.push(("hookline-reconciled".into(), "true".into()));
    }
    if delivery.is_revived() {
        headers.push(("hookline-replay".into(), "true".into()));
    }
    let certificate = callback.public_key.as_deref();
    Ok(Post { url: &callback.url, certificate, headers, body })
}

/// Stable over retries, and different for each subscription: by it a receiver knows a repeat.
pub(crate) fn webhook_id(lane: &Lane, key: &EventKey) -> String {
    let hash = sha256(format!("{}#{key}", lane.pk()).as_bytes());
    let hex: String = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("msg_{hex}")
}

/// `next` is none for a probe that failed.
fn log(lane: &Lane, delivery: &Delivery, change: &str, attempt: &Attempt, next: Option<Next>) {
    let (what, retry_at) = match next {
        Some(Next::Delivered) => ("delivered", None),
        Some(Next::Dead) => ("an attempt failed, and it was the last", None),
        Some(Next::Halt) => ("an attempt failed, it was the last, and the order waits", None),
        Some(Next::Hold) => ("an attempt failed, and the endpoint is gone", None),
        Some(Next::Retry { at, .. } | Next::Park { at }) => ("an attempt failed", Some(at)),
        None => ("a probe failed", None),
    };
    tracing::info!(
        tenant = %delivery.tenant,
        subscription = %lane.subscription,
        order = %lane.subject,
        event = %delivery.key,
        change,
        attempt = delivery.attempts_made + 1,
        status = attempt.status,
        error = attempt.error.map(ErrorClass::name),
        duration_ms = attempt.duration_ms,
        retry_at = retry_at.map(|at| at.to_string()),
        "{what}"
    );
}
