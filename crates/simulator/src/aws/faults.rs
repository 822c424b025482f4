//! What can go wrong with a call, when a test wants it to.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// One call to AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// From 1, since the last reset.
    pub number: u64,
    pub service: Service,
    /// As the service names it: `PutItem`.
    pub operation: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    Table,
    Queue,
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
    /// Applied, but the connection breaks before the answer.
    LoseAnswer,
    /// Not applied, and no answer ever comes.
    Silence,
}

type Rule = Arc<dyn Fn(&Call) -> Option<Fault> + Send + Sync>;

#[derive(Default)]
pub(super) struct Faults {
    rule: Mutex<Option<Rule>>,
    calls: AtomicU64,
    log: Mutex<Option<Vec<Call>>>,
}

impl Faults {
    pub(super) fn inject(&self, rule: Rule) {
        *self.rule.lock().unwrap_or_else(PoisonError::into_inner) = Some(rule);
    }

    pub(super) fn heal(&self) {
        *self.rule.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Counts from 1 again, and logs each call from here on.
    pub(super) fn reset(&self) {
        self.calls.store(0, Ordering::SeqCst);
        *self.log.lock().unwrap_or_else(PoisonError::into_inner) = Some(Vec::new());
    }

    pub(super) fn log(&self) -> Vec<Call> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default()
    }

    /// Counts a call, and says what is to go wrong with it.
    pub(super) fn meet(&self, service: Service, operation: &str) -> Option<Fault> {
        let number = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let call = Call { number, service, operation: operation.into() };
        let rule = self.rule.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let fault = rule.and_then(|rule| rule(&call));
        if let Some(log) = &mut *self.log.lock().unwrap_or_else(PoisonError::into_inner) {
            log.push(call);
        }
        fault
    }
}
