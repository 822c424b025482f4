//! Real time, or time that a test moves.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

/// Tells the time and waits for it. Clones are one clock.
#[derive(Clone, Debug)]
pub struct Clock(Kind);

#[derive(Clone, Debug)]
enum Kind {
    System,
    Manual(Arc<Manual>),
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

    #[expect(clippy::disallowed_methods, reason = "this is a clock")]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Kind::System => Timestamp::now(),
            Kind::Manual(manual) => *manual.now.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Moves a manual clock on. The system's goes by itself.
    pub fn advance(&self, by: SignedDuration) {
        self.advance_to(self.now() + by);
    }

    /// Moves a manual clock on to `at`; never back.
    pub fn advance_to(&self, at: Timestamp) {
        if let Kind::Manual(manual) = &self.0 {
            let mut now = manual.now.lock().unwrap_or_else(PoisonError::into_inner);
            *now = at.max(*now);
            manual.moved.notify_waiters();
        }
    }

    /// Waits until it is `at`.
    #[expect(clippy::disallowed_methods, reason = "this is a clock")]
    pub(crate) async fn until(&self, at: Timestamp) {
        match &self.0 {
            Kind::System => {
                let rest = self.now().duration_until(at);
                tokio::time::sleep(Duration::try_from(rest).unwrap_or_default()).await;
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
