//! The table's stream of new items.
//!
//! The embedded database has streams of its own, but each write there searches all records of the
//! table. Here the new image is taken as it passes by. Which puts create an item is known from
//! their condition: the items that are watched are put with `attribute_not_exists` only, and have
//! the keys `pk` and `sk`. A put without that condition makes no record.
//!
//! In a folder, what is about to be put is written down before it is put. A kill between the two
//! leaves a line whose item is missing, which is skipped at the next start; it never leaves an item
//! without a line. What was finished just before a kill may be given again, as may an item that a
//! second put did not replace: whoever reads a stream has to bear both.

use std::collections::{HashSet, VecDeque};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::journal::Journal;
use super::table::key_of;

/// A journal of finished records longer than this starts anew. A start reads all of it, 10 ms for as many.
const JOURNAL_LINES_MAX: usize = 2_000;

/// A new item.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Rising, with gaps.
    pub sequence: u64,
    /// In DynamoDB's JSON.
    pub image: Value,
}

/// A record as it is kept: read, its image takes several times the memory, and there may be thousands.
#[derive(Debug, Clone)]
struct Waiting {
    sequence: u64,
    image: String,
}

/// The stream, as its poller sees it.
#[derive(Debug, Default)]
pub struct Stream {
    state: Mutex<State>,
    arrived: Notify,
}

#[derive(Debug, Default)]
pub(super) struct State {
    /// An attribute, and what its values start with.
    watched: Option<(String, Vec<String>)>,
    waiting: VecDeque<Waiting>,
    last: u64,
    finished: u64,
    journal: Option<Journal>,
}

impl Stream {
    pub(super) fn in_folder(
        folder: &Path,
        read: impl Fn(&Value, &Value) -> Option<Value>,
    ) -> std::io::Result<Stream> {
        let (journal, lines) = Journal::open(&folder.join("stream"))?;
        let finished = lines.iter().filter_map(|line| line["finished"].as_u64()).max().unwrap_or(0);
        let mut seen = HashSet::new();
        let mut state =
            State { finished, last: finished, journal: Some(journal), ..State::default() };
        for line in &lines {
            let Some(sequence) = line["put"].as_u64() else { continue };
            state.last = state.last.max(sequence);
            if sequence <= finished || !seen.insert(line["key"].to_string()) {
                continue;
            }
            if let Some(image) = read(&line["table"], &line["key"]) {
                state.waiting.push_back(Waiting { sequence, image: image.to_string() });
            }
        }
        Ok(Stream { state: Mutex::new(state), arrived: Notify::new() })
    }

    /// The oldest records that are not finished, without taking them away.
    #[inline(never)] // infra/bench/own.py counts what is below it.
    pub fn batch(&self, max: usize) -> Vec<Record> {
        let waiting: Vec<Waiting> = self.state().waiting.iter().take(max).cloned().collect();
        waiting.iter().map(Waiting::read).collect()
    }

    /// The sequence of the oldest record that is not finished.
    pub fn first(&self) -> Option<u64> {
        self.state().waiting.front().map(|record| record.sequence)
    }

    /// All records up to and including this one have been dealt with.
    #[inline(never)] // infra/bench/own.py counts what is below it.
    pub fn finish(&self, through: u64) {
        let mut state = self.state();
        if through <= state.finished {
            return;
        }
        state.finished = through;
        while state.waiting.front().is_some_and(|record| record.sequence <= through) {
            state.waiting.pop_front();
        }
        let line = json!({ "finished": through });
        let all_done = state.waiting.is_empty();
        if let Some(journal) = &mut state.journal {
            // A line that is lost makes records come again, which is harmless.
            let _ = match all_done && journal.lines() > JOURNAL_LINES_MAX {
                true => journal.replace([line].into_iter()),
                false => journal.append(&line),
            };
        }
    }

    /// Waits until there is something to do.
    pub async fn ready(&self) {
        loop {
            let arrived = self.arrived.notified();
            if !self.state().waiting.is_empty() {
                return;
            }
            arrived.await;
        }
    }

    pub(super) fn watch(&self, attribute: &str, prefixes: &[&str]) {
        let prefixes = prefixes.iter().map(|prefix| (*prefix).to_owned()).collect();
        self.state().watched = Some((attribute.into(), prefixes));
    }

    /// Whether something in a request may be watched. That is for sure only when it has been read, which
    /// takes far longer.
    pub(super) fn may_watch(&self, body: &str) -> bool {
        let state = self.state();
        let Some((_, prefixes)) = &state.watched else { return false };
        prefixes.iter().any(|prefix| body.contains(prefix.as_str()))
    }

    /// Applies puts, and takes the items that are watched and did not stand there before. Records
    /// stand in the order in which their puts were applied, because only one is applied at a time.
    pub(super) fn taking<T, E>(
        &self,
        mut puts: Vec<&Value>,
        stands: impl Fn(&Value) -> bool,
        apply: impl FnOnce() -> Result<T, E>,
    ) -> std::io::Result<Result<T, E>> {
        let mut state = self.state();
        puts.retain(|put| state.watches(&put["Item"]) && !stands(put));
        if puts.is_empty() {
            drop(state);
            return Ok(apply());
        }
        let mut records = Vec::new();
        for put in puts {
            state.last += 1;
            let (sequence, image) = (state.last, &put["Item"]);
            if let Some(journal) = &mut state.journal {
                let (table, key) = (&put["TableName"], key_of(image));
                journal.append(&json!({ "put": sequence, "table": table, "key": key }))?;
            }
            records.push(Waiting { sequence, image: image.to_string() });
        }
        let applied = apply();
        if applied.is_ok() {
            state.waiting.extend(records);
            self.arrived.notify_waiters();
        }
        Ok(applied)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn read(&self) -> Record {
        // It was written from a value.
        let image = serde_json::from_str(&self.image).unwrap_or_default();
        Record { sequence: self.sequence, image }
    }
}

impl State {
    fn watches(&self, item: &Value) -> bool {
        self.watched.as_ref().is_some_and(|(attribute, prefixes)| {
            let value = item[attribute]["S"].as_str().unwrap_or_default();
            prefixes.iter().any(|prefix| value.starts_with(prefix.as_str()))
        })
    }
}
