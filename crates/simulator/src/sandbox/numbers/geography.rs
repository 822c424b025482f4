//! Where telephone numbers are: a small country, made up along the lines of the real one.
//!
//! Its places and codes exist; which exchange belongs to which of them does not.

/// A city, or the part of it that one rate center serves.
#[derive(Debug, PartialEq, Eq)]
pub struct Place {
    pub area_code: &'static str,
    /// Of the exchanges, the NXX of NPA-NXX.
    pub exchanges: &'static [&'static str],
    pub rate_center: &'static str,
    pub city: &'static str,
    /// Two letters.
    pub state: &'static str,
    pub lata: &'static str,
    pub zips: &'static [&'static str],
}

/// Area codes of toll-free numbers, which are nowhere.
pub const TOLL_FREE: [&str; 7] = ["800", "833", "844", "855", "866", "877", "888"];

/// Every place that has numbers. An area code lies in one state.
#[rustfmt::skip]
pub const PLACES: &[Place] = &[
    place("206", &["432", "708"], "SEATTLE", "SEATTLE", "WA", "674", &["98101", "98109"]),
    place("206", &["463"], "VASHON", "VASHON", "WA", "674", &["98070"]),
    place("303", &["284", "736"], "DENVERSLVN", "DENVER", "CO", "656", &["80202", "80211"]),
    place("303", &["443"], "BOULDER", "BOULDER", "CO", "656", &["80302"]),
    place("312", &["265", "754"], "CHICAGOZN1", "CHICAGO", "IL", "358", &["60601", "60611"]),
    place("404", &["328", "691"], "ATLANTA NE", "ATLANTA", "GA", "438", &["30303", "30308"]),
    place("404", &["294"], "ATLANTA NE", "DECATUR", "GA", "438", &["30030"]),
    place("435", &["477", "649"], "PARK CITY", "PARK CITY", "UT", "660", &["84060"]),
    place("435", &["752"], "LOGAN", "LOGAN", "UT", "660", &["84321"]),
    place("503", &["241", "796"], "PORTLAND", "PORTLAND", "OR", "672", &["97201", "97209"]),
    place("503", &["362"], "SALEM", "SALEM", "OR", "672", &["97301"]),
    place("512", &["236", "694"], "AUSTIN", "AUSTIN", "TX", "558", &["78701", "78704"]),
    place("512", &["244"], "ROUND ROCK", "ROUND ROCK", "TX", "558", &["78664"]),
    place("617", &["262", "859"], "BOSTON", "BOSTON", "MA", "128", &["02108", "02116"]),
    place("617", &["354"], "CAMBRIDGE", "CAMBRIDGE", "MA", "128", &["02138"]),
    place("702", &["384", "796"], "LAS VEGAS", "LAS VEGAS", "NV", "721", &["89101"]),
    place("702", &["564"], "LAS VEGAS", "HENDERSON", "NV", "721", &["89002"]),
    place("804", &["225", "648"], "RICHMOND", "RICHMOND", "VA", "248", &["23219"]),
    place("804", &["693"], "GLOUCESTER", "GLOUCESTER", "VA", "244", &["23061"]),
    place("828", &["252", "438"], "ASHEVILLE", "ASHEVILLE", "NC", "420", &["28801"]),
    place("919", &["439", "706"], "RALEIGH", "RALEIGH", "NC", "426", &["27601", "27606"]),
    place("919", &["467"], "CARY", "CARY", "NC", "426", &["27511"]),
    place("919", &["286"], "DURHAM", "DURHAM", "NC", "426", &["27701"]),
];

const fn place(
    area_code: &'static str,
    exchanges: &'static [&'static str],
    rate_center: &'static str,
    city: &'static str,
    state: &'static str,
    lata: &'static str,
    zips: &'static [&'static str],
) -> Place {
    Place { area_code, exchanges, rate_center, city, state, lata, zips }
}

/// Where a number of ten digits is; `None` if it is toll-free or of no area code of ours. An
/// exchange of no place counts to the first of its area code.
pub fn place_of(number: &str) -> Option<&'static Place> {
    let (area_code, exchange) = (number.get(..3)?, number.get(3..6)?);
    let here = || PLACES.iter().filter(|place| place.area_code == area_code);
    here().find(|place| place.exchanges.contains(&exchange)).or_else(|| here().next())
}

pub fn is_toll_free(number: &str) -> bool {
    TOLL_FREE.iter().any(|area_code| number.starts_with(area_code))
}

/// The ten digits of a number that was written with them alone, or as E.164.
///
/// Neither area code nor exchange begins with 0 or 1.
pub fn ten_digits(number: &str) -> Option<String> {
    let number = number.strip_prefix("+1").unwrap_or(number);
    let first = |at: usize| matches!(number.as_bytes().get(at), Some(b'2'..=b'9'));
    let sound = number.len() == 10
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && first(0)
        && first(3);
    sound.then(|| number.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{PLACES, TOLL_FREE, is_toll_free, place_of, ten_digits};

    #[test]
    fn the_table_is_sound() {
        let mut exchanges: Vec<_> = PLACES
            .iter()
            .flat_map(|at| at.exchanges.iter().map(|nxx| (at.area_code, nxx)))
            .collect();
        let count = exchanges.len();
        exchanges.sort_unstable();
        exchanges.dedup();
        assert_eq!(exchanges.len(), count, "an exchange in two places");
        for place in PLACES {
            assert!(
                ten_digits(&format!("{}{}0000", place.area_code, place.exchanges[0])).is_some()
            );
            assert!(!TOLL_FREE.contains(&place.area_code));
            let state =
                |area_code| PLACES.iter().find(|at| at.area_code == area_code).unwrap().state;
            assert_eq!(place.state, state(place.area_code));
        }
    }

    #[test]
    fn a_number_is_where_its_exchange_is() {
        let city = |number| place_of(number).map(|place| place.city);
        assert_eq!(city("9194670100"), Some("CARY"));
        assert_eq!(city("9192000100"), Some("RALEIGH"));
        assert_eq!(city("2025550100"), None);
        assert_eq!(city("8005550100"), None);
        assert!(is_toll_free("8005550100") && !is_toll_free("8045550100"));
    }

    #[test]
    fn ten_digits_make_a_number() {
        assert_eq!(ten_digits("9195550100").as_deref(), Some("9195550100"));
        assert_eq!(ten_digits("+19195550100").as_deref(), Some("9195550100"));
        for wrong in
            ["919555010", "91955501000", "19195550100", "919-555-01", "0195550100", "9191550100"]
        {
            assert_eq!(ten_digits(wrong), None, "{wrong}");
        }
    }
}
