//! What can go wrong with a call, when a test wants it to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::queue;

/// More calls than this are not remembered, so that no process grows for days.
const LOG_MAX: usize = 100_000;

/// One call to AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// From 1, since the last reset.
    pub number: u64,
    pub service: Service,
    /// As the service names it: `PutItem`.
    pub operation: String,
    /// The table, the queue or the key. Of a batch or a transaction the first table; empty where there is none.
    pub resource: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    Table,
    Queue,
    Key,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Not applied: the service answers 500.
    Refuse,
    /// Not applied: too many requests.
    Throttle,
    /// Not applied: another transaction holds the item. Only for updates and transactions; other
    /// calls go through.
    Conflict,
    /// The first of a batch is not applied, and the answer says so. Only for batches to a queue; other
    /// calls go through.
    LeaveOut,
    /// Applied, but the connection breaks before the answer.
    LoseAnswer,
    /// Not applied, and no answer ever comes.
    Silence,
}

type Rule = Arc<dyn Fn(&Call) -> Option<Fault> + Send + Sync>;

#[derive(Default)]
pub(super) struct Faults(Mutex<State>);

#[derive(Default)]
struct State {
    rule: Option<Rule>,
    calls: u64,
    records: bool,
    log: VecDeque<Call>,
}

impl Faults {
    pub(super) fn inject(&self, rule: Rule) {
        self.state().rule = Some(rule);
    }

    pub(super) fn heal(&self) {
        self.state().rule = None;
    }

    pub(super) fn record(&self, on: bool) {
        let mut state = self.state();
        state.records = on;
        if on {
            state.log.clear();
        }
    }

    /// Counts from 1 again, and logs each call from here on.
    pub(super) fn reset(&self) {
        self.record(true);
        self.state().calls = 0;
    }

    pub(super) fn records(&self) -> bool {
        self.state().records
    }

    pub(super) fn log(&self) -> Vec<Call> {
        self.state().log.iter().cloned().collect()
    }

    /// Counts a call, and says what is to go wrong with it.
    pub(super) fn meet(&self, service: Service, operation: &str, body: &str) -> Option<Fault> {
        let (rule, number, records) = {
            let mut state = self.state();
            state.calls += 1;
            (state.rule.clone(), state.calls, state.records)
        };
        if rule.is_none() && !records {
            return None;
        }
        let call = Call { number, service, operation: operation.into(), resource: resource(body) };
        // The rule may ask for the calls so far, so nothing is locked here.
        let fault = rule.and_then(|rule| rule(&call));
        let mut state = self.state();
        if state.records {
            if state.log.len() == LOG_MAX {
                state.log.pop_front();
            }
            state.log.push_back(call);
        }
        fault
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn resource(body: &str) -> String {
    let request: Value = serde_json::from_str(body).unwrap_or_default();
    let of_batch = || request["RequestItems"].as_object()?.keys().next().map(String::as_str);
    let of_transaction =
        || request["TransactItems"][0].as_object()?.values().next()?["TableName"].as_str();
    let table = request["TableName"].as_str().or_else(of_batch).or_else(of_transaction);
    table
        .or_else(|| request["KeyId"].as_str())
        .unwrap_or_else(|| queue::name_in(&request))
        .to_owned()
}
