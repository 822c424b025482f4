//! How an endpoint is doing, and what follows for what is to be delivered to it.
//!
//! An endpoint that answers slowly or fails is served from a queue of its own kind, so that it takes
//! no place from the others. When it has failed often enough its breaker opens: then one probe now
//! and again is all it gets, and its deliveries wait without being tried.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Failures in a row that open the breaker.
pub const OPEN_AFTER: u32 = 10;

/// While the breaker is open, one attempt is made in this time.
pub const PROBE_EVERY: SignedDuration = SignedDuration::from_secs(30);

/// An endpoint that takes longer than this is slow.
pub const SLOW: SignedDuration = SignedDuration::from_secs(2);

/// An endpoint ails for this long after it was slow or failed, whatever else it answers meanwhile: one
/// that hangs now and then would otherwise be well again after each quick answer.
pub const AILS_FOR: SignedDuration = SignedDuration::from_mins(5);

/// An endpoint without one success for this long is disabled.
pub const DISABLE_AFTER: SignedDuration = SignedDuration::from_hours(5 * 24);

/// Fewer failures than this in those days say nothing: where hardly anything is delivered, one that
/// was long ago and one of just now are in a row.
pub const DISABLE_FAILURES_MIN: u32 = 3;

/// What is known of an endpoint. The default is a good one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Health {
    /// Attempts in a row that failed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failures: u32,
    /// When the first of them was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// It has failed or taken long of late, and ails until this time. Epoch milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ails_until_ms: Option<i64>,
    /// Since when the breaker is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_since: Option<Timestamp>,
    /// While it is open: no attempt before this time. Epoch milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe_at_ms: Option<i64>,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// What may be done about a delivery to an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    Post,
    /// Only from the queue for those that ail.
    Move,
    /// Whoever claims the probe makes it; all others rest.
    Probe,
    /// It is laid aside until the endpoint recovers.
    Rest,
}

/// Decides what may be done now; `aside` says that the wake came by the queue for those that ail.
pub fn gate(health: &Health, aside: bool, now: Timestamp) -> Gate {
    let probe_is_due = health.probe_at_ms.is_none_or(|at| at <= now.as_millisecond());
    match health.open_since {
        Some(_) if !probe_is_due => Gate::Rest,
        Some(_) if aside => Gate::Probe,
        None if aside || !health.ails(now) => Gate::Post,
        _ => Gate::Move,
    }
}

impl Health {
    pub fn ails(&self, now: Timestamp) -> bool {
        self.ails_until_ms.is_some_and(|until| now.as_millisecond() < until)
    }

    /// Whether the breaker is to be opened now.
    pub fn opens(&self) -> bool {
        self.failures >= OPEN_AFTER && self.open_since.is_none()
    }

    /// Whether the endpoint has had no success for so long that it is given up.
    pub fn is_given_up(&self, now: Timestamp) -> bool {
        self.failures >= DISABLE_FAILURES_MIN
            && self.failing_since.is_some_and(|since| since.duration_until(now) >= DISABLE_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::{DISABLE_AFTER, Gate, Health, OPEN_AFTER, gate};
    use jiff::{SignedDuration, Timestamp};

    fn now() -> Timestamp {
        "2026-02-03T10:00:00Z".parse().unwrap()
    }

    #[test]
    fn only_a_good_endpoint_is_served_from_the_common_queue() {
        let check = |health: &Health, common: Gate, aside: Gate| {
            assert_eq!((gate(health, false, now()), gate(health, true, now())), (common, aside));
        };
        check(&Health::default(), Gate::Post, Gate::Post);
        let at = now().as_millisecond();
        let ailing = Health { ails_until_ms: Some(at + 1), ..Health::default() };
        check(&ailing, Gate::Move, Gate::Post);
        let well_again = Health { ails_until_ms: Some(at), ..Health::default() };
        check(&well_again, Gate::Post, Gate::Post);
        let open = Health { open_since: Some(now()), ..ailing };
        check(&Health { probe_at_ms: Some(at + 1), ..open.clone() }, Gate::Rest, Gate::Rest);
        check(&Health { probe_at_ms: Some(at), ..open }, Gate::Move, Gate::Probe);
    }

    #[test]
    fn a_breaker_opens_once_and_an_endpoint_is_given_up_after_days() {
        let health = |failures, open_since| Health {
            failures,
            open_since,
            failing_since: Some(now()),
            ..Health::default()
        };
        assert!(!health(OPEN_AFTER - 1, None).opens() && health(OPEN_AFTER, None).opens());
        assert!(!health(OPEN_AFTER + 1, Some(now())).opens());
        let last = now() + DISABLE_AFTER;
        assert!(!health(50, None).is_given_up(last - SignedDuration::from_millis(1)));
        assert!(health(50, None).is_given_up(last));
        assert!(health(3, None).is_given_up(last) && !health(2, None).is_given_up(last));
        assert!(!Health::default().is_given_up(last));
    }
}
