//! What happened: a hash of all of it, and the last of it in words.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// Lines that are shown when something breaks.
const SHOWN: usize = 30;

#[derive(Default)]
pub(super) struct Journal {
    hash: DefaultHasher,
    last: VecDeque<String>,
}

impl Journal {
    /// Notes a step. `whole` is what counts for the hash beyond the line that is shown.
    pub(super) fn note(&mut self, line: String, whole: &str) {
        (&line, whole).hash(&mut self.hash);
        if self.last.len() == SHOWN {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash.finish()
    }

    pub(super) fn last(&self) -> Vec<String> {
        self.last.iter().cloned().collect()
    }
}
