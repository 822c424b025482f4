//! Whether a delivery may be POSTed now, and from here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::delivery::{Delivery, ErrorClass};
use domain::health::{self, Gate};
use domain::lane;
use domain::subscription::{Mode, Subscription};
use jiff::SignedDuration;

use super::{Deliver, DeliverError, after, attempt, give_up};
use crate::queue::Wake;

/// POSTs to one endpoint at once, in one process: an eighth of what `hookline dev` works on at once, and
/// more than the ten that an invocation of the function has. How many invocations there are at once is
/// bounded for each of the two queues.
const POSTS_AT_ONCE: u32 = 50;

/// A wake that found no place comes again within this.
const NO_PLACE_WAIT: SignedDuration = SignedDuration::from_secs(5);

/// Whoever comes to a delivery whose slot another wake carries looks again this long after the slot: as
/// long as a handler may run.
const SLOT_GRACE: SignedDuration = SignedDuration::from_secs(60);

/// Makes an attempt, unless something is in its way; answers whether the delivery is finished, so
/// that the lane goes on.
pub(super) async fn enter(
    deliver: &Deliver,
    wake: &Wake,
    delivery: &Delivery,
) -> Result<bool, DeliverError> {
    let lane = &wake.lane;
    let known = deliver.subscriptions.known(&delivery.tenant, &lane.subscription).await?;
    // It is gone, or tells by mail now.
    let Some(subscription) = known.filter(|one| one.callback().is_some()) else {
        return give_up(deliver, wake, delivery, ErrorClass::Unsubscribed).await;
    };
    if !subscription.enabled {
        return rest(deliver, wake, delivery).await;
    }
    if subscription.mode == Mode::Latest
        && let Some(newest) = deliver.store.newest_state_after(lane, &delivery.key).await?
        && lane::is_outdated(delivery, &newest)
    {
        let settled = deliver.store.supersede(lane, delivery, deliver.clock.now()).await?;
        return after(deliver, wake, delivery, settled, true).await;
    }
    match health::gate(&subscription.health, wake.aside, deliver.clock.now()) {
        Gate::Post => {}
        Gate::Move => return put_aside(deliver, wake).await,
        Gate::Rest => return rest(deliver, wake, delivery).await,
        Gate::Probe => {
            if !deliver.subscriptions.claim_probe(&subscription).await? {
                return rest(deliver, wake, delivery).await;
            }
        }
    }
    if waits_for_its_slot(deliver, wake, delivery, &subscription).await? {
        return Ok(false);
    }
    let Some(_place) = deliver.places.take(&subscription.id) else {
        if !wake.aside {
            return put_aside(deliver, wake).await;
        }
        deliver.wakes.send(wake, NO_PLACE_WAIT.mul_f64(deliver.dice.draw())).await?;
        return Ok(false);
    };
    attempt::make(deliver, wake, delivery, &subscription).await
}

/// Lays a delivery aside until its endpoint takes deliveries again.
pub(super) async fn rest(
    deliver: &Deliver,
    wake: &Wake,
    delivery: &Delivery,
) -> Result<bool, DeliverError> {
    let settled = deliver.store.hold(&wake.lane, delivery, None, deliver.clock.now()).await?;
    after(deliver, wake, delivery, settled, false).await
}

/// Has another handler make the attempt, of those for endpoints that ail.
async fn put_aside(deliver: &Deliver, wake: &Wake) -> Result<bool, DeliverError> {
    let wake = Wake { aside: true, ..wake.clone() };
    deliver.wakes.send(&wake, SignedDuration::ZERO).await?;
    Ok(false)
}

/// Whether the tenant's own limit lets the attempt be made later only; its wake has then been sent. A
/// slot that was taken once is kept by the wake, and the delivery tells of it: `schedule` may wake it
/// meanwhile, and that wake is not to take another.
async fn waits_for_its_slot(
    deliver: &Deliver,
    wake: &Wake,
    delivery: &Delivery,
    subscription: &Subscription,
) -> Result<bool, DeliverError> {
    let Some(rate) = subscription.rate else { return Ok(false) };
    let now = deliver.clock.now();
    let is_told = delivery.slot_at.map(|slot| slot + SLOT_GRACE).filter(|end| now < *end);
    let (slot, at) = match (wake.slot, is_told) {
        (Some(slot), _) => (Some(slot), slot),
        (None, Some(end)) => (None, end),
        (None, None) => {
            let slot = deliver.subscriptions.take_slot(subscription, rate).await?;
            if now < slot {
                deliver.store.note_slot(&wake.lane, delivery, slot).await?;
            }
            (Some(slot), slot)
        }
    };
    if at <= now {
        return Ok(false);
    }
    let wake = Wake { slot, ..wake.clone() };
    deliver.wakes.send(&wake, now.duration_until(at)).await?;
    Ok(true)
}

/// How many POSTs are under way to each endpoint. Losing it costs nothing.
#[derive(Clone, Default)]
pub struct Places(Arc<Mutex<HashMap<String, u32>>>);

/// A POST that is under way.
struct Place {
    places: Places,
    subscription: String,
}

impl Places {
    fn take(&self, subscription: &str) -> Option<Place> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(subscription.into()).or_default();
        if *count >= POSTS_AT_ONCE {
            return None;
        }
        *count += 1;
        Some(Place { places: self.clone(), subscription: subscription.into() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.subscription) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.subscription);
            }
        }
    }
}
