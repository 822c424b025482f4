//! One run, step by step: what is due begins, one handler goes on to its next await or dies, and when
//! none can, time passes.

mod days;
mod office;
mod outside;
mod pollers;
mod rest;
mod setup;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use axum::Router;
use jiff::{SignedDuration, Timestamp};
use relay::egress::Egress;
use relay::queue::Arrival;
use serde_json::Value;
use simulator::Clock;
use simulator::aws::{Aws, Message};

use super::bandwidth::event_in;
use super::draw::Draw;
use super::ledger;
use super::requests::Heard;
use super::scene::Scene;
use super::tasks::{Role, Tasks, Worker};
use super::tenants::Wish;
use super::upstreams::{Change, Upstream};
use super::wire::{Moment, NoWait, Wire};
use super::{Broken, Plan, SharedModel, Summary, endpoints, lock};
use crate::World;
use crate::world::{ASIDE, INBOX, WAKES, loopback, sdk_config};

/// Lambda's pause after a batch of the stream that failed.
const STREAM_PAUSE: SignedDuration = SignedDuration::from_secs(10);

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// How often a packet takes its time, and how often one does that brings what was read.
const DELAYED: f64 = 0.05;
const DELAYED_AFTER_READ: f64 = 0.3;

/// While a handler waits, time passes in steps of this.
const TICK: SignedDuration = SignedDuration::from_millis(200);

/// After the faults have ended everything rests by then: the longest schedule, and what was held,
/// one after the other.
const DRAIN_MAX: SignedDuration = SignedDuration::from_hours(12);

/// What a handler's run came to.
enum Outcome {
    Ingested { event: usize, status: u16 },
    FromInbox { message: Message, done: bool },
    FannedOut { first: Option<u64> },
    Heard { place: usize, wish: Wish, heard: Heard },
    Operated { upstream: usize, change: Change, answer: Option<Value> },
    Over,
}

struct Run {
    scene: Arc<Scene>,
    model: SharedModel,
    world: World,
    router: Router,
    wire: Wire,
    egress: Egress,
    sdk: SdkConfig,
    tokens: Vec<String>,
    /// The operator's token.
    operator: String,
    tasks: Tasks<Outcome>,
    /// Requests of tenants that are on their way.
    asked: Vec<(Worker, usize, Wish)>,
    /// The operator's, by the upstream.
    operating: Vec<(Worker, usize, Change)>,
    next: Times,
    phase: Phase,
    ends_at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Things happen and go wrong.
    World,
    /// Some endpoints fail, and nothing else goes wrong: before days pass, and after them.
    Before,
    After,
    /// All is well.
    End,
}

/// When what comes next.
struct Times {
    event: Timestamp,
    wish: Timestamp,
    operator: Timestamp,
    weather: Timestamp,
    deployment: Timestamp,
    schedule: Timestamp,
    stream: Timestamp,
}

pub(super) async fn run(plan: Plan) -> anyhow::Result<Summary> {
    let mut run = Run::new(plan).await?;
    let outcome = run.play().await;
    let scene = &run.scene;
    match outcome {
        Ok(ledger) => Ok(Summary {
            accepted: lock(&run.model).events().iter().filter(|event| event.accepted).count(),
            ledger,
            counts: scene.counts(),
            hash: scene.hash(),
        }),
        Err(what) => Err(Broken { seed: plan.seed, what, steps: scene.last_steps() }.into()),
    }
}

impl Run {
    async fn new(plan: Plan) -> anyhow::Result<Run> {
        let start: Timestamp = "2026-02-03T10:00:00Z".parse()?;
        let clock = Clock::manual(start);
        let aws = Aws::memory(clock.clone())?;
        let scene = Arc::new(Scene::new(aws.clone(), clock, Draw::new(plan.seed)));
        let model = SharedModel::new(Mutex::default());
        let egress = Egress::answered_by(loopback(), {
            let (scene, model) = (scene.clone(), model.clone());
            move |post| endpoints::answer(&scene, &model, post)
        })?;
        let wire = Wire::new(scene.clone(), plan.mutation);
        let sdk = sdk_config(wire.http_client()).into_builder();
        // What watches for uploads that stall goes by the system's clock.
        let sdk = sdk
            .sleep_impl(SharedAsyncSleep::new(NoWait))
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build();
        let world = setup::world(&scene, &egress, &sdk).await?;
        let tokens = setup::set_up(&world).await?;
        let operator = relay::setup::operator(&world.store, start).await?.token();
        lock(&model).upstreams = Upstream::all(start);
        // Calls of no handler are not met by faults.
        aws.inject({
            let scene = scene.clone();
            move |call| scene.fault(call)
        });
        let next = Times {
            event: start,
            wish: start,
            operator: start + MINUTE,
            weather: start + MINUTE,
            deployment: start + MINUTE * 10,
            schedule: start,
            stream: start,
        };
        let ends_at = start + plan.time;
        let (tasks, asked, operating) = (Tasks::new(), Vec::new(), Vec::new());
        Ok(Run {
            router: world.router(),
            scene,
            model,
            world,
            wire,
            egress,
            sdk,
            tokens,
            operator,
            tasks,
            asked,
            operating,
            next,
            phase: Phase::World,
            ends_at,
        })
    }

    async fn play(&mut self) -> Result<ledger::Ledger, String> {
        loop {
            self.begin_what_is_due().await;
            let now = self.now();
            for worker in self.tasks.overdue(now) {
                self.kill(worker, "ran out of time");
            }
            let ready = self.tasks.ready(now);
            if !ready.is_empty() {
                let worker = *self.scene.draw.pick(&ready);
                self.step(worker).await;
            } else if let Some(table) = self.between_phases() {
                self.go_on(&table).await?;
            } else if let Some(table) = self.at_rest() {
                let model = &mut *lock(&self.model);
                model.learn_owners(&self.scene.aws)?;
                return ledger::audit(&table, model);
            } else {
                self.pass_time().await;
            }
            if let Some(broken) = self.scene.broken() {
                return Err(broken);
            }
            if self.now() > self.ends_at + DRAIN_MAX {
                return Err("it never comes to rest".into());
            }
        }
    }

    fn now(&self) -> Timestamp {
        self.scene.clock.now()
    }

    fn is_over(&self) -> bool {
        self.now() >= self.ends_at
    }

    /// One handler goes on, stands still, or dies.
    async fn step(&mut self, worker: Worker) {
        let draw = &self.scene.draw;
        let weather = self.scene.weather();
        // A batch of the stream has so many awaits that it would hardly ever come through.
        let deaths = if worker.role == Role::Fanout { 0.2 } else { 1.0 };
        let (death, delayed) = match self.wire.take_moment(worker) {
            Some(Moment::AfterWrite) => (weather.death_after_write, DELAYED),
            Some(Moment::AfterRead) => (weather.death, DELAYED_AFTER_READ),
            None => (weather.death, DELAYED),
        };
        if draw.chance(death * deaths) {
            return self.kill(worker, "dies");
        }
        if draw.chance(weather.stall) {
            self.scene.count("handlers that stood still");
            return self.tasks.stand_still(worker, self.now() + draw.seconds(1..50));
        }
        if draw.chance(delayed) {
            let delay = SignedDuration::from_millis(draw.within(1..1500) as i64);
            return self.tasks.stand_still(worker, self.now() + delay);
        }
        if draw.chance(0.2) {
            let millis = draw.within(1..20) as i64;
            self.advance(SignedDuration::from_millis(millis)).await;
        }
        self.scene.set_current(Some(worker));
        let outcome = self.tasks.poll(worker);
        self.scene.set_current(None);
        if let Some(outcome) = outcome {
            match self.scene.draw.chance(weather.death) {
                true => self.wire.forget(worker),
                false => self.wire.pay(worker),
            }
            self.asked.retain(|(one, ..)| *one != worker);
            self.operating.retain(|(one, ..)| *one != worker);
            self.finish(outcome);
        }
    }

    fn kill(&mut self, worker: Worker, how: &str) {
        self.scene.count("crashes");
        self.scene.note(format!("{:?} {} {how}", worker.role, worker.id));
        self.tasks.kill(worker);
        self.wire.forget(worker);
        if worker.role == Role::Fanout {
            self.next.stream = self.now() + STREAM_PAUSE;
        }
        if let Some(n) = self.asked.iter().position(|(one, ..)| *one == worker) {
            let (_, place, wish) = self.asked.remove(n);
            self.heard(place, wish, Heard::Nothing);
        }
        if let Some(n) = self.operating.iter().position(|(one, ..)| *one == worker) {
            let (_, upstream, change) = self.operating.remove(n);
            self.operated(upstream, change, None);
        }
    }

    fn finish(&mut self, outcome: Outcome) {
        let aws = &self.scene.aws;
        match outcome {
            Outcome::Ingested { event, status } => {
                self.scene.note(format!("event {event} is answered {status}"));
                let model = &mut *lock(&self.model);
                let event = &mut model.bandwidth.events[event];
                if status == 401 {
                    return self.scene.break_with(format!("event {} is turned away", event.n));
                }
                if status != 200 {
                    return self.scene.count("notifications refused");
                }
                event.accepted = true;
                if !ledger::holds(aws, event) {
                    self.scene.break_with(format!("event {} was accepted and is lost", event.n));
                }
            }
            Outcome::FromInbox { message, done } => {
                if done {
                    aws.queue(INBOX).delete(&message.receipt);
                }
                let told = Arrival::parse(&message.body).map(|arrival| arrival.body);
                let n = event_in(&String::from_utf8_lossy(&told.unwrap_or_default()));
                let model = lock(&self.model);
                let event = n.and_then(|n| model.events().get(n));
                if event.is_none_or(|event| !ledger::holds(aws, event)) {
                    self.scene.break_with(format!("inbox lost event {n:?}"));
                }
            }
            Outcome::FannedOut { first } => {
                if first == aws.stream().first() {
                    self.next.stream = self.now() + STREAM_PAUSE;
                }
            }
            Outcome::Heard { place, wish, heard } => self.heard(place, wish, heard),
            Outcome::Operated { upstream, change, answer } => {
                self.operated(upstream, change, answer.as_ref());
            }
            Outcome::Over => {}
        }
    }

    async fn begin_what_is_due(&mut self) {
        let now = self.now();
        if !self.is_over() {
            self.change_the_world(now).await;
        } else if self.phase == Phase::World {
            self.end_all_faults();
        }
        while let Some((event, copy)) = { lock(&self.model).bandwidth.next_post(now) } {
            self.post(event, copy);
        }
        if now >= self.next.schedule {
            self.next.schedule = now + MINUTE;
            let world = self.world.clone();
            self.tasks.spawn(Role::Schedule, now, async move {
                world.run_schedule().await;
                Outcome::Over
            });
        }
        self.poll_the_stream(now);
        self.poll_the_queues(now);
        if self.phase == Phase::End {
            self.settle();
        }
    }

    /// Up to whatever comes next, or a little only while somebody waits.
    async fn pass_time(&mut self) {
        let now = self.now();
        let aws = &self.scene.aws;
        let next = &self.next;
        let mut times = vec![next.schedule];
        if !self.is_over() {
            times.extend([next.event, next.wish, next.operator, next.weather, next.deployment]);
            times.push(self.ends_at);
        }
        times.extend(
            [WAKES, ASIDE, INBOX].iter().filter_map(|name| aws.queue(name).next_visible_at()),
        );
        times.extend(lock(&self.model).bandwidth.next_post_at());
        if aws.stream().first().is_some() {
            times.push(next.stream);
        }
        if !self.tasks.is_empty() {
            times.push(now + TICK);
        }
        let next = times.into_iter().min().unwrap_or(now);
        self.advance(now.duration_until(next).max(SignedDuration::from_millis(1))).await;
    }

    /// Moves the relay's clock, and with it the time by which its time limits go.
    async fn advance(&self, by: SignedDuration) {
        self.scene.clock.advance(by);
        tokio::time::advance(Duration::try_from(by).unwrap_or_default()).await;
    }
}
