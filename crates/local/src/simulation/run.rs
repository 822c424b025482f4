//! One run, step by step: what is due begins, one handler goes on to its next await or dies, and when
//! none can, time passes.

mod outside;
mod pollers;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use axum::Router;
use domain::upstream::{IngestCredentials, Rule, Upstream};
use jiff::{SignedDuration, Timestamp};
use relay::egress::Egress;
use relay::queue::Arrival;
use relay::{Dice, setup};
use sha2::{Digest as _, Sha256};
use simulator::Clock;
use simulator::aws::{Aws, Message};

use super::bandwidth::{ACCOUNTS, PASSWORD, PREFIXES, TENANTS, USER, event_in};
use super::draw::Draw;
use super::ledger::{self, Table};
use super::requests::Heard;
use super::scene::Scene;
use super::tasks::{Role, Tasks, Worker};
use super::tenants::Wish;
use super::wire::{Moment, NoWait, Wire};
use super::{Broken, Plan, SharedModel, Summary, endpoints, lock};
use crate::World;
use crate::world::{ASIDE, INBOX, INBOX_DEAD, WAKES, WAKES_DEAD, loopback, sdk_config};

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
    tasks: Tasks<Outcome>,
    /// Requests of tenants that are on their way.
    asked: Vec<(Worker, usize, Wish)>,
    /// Messages that the queue will give once more although they were deleted.
    again: Vec<(Timestamp, &'static str, Message)>,
    next: Times,
    ends_at: Timestamp,
}

/// When what comes next.
struct Times {
    event: Timestamp,
    wish: Timestamp,
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
        let world = world(&scene, &egress, &sdk).await?;
        let tokens = set_up(&world).await?;
        // Calls of no handler are not met by faults.
        aws.inject({
            let scene = scene.clone();
            move |call| scene.fault(call)
        });
        let next = Times {
            event: start,
            wish: start,
            weather: start + MINUTE,
            deployment: start + MINUTE * 10,
            schedule: start,
            stream: start,
        };
        let ends_at = start + plan.time;
        let (tasks, asked, again) = (Tasks::new(), Vec::new(), Vec::new());
        Ok(Run {
            router: world.router(),
            scene,
            model,
            world,
            wire,
            egress,
            sdk,
            tokens,
            tasks,
            asked,
            again,
            next,
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
            } else if let Some(table) = self.at_rest() {
                return ledger::audit(&table, &lock(&self.model));
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
    }

    fn finish(&mut self, outcome: Outcome) {
        let aws = &self.scene.aws;
        match outcome {
            Outcome::Ingested { event, status } => {
                self.scene.note(format!("event {event} is answered {status}"));
                let model = &mut *lock(&self.model);
                let event = &mut model.bandwidth.events[event];
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
            Outcome::Over => {}
        }
    }

    async fn begin_what_is_due(&mut self) {
        let now = self.now();
        if !self.is_over() {
            self.change_the_world(now).await;
        } else if self.next.weather < Timestamp::MAX {
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
        if self.is_over() {
            self.settle();
        }
    }

    /// The table, once nothing is left to do.
    fn at_rest(&self) -> Option<Table> {
        let aws = &self.scene.aws;
        let queues = [WAKES, ASIDE, WAKES_DEAD, INBOX, INBOX_DEAD];
        let model = lock(&self.model);
        let quiet = self.is_over()
            && self.tasks.is_empty()
            && self.again.is_empty()
            && queues.iter().all(|name| aws.queue(name).is_empty())
            && aws.stream().first().is_none()
            && model.bandwidth.next_post_at().is_none()
            && model.subscriptions.iter().all(|one| one.settled);
        let table = quiet.then(|| Table::read(aws))?;
        (!table.waits(self.now())).then_some(table)
    }

    /// Up to whatever comes next, or a little only while somebody waits.
    async fn pass_time(&mut self) {
        let now = self.now();
        let aws = &self.scene.aws;
        let next = &self.next;
        let mut times = vec![next.schedule];
        if !self.is_over() {
            times.extend([next.event, next.wish, next.weather, next.deployment, self.ends_at]);
        }
        times.extend(
            [WAKES, ASIDE, INBOX].iter().filter_map(|name| aws.queue(name).next_visible_at()),
        );
        times.extend(self.again.iter().map(|(at, ..)| *at));
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

/// What a deployment makes.
async fn world(scene: &Scene, egress: &Egress, sdk: &SdkConfig) -> anyhow::Result<World> {
    let draw = scene.draw.clone();
    let dice = Dice::new(move || draw.unit());
    World::with(scene.aws.clone(), scene.clock.clone(), dice, egress.clone(), sdk).await
}

/// Makes upstreams and tenants; answers the tenants' tokens.
async fn set_up(world: &World) -> anyhow::Result<Vec<String>> {
    let rules = TENANTS
        .iter()
        .zip(PREFIXES)
        .map(|(tenant, prefix)| Rule { prefix: prefix.into(), tenant: (*tenant).into() });
    for (account, default) in ACCOUNTS {
        let upstream = Upstream {
            account: account.into(),
            credentials: vec![IngestCredentials {
                username: USER.into(),
                password_sha256: Sha256::digest(PASSWORD).into(),
                until: None,
            }],
            rules: rules.clone().collect(),
            default_tenant: default.map(|tenant| TENANTS[tenant].into()),
            revision: 1,
        };
        world.store.put_upstream(&upstream).await?;
    }
    let mut tokens = Vec::new();
    for tenant in TENANTS {
        tokens.push(setup::tenant(&world.store, tenant, world.relay_clock().now()).await?.token());
    }
    Ok(tokens)
}
