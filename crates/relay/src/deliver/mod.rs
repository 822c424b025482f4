//! Works on one lane: POSTs the delivery that a wake names, writes down what came of it, and goes
//! on with the delivery that stands behind it.
//!
//! An endpoint that fails is a result, never an error of the handler: errors would make Lambda slow
//! down the whole queue. Errors here are the table's and the queue's, and the wake comes back.

mod attempt;
mod endpoint;
mod gate;

use std::time::Duration;

use domain::delivery::{Attempt, Delivery, ErrorClass, State};
use domain::lane::{self, Turn, Walk};
use domain::notification::{Malformed, Notification};
use domain::sign;
use jiff::{SignedDuration, Timestamp};

use crate::egress::{Egress, EgressError, POST_TIMEOUT};
use crate::metrics;
use crate::queue::{QueueError, Wake, Wakes};
use crate::store::{Finish, Lane, Settled, Store, StoreError, StoredEvent};
use crate::subscriptions::{Subscriptions, SubscriptionsError};
use crate::{Clock, Dice};

pub(crate) use attempt::webhook_id;
pub use gate::Places;

/// A handler starts no POST later than this before its end: the POST itself, and the writes after it.
const LAST_START: Duration = Duration::from_secs(POST_TIMEOUT.as_secs() + 5);

/// What deliver needs.
#[derive(Clone)]
pub struct Deliver {
    pub store: Store,
    pub subscriptions: Subscriptions,
    pub wakes: Wakes,
    pub egress: Egress,
    /// POSTs that are under way in this process.
    pub places: Places,
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
/// `receives` is how often the queue has given it, from 1.
pub async fn one(
    deliver: &Deliver,
    body: &str,
    receives: u32,
    deadline: Timestamp,
) -> Result<(), DeliverError> {
    let came_back = receives > 1;
    let mut wake = Wake::parse(body).map_err(DeliverError::Shape)?;
    let mut delivery = deliver.store.delivery(&wake.lane, &wake.key).await?;
    loop {
        let reads_on = match &delivery {
            Some(delivery) => work(deliver, &wake, delivery, came_back).await?,
            // It was finished, a long time ago.
            None => true,
        };
        if !reads_on {
            return Ok(());
        }
        let is_revived = wake.revivals > 0;
        let next = deliver.store.pending_after(&wake.lane, &wake.key, is_revived).await?;
        let (Walk::Take, Some(next)) = (lane::walk(next.as_ref()), next) else {
            return Ok(());
        };
        wake = wake.passed_on_to(&next);
        if !may_start(deliver.clock.now(), deadline) {
            return Ok(deliver.wakes.send(&wake, SignedDuration::ZERO).await?);
        }
        delivery = Some(next);
    }
}

/// Works on one delivery; answers whether to read on in the lane: it is finished, and others may stand
/// behind it.
async fn work(
    deliver: &Deliver,
    wake: &Wake,
    delivery: &Delivery,
    came_back: bool,
) -> Result<bool, DeliverError> {
    let now = deliver.clock.now();
    match lane::turn(delivery, wake.seen(), came_back, now) {
        Turn::Stale => Ok(false),
        Turn::Later(delay) => {
            deliver.wakes.send(wake, delay).await?;
            Ok(false)
        }
        Turn::LeaveToSchedule => {
            let settled = deliver.store.leave_to_schedule(&wake.lane, delivery, now).await?;
            after(deliver, wake, delivery, settled, false).await
        }
        Turn::Post => gate::enter(deliver, wake, delivery).await,
        Turn::WalkOn => {
            // Whoever finished it may have died before it came to this.
            attempt::retire(deliver, &wake.lane, delivery).await?;
            Ok(true)
        }
    }
}

fn may_start(now: Timestamp, deadline: Timestamp) -> bool {
    now.duration_until(deadline).as_secs()
        >= i64::try_from(LAST_START.as_secs()).unwrap_or(i64::MAX)
}

/// Whether to read on in the lane after a write, which finished the delivery, or not.
///
/// A write that was turned away tells nothing: another handler may have finished the delivery and
/// died before it went on; or it was our own write, applied before its answer was lost; or the
/// attempt before ours was written only now, and our wake is the one that it counts on. So if the
/// delivery is pending still, or again, our wake goes round once more, and is stale if nobody needs it.
async fn after(
    deliver: &Deliver,
    wake: &Wake,
    delivery: &Delivery,
    settled: Settled,
    finished: bool,
) -> Result<bool, DeliverError> {
    if let Settled::Done { followed } = settled {
        return Ok(finished && lane::reads_on(delivery, followed));
    }
    let stands = deliver.store.delivery(&wake.lane, &delivery.key).await?;
    let is_pending = stands.is_some_and(|stands| stands.state == State::Pending);
    if is_pending {
        deliver.wakes.send(wake, SignedDuration::ZERO).await?;
    }
    Ok(!is_pending)
}

/// There is nobody to tell any more, or nothing.
async fn give_up(
    deliver: &Deliver,
    wake: &Wake,
    delivery: &Delivery,
    why: ErrorClass,
) -> Result<bool, DeliverError> {
    let (lane, now) = (&wake.lane, deliver.clock.now());
    let attempt = Attempt { at: now, duration_ms: 0, status: None, error: Some(why) };
    let settled = deliver.store.finish(lane, delivery, &attempt, "", Finish::Dead, now).await?;
    if settled != Settled::Changed {
        metrics::gave_up();
    }
    after(deliver, wake, delivery, settled, true).await
}

/// The event of a delivery, and what it says; `None` when it is past its retention.
async fn read_event(
    deliver: &Deliver,
    lane: &Lane,
    delivery: &Delivery,
) -> Result<Option<(StoredEvent, Notification)>, DeliverError> {
    let event = deliver.store.event(&delivery.upstream, &lane.subject, &delivery.key).await?;
    let Some(event) = event else { return Ok(None) };
    let notification = Notification::parse(&event.raw).map_err(DeliverError::Malformed)?;
    Ok(Some((event, notification)))
}
