//! The stock of telephone numbers.

use std::collections::BTreeMap;

use super::criterion::Criterion;
use super::geography::{PLACES, TOLL_FREE, is_toll_free, place_of, ten_digits};
use crate::sandbox::dice::Dice;

/// Numbers in all, generated and added. Every search goes through them.
pub const NUMBERS_MAX: usize = 20_000;

/// Numbers that are generated for an exchange.
const NUMBERS_PER_EXCHANGE: u64 = 60;

/// Exchanges of a toll-free area code. One of them can spell NEWCARS.
const TOLL_FREE_EXCHANGES: [&str; 2] = ["472", "639"];

/// The last four digits that every exchange has, so that a search for CARS finds some.
const VANITY_LINE: u64 = 2277;

/// Line numbers of an exchange: the last four digits.
const LINES: u64 = 10_000;

/// How a number stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Available,
    /// By an order that is still open.
    Ordered,
    InService,
}

/// All numbers, by their ten digits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    numbers: BTreeMap<String, Standing>,
}

impl Inventory {
    /// The same numbers for the same seed: some in every exchange, all available.
    pub fn generate(seed: u64) -> Inventory {
        let local = PLACES.iter().flat_map(|place| {
            place.exchanges.iter().map(|exchange| format!("{}{exchange}", place.area_code))
        });
        let toll_free = TOLL_FREE.iter().flat_map(|area_code| {
            TOLL_FREE_EXCHANGES.iter().map(move |exchange| format!("{area_code}{exchange}"))
        });
        let mut inventory = Inventory::default();
        let mut dice = Dice::new(seed);
        for exchange in local.chain(toll_free) {
            for line in lines(dice.next()) {
                inventory.numbers.insert(format!("{exchange}{line:04}"), Standing::Available);
            }
        }
        inventory
    }

    /// Puts new numbers into stock. Those that are known already stay as they are; what is no
    /// number, or in no area that is served, is left out. Gives back how many are new.
    pub fn add<'a>(&mut self, numbers: impl IntoIterator<Item = &'a str>) -> usize {
        let before = self.numbers.len();
        for number in numbers.into_iter().filter_map(ten_digits) {
            let served = is_toll_free(&number) || place_of(&number).is_some();
            if served && self.numbers.len() < NUMBERS_MAX {
                self.numbers.entry(number).or_insert(Standing::Available);
            }
        }
        self.numbers.len() - before
    }

    /// `None` for a number that was never in stock.
    pub fn standing(&self, number: &str) -> Option<Standing> {
        self.numbers.get(number).copied()
    }

    /// Numbers that match all criteria and can be had, the smallest first, and `most` of them.
    pub fn available(&self, criteria: &[Criterion], most: usize) -> Vec<&str> {
        self.numbers
            .iter()
            .filter(|(_, standing)| **standing == Standing::Available)
            .map(|(number, _)| number.as_str())
            .filter(|number| criteria.iter().all(|criterion| criterion.matches(number)))
            .take(most)
            .collect()
    }

    /// Gives available numbers to an order.
    pub fn take(&mut self, numbers: &[String]) {
        self.change(numbers, Standing::Available, Standing::Ordered);
    }

    /// Makes numbers available again that were taken for nothing.
    pub fn release(&mut self, numbers: &[String]) {
        self.change(numbers, Standing::Ordered, Standing::Available);
    }

    /// Says that the order which took these numbers has ended.
    pub fn put_in_service(&mut self, numbers: &[String]) {
        self.change(numbers, Standing::Ordered, Standing::InService);
    }

    /// Makes numbers available that were disconnected.
    pub fn put_back(&mut self, numbers: &[String]) {
        self.change(numbers, Standing::InService, Standing::Available);
    }

    fn change(&mut self, numbers: &[String], from: Standing, to: Standing) {
        for number in numbers {
            if let Some(standing) = self.numbers.get_mut(number).filter(|at| **at == from) {
                *standing = to;
            }
        }
    }
}

/// Line numbers of an exchange, all different but maybe for the one that spells something.
fn lines(draw: u64) -> impl Iterator<Item = u64> {
    // Has no divisor in common with the number of lines, so no line comes twice.
    let step = (draw >> 32) % LINES / 10 * 10 + 3;
    let scattered = (0..NUMBERS_PER_EXCHANGE).map(move |n| (draw % LINES + n * step) % LINES);
    scattered.chain([VANITY_LINE])
}

#[cfg(test)]
mod tests {
    use super::{Inventory, NUMBERS_MAX, NUMBERS_PER_EXCHANGE, Standing};
    use crate::sandbox::numbers::criterion::Criterion;

    fn starts(digits: &str) -> [Criterion; 1] {
        [Criterion::Starts(digits.into())]
    }

    #[test]
    fn a_seed_makes_one_inventory() {
        let inventory = Inventory::generate(7);
        assert_eq!(inventory, Inventory::generate(7));
        assert_ne!(inventory, Inventory::generate(8));
        for seed in 0..50 {
            let inventory = Inventory::generate(seed);
            let count = inventory.available(&[], NUMBERS_MAX).len();
            assert!((2_000..5_000).contains(&count), "{count}");
            for exchange in ["919439", "435752", "800639"] {
                let count = inventory.available(&starts(exchange), NUMBERS_MAX).len() as u64;
                let expected = NUMBERS_PER_EXCHANGE..=NUMBERS_PER_EXCHANGE + 1;
                assert!(expected.contains(&count), "seed {seed}, {exchange}: {count}");
            }
        }
    }

    #[test]
    fn every_seed_has_numbers_that_spell_something() {
        let inventory = Inventory::generate(1);
        let new_cars = [Criterion::TollFreeVanity("6392277".into())];
        assert_eq!(inventory.available(&new_cars, NUMBERS_MAX).len(), 7);
        let cars = Criterion::LocalVanity { digits: "2277".into(), ends_in: true };
        let local = [Criterion::Starts("617".into()), cars];
        let found = inventory.available(&local, NUMBERS_MAX);
        assert_eq!(found, ["6172622277", "6173542277", "6178592277"]);
        assert_eq!(inventory.available(&local, 2), ["6172622277", "6173542277"]);
    }

    #[test]
    fn criteria_are_all_to_hold() {
        let mut inventory = Inventory::default();
        inventory.add(["4043280001", "4042940001", "9194390001"]);
        let found = |criteria: &[Criterion]| inventory.available(criteria, NUMBERS_MAX).len();
        let rate_center = Criterion::RateCenter("ATLANTA NE".into());
        let city = Criterion::City("DECATUR".into());
        assert_eq!(found(std::slice::from_ref(&rate_center)), 2);
        assert_eq!(found(&[rate_center.clone(), city]), 1);
        assert_eq!(found(&[rate_center, Criterion::State("NC".into())]), 0);
        assert_eq!(found(&[]), 3);
    }

    #[test]
    fn a_number_goes_to_an_order_into_service_and_back() {
        let mut inventory = Inventory::default();
        let number = ["9194390001".to_owned()];
        inventory.add(["9194390001"]);
        for (step, standing) in [
            ("put back", Standing::Available),
            ("in service", Standing::Available),
            ("take", Standing::Ordered),
            ("release", Standing::Available),
            ("take", Standing::Ordered),
            ("put back", Standing::Ordered),
            ("in service", Standing::InService),
            ("take", Standing::InService),
            ("release", Standing::InService),
            ("put back", Standing::Available),
        ] {
            match step {
                "take" => inventory.take(&number),
                "release" => inventory.release(&number),
                "in service" => inventory.put_in_service(&number),
                _ => inventory.put_back(&number),
            }
            assert_eq!(inventory.standing(&number[0]), Some(standing), "{step}");
            let is_found = inventory.available(&[], NUMBERS_MAX).len() == 1;
            assert_eq!(is_found, standing == Standing::Available);
        }
        inventory.take(&["9194390002".into()]);
        assert_eq!(inventory.standing("9194390002"), None);
    }

    #[test]
    fn only_new_numbers_of_served_areas_come_into_stock() {
        let mut inventory = Inventory::default();
        assert_eq!(inventory.add(["9194390001", "+18005550100", "2025550100", "x"]), 2);
        inventory.take(&["9194390001".into()]);
        assert_eq!(inventory.add(["9194390001"]), 0);
        assert_eq!(inventory.standing("9194390001"), Some(Standing::Ordered));

        let many: Vec<_> = (0..NUMBERS_MAX).map(|n| format!("91920{n:05}")).collect();
        assert_eq!(inventory.add(many.iter().map(String::as_str)), NUMBERS_MAX - 2);
    }
}
