//! The whole relay on a world in which everything goes wrong, drawn from a seed. The same seed gives
//! the same run, to the last call.
//!
//! Bandwidth posts, tenants change their minds, endpoints fail, AWS refuses, doubles and forgets, and
//! functions die at any await. After every step nothing may be lost, go to the wrong tenant or be out
//! of order; when all is well again everything must come to rest, and the ledger balance.

mod bandwidth;
mod calls;
mod draw;
mod endpoints;
mod journal;
mod ledger;
mod owners;
mod requests;
mod run;
mod scene;
mod tasks;
mod tenants;
mod upstreams;
mod weather;
mod wire;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use jiff::SignedDuration;

pub use ledger::Ledger;
pub use wire::Mutation;

/// What is to be simulated.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub seed: u64,
    /// For so long things happen and go wrong; then all is well, until everything rests.
    pub time: SignedDuration,
    /// A bug to find.
    pub mutation: Option<Mutation>,
}

/// What came of a run in which nothing broke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Events of which a copy was answered 200.
    pub accepted: usize,
    pub ledger: Ledger,
    /// How often what happened.
    pub counts: BTreeMap<String, u64>,
    /// Of all calls and POSTs.
    pub hash: u64,
}

/// Something that must be true and was not.
#[derive(Debug, thiserror::Error)]
pub struct Broken {
    pub seed: u64,
    pub what: String,
    /// The last steps before it.
    pub steps: Vec<String>,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(f, "{step}")?;
        }
        write!(f, "seed {}: {}", self.seed, self.what)
    }
}

/// Runs a simulation to its end. It has a runtime of its own, whose time stands still.
pub fn simulate(plan: Plan) -> anyhow::Result<Summary> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .context("cannot make a runtime")?;
    // The scheduler polls on behalf of all handlers, and has no budget to share among them.
    runtime.block_on(tokio::task::unconstrained(Box::pin(run::run(plan))))
}

/// Everything that the simulation knows of what was said and asked for.
#[derive(Default)]
struct Model {
    bandwidth: bandwidth::Bandwidth,
    upstreams: Vec<upstreams::Upstream>,
    subscriptions: Vec<tenants::Subscription>,
    received: endpoints::Received,
}

impl Model {
    fn events(&self) -> &[bandwidth::Event] {
        &self.bandwidth.events
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

type SharedModel = Arc<Mutex<Model>>;
