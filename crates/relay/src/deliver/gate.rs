//! Whether a delivery may be POSTed now, and from here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::delivery::{Delivery, ErrorClass};
use domain::health::{self, Gate};
use domain::lane;
use domain::subscription::{Mode, Subscription};
use jiff::SignedDuration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Deliver, DeliverError, after, attempt, give_up};
use crate::queue::Wake;

/// POSTs to one endpoint at once, in one process: an eighth of what `hookline dev` works on at once, and
/// more than the ten that an invocation of the function has. How many invocations there are at once is
/// bounded for each of the two queues.
const POSTS_AT_ONCE: usize = 50;

/// A wake waits this long for a place. An endpoint that answers well has one by then; to send the wake
/// elsewhere is half of all the work for a delivery. Of one that hangs, each wake holds up a handler
/// for so long.
const PLACE_PATIENCE: Duration = Duration::from_millis(100);

/// A wake that found no place comes again within this.
const NO_PLACE_WAIT: SignedDuration = SignedDuration::from_secs(5);

/// Whoever comes to a delivery whose slot another wake carries looks again this long after the slot: as
/// long as a handler may run.
const SLOT_GRACE: SignedDuration = SignedDuration::from_secs(60);

/// Makes an attempt, unless something is in its way; answers whether to read on in the lane.
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
    let Some(_place) = deliver.places.take(&subscription.id).await else {
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

/// POSTs that are under way to each endpoint. Losing it costs nothing.
#[derive(Clone, Default)]
pub struct Places(Arc<Mutex<HashMap<String, Arc<Semaphore>>>>);

impl Places {
    /// A place, for as long as it is kept.
    async fn take(&self, subscription: &str) -> Option<OwnedSemaphorePermit> {
        let free = self.of(subscription);
        if let Ok(place) = free.clone().try_acquire_owned() {
            return Some(place);
        }
        tokio::time::timeout(PLACE_PATIENCE, free.acquire_owned()).await.ok()?.ok()
    }

    fn of(&self, subscription: &str) -> Arc<Semaphore> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(free) = all.get(subscription) {
            return free.clone();
        }
        // Nobody holds those, so that all their places are free.
        all.retain(|_, free| Arc::strong_count(free) > 1);
        all.entry(subscription.into())
            .or_insert_with(|| Semaphore::new(POSTS_AT_ONCE).into())
            .clone()
    }
}

#[cfg(test)]
mod tests {
    use super::{PLACE_PATIENCE, POSTS_AT_ONCE, Places};
    use std::time::Duration;
    use tokio::time::{Instant, advance};

    async fn taken(places: &Places, subscription: &str) -> Vec<tokio::sync::OwnedSemaphorePermit> {
        let mut taken = Vec::new();
        for _ in 0..POSTS_AT_ONCE {
            taken.push(places.take(subscription).await.unwrap());
        }
        taken
    }

    #[tokio::test(start_paused = true)]
    async fn a_wake_waits_for_a_place_and_no_longer_than_its_patience() {
        let places = Places::default();
        let mut held = taken(&places, "a").await;
        let began = Instant::now();
        assert!(places.take("a").await.is_none());
        assert_eq!(began.elapsed(), PLACE_PATIENCE);
        assert!(places.take("b").await.is_some(), "another endpoint has places of its own");

        let waiting = tokio::spawn({
            let places = places.clone();
            async move { places.take("a").await.is_some() }
        });
        advance(Duration::from_millis(10)).await;
        held.pop();
        assert!(waiting.await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_holds_is_forgotten_and_what_is_held_is_not() {
        let places = Places::default();
        drop(taken(&places, "gone").await);
        let held = taken(&places, "held").await;
        drop(places.take("new").await);
        assert_eq!(places.0.lock().unwrap().len(), 2);
        assert!(places.take("held").await.is_none());
        drop(held);
    }
}
