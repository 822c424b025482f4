//! What happens outside: notifications, tenants' wishes, weather and deployments.

use jiff::Timestamp;

use super::setup::world;
use super::{Outcome, Phase, Run};
use crate::simulation::bandwidth::{ACCOUNTS, TENANTS};
use crate::simulation::lock;
use crate::simulation::requests::{self, Caller, Heard};
use crate::simulation::tasks::Role;
use crate::simulation::tenants::{NOTICED, Subscription, Wish};
use crate::simulation::weather::Weather;

/// Subscriptions of one tenant.
const SUBSCRIPTIONS_MAX: usize = 5;

/// At first as many are made, one after the other.
const FEW: usize = 7;

impl Run {
    /// What happens outside, as long as things happen.
    pub(super) async fn change_the_world(&mut self, now: Timestamp) {
        let draw = self.scene.draw.clone();
        if now >= self.next.weather {
            let (weather, stays) = Weather::draw(&draw);
            self.scene.set_weather(weather);
            self.next.weather = now + stays;
        }
        if now >= self.next.event {
            self.next.event = now + lock(&self.model).bandwidth.happen(&self.scene);
        }
        if now >= self.next.wish {
            self.wish();
            // At first some subscriptions are made.
            let few = lock(&self.model).subscriptions.len() < FEW;
            self.next.wish = now + if few { draw.seconds(1..5) } else { draw.seconds(10..120) };
        }
        if now >= self.next.operator {
            self.operate();
            self.next.operator = now + draw.seconds(30..300);
        }
        if now >= self.next.deployment {
            self.next.deployment = now + draw.seconds(300..2400);
            match world(&self.scene, &self.egress, &self.sdk).await {
                Ok(world) => {
                    self.router = world.router();
                    self.world = world;
                }
                Err(error) => self.scene.break_with(format!("a deployment failed: {error:#}")),
            }
            self.scene.count("deployments");
            self.scene.note("a deployment");
        }
    }

    pub(super) fn post(&mut self, n: usize, copy: usize) {
        let now = self.now();
        let (account, login, body) = {
            let model = &mut *lock(&self.model);
            let event = &mut model.bandwidth.events[n];
            event.posted_at.get_or_insert(now);
            if event.ends_order {
                let about = |one: &&mut Subscription| one.order.as_ref() == Some(&event.subject);
                model.subscriptions.iter_mut().filter(about).for_each(|one| one.may_end = true);
            }
            let place = ACCOUNTS.iter().position(|(account, _)| *account == event.account);
            let login = model.upstreams[place.unwrap_or_default()].login(now);
            (event.account, login, event.body(copy))
        };
        let router = self.router.clone();
        self.scene.note(format!("Bandwidth posts event {n}, copy {copy}"));
        self.tasks.spawn(Role::Ingest, now, async move {
            Outcome::Ingested {
                event: n,
                status: requests::notify(router, account, login, body).await,
            }
        });
    }

    /// Some tenant wants something else.
    pub(super) fn wish(&mut self) {
        let draw = self.scene.draw.clone();
        let tenant = draw.within(0..TENANTS.len());
        let (place, wish) = {
            let model = &mut *lock(&self.model);
            if let Err(what) = model.learn_owners(&self.scene.aws) {
                return self.scene.break_with(what);
            }
            let subscriptions = &mut model.subscriptions;
            let few = subscriptions.len() < FEW;
            let own: Vec<usize> = subscriptions
                .iter()
                .enumerate()
                .filter(|(_, one)| one.tenant == tenant && !one.delete_asked)
                .map(|(place, _)| place)
                .collect();
            if own.is_empty() || (own.len() < SUBSCRIPTIONS_MAX && (few || draw.chance(0.3))) {
                let n = subscriptions.len();
                let orders = model.bandwidth.open_orders(tenant);
                subscriptions.push(Subscription::draw(n, tenant, &orders, &draw, self.now()));
                (n, Wish::Make)
            } else {
                let place = *draw.pick(&own);
                let is_on = subscriptions[place].enabled.is_none_or(|(on, _)| on);
                let wishes = [
                    Wish::Enable(!is_on),
                    if is_on { Wish::Rotate } else { Wish::Enable(true) },
                    Wish::Rotate,
                    Wish::Delete,
                    Wish::Retry,
                    Wish::Retry,
                    Wish::Replay { dead_only: draw.chance(0.5) },
                ];
                (place, *draw.pick(&wishes))
            }
        };
        self.ask(place, wish);
    }

    pub(super) fn ask(&mut self, place: usize, wish: Wish) {
        let now = self.now();
        let future = {
            let one = &mut lock(&self.model).subscriptions[place];
            if one.is_busy {
                return;
            }
            one.is_busy = true;
            one.delete_asked |= wish == Wish::Delete;
            // Whoever changes a subscription gives its endpoint a fresh start.
            one.failing = None;
            one.asked_again += match wish {
                Wish::Retry => 1,
                // A run of schedule that breaks off is repeated.
                Wish::Replay { .. } => 2,
                _ => 0,
            };
            self.scene.note(format!("{wish:?} {}", one.id));
            let caller = Caller::new(self.router.clone(), &self.tokens[one.tenant]);
            requests::ask(&self.world, caller, one, wish, &self.scene)
        };
        let worker = self.tasks.spawn(Role::Api, now, async move {
            Outcome::Heard { place, wish, heard: future.await }
        });
        self.asked.push((worker, place, wish));
    }

    pub(super) fn heard(&self, place: usize, wish: Wish, heard: Heard) {
        let now = self.now();
        let one = &mut lock(&self.model).subscriptions[place];
        one.is_busy = false;
        match (wish, heard) {
            (Wish::Make, Heard::Secret(secret)) => {
                one.made_at = Some(now);
                one.secrets.push((secret, now));
            }
            (Wish::Rotate, Heard::Secret(secret)) => {
                if one.rotations_unknown > 1 {
                    one.blind_until = now + NOTICED;
                }
                one.rotations_unknown = 0;
                one.secrets.push((secret, now));
            }
            (Wish::Enable(on), Heard::Done) => one.enabled = Some((on, now)),
            (Wish::Delete, Heard::Done | Heard::NotFound) => one.deleted_at = Some(now),
            (Wish::Retry | Wish::Replay { .. }, heard) => {
                if matches!(heard, Heard::Done) {
                    self.scene.count(wish.name());
                }
                return;
            }
            (_, Heard::NotFound) if one.said_gone > 0 || one.may_end => one.delete_asked = true,
            (wish, _) => return one.heard_nothing(wish),
        }
        one.settled = self.phase == Phase::End;
        self.scene.count(wish.name());
    }

    /// Once all is well, each tenant sees to it that things are as it wants them.
    pub(super) fn settle(&mut self) {
        let draw = self.scene.draw.clone();
        let open =
            lock(&self.model).subscriptions.iter().position(|one| !one.settled && !one.is_busy);
        let Some(place) = open else { return };
        let is_gone = lock(&self.model).subscriptions[place].delete_asked;
        let wish = if is_gone { Wish::Delete } else { Wish::Enable(draw.chance(0.8)) };
        self.ask(place, wish);
    }
}
