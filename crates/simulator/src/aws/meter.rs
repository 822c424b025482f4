//! What AWS would bill for: the units of each call, counted.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::partition::{Load, Partition};

/// What a request to SQS may carry at the price of one. (AWS: Amazon SQS pricing.)
const REQUEST_BYTES: usize = 64 * 1024;

/// What calls are billed by.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Units {
    /// Read units of the table and its indexes.
    pub read: f64,
    /// Write units of the table and its indexes.
    pub write: f64,
    /// Requests to SQS, each of up to 64 KB. A receive that a poller here gets nothing from is none of
    /// them: how often an empty queue is asked is for Lambda to say, and our pollers don't do as it does.
    pub queue: u64,
    /// Requests to KMS.
    pub key: u64,
}

#[derive(Default)]
pub(super) struct Meter(Mutex<State>);

#[derive(Default)]
struct State {
    units: Units,
    loads: BTreeMap<Partition, Load>,
}

impl Meter {
    pub(super) fn reset(&self) {
        *self.state() = State::default();
    }

    pub(super) fn read(&self) -> Units {
        self.state().units
    }

    pub(super) fn loads(&self) -> BTreeMap<Partition, Load> {
        self.state().loads.clone()
    }

    pub(super) fn table(&self, operation: &str, count: f64, shared: Vec<(Partition, f64)>) {
        let mut state = self.state();
        let reads = matches!(operation, "GetItem" | "BatchGetItem" | "Query" | "Scan");
        match reads {
            true => state.units.read += count,
            false => state.units.write += count,
        }
        for (partition, count) in shared {
            let load = state.loads.entry(partition).or_default();
            match reads {
                true => load.read += count,
                false => load.write += count,
            }
        }
    }

    /// One request, whose messages or whose answer's messages have so many bytes.
    pub(super) fn queue(&self, bytes: usize) {
        let requests = bytes.div_ceil(REQUEST_BYTES).max(1);
        self.state().units.queue += u64::try_from(requests).unwrap_or(u64::MAX);
    }

    pub(super) fn key(&self) {
        self.state().units.key += 1;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::Meter;

    #[test]
    fn a_request_counts_once_for_each_64_kilobytes_and_at_least_once() {
        for (bytes, requests) in [(0, 1), (1, 1), (65_536, 1), (65_537, 2), (1_048_576, 16)] {
            let meter = Meter::default();
            meter.queue(bytes);
            assert_eq!(meter.read().queue, requests, "{bytes}");
        }
    }
}
