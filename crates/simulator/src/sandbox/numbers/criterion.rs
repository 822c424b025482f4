//! What numbers are searched for by.

use super::geography::{PLACES, Place, TOLL_FREE, is_toll_free, place_of};

/// One property of a number. Whoever gives several wants all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Criterion {
    /// An area code, NPA-NXX or NPA-NXX-X: 3, 6 or 7 digits. Not toll-free.
    Starts(String),
    /// Upper case, as are city and state.
    RateCenter(String),
    City(String),
    State(String),
    /// Five digits.
    Zip(String),
    Lata(String),
    /// 4 to 7 digits within the last seven.
    LocalVanity {
        digits: String,
        ends_in: bool,
    },
    TollFreeVanity(String),
    /// Three characters, digits and `*`, of which the first is 8.
    TollFreeWildCard(String),
}

impl Criterion {
    pub fn matches(&self, number: &str) -> bool {
        match self {
            Criterion::Starts(digits) => number.starts_with(digits.as_str()),
            Criterion::LocalVanity { digits, ends_in: true } => {
                !is_toll_free(number) && number.ends_with(digits.as_str())
            }
            Criterion::LocalVanity { digits, ends_in: false } => {
                !is_toll_free(number) && last_seven(number).contains(digits.as_str())
            }
            Criterion::TollFreeVanity(digits) => {
                is_toll_free(number) && last_seven(number).contains(digits.as_str())
            }
            Criterion::TollFreeWildCard(pattern) => {
                is_toll_free(number)
                    && pattern.chars().zip(number.chars()).all(|(p, digit)| p == '*' || p == digit)
            }
            _ => place_of(number).is_some_and(|place| self.is_at(place)),
        }
    }

    /// Whether there is a place, or a toll-free area code, where such numbers could be.
    pub fn is_served(&self) -> bool {
        match self {
            Criterion::TollFreeWildCard(_) => {
                TOLL_FREE.iter().any(|area_code| self.matches(area_code))
            }
            Criterion::LocalVanity { .. } | Criterion::TollFreeVanity(_) => true,
            _ => PLACES.iter().any(|place| self.is_at(place)),
        }
    }

    fn is_at(&self, place: &Place) -> bool {
        match self {
            Criterion::Starts(digits) => digits.starts_with(place.area_code),
            Criterion::RateCenter(name) => place.rate_center == name,
            Criterion::City(name) => place.city == name,
            Criterion::State(name) => place.state == name,
            Criterion::Zip(zip) => place.zips.contains(&zip.as_str()),
            Criterion::Lata(lata) => place.lata == lata,
            Criterion::LocalVanity { .. } => true,
            Criterion::TollFreeVanity(_) | Criterion::TollFreeWildCard(_) => false,
        }
    }
}

fn last_seven(number: &str) -> &str {
    number.get(3..).unwrap_or_default()
}

/// The digits on a keypad for 4 to 7 letters and digits.
pub fn keypad(vanity: &str) -> Option<String> {
    let digits: Option<String> = vanity.chars().map(key).collect();
    digits.filter(|digits| (4..=7).contains(&digits.len()))
}

fn key(c: char) -> Option<char> {
    Some(match c.to_ascii_uppercase() {
        'A'..='C' => '2',
        'D'..='F' => '3',
        'G'..='I' => '4',
        'J'..='L' => '5',
        'M'..='O' => '6',
        'P'..='S' => '7',
        'T'..='V' => '8',
        'W'..='Z' => '9',
        digit @ '0'..='9' => digit,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{Criterion, keypad};

    #[track_caller]
    fn check(criterion: &Criterion, number: &str, expected: bool) {
        assert_eq!(criterion.matches(number), expected, "{criterion:?} {number}");
    }

    #[test]
    fn a_number_is_found_by_where_it_is() {
        let cary = "9194670123";
        for (criterion, durham) in [
            (Criterion::Starts("919".into()), true),
            (Criterion::Starts("919467".into()), false),
            (Criterion::Starts("9194670".into()), false),
            (Criterion::RateCenter("CARY".into()), false),
            (Criterion::City("CARY".into()), false),
            (Criterion::State("NC".into()), true),
            (Criterion::Zip("27511".into()), false),
            (Criterion::Lata("426".into()), true),
        ] {
            check(&criterion, cary, true);
            check(&criterion, "9192860123", durham);
            check(&criterion, "8045550123", false);
            check(&criterion, "8005550123", false);
            assert!(criterion.is_served());
        }
    }

    #[test]
    fn vanity_stands_within_the_last_seven_digits() {
        let cars = keypad("cars").unwrap();
        let anywhere = Criterion::LocalVanity { digits: cars.clone(), ends_in: false };
        let at_the_end = Criterion::LocalVanity { digits: cars.clone(), ends_in: true };
        let toll_free = Criterion::TollFreeVanity(cars);
        for (number, expected) in [
            ("9196392277", [true, true, false]),
            ("9192277639", [true, false, false]),
            ("2277639100", [false, false, false]),
            ("8006392277", [false, false, true]),
            ("8002277639", [false, false, true]),
        ] {
            check(&anywhere, number, expected[0]);
            check(&at_the_end, number, expected[1]);
            check(&toll_free, number, expected[2]);
        }
    }

    #[test]
    fn a_wild_card_stands_for_any_digit() {
        for (pattern, found) in [
            ("8**", ["800", "877", "888"].as_slice()),
            ("80*", &["800"]),
            ("87*", &["877"]),
            ("8*8", &["888"]),
        ] {
            let criterion = Criterion::TollFreeWildCard(pattern.into());
            assert!(criterion.is_served());
            for area_code in ["800", "877", "888", "804"] {
                check(&criterion, &format!("{area_code}5550123"), found.contains(&area_code));
            }
        }
        assert!(!Criterion::TollFreeWildCard("81*".into()).is_served());
    }

    #[test]
    fn letters_are_keys() {
        assert_eq!(keypad("ADGJMPTW").as_deref(), None);
        assert_eq!(keypad("ADGJMPT").as_deref(), Some("2345678"));
        assert_eq!(keypad("cfilosv").as_deref(), Some("2345678"));
        assert_eq!(keypad("wz01").as_deref(), Some("9901"));
        assert_eq!(keypad("abc"), None);
        assert_eq!(keypad("a-bc"), None);
    }

    #[test]
    fn what_is_nowhere_is_not_served() {
        for nowhere in [
            Criterion::Starts("202".into()),
            Criterion::Starts("800".into()),
            Criterion::RateCenter("CAREY".into()),
            Criterion::City("CAREY".into()),
            Criterion::State("ZZ".into()),
            Criterion::Zip("00000".into()),
            Criterion::Lata("1".into()),
        ] {
            assert!(!nowhere.is_served(), "{nowhere:?}");
        }
    }
}
