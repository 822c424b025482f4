//! What is counted: log lines of the target [`TARGET`], in which a field whose name begins with a capital is a
//! metric. One that ends in `Milliseconds` is a time; the others are counts, of which the sum matters.
//!
//! No field is a metric's dimension: a tenant or an order would be a metric of its own each, at a price each.
//! They are found in the log.

use domain::delivery::{Attempt, Delivery};
use domain::lane::Next;
use domain::ledger::Ledger;
use jiff::Timestamp;

/// Target of the lines that hold metrics.
pub const TARGET: &str = "relay::metrics";

/// A notification is in the table; `known` if it was there before.
pub(crate) fn accepted(known: bool) {
    match known {
        false => tracing::info!(target: TARGET, Accepted = 1_u64),
        true => tracing::info!(target: TARGET, Deduplicated = 1_u64),
    }
}

/// The inbox queue has a notification, as the table did not take it in time.
pub(crate) fn diverted() {
    tracing::info!(target: TARGET, Diverted = 1_u64);
}

/// Neither table nor inbox queue took a notification: it is lost, unless its sender repeats it.
pub(crate) fn refused() {
    tracing::info!(target: TARGET, Refused = 1_u64);
}

/// A body that is no notification is kept.
pub(crate) fn quarantined() {
    tracing::info!(target: TARGET, Quarantined = 1_u64);
}

/// So many messages or records of the stream could not be handled, and come again.
pub fn gave_back(count: usize) {
    if count > 0 {
        tracing::info!(target: TARGET, GivenBack = count as u64);
    }
}

/// An attempt was made; `next` is none for a probe that failed. The mean of `Failed` is the share that failed.
pub(crate) fn attempted(delivery: &Delivery, attempt: &Attempt, next: Option<Next>) {
    let succeeded = attempt.succeeded();
    let count = |is: bool| is.then_some(1_u64);
    tracing::info!(
        target: TARGET,
        Delivered = count(succeeded),
        Failed = u64::from(!succeeded),
        Retried = count(matches!(next, Some(Next::Retry { .. }))),
        Parked = count(matches!(next, Some(Next::Park { .. }))),
        Dead = count(matches!(next, Some(Next::Dead | Next::Halt))),
        AttemptMilliseconds = attempt.duration_ms,
        LagMilliseconds = lag(delivery, attempt).filter(|_| succeeded),
    );
}

/// A delivery was given up without an attempt: there is nobody to tell any more, or nothing.
pub(crate) fn gave_up() {
    tracing::info!(target: TARGET, Dead = 1_u64);
}

/// What became of all that was accepted on a day.
pub(crate) fn audited(from: Timestamp, ledger: &Ledger) {
    tracing::info!(
        target: TARGET,
        AuditDifference = ledger.difference(),
        day = %from.strftime("%F"),
        accepted = ledger.accepted,
        delivered = ledger.delivered,
        pending = ledger.pending,
        parked = ledger.parked,
        dead = ledger.dead,
        superseded = ledger.superseded,
        unmatched = ledger.unmatched,
        "audited a day"
    );
}

/// From when the order changed, as Bandwidth says, or from the arrival where it does not. What is made again
/// says nothing of that.
fn lag(delivery: &Delivery, attempt: &Attempt) -> Option<u64> {
    if delivery.is_revived() {
        return None;
    }
    let started = delivery.key.at().duration_until(attempt.at).as_millis();
    // Bandwidth's clock may be ahead of ours.
    Some(u64::try_from(started).unwrap_or_default() + attempt.duration_ms)
}

#[cfg(test)]
mod tests {
    use super::lag;
    use domain::delivery::{Attempt, Delivery, State};
    use domain::event::EventKey;
    use jiff::{SignedDuration, Timestamp};

    #[test]
    fn the_lag_is_from_the_change_to_the_end_of_the_attempt_in_milliseconds() {
        let changed: Timestamp = "2026-02-03T10:00:00Z".parse().unwrap();
        let attempt = |after: i64| Attempt {
            at: changed + SignedDuration::from_millis(after),
            duration_ms: 50,
            status: Some(200),
            error: None,
        };
        let delivery = Delivery {
            key: EventKey::new(changed, &"0".repeat(32)),
            tenant: "5500001".into(),
            upstream: "9900012".into(),
            state: State::Pending,
            behind: false,
            attempts_made: 0,
            attempts_before: 0,
            halted: false,
            revivals: 0,
            next_at: None,
            due_at: None,
            slot_at: None,
            finished_at: None,
            sequence: 1,
            last_sequence: 1,
            late: false,
            stateless: false,
        };
        assert_eq!(lag(&delivery, &attempt(1_500)), Some(1_550));
        assert_eq!(lag(&delivery, &attempt(-1_500)), Some(50), "a clock that is ahead");
        assert_eq!(lag(&Delivery { revivals: 1, ..delivery }, &attempt(1_500)), None);
    }
}
