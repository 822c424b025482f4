//! Chance, out of a seed.

use jiff::SignedDuration;

/// Throws the same for the same seed (SplitMix64).
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// True in so many cases out of a hundred.
    pub(crate) fn percent(&mut self, percent: u8) -> bool {
        self.next() % 100 < u64::from(percent)
    }

    /// From nothing to `max`, in milliseconds.
    pub(crate) fn up_to(&mut self, max: SignedDuration) -> SignedDuration {
        let max_ms = u64::try_from(max.as_millis()).unwrap_or_default();
        let ms = self.next() % (max_ms + 1);
        SignedDuration::from_millis(i64::try_from(ms).unwrap_or_default())
    }

    /// A UUID of version 4.
    pub(crate) fn uuid(&mut self) -> String {
        let (high, low) = (self.next(), self.next());
        let (a, b, c) = (high >> 32, (high >> 16) & 0xFFFF, high & 0xFFF);
        let (d, e) = ((low >> 48) & 0x3FFF | 0x8000, low & 0xFFFF_FFFF_FFFF);
        format!("{a:08x}-{b:04x}-4{c:03x}-{d:04x}-{e:012x}")
    }
}

#[cfg(test)]
mod tests {
    use super::Dice;

    #[test]
    fn the_same_seed_throws_the_same() {
        let throw = |seed| {
            let mut dice = Dice::new(seed);
            (0..3).map(|_| dice.uuid()).collect::<Vec<_>>()
        };
        assert_eq!(throw(1), throw(1));
        assert_ne!(throw(1), throw(2));
    }

    #[test]
    fn a_percentage_is_met() {
        let mut dice = Dice::new(1);
        let hits = (0..10_000).filter(|_| dice.percent(5)).count();
        assert!((400..600).contains(&hits), "{hits}");
        assert!(!(0..100).any(|_| dice.percent(0)));
        assert!((0..100).all(|_| dice.percent(100)));
    }
}
