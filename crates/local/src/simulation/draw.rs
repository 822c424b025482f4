//! Chance, all of it from the seed.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use jiff::SignedDuration;

/// SplitMix64. Clones draw from one sequence.
#[derive(Clone, Debug)]
pub(super) struct Draw(Arc<AtomicU64>);

const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

impl Draw {
    pub(super) fn new(seed: u64) -> Draw {
        Draw(Arc::new(AtomicU64::new(seed)))
    }

    /// Uniform in `0.0..1.0`.
    pub(super) fn unit(&self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(super) fn chance(&self, probability: f64) -> bool {
        probability > 0.0 && self.unit() < probability
    }

    /// A number within a range that is not empty.
    pub(super) fn within(&self, range: Range<usize>) -> usize {
        range.start + (self.next() % (range.end - range.start) as u64) as usize
    }

    pub(super) fn pick<'a, T>(&self, among: &'a [T]) -> &'a T {
        &among[self.within(0..among.len())]
    }

    /// A time of so many seconds, with milliseconds.
    pub(super) fn seconds(&self, range: Range<usize>) -> SignedDuration {
        let millis = self.within(range.start * 1000..range.end * 1000);
        SignedDuration::from_millis(millis as i64)
    }

    fn next(&self) -> u64 {
        let state = self.0.fetch_add(STEP, Relaxed).wrapping_add(STEP);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}
