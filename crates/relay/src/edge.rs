//! Time and chance come in here, and only here, so that a run can be replayed.

use std::sync::Arc;

use jiff::Timestamp;

/// Tells the time.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the system")]
    pub fn system() -> Clock {
        Clock(Arc::new(Timestamp::now))
    }

    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Clock {
        Clock(Arc::new(now))
    }

    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

/// Draws numbers, uniform in `0.0..1.0`.
#[derive(Clone)]
pub struct Dice(Arc<dyn Fn() -> f64 + Send + Sync>);

impl Dice {
    pub fn system() -> Dice {
        Dice(Arc::new(|| {
            // Without entropy every draw is the middle: waits then lose their jitter, no more.
            getrandom::u32().map_or(0.5, |drawn| f64::from(drawn) / (f64::from(u32::MAX) + 1.0))
        }))
    }

    pub fn new(draw: impl Fn() -> f64 + Send + Sync + 'static) -> Dice {
        Dice(Arc::new(draw))
    }

    pub fn draw(&self) -> f64 {
        (self.0)()
    }
}
