//! Fans out again what is stored: for when records of the stream were lost.
//!
//! An event that was never fanned out is known to nothing but its own item, so this reads the whole
//! table, once, on an operator's request. What was fanned out before stands as it was decided: its
//! deliveries are put where they are missing, and woken where they may have been forgotten.

use std::collections::{HashSet, VecDeque};
use std::ops::AddAssign;

use domain::event::EventKey;
use domain::ledger::{FANNED_OUT_WITHIN, Fault};
use domain::notification::Notification;
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};

use crate::audit::{judge_record, owners};
use crate::fanout::{self, Fanout, FanoutError, New, Owned};
use crate::queue::Wake;
use crate::store::{Decision, Lane, ScanCursor, StoreError, StoredEvent};

/// The table is read in as many parts in turn, so that no part of it is under load for long.
const PARTS: i32 = 8;

/// Orders go side by side, as they do in fanout.
const ORDERS_AT_ONCE: usize = 25;

/// One pass over the table.
pub struct Recovery {
    fanout: Fanout,
    since: Timestamp,
    /// What is younger is the stream's: it may be at work on the same order.
    until: Timestamp,
    upstream: Option<String>,
    owners: Vec<Option<String>>,
    parts: VecDeque<(i32, Option<ScanCursor>)>,
    /// Orders of which an event failed: those after it would come too early.
    failed: HashSet<(String, String)>,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Step {
    /// Events and wishes that were found.
    pub stored: u64,
    /// Events among them that had not been fanned out.
    pub fanned_out: u64,
    /// What could not be worked on, and why.
    pub failed: Vec<String>,
    /// What reading it is billed by.
    pub read_units: f64,
}

impl Recovery {
    /// Of events that came in since then, of one upstream or of all.
    pub async fn new(
        fanout: Fanout,
        since: Timestamp,
        upstream: Option<String>,
    ) -> Result<Recovery, StoreError> {
        let tenants = fanout.store.all_tenants().await?.into_iter().map(|tenant| tenant.id);
        Ok(Recovery {
            since,
            until: fanout.clock.now() - FANNED_OUT_WITHIN,
            upstream,
            owners: owners(tenants.collect()),
            parts: (0..PARTS).map(|part| (part, None)).collect(),
            failed: HashSet::new(),
            fanout,
        })
    }

    /// Works on one page of the table; `None` after the last.
    pub async fn step(&mut self) -> Result<Option<Step>, StoreError> {
        let Some((part, after)) = self.parts.pop_front() else { return Ok(None) };
        let upstream = self.upstream.as_deref();
        let page =
            self.fanout.store.scan_stored((part, PARTS), self.since, upstream, after).await?;
        if page.next.is_some() {
            self.parts.push_back((part, page.next));
        }
        let mut step = Step { read_units: page.read_units, ..Step::default() };
        let mut orders = Vec::<Vec<New>>::new();
        for image in page.images {
            match New::from_stream(image) {
                Ok(new) if !self.is_due(&new) => {}
                // An order's items stand together: events by their keys, then wishes.
                Ok(new) => match orders.last_mut() {
                    Some(order) if order.iter().all(|one| one.order() == new.order()) => {
                        order.push(new);
                    }
                    _ => orders.push(vec![new]),
                },
                Err(error) => step.failed.push(reasons(&error)),
            }
        }
        for some in orders.chunks(ORDERS_AT_ONCE) {
            let done = join_all(some.iter().map(|order| self.in_order(order))).await;
            for (order, done) in some.iter().zip(done) {
                if !done.failed.is_empty() {
                    self.failed.extend(order.first().map(New::order));
                }
                step += done;
            }
        }
        Ok(Some(step))
    }

    fn is_due(&self, new: &New) -> bool {
        let at = match new {
            New::Event(event) => event.received_at,
            New::Snapshot(wish) => wish.asked_at,
        };
        self.since <= at && at < self.until
    }

    /// Works on the items of one order, none after one that failed.
    async fn in_order(&self, items: &[New]) -> Step {
        let mut step = Step::default();
        for new in items {
            step.stored += 1;
            if !step.failed.is_empty() || self.failed.contains(&new.order()) {
                step.failed.push(format!("{}: what came before it failed", name(new)));
                continue;
            }
            let done = match new {
                New::Event(event) => self.again(event).await,
                New::Snapshot(wish) => fanout::snapshot(&self.fanout, wish).await.map(|()| false),
            };
            match done {
                Ok(is_first_time) => step.fanned_out += u64::from(is_first_time),
                Err(error) => step.failed.push(format!("{}: {}", name(new), reasons(&error))),
            }
        }
        step
    }

    /// Fans out an event, or sees to what was decided for it; answers whether it was the first time.
    async fn again(&self, event: &StoredEvent) -> Result<bool, FanoutError> {
        let notification = Notification::parse(&event.raw).map_err(FanoutError::Malformed)?;
        match self.decided(event, &notification).await? {
            None => fanout::one(&self.fanout, event).await.map(|()| true),
            Some(Decision { tenant, entry }) => {
                let tenant = tenant.unwrap_or_default();
                let owned = Owned::new(event, &notification, &tenant);
                fanout::place(&self.fanout, entry.lanes(), &owned).await?;
                for lane in entry.lanes() {
                    self.wake_if_left(&lane, &event.key, event.received_at).await?;
                }
                Ok(false)
            }
        }
    }

    /// What was decided for an event, whoever owns its order by now: mostly it is the same owner.
    async fn decided(
        &self,
        event: &StoredEvent,
        notification: &Notification,
    ) -> Result<Option<Decision>, FanoutError> {
        let store = &self.fanout.store;
        let owner = fanout::owner_now(store, event, notification).await?.tenant();
        match store.decision(event, &[owner]).await? {
            Some(decision) => Ok(Some(decision)),
            None => Ok(store.decision(event, &self.owners).await?),
        }
    }

    /// Wakes a delivery that stands behind one that was finished long ago; and one that is being made again
    /// and was due, or was laid aside, long ago, for which fan-out has no wake.
    async fn wake_if_left(
        &self,
        lane: &Lane,
        key: &EventKey,
        received_at: Timestamp,
    ) -> Result<(), FanoutError> {
        let store = &self.fanout.store;
        let wanted = [(lane.clone(), key.clone())];
        let Some(record) = store.delivery_records(&wanted).await?.pop() else { return Ok(()) };
        let now = self.fanout.clock.now();
        let judged = judge_record(store, &record, received_at, now).await?;
        let is_left = match judged {
            Err(Fault::LeftBehind { .. }) => true,
            Err(Fault::NotTried { .. } | Fault::LaidAside { .. }) => record.delivery.is_revived(),
            _ => false,
        };
        if is_left {
            let wake = Wake::of(lane.clone(), &record.delivery);
            self.fanout.wakes.send(&wake, SignedDuration::ZERO).await?;
        }
        Ok(())
    }
}

fn name(new: &New) -> String {
    let (upstream, order) = new.order();
    match new {
        New::Event(event) => format!("upstream {upstream}, order {order}, event {}", event.key),
        New::Snapshot(wish) => {
            format!("upstream {upstream}, order {order}, wish of {}", wish.subscription)
        }
    }
}

impl AddAssign for Step {
    fn add_assign(&mut self, other: Step) {
        self.stored += other.stored;
        self.fanned_out += other.fanned_out;
        self.failed.extend(other.failed);
        self.read_units += other.read_units;
    }
}

/// An error with what led to it.
fn reasons(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
