//! What is noted of each message, and the figures that come of it.

use serde::Serialize;
use tokio::time::Instant;

/// What stands in a message, so that its deliveries are known again: this, and eight digits.
pub(crate) const MARKER: &str = "load-";
const MARKER_DIGITS: usize = 8;

/// What was noted of one message, in milliseconds since the run began.
#[derive(Debug, Clone, Default)]
struct Message {
    sent: f64,
    accepted: Option<f64>,
    delivered: Vec<f64>,
}

/// What was noted of one run.
#[derive(Debug)]
pub(crate) struct Notes {
    began: Instant,
    /// The number of its first message: no two runs have one in common.
    first: usize,
    messages: Vec<Message>,
    refused: usize,
    /// Deliveries of nothing that this run has sent: what comes late belongs to the one before.
    strange: usize,
}

/// Figures of one run. Times are in milliseconds.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    sent: usize,
    accepted: usize,
    refused: usize,
    /// Accepted, and not delivered as often as it should.
    missing: usize,
    /// Of each message at most as many as it should have.
    delivered: usize,
    strange: usize,
    /// From the first post to the last answer, and to the last delivery.
    accepted_ms: f64,
    delivered_ms: f64,
    accepted_per_second: f64,
    delivered_per_second: f64,
    /// From the post to its answer.
    answer: Spread,
    /// From the answer to a delivery; nought where the delivery came first.
    delivery: Spread,
    /// From the post to a delivery.
    whole: Spread,
}

#[derive(Debug, Default, Serialize)]
struct Spread {
    p50: f64,
    p99: f64,
    max: f64,
}

impl Default for Notes {
    fn default() -> Notes {
        Notes::new(0)
    }
}

impl Notes {
    pub(crate) fn new(first: usize) -> Notes {
        Notes { began: Instant::now(), first, messages: Vec::new(), refused: 0, strange: 0 }
    }

    pub(crate) fn count(&self) -> usize {
        self.messages.len()
    }

    /// The number of the next message.
    pub(crate) fn next(&self) -> usize {
        self.first + self.messages.len()
    }

    /// Answers the new message's number. At a given rate, messages a second, it counts from when it
    /// was due: a relay that is slow to answer delays what comes next.
    pub(crate) fn sent(&mut self, rate: Option<f64>) -> usize {
        let due = rate.map(|rate| (self.messages.len() + 1) as f64 * 1000.0 / rate);
        let sent = due.unwrap_or_else(|| self.passed());
        self.messages.push(Message { sent, ..Message::default() });
        self.next() - 1
    }

    pub(crate) fn answered(&mut self, number: usize, accepted: bool) {
        let at = self.passed();
        match self.messages.get_mut(number - self.first) {
            Some(message) if accepted => message.accepted = Some(at),
            _ => self.refused += 1,
        }
    }

    /// Notes a delivery by the marker in its body.
    pub(crate) fn delivered(&mut self, body: &[u8]) {
        let at = self.passed();
        let place = number_in(body).and_then(|number| number.checked_sub(self.first));
        match place.and_then(|place| self.messages.get_mut(place)) {
            Some(message) => message.delivered.push(at),
            None => self.strange += 1,
        }
    }

    /// Whether everything that was accepted has arrived as often as it should.
    pub(crate) fn is_complete(&self, fan_out: usize) -> bool {
        self.missing(fan_out) == 0
    }

    fn missing(&self, fan_out: usize) -> usize {
        let is_missing = |one: &&Message| one.accepted.is_some() && one.delivered.len() < fan_out;
        self.messages.iter().filter(is_missing).count()
    }

    pub(crate) fn figures(&self, fan_out: usize) -> Figures {
        let accepted: Vec<&Message> =
            self.messages.iter().filter(|one| one.accepted.is_some()).collect();
        let delivered: usize =
            self.messages.iter().map(|one| one.delivered.len().min(fan_out)).sum();
        let first = self.messages.first().map_or(0.0, |one| one.sent);
        let accepted_ms = last(accepted.iter().filter_map(|one| one.accepted)) - first;
        let delivered_ms =
            last(self.messages.iter().flat_map(|one| one.delivered.iter().copied())) - first;
        let answers = accepted.iter().filter_map(|one| Some(one.accepted? - one.sent));
        let since = |from: fn(&Message) -> f64| {
            let taken = move |one: &&Message| {
                let (began, arrived) = (from(one), one.delivered.clone());
                arrived.into_iter().map(move |at| (at - began).max(0.0))
            };
            Spread::of(accepted.iter().flat_map(taken))
        };
        Figures {
            sent: self.messages.len(),
            accepted: accepted.len(),
            refused: self.refused,
            missing: self.missing(fan_out),
            delivered,
            strange: self.strange,
            accepted_ms,
            delivered_ms,
            accepted_per_second: per_second(accepted.len(), accepted_ms),
            delivered_per_second: per_second(delivered, delivered_ms),
            answer: Spread::of(answers),
            delivery: since(|one| one.accepted.unwrap_or(one.sent)),
            whole: since(|one| one.sent),
        }
    }

    fn passed(&self) -> f64 {
        self.began.elapsed().as_secs_f64() * 1000.0
    }
}

impl Spread {
    fn of(times: impl Iterator<Item = f64>) -> Spread {
        let mut times: Vec<f64> = times.collect();
        times.sort_by(f64::total_cmp);
        let share = |part: usize| times.get((times.len() * part / 100).min(times.len().max(1) - 1));
        let at = |part| share(part).copied().unwrap_or_default();
        Spread { p50: at(50), p99: at(99), max: at(100) }
    }
}

fn last(times: impl Iterator<Item = f64>) -> f64 {
    times.fold(0.0, f64::max)
}

fn per_second(count: usize, millis: f64) -> f64 {
    if millis > 0.0 { count as f64 * 1000.0 / millis } else { 0.0 }
}

/// What stands for `{n}` in a message.
pub(crate) fn marker(number: usize) -> String {
    format!("{MARKER}{number:08}")
}

fn number_in(body: &[u8]) -> Option<usize> {
    let at = body.windows(MARKER.len()).position(|here| here == MARKER.as_bytes())?;
    let digits = body.get(at + MARKER.len()..)?.get(..MARKER_DIGITS)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Notes, Spread, marker, number_in};

    #[test]
    fn a_marker_is_found_again() {
        let body = format!("<a>{}</a>", marker(4711));
        assert_eq!(number_in(body.as_bytes()), Some(4711));
        for body in ["", "load-", "load-12", "load-1234567x"] {
            assert_eq!(number_in(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn a_spread_is_of_the_times_in_order() {
        let spread = Spread::of((1..=200).rev().map(f64::from));
        assert_eq!((spread.p50, spread.p99, spread.max), (101.0, 199.0, 200.0));
        let none = Spread::of(std::iter::empty());
        assert_eq!((none.p50, none.max), (0.0, 0.0));
    }

    #[test]
    fn a_run_is_complete_when_all_that_was_accepted_has_arrived_and_a_repeat_is_none_of_it() {
        let mut notes = Notes::new(7);
        let (first, second) = (notes.sent(None), notes.sent(None));
        notes.answered(first, true);
        notes.answered(second, false);
        assert!(!notes.is_complete(1));
        notes.delivered(marker(first).as_bytes());
        assert!(notes.is_complete(1) && !notes.is_complete(2));
        notes.delivered(marker(first).as_bytes());
        notes.delivered(b"something else");
        let figures = notes.figures(1);
        assert_eq!((figures.sent, figures.accepted, figures.refused), (2, 1, 1));
        assert_eq!((figures.delivered, figures.strange, figures.missing), (1, 1, 0));
        assert_eq!((first, notes.next()), (7, 9));
    }
}
