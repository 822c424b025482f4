//! What is to happen when.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// Something that happens of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Due {
    /// The next step of an order's script, as long as the script is still the `version` it was.
    Step { order: usize, version: u32 },
    /// A notification is POSTed.
    Send { delivery: usize },
    /// The day's mails to one address become one.
    Digest { subscription: String },
}

/// What is due, by time. Of what is due at one time, what was put first comes first.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    entries: BTreeMap<(Timestamp, u64), Due>,
    put: u64,
}

impl Agenda {
    pub(crate) fn put(&mut self, at: Timestamp, due: Due) {
        self.put += 1;
        self.entries.insert((at, self.put), due);
    }

    /// When the next is due.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.entries.keys().next().map(|(at, _)| *at)
    }

    /// Takes the next that is due at `now`, with the time at which it was.
    pub(crate) fn take(&mut self, now: Timestamp) -> Option<(Timestamp, Due)> {
        self.next().filter(|at| *at <= now)?;
        self.entries.pop_first().map(|((at, _), due)| (at, due))
    }

    /// Strikes a delivery that has not been sent yet.
    pub(crate) fn strike(&mut self, delivery: usize) {
        self.entries.retain(|_, due| *due != Due::Send { delivery });
    }
}

#[cfg(test)]
mod tests {
    use super::{Agenda, Due};
    use jiff::{SignedDuration, Timestamp};

    #[test]
    fn the_earlier_comes_first_and_of_one_time_what_was_put_first() {
        let at = |seconds| Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds);
        let mut agenda = Agenda::default();
        for (seconds, delivery) in [(2, 0), (1, 1), (2, 2), (9, 3), (1, 4)] {
            agenda.put(at(seconds), Due::Send { delivery });
        }
        agenda.strike(4);
        let taken: Vec<_> = std::iter::from_fn(|| agenda.take(at(5))).collect();
        let send = |seconds, delivery| (at(seconds), Due::Send { delivery });
        assert_eq!(taken, [send(1, 1), send(2, 0), send(2, 2)]);
        assert_eq!(agenda.next(), Some(at(9)));
    }
}
