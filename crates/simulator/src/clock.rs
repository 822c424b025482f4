//! Real time, time that a test moves, or time that goes by quickly.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

/// Tells the time and waits for it. Clones are one clock.
#[derive(Clone, Debug)]
pub struct Clock(Kind);

#[derive(Clone, Debug)]
enum Kind {
    System,
    Manual(Arc<Manual>),
    Fast(Fast),
}

/// Real time since it began, so many times over.
#[derive(Clone, Debug)]
struct Fast {
    start: Timestamp,
    began: Instant,
    factor: u32,
}

#[derive(Debug)]
struct Manual {
    now: Mutex<Timestamp>,
    moved: Notify,
}

impl Clock {
    pub fn system() -> Clock {
        Clock(Kind::System)
    }

    /// Stands at `start` until it is moved.
    pub fn manual(start: Timestamp) -> Clock {
        Clock(Kind::Manual(Arc::new(Manual { now: Mutex::new(start), moved: Notify::new() })))
    }

    /// Begins now, and goes `factor` times as fast as the system's.
    pub fn fast(factor: u32) -> Clock {
        let start = Clock::system().now();
        Clock(Kind::Fast(Fast { start, began: Instant::now(), factor }))
    }

    #[expect(clippy::disallowed_methods, reason = "this is a clock")]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Kind::System => Timestamp::now(),
            Kind::Manual(manual) => *manual.now.lock().unwrap_or_else(PoisonError::into_inner),
            Kind::Fast(fast) => {
                let passed = fast.began.elapsed().saturating_mul(fast.factor);
                fast.start.checked_add(passed).unwrap_or(Timestamp::MAX)
            }
        }
    }

    /// Moves a manual clock on; never back. The others go by themselves.
    pub fn advance(&self, by: SignedDuration) {
        self.move_to(|now| now + by);
    }

    /// Moves a manual clock on to `at`; never back.
    pub fn advance_to(&self, at: Timestamp) {
        self.move_to(|_| at);
    }

    fn move_to(&self, at: impl FnOnce(Timestamp) -> Timestamp) {
        if let Kind::Manual(manual) = &self.0 {
            let mut now = manual.now.lock().unwrap_or_else(PoisonError::into_inner);
            *now = at(*now).max(*now);
            manual.moved.notify_waiters();
        }
    }

    pub(crate) fn is_system(&self) -> bool {
        matches!(self.0, Kind::System)
    }

    pub(crate) fn is_manual(&self) -> bool {
        matches!(self.0, Kind::Manual(_))
    }

    /// Waits until it is `at`.
    #[expect(clippy::disallowed_methods, reason = "this is a clock")]
    pub(crate) async fn until(&self, at: Timestamp) {
        match &self.0 {
            Kind::System => {
                let rest = self.now().duration_until(at);
                tokio::time::sleep(Duration::try_from(rest).unwrap_or_default()).await;
            }
            Kind::Fast(fast) => {
                let rest = Duration::try_from(self.now().duration_until(at)).unwrap_or_default();
                // Rounded up: it must not be early.
                let rest = rest / fast.factor.max(1) + Duration::from_millis(1);
                tokio::time::sleep(rest).await;
            }
            Kind::Manual(manual) => loop {
                let moved = manual.moved.notified();
                if self.now() >= at {
                    return;
                }
                moved.await;
            },
        }
    }
}

/// The database in memory goes by it.
impl dynoxide::storage_backend::Clock for Clock {
    fn now_unix_secs(&self) -> u64 {
        u64::try_from(self.now().as_second()).unwrap_or_default()
    }

    fn now_unix_secs_f64(&self) -> f64 {
        self.now().as_duration().as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::Clock;
    use jiff::{SignedDuration, Timestamp};

    #[test]
    fn a_manual_clock_stands_still_and_never_goes_back() {
        let start = Timestamp::UNIX_EPOCH;
        let clock = Clock::manual(start);
        let same = clock.clone();
        same.advance(SignedDuration::from_secs(5));
        clock.advance(SignedDuration::from_secs(-3));
        clock.advance_to(start);
        assert_eq!(clock.now(), start + SignedDuration::from_secs(5));
    }

    #[test]
    fn the_clock_of_the_system_cannot_be_moved() {
        let clock = Clock::system();
        clock.advance(SignedDuration::from_hours(24));
        assert!(clock.now() < Clock::system().now() + SignedDuration::from_hours(1));
    }

    #[tokio::test]
    async fn a_fast_clock_goes_at_its_factor() {
        let fast = Clock::fast(1_000_000);
        let later = fast.now() + SignedDuration::from_hours(1);
        fast.until(later).await;
        assert!(fast.now() >= later);
        assert!(Clock::system().now() < later);
    }
}
