//! When a failed delivery is tried again.

use jiff::{SignedDuration, Timestamp};

/// Wait after the n-th failed attempt: 13 attempts over just more than three days.
///
/// Seconds first, for a deploy or a dropped connection; then hours, so that a long weekend is
/// outlasted without thousands of requests.
pub const WAITS: [SignedDuration; 12] = [
    SignedDuration::from_secs(5),
    SignedDuration::from_secs(30),
    SignedDuration::from_mins(2),
    SignedDuration::from_mins(10),
    SignedDuration::from_mins(30),
    SignedDuration::from_hours(1),
    SignedDuration::from_hours(2),
    SignedDuration::from_hours(4),
    SignedDuration::from_hours(8),
    SignedDuration::from_hours(12),
    SignedDuration::from_hours(24),
    SignedDuration::from_hours(24),
];

/// Each wait is drawn from this share around its plan, so that the deliveries that failed together
/// do not come back together.
const JITTER: f64 = 0.2;

/// An endpoint that asks for a pause is given this much at most.
pub const RETRY_AFTER_MAX: SignedDuration = SignedDuration::from_hours(12);

/// What a `Retry-After` asks for, which is a number of seconds or a date (RFC 9110, 10.2.3).
pub fn asked_for(retry_after: &str, now: Timestamp) -> Option<SignedDuration> {
    let retry_after = retry_after.trim();
    let wait = match retry_after.parse::<u32>() {
        Ok(seconds) => SignedDuration::from_secs(seconds.into()),
        Err(_) => {
            let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(retry_after).ok()?;
            now.duration_until(at)
        }
    };
    Some(wait.clamp(SignedDuration::ZERO, RETRY_AFTER_MAX))
}

/// The wait after attempt number `attempts_made` failed; `None` when it was the last one.
///
/// `draw` is uniform in `0.0..1.0`.
pub fn wait(waits: &[SignedDuration], attempts_made: u32, draw: f64) -> Option<SignedDuration> {
    let planned = waits.get(usize::try_from(attempts_made).ok()?.checked_sub(1)?)?;
    Some(planned.mul_f64(1.0 - JITTER + 2.0 * JITTER * draw))
}

#[cfg(test)]
mod tests {
    use super::{WAITS, asked_for, wait};
    use jiff::SignedDuration;

    #[test]
    fn the_default_schedule_spans_just_more_than_three_days() {
        let total: SignedDuration =
            WAITS.iter().fold(SignedDuration::ZERO, |sum, wait| sum + *wait);
        assert!(total > SignedDuration::from_hours(72) && total < SignedDuration::from_hours(80));
    }

    #[test]
    fn each_wait_is_within_a_fifth_of_its_plan_and_the_last_attempt_has_none() {
        for (n, planned) in (1..).zip(WAITS) {
            assert_eq!(wait(&WAITS, n, 0.0), Some(planned.mul_f64(0.8)));
            assert_eq!(wait(&WAITS, n, 0.5), Some(planned));
            assert!(wait(&WAITS, n, 0.999).unwrap() < planned.mul_f64(1.2));
        }
        assert_eq!(wait(&WAITS, 13, 0.5), None);
        assert_eq!(wait(&[], 1, 0.5), None);
    }

    #[test]
    fn a_pause_is_asked_for_in_seconds_or_as_a_date() {
        let now = "2026-02-03T10:00:00Z".parse().unwrap();
        let check = |asked: &str, seconds: Option<i64>| {
            assert_eq!(asked_for(asked, now), seconds.map(SignedDuration::from_secs), "{asked}");
        };
        check("120", Some(120));
        check(" 0 ", Some(0));
        check("Tue, 03 Feb 2026 10:05:00 GMT", Some(300));
        check("Tue, 03 Feb 2026 09:00:00 GMT", Some(0));
        check("4000000", Some(12 * 3600));
        check("Wed, 03 Feb 2027 10:00:00 GMT", Some(12 * 3600));
        for nonsense in ["", "soon", "-5", "1.5", "99999999999"] {
            check(nonsense, None);
        }
    }
}
