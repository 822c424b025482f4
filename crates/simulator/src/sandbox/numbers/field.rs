//! Criteria as they are written: in the element of an order, or as parameters of a search.

use super::criterion::{Criterion, keypad};
use super::geography::is_toll_free;
use super::refused::Refused;

/// Numbers of one order or of one search, given or searched for.
pub const QUANTITY_MAX: usize = 5_000;

/// Characters of a rate center's or a city's name. The longest that exist have half of that.
const PLACE_LENGTH_MAX: usize = 50;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    AreaCode,
    NpaNxx,
    NpaNxxX,
    RateCenter,
    City,
    State,
    Zip,
    Lata,
    LocalVanity,
    TollFreeVanity,
    TollFreeWildCard,
}

/// Values and what they are for, each field once at most.
pub(super) type Asked<'a> = Vec<(Field, &'a str)>;

impl Field {
    pub(super) const ALL: [Field; 11] = [
        Field::AreaCode,
        Field::NpaNxx,
        Field::NpaNxxX,
        Field::RateCenter,
        Field::City,
        Field::State,
        Field::Zip,
        Field::Lata,
        Field::LocalVanity,
        Field::TollFreeVanity,
        Field::TollFreeWildCard,
    ];

    /// The names of the element within an order. A second one is only read.
    pub(super) fn elements(self) -> &'static [&'static str] {
        match self {
            Field::AreaCode => &["AreaCode"],
            Field::NpaNxx => &["NpaNxx"],
            Field::NpaNxxX => &["NpaNxxX"],
            Field::RateCenter => &["RateCenter"],
            Field::City => &["City"],
            Field::State => &["State"],
            Field::Zip => &["Zip"],
            Field::Lata => &["Lata", "LATA"],
            Field::LocalVanity => &["LocalVanity"],
            Field::TollFreeVanity => &["TollFreeVanity"],
            Field::TollFreeWildCard => &["TollFreeWildCardPattern"],
        }
    }

    /// The name of the parameter of a search.
    pub(super) fn parameter(self) -> &'static str {
        match self {
            Field::AreaCode => "areaCode",
            Field::NpaNxx => "npaNxx",
            Field::NpaNxxX => "npaNxxx",
            Field::RateCenter => "rateCenter",
            Field::City => "city",
            Field::State => "state",
            Field::Zip => "zip",
            Field::Lata => "lata",
            Field::LocalVanity => "localVanity",
            Field::TollFreeVanity => "tollFreeVanity",
            Field::TollFreeWildCard => "tollFreeWildCardPattern",
        }
    }

    /// Why a value, or the lack of one, is refused.
    pub(super) fn refused(self) -> Refused {
        match self {
            Field::AreaCode => Refused::new(4000, "An area code has three digits, like 919"),
            Field::NpaNxx | Field::NpaNxxX => {
                Refused::new(4002, "NPA-NXX has six digits, like 919439, and NPA-NXX-X has seven")
            }
            Field::RateCenter => Refused::new(4001, "A rate center needs its name and its state"),
            Field::City => Refused::new(4005, "A city needs its name and its state"),
            Field::State => Refused::new(4006, "A state has two letters, like NC"),
            Field::Zip => Refused::new(4007, "A ZIP code has five digits, or nine with a dash"),
            Field::Lata => Refused::new(4008, "A LATA has at most five digits, like 426"),
            // There is no code for it alone.
            Field::LocalVanity => Refused::new(4010, "A vanity has 4 to 7 letters and digits"),
            Field::TollFreeVanity => Refused::new(4003, "A vanity has 4 to 7 letters and digits"),
            Field::TollFreeWildCard => {
                Refused::new(4004, "A wild card pattern has an 8 and two digits or *, like 87*")
            }
        }
    }

    pub(super) fn is_toll_free(self) -> bool {
        matches!(self, Field::TollFreeVanity | Field::TollFreeWildCard)
    }

    fn is_prefix(self) -> bool {
        matches!(self, Field::AreaCode | Field::NpaNxx | Field::NpaNxxX)
    }

    fn read(self, value: &str, ends_in: bool) -> Option<Criterion> {
        let upper = value.to_uppercase();
        let digits = |lengths: &[usize]| {
            lengths.contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit())
        };
        let prefix = |lengths: &[usize]| {
            let not_0_or_1 = |at| value.as_bytes().get(at).is_none_or(|byte| *byte >= b'2');
            let sound = digits(lengths) && not_0_or_1(0) && not_0_or_1(3) && !is_toll_free(value);
            sound.then(|| Criterion::Starts(value.to_owned()))
        };
        let is_name = || (1..=PLACE_LENGTH_MAX).contains(&value.chars().count());
        match self {
            Field::AreaCode => prefix(&[3]),
            Field::NpaNxx => prefix(&[6, 7]),
            Field::NpaNxxX => prefix(&[7]),
            Field::RateCenter => is_name().then_some(Criterion::RateCenter(upper)),
            Field::City => is_name().then_some(Criterion::City(upper)),
            Field::State => {
                let sound =
                    value.len() == 2 && value.bytes().all(|byte| byte.is_ascii_alphabetic());
                sound.then_some(Criterion::State(upper))
            }
            Field::Zip => {
                let (zip, more) = value.split_once('-').unwrap_or((value, "0000"));
                let sound = [(zip, 5), (more, 4)].iter().all(|(part, length)| {
                    part.len() == *length && part.bytes().all(|byte| byte.is_ascii_digit())
                });
                sound.then(|| Criterion::Zip(zip.to_owned()))
            }
            Field::Lata => digits(&[1, 2, 3, 4, 5]).then(|| Criterion::Lata(value.to_owned())),
            Field::LocalVanity => {
                keypad(value).map(|digits| Criterion::LocalVanity { digits, ends_in })
            }
            Field::TollFreeVanity => keypad(value).map(Criterion::TollFreeVanity),
            Field::TollFreeWildCard => {
                let sound = value.len() == 3
                    && value.starts_with('8')
                    && value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'*');
                sound.then(|| Criterion::TollFreeWildCard(value.to_owned()))
            }
        }
    }
}

/// What is to be searched for, or all that is wrong with it.
pub(super) fn criteria(asked: &Asked, ends_in: bool) -> Result<Vec<Criterion>, Vec<Refused>> {
    let mut refused = together(asked, ends_in);
    let mut criteria = Vec::new();
    for (field, value) in asked {
        match field.read(value, ends_in) {
            Some(criterion) if criterion.is_served() => criteria.push(criterion),
            Some(_) => refused.push(Refused::new(4023, "New numbers are not sold in this area")),
            None => refused.push(field.refused()),
        }
    }
    refused.is_empty().then_some(criteria).ok_or(refused)
}

/// What is wrong with criteria that stand together.
fn together(asked: &Asked, ends_in: bool) -> Vec<Refused> {
    let has = |wanted: Field| asked.iter().any(|(field, _)| *field == wanted);
    let count = |of: fn(Field) -> bool| asked.iter().filter(|(field, _)| of(*field)).count();
    let mut refused = Vec::new();
    if asked.is_empty() {
        refused.push(Refused::new(4010, "Nothing says which numbers are searched for"));
    }
    if count(Field::is_prefix) > 1 {
        refused.push(Refused::new(4010, "Area code, NPA-NXX and NPA-NXX-X exclude each other"));
    }
    if count(Field::is_toll_free) > 0 && asked.len() > 1 {
        refused.push(Refused::new(4010, "Toll-free numbers are searched for by one criterion"));
    }
    if ends_in && !has(Field::LocalVanity) {
        refused.push(Refused::new(4010, "Only a local vanity can be what a number ends in"));
    }
    for field in [Field::RateCenter, Field::City] {
        if has(field) && !has(Field::State) {
            refused.push(field.refused());
        }
    }
    refused
}

/// A quantity as it is written.
pub(super) fn quantity(value: &str) -> Option<usize> {
    value.parse().ok().filter(|quantity| (1..=QUANTITY_MAX).contains(quantity))
}

#[cfg(test)]
mod tests {
    use super::{Field, criteria, quantity};
    use crate::sandbox::numbers::criterion::Criterion;

    #[track_caller]
    fn check(asked: &[(Field, &str)], codes: &[u32]) {
        let refused = criteria(&asked.to_vec(), false).err().unwrap_or_default();
        assert_eq!(refused.iter().map(|one| one.code).collect::<Vec<_>>(), codes, "{asked:?}");
    }

    #[test]
    fn each_value_has_its_form_and_each_field_its_code() {
        for (field, right, wrong, code) in [
            (Field::AreaCode, ["919", "435"], ["91", "199", "800"], 4000),
            (Field::NpaNxx, ["919439", "9194391"], ["91943", "919139", "919-439"], 4002),
            (Field::NpaNxxX, ["9194391", "4354770"], ["919439", "91943912", "8005551"], 4002),
            (Field::State, ["NC", "nc"], ["N", "N1", "NORTH CAROLINA"], 4006),
            (Field::Zip, ["27606", "27606-1234"], ["2760", "276061234", "27606-"], 4007),
            (Field::Lata, ["426", "674"], ["", "426426", "42x"], 4008),
            (Field::LocalVanity, ["cars", "newcars"], ["car", "newcars1", "ca-rs"], 4010),
            (Field::TollFreeVanity, ["CARS", "1800"], ["car", "newcars1", "ca-rs"], 4003),
            (Field::TollFreeWildCard, ["8**", "87*"], ["9**", "8*", "8x*"], 4004),
        ] {
            right.iter().for_each(|value| check(&[(field, value)], &[]));
            wrong.iter().for_each(|value| check(&[(field, value)], &[code]));
        }
        let long = "X".repeat(51);
        for (field, name, code) in
            [(Field::RateCenter, "DenverSlvn", 4001), (Field::City, "Denver", 4005)]
        {
            check(&[(field, name), (Field::State, "CO")], &[]);
            check(&[(field, &long), (Field::State, "CO")], &[code]);
            check(&[(field, name)], &[code]);
        }
    }

    #[test]
    fn names_are_searched_for_in_upper_case() {
        let asked = vec![(Field::City, "Park City"), (Field::State, "ut")];
        let expected = vec![Criterion::City("PARK CITY".into()), Criterion::State("UT".into())];
        assert_eq!(criteria(&asked, false), Ok(expected));
    }

    #[test]
    fn where_no_numbers_are_sold_is_said() {
        check(&[(Field::AreaCode, "202")], &[4023]);
        check(&[(Field::State, "ZZ")], &[4023]);
        check(&[(Field::TollFreeWildCard, "81*")], &[4023]);
        check(&[(Field::NpaNxx, "919555")], &[]);
    }

    #[test]
    fn some_criteria_exclude_each_other() {
        check(&[], &[4010]);
        check(&[(Field::AreaCode, "919"), (Field::NpaNxx, "919439")], &[4010]);
        check(&[(Field::NpaNxx, "919439"), (Field::NpaNxxX, "9194391")], &[4010]);
        check(&[(Field::TollFreeVanity, "CARS"), (Field::State, "NC")], &[4010]);
        check(&[(Field::TollFreeVanity, "CARS"), (Field::TollFreeWildCard, "8**")], &[4010]);
        check(&[(Field::AreaCode, "919"), (Field::Zip, "27606"), (Field::Lata, "426")], &[]);

        let ends_in = |field, value| criteria(&vec![(field, value)], true).is_ok();
        assert!(ends_in(Field::LocalVanity, "CARS"));
        assert!(!ends_in(Field::AreaCode, "919"));
    }

    #[test]
    fn a_quantity_has_limits() {
        assert_eq!(
            ["0", "1", "5000", "5001", "-1", "x"].map(quantity),
            [None, Some(1), Some(5000), None, None, None]
        );
    }
}
