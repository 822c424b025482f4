//! What was read lately. Losing it costs a read, nothing else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::Clock;

/// For how long a change to an upstream or a subscription may go unnoticed by a running function.
pub const AGE_MAX: SignedDuration = SignedDuration::from_secs(5);

/// Entries; beyond that the memory starts anew, so that it stays within a function's.
const ENTRIES_MAX: usize = 10_000;

pub(crate) struct Cache<T> {
    clock: Clock,
    entries: Arc<Mutex<Entries<T>>>,
}

/// When each was read, and what.
type Entries<T> = HashMap<String, (Timestamp, Arc<T>)>;

impl<T> Cache<T> {
    pub(crate) fn new(clock: Clock) -> Cache<T> {
        Cache { clock, entries: Arc::default() }
    }

    pub(crate) fn get(&self, key: &str) -> Option<Arc<T>> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let (read_at, value) = entries.get(key)?;
        (read_at.duration_until(self.clock.now()) <= AGE_MAX).then(|| value.clone())
    }

    /// Drops an entry that is known to have changed.
    pub(crate) fn forget(&self, key: &str) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// Changes an entry that is there. It is no fresher than before.
    pub(crate) fn amend(&self, key: &str, change: impl FnOnce(&T) -> T) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, value)) = entries.get_mut(key) {
            *value = Arc::new(change(value));
        }
    }

    pub(crate) fn put(&self, key: &str, value: Arc<T>) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= ENTRIES_MAX {
            entries.clear();
        }
        entries.insert(key.into(), (self.clock.now(), value));
    }
}

impl<T> Clone for Cache<T> {
    fn clone(&self) -> Cache<T> {
        Cache { clock: self.clock.clone(), entries: self.entries.clone() }
    }
}
