//! What all that acts in a simulation shares.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use simulator::Clock;
use simulator::aws::{Aws, Call, Fault};

use super::draw::Draw;
use super::journal::Journal;
use super::tasks::Worker;
use super::weather::Weather;

pub(super) struct Scene {
    pub(super) aws: Aws,
    pub(super) clock: Clock,
    pub(super) draw: Draw,
    state: Mutex<State>,
}

struct State {
    /// The handler that is being polled.
    current: Option<Worker>,
    weather: Weather,
    journal: Journal,
    counts: BTreeMap<String, u64>,
    broken: Option<String>,
}

impl Scene {
    pub(super) fn new(aws: Aws, clock: Clock, draw: Draw) -> Scene {
        let state = State {
            current: None,
            weather: Weather::CALM,
            journal: Journal::default(),
            counts: BTreeMap::new(),
            broken: None,
        };
        Scene { aws, clock, draw, state: Mutex::new(state) }
    }

    /// `None` while nobody's handler runs: what is called then is the simulation's own.
    pub(super) fn current(&self) -> Option<Worker> {
        self.state().current
    }

    pub(super) fn set_current(&self, worker: Option<Worker>) {
        self.state().current = worker;
    }

    /// Looks at something on behalf of nobody, so that no fault meets it.
    pub(super) fn aside<T>(&self, look: impl FnOnce() -> T) -> T {
        let worker = self.state().current.take();
        let seen = look();
        self.set_current(worker);
        seen
    }

    pub(super) fn weather(&self) -> Weather {
        self.state().weather
    }

    pub(super) fn set_weather(&self, weather: Weather) {
        self.note(format!("the weather: {}", weather.name));
        self.state().weather = weather;
    }

    /// What is to go wrong with a call.
    pub(super) fn fault(&self, call: &Call) -> Option<Fault> {
        self.current()?;
        let fault = self.weather().fault(call, &self.draw)?;
        let what = match fault {
            Fault::Refuse => "refused",
            Fault::Throttle => "throttled",
            Fault::Conflict => "in conflict",
            Fault::LeaveOut => "left out in part",
            Fault::LoseAnswer => "answer lost",
            Fault::Silence => "silence",
        };
        self.count(&format!("fault: {:?} {what}", call.service));
        self.note(format!("    {} {what}", call.operation));
        Some(fault)
    }

    pub(super) fn note(&self, line: impl Into<String>) {
        self.note_whole(line, "");
    }

    pub(super) fn note_whole(&self, line: impl Into<String>, whole: &str) {
        let line = format!("{:.3} {}", self.clock.now(), line.into());
        self.state().journal.note(line, whole);
    }

    pub(super) fn count(&self, what: &str) {
        *self.state().counts.entry(what.into()).or_default() += 1;
    }

    pub(super) fn counts(&self) -> BTreeMap<String, u64> {
        self.state().counts.clone()
    }

    /// Something is not as it must be. The first such thing ends the run.
    pub(super) fn break_with(&self, what: impl Into<String>) {
        self.state().broken.get_or_insert(what.into());
    }

    pub(super) fn broken(&self) -> Option<String> {
        self.state().broken.clone()
    }

    pub(super) fn hash(&self) -> u64 {
        self.state().journal.hash()
    }

    pub(super) fn last_steps(&self) -> Vec<String> {
        self.state().journal.last()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
