//! Works on one lane: POSTs the delivery that a wake names, writes down what came of it, and goes
//! on with the delivery that stands behind it.
//!
//! An endpoint that fails is a result, never an error of the handler: errors would make Lambda slow
//! down the whole queue. Errors here are the table's and the queue's, and the wake comes back.

use std::time::Duration;

use domain::delivery::{Attempt, Delivery, ErrorClass, State};
use domain::event::EventKey;
use domain::lane::{self, Next, Turn, Walk};
use domain::notification::{Malformed, Notification};
use domain::subscription::{Mode, Subscription, Target, Topic};
use domain::{order, retry, sign};
use jiff::{SignedDuration, Timestamp};

use crate::egress::{Answer, Egress, EgressError, POST_TIMEOUT, Post};
use crate::queue::{QueueError, Wake, Wakes};
use crate::schedule::NOTICE;
use crate::secret::sha256;
use crate::store::{Finish, Lane, Settled, Store, StoreError};
use crate::subscriptions::{Subscriptions, SubscriptionsError};
use crate::{Clock, Dice, outgoing};

/// A handler starts no POST later than this before its end: the POST itself, and the writes after it.
const LAST_START: Duration = Duration::from_secs(POST_TIMEOUT.as_secs() + 5);

/// What deliver needs.
#[derive(Clone)]
pub struct Deliver {
    pub store: Store,
    pub subscriptions: Subscriptions,
    pub wakes: Wakes,
    pub egress: Egress,
    pub clock: Clock,
    pub dice: Dice,
}

/// A wake could not be dealt with. It comes back.
#[derive(Debug, thiserror::Error)]
pub enum DeliverError {
    #[error("the message is no wake")]
    Shape(#[source] serde_json::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Subscriptions(#[from] SubscriptionsError),
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error(transparent)]
    Egress(#[from] EgressError),
    #[error("a stored event cannot be read")]
    Malformed(#[source] Malformed),
    #[error("a delivery's subscription has no endpoint")]
    NoEndpoint,
    /// Nothing leaves unsigned.
    #[error("a signing secret cannot be used")]
    Secret(#[source] sign::BadSecret),
}

/// Handles one wake, and all that stands behind its delivery, as far as `deadline` allows.
pub async fn one(deliver: &Deliver, body: &str, deadline: Timestamp) -> Result<(), DeliverError> {
    let Wake { lane, key, attempt } = Wake::parse(body).map_err(DeliverError::Shape)?;
    let Some(mut delivery) = deliver.store.delivery(&lane, &key).await? else {
        tracing::info!(subscription = %lane.subscription, "a wake for a delivery that is gone");
        return Ok(());
    };
    let mut attempt = attempt;
    loop {
        let turn = lane::turn(&delivery, attempt, deliver.clock.now());
        let finished = match turn {
            Turn::Stale => false,
            Turn::Later(delay) => {
                let wake = Wake { lane: lane.clone(), key: delivery.key.clone(), attempt };
                deliver.wakes.send(&wake, delay).await?;
                false
            }
            Turn::Post => attempt_one(deliver, &lane, &delivery).await?,
            Turn::WalkOn => {
                // Whoever finished it may have died before it came to this.
                retire(deliver, &lane, &delivery).await?;
                true
            }
        };
        if !finished {
            return Ok(());
        }
        let next = deliver.store.pending_after(&lane, &delivery.key).await?;
        let (Walk::Take, Some(next)) = (lane::walk(next.as_ref()), next) else {
            return Ok(());
        };
        attempt = next.attempts_made;
        if !may_start(deliver.clock.now(), deadline) {
            let wake = Wake { lane, key: next.key, attempt };
            return Ok(deliver.wakes.send(&wake, SignedDuration::ZERO).await?);
        }
        delivery = next;
    }
}

fn may_start(now: Timestamp, deadline: Timestamp) -> bool {
    now.duration_until(deadline).as_secs()
        >= i64::try_from(LAST_START.as_secs()).unwrap_or(i64::MAX)
}

/// Makes one attempt; answers whether the delivery is finished, so that the lane goes on.
async fn attempt_one(
    deliver: &Deliver,
    lane: &Lane,
    delivery: &Delivery,
) -> Result<bool, DeliverError> {
    let subscription = deliver.subscriptions.known(&delivery.tenant, &lane.subscription).await?;
    // It is gone, or tells by mail now.
    let Some(subscription) = subscription.filter(|one| one.callback().is_some()) else {
        return give_up(deliver, lane, delivery, ErrorClass::Unsubscribed).await;
    };
    if !subscription.enabled {
        return match deliver.store.hold(lane, delivery, deliver.clock.now()).await? {
            Settled::Done => Ok(false),
            Settled::Changed => is_finished(deliver, lane, delivery).await,
        };
    }
    if subscription.mode == Mode::Latest
        && deliver.store.pending_after(lane, &delivery.key).await?.is_some()
    {
        return match deliver.store.supersede(lane, delivery, deliver.clock.now()).await? {
            Settled::Done => Ok(true),
            Settled::Changed => is_finished(deliver, lane, delivery).await,
        };
    }
    let Some(notification) = read_event(deliver, lane, delivery).await? else {
        return give_up(deliver, lane, delivery, ErrorClass::Expired).await;
    };
    deliver.egress.allow(&deliver.store.allowed_networks().await?)?;

    let at = deliver.clock.now();
    let post = request(&subscription, &notification, lane, delivery, at)?;
    let answer = deliver.egress.post(post).await;
    let now = deliver.clock.now();
    let attempt = Attempt {
        at,
        duration_ms: u64::try_from(at.duration_until(now).as_millis()).unwrap_or_default(),
        status: answer.status,
        error: answer.error,
    };

    let waits = subscription.waits.as_deref().unwrap_or(&retry::WAITS);
    let made = delivery.attempts_made - delivery.attempts_before + 1;
    let draw = deliver.dice.draw();
    let next =
        lane::after_attempt(attempt.succeeded(), made, waits, subscription.policy, now, draw);
    log(lane, delivery, notification.change(), &attempt, next);
    let ends = ends(&subscription, &notification);
    let is_last = next == Next::Delivered && ends;
    let finished = match is_last {
        true => finish_last(deliver, lane, delivery, &attempt, &answer).await?,
        false => settle(deliver, lane, delivery, &attempt, &answer, next).await?,
    };
    if is_last {
        deliver.subscriptions.remove(&subscription.tenant, &subscription.id).await?;
        return Ok(finished);
    }
    if next == Next::Dead && ends {
        deliver.subscriptions.expire(&subscription.tenant, &subscription.id).await?;
    }
    if let Err(error) =
        deliver.subscriptions.note_status(&subscription, &answer.status_line()).await
    {
        // What is shown of the endpoint is not worth a second POST.
        tracing::warn!(?error, "what an endpoint said could not be noted");
    }
    Ok(finished)
}

/// The event of a delivery; `None` when it is past its retention.
async fn read_event(
    deliver: &Deliver,
    lane: &Lane,
    delivery: &Delivery,
) -> Result<Option<Notification>, DeliverError> {
    let event = deliver.store.event(&delivery.upstream, &lane.subject, &delivery.key).await?;
    let read = event.map(|event| Notification::parse(&event.raw));
    read.transpose().map_err(DeliverError::Malformed)
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
/// waits for it is then still delivered.
async fn retire(deliver: &Deliver, lane: &Lane, delivery: &Delivery) -> Result<(), DeliverError> {
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
    if event.is_some_and(|event| ends(&subscription, &event)) {
        match delivery.state {
            State::Delivered => deliver.subscriptions.remove(tenant, id).await?,
            _ => deliver.subscriptions.expire(tenant, id).await?,
        }
    }
    Ok(())
}

/// Writes the success with which a subscription ends.
async fn finish_last(
    deliver: &Deliver,
    lane: &Lane,
    delivery: &Delivery,
    attempt: &Attempt,
    answer: &Answer,
) -> Result<bool, DeliverError> {
    let now = deliver.clock.now();
    let finish = Finish::DeliveredLast { again_at: now + NOTICE };
    deliver.store.finish(lane, delivery, attempt, &answer.text, finish, now).await?;
    Ok(true)
}

/// Writes the attempt and what follows from it.
async fn settle(
    deliver: &Deliver,
    lane: &Lane,
    delivery: &Delivery,
    attempt: &Attempt,
    answer: &Answer,
    next: Next,
) -> Result<bool, DeliverError> {
    let store = &deliver.store;
    let now = deliver.clock.now();
    match next {
        Next::Delivered => {
            store.finish(lane, delivery, attempt, &answer.text, Finish::Delivered, now).await?;
            // Finished by us, or by another meanwhile: the lane goes on either way.
            Ok(true)
        }
        Next::Retry { delay, at } => {
            // The wake first: should we die between the two, this wake comes back too. Should
            // another have finished the delivery, the next wake goes on from there.
            let key = delivery.key.clone();
            let wake = Wake { lane: lane.clone(), key, attempt: delivery.attempts_made + 1 };
            deliver.wakes.send(&wake, delay).await?;
            store.put_off(lane, delivery, attempt, &answer.text, at, false).await?;
            Ok(false)
        }
        Next::Park { at } => {
            match store.put_off(lane, delivery, attempt, &answer.text, at, true).await? {
                Settled::Done => Ok(false),
                Settled::Changed => is_finished(deliver, lane, delivery).await,
            }
        }
        Next::Halt => match store.halt(lane, delivery, attempt, &answer.text).await? {
            Settled::Done => Ok(false),
            Settled::Changed => is_finished(deliver, lane, delivery).await,
        },
        Next::Dead => {
            match store.finish(lane, delivery, attempt, &answer.text, Finish::Dead, now).await? {
                Settled::Done => Ok(true),
                Settled::Changed => is_finished(deliver, lane, delivery).await,
            }
        }
    }
}

/// Whether a delivery is finished, after a write was turned away. Another handler may have finished
/// it and died before it went on; or it was our own write, applied before its answer was lost.
async fn is_finished(
    deliver: &Deliver,
    lane: &Lane,
    delivery: &Delivery,
) -> Result<bool, DeliverError> {
    let stands = deliver.store.delivery(lane, &delivery.key).await?;
    Ok(stands.is_none_or(|stands| stands.state != State::Pending))
}

/// There is nobody to tell any more, or nothing.
async fn give_up(
    deliver: &Deliver,
    lane: &Lane,
    delivery: &Delivery,
    why: ErrorClass,
) -> Result<bool, DeliverError> {
    let now = deliver.clock.now();
    let attempt = Attempt { at: now, duration_ms: 0, status: None, error: Some(why) };
    match deliver.store.finish(lane, delivery, &attempt, "", Finish::Dead, now).await? {
        Settled::Done => Ok(true),
        Settled::Changed => is_finished(deliver, lane, delivery).await,
    }
}

fn request<'a>(
    subscription: &'a Subscription,
    notification: &Notification,
    lane: &Lane,
    delivery: &Delivery,
    at: Timestamp,
) -> Result<Post<'a>, DeliverError> {
    let Target::Callback(callback) = &subscription.target else {
        return Err(DeliverError::NoEndpoint);
    };
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
    if delivery.replayed {
        headers.push(("hookline-replay".into(), "true".into()));
    }
    Ok(Post { url: &callback.url, headers, body })
}

/// Stable over retries, and different for each subscription: by it a receiver knows a repeat.
pub(crate) fn webhook_id(lane: &Lane, key: &EventKey) -> String {
    let hash = sha256(format!("{}#{key}", lane.pk()).as_bytes());
    let hex: String = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("msg_{hex}")
}

fn log(lane: &Lane, delivery: &Delivery, change: &str, attempt: &Attempt, next: Next) {
    let (what, retry_at) = match next {
        Next::Delivered => ("delivered", None),
        Next::Dead => ("an attempt failed, and it was the last", None),
        Next::Halt => ("an attempt failed, it was the last, and the order waits", None),
        Next::Retry { at, .. } | Next::Park { at } => ("an attempt failed", Some(at)),
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
