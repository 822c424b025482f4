//! Days that pass while some endpoints fail, after which their subscriptions are disabled.

use jiff::SignedDuration;

use super::{MINUTE, Phase, Run};
use crate::simulation::ledger::{self, Table};
use crate::simulation::lock;
use crate::simulation::tenants::Subscription;
use crate::simulation::weather::Weather;

/// How many runs end with it: a table that is read again and again takes its time.
const HOW_OFTEN: f64 = 0.4;

/// How many endpoints fail all the while.
const FAILING: f64 = 0.4;

/// Longer than an endpoint may fail without one success.
const DAYS: SignedDuration = SignedDuration::from_hours(5 * 24 + 1);

/// So often something happens before those days, and after them.
const EVENTS: usize = 8;

impl Run {
    /// Ends all that goes wrong, but for some endpoints where days are to pass.
    pub(super) fn end_all_faults(&mut self) {
        self.scene.set_weather(Weather::CALM);
        let draw = self.scene.draw.clone();
        if self.phase == Phase::World && draw.chance(HOW_OFTEN) {
            self.phase = Phase::Before;
            for one in &mut lock(&self.model).subscriptions {
                if draw.chance(FAILING) { one.fail() } else { one.recover() }
            }
            return self.let_happen();
        }
        self.phase = Phase::End;
        lock(&self.model).subscriptions.iter_mut().for_each(Subscription::recover);
    }

    /// Goes on with what comes after a phase in which nothing is left to do but to probe endpoints.
    pub(super) async fn go_on(&mut self, table: &Table) -> Result<(), String> {
        if self.phase == Phase::After {
            for one in &lock(&self.model).subscriptions {
                let failed_for =
                    one.failing.is_some_and(|(first, last)| first.duration_until(last) >= DAYS);
                if failed_for && !table.is_given_up(one) {
                    return Err(format!("{} failed for days and is not disabled", one.id));
                }
                if failed_for {
                    self.scene.count("endpoints that failed for days");
                }
            }
            self.end_all_faults();
            return Ok(());
        }
        // What was replaced without an answer would be good no longer.
        if lock(&self.model).upstreams.iter().any(|one| one.is_unsure()) {
            self.phase = Phase::After;
            return Ok(());
        }
        self.scene.note("days pass");
        self.advance(DAYS).await;
        let now = self.now();
        // As if it had run all the while, and found nothing.
        let through = ledger::minute_of(now) - MINUTE;
        if let Err(error) = self.world.store.set_woken_through(through).await {
            return Err(format!("schedule cannot be moved on: {error}"));
        }
        self.next.schedule = now;
        self.ends_at = now;
        lock(&self.model).subscriptions.iter_mut().for_each(Subscription::forget_old_secrets);
        self.phase = Phase::After;
        self.let_happen();
        Ok(())
    }

    fn let_happen(&mut self) {
        let model = &mut *lock(&self.model);
        for _ in 0..EVENTS {
            model.bandwidth.happen(&self.scene);
        }
    }
}
