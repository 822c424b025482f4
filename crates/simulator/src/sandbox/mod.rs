//! A Bandwidth account to try things on: orders that go their way, subscriptions, notifications.
//!
//! It behaves as Bandwidth's documents say, within what they say. All that happens of itself stands
//! in an agenda, which is worked off by [`Sandbox::run_due`], [`Sandbox::step`] or [`Sandbox::run`],
//! at the times of its clock, and follows from the seed. What was notified, and what became of each
//! notification, is recorded: so tests can ask for the truth.

mod agenda;
mod api;
mod dice;
mod disconnect;
mod kinds;
mod mail;
mod notify;
pub mod numbers;
mod order;
mod portin;
mod remote;
mod scenario;
mod script;
mod state;
mod subscription;
mod supply;
pub mod xml;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use axum::Router;
use jiff::{SignedDuration, Timestamp};
use tokio::net::TcpListener;
use tokio::sync::{Notify, oneshot};

use crate::Clock;
use agenda::Due;
pub use kinds::{KINDS, Kind};
pub use mail::Mail;
pub use notify::{Delivery, Knobs, Post};
pub use portin::LOA_SIZE_MAX;
pub use remote::step_remote;
pub use scenario::{Rule, SCENARIOS, Scenario, Step, Wait};
pub use state::Happened;
use state::State;

/// How long an endpoint may take to answer a notification. Bandwidth's own limit is not documented.
const POST_TIME_MAX: Duration = Duration::from_secs(10);

/// An account at Bandwidth. Clones are the same one.
#[derive(Clone)]
pub struct Sandbox(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    clock: Clock,
    /// `Authorization` of those who may.
    authorization: String,
    /// Held by whoever works off the agenda.
    turn: tokio::sync::Mutex<()>,
    /// The agenda may have changed.
    planned: Notify,
}

/// What a sandbox begins with.
#[derive(Clone)]
pub struct Settings {
    pub account: String,
    pub username: String,
    pub password: String,
    /// The sites that orders for numbers can be for.
    pub sites: Vec<String>,
    pub seed: u64,
    pub clock: Clock,
    pub knobs: Knobs,
    pub scenario: Scenario,
}

/// An order as it really is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its type, as notifications name it.
    pub kind: String,
    pub id: String,
    pub customer_order_id: Option<String>,
    pub last_modified: Timestamp,
    /// Every state it was put into. The times are those of `LastModifiedDate`.
    pub history: Vec<(Timestamp, String)>,
    /// Of these, what those are told who are subscribed.
    pub notified: Vec<(Timestamp, String)>,
    pub notes: Vec<(Timestamp, String)>,
}

/// A listener that a sandbox answers. It stops when this is dropped.
pub struct Serving {
    url: String,
    _stop: oneshot::Sender<()>,
}

impl Settings {
    /// Account 9900012, with user `sandbox`, password `sandbox` and site 743; nothing goes wrong.
    pub fn new(clock: Clock) -> Settings {
        Settings {
            account: "9900012".into(),
            username: "sandbox".into(),
            password: "sandbox".into(),
            sites: vec!["743".into()],
            seed: 1,
            clock,
            knobs: Knobs::default(),
            scenario: Scenario::default(),
        }
    }
}

impl Sandbox {
    pub fn new(settings: Settings) -> Sandbox {
        Sandbox(Arc::new(Inner {
            clock: settings.clock.clone(),
            authorization: api::authorization(&settings.username, &settings.password),
            state: Mutex::new(State::new(settings)),
            turn: tokio::sync::Mutex::default(),
            planned: Notify::new(),
        }))
    }

    /// Bandwidth's API and the sandbox's own, below `/sandbox`.
    pub fn router(&self) -> Router {
        api::router(self.clone())
    }

    /// Answers what comes to a listener.
    pub fn serve(&self, listener: TcpListener) -> anyhow::Result<Serving> {
        let url = format!("http://{}", listener.local_addr()?);
        let (stop, stopped) = oneshot::channel::<()>();
        let router = self.router().into_make_service();
        let server = axum::serve(listener, router).with_graceful_shutdown(async {
            // An error means that whoever could tell has gone.
            let _ = stopped.await;
        });
        tokio::spawn(async move {
            // It ends when it is told to.
            let _ = server.await;
        });
        Ok(Serving { url, _stop: stop })
    }

    /// Does all that is due by now, in order, and waits for each POST. What is done later than it
    /// was due counts as done in time.
    pub async fn run_due(&self) -> Vec<Happened> {
        let _turn = self.0.turn.lock().await;
        self.work_off(self.0.clock.now()).await;
        self.happened()
    }

    /// Moves a manual clock on, from one time at which something is due to the next. What happened
    /// on the way.
    pub async fn step(&self, by: SignedDuration) -> anyhow::Result<Vec<Happened>> {
        if !self.0.clock.is_manual() {
            bail!("this clock goes by itself");
        }
        let _turn = self.0.turn.lock().await;
        let end = self.0.clock.now().checked_add(by).context("that is too far")?;
        loop {
            let next = self.state().agenda.next().filter(|at| *at <= end);
            let Some(next) = next else { break };
            self.0.clock.advance_to(next);
            self.work_off(next).await;
        }
        self.0.clock.advance_to(end);
        Ok(self.happened())
    }

    /// Does what is due when it is due, for as long as this is polled.
    pub async fn run(&self) {
        loop {
            let planned = self.0.planned.notified();
            self.run_due().await;
            let next = self.state().agenda.next();
            let due = async {
                match next {
                    Some(at) => self.0.clock.until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => {}
                () = planned => {}
            }
        }
    }

    /// All orders, the oldest first.
    pub fn orders(&self) -> Vec<Seen> {
        let state = self.state();
        let orders = state.orders.iter().filter(|order| !order.deleted);
        orders.map(Seen::of).collect()
    }

    /// The telephone numbers that the account has in service, the smallest first.
    pub fn numbers(&self) -> Vec<String> {
        self.state().numbers.iter().cloned().collect()
    }

    /// All notifications that were made, whatever became of them, the oldest first.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.state().deliveries.clone()
    }

    /// The mails, the oldest first.
    pub fn mails(&self) -> Vec<Mail> {
        self.state().mails.clone()
    }

    pub fn knobs(&self) -> Knobs {
        self.state().knobs.clone()
    }

    /// From now on, this goes wrong.
    pub fn set_knobs(&self, knobs: Knobs) {
        self.state().knobs = knobs;
    }

    /// What becomes of the orders that are made from now on.
    pub fn set_scenario(&self, scenario: Scenario) {
        self.state().scenario = scenario;
    }

    async fn work_off(&self, now: Timestamp) {
        loop {
            let due = self.state().agenda.take(now);
            match due {
                None => return,
                Some((at, Due::Send { delivery })) => self.post(delivery, at).await,
                Some((at, Due::Step { order, version })) => self.state().step(order, version, at),
                Some((at, Due::Digest { subscription })) => self.state().digest(&subscription, at),
            }
        }
    }

    async fn post(&self, delivery: usize, at: Timestamp) {
        let (bandwidth, body) = self.state().post(delivery);
        let told = tokio::time::timeout(POST_TIME_MAX, bandwidth.notify(&body)).await;
        let told = told.unwrap_or_else(|late| Err(late.into()));
        self.state().posted(delivery, &told, at);
    }

    fn happened(&self) -> Vec<Happened> {
        std::mem::take(&mut self.state().happened)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn of(order: &order::Order) -> Seen {
        let changes = order.history.iter().filter(|change| change.difference.is_none());
        let history: Vec<_> = changes.map(|change| (change.at, change.state.clone())).collect();
        let notified = history.iter().filter(|(_, state)| order.kind.is_notified(state));
        Seen {
            kind: order.kind.order_type.into(),
            id: order.id.clone(),
            customer_order_id: order.customer_order_id.clone(),
            last_modified: order.modified,
            notified: notified.cloned().collect(),
            notes: order.notes.iter().map(|note| (note.at, note.text.clone())).collect(),
            history,
        }
    }
}

impl Serving {
    /// `http://` with host and port.
    pub fn url(&self) -> &str {
        &self.url
    }
}
