//! The search for numbers that can be had: `GET availableNumbers`.

use super::field::{Asked, Field, QUANTITY_MAX, criteria, quantity};
use super::geography::place_of;
use super::inventory::Inventory;
use super::refused::Refused;
use crate::sandbox::xml::Element;

/// The body of the answer to these parameters: of 200, or of 400 as the error.
///
/// The names of parameters are case-sensitive. Those of which nothing is known here, LCA among
/// them, are passed over: only what is searched for is found, and nothing near it.
pub fn available_numbers(
    query: &[(String, String)],
    inventory: &Inventory,
) -> Result<Element, Element> {
    let found = find(query, inventory).map_err(|refused| {
        let code = Element::leaf("Code", refused.code.to_string());
        let description = Element::leaf("Description", refused.description);
        Element::new("SearchResult", vec![Element::new("Error", vec![code, description])])
    })?;
    if found.is_empty() {
        return Ok(Element::new("SearchResult", vec![]));
    }
    let list = if is_true(query, "enableTNDetail") {
        let detail = |number: &&str| Element::new("TelephoneNumberDetail", details(number));
        Element::new("TelephoneNumberDetailList", found.iter().map(detail).collect())
    } else {
        let number = |number: &&str| Element::leaf("TelephoneNumber", *number);
        Element::new("TelephoneNumberList", found.iter().map(number).collect())
    };
    let count = Element::leaf("ResultCount", found.len().to_string());
    Ok(Element::new("SearchResult", vec![count, list]))
}

fn find<'a>(query: &[(String, String)], inventory: &'a Inventory) -> Result<Vec<&'a str>, Refused> {
    let field = |field: Field| Some((field, parameter(query, field.parameter())?));
    let asked: Asked = Field::ALL.into_iter().filter_map(field).collect();
    let criteria = criteria(&asked, is_true(query, "endsIn"))
        .map_err(|all| all.into_iter().next().unwrap_or(Refused::new(4010, "Nothing is asked")))?;
    let most = match parameter(query, "quantity") {
        Some(value) => quantity(value).ok_or_else(|| {
            Refused::new(4010, format!("A quantity is a number from 1 to {QUANTITY_MAX}"))
        })?,
        None => QUANTITY_MAX,
    };
    Ok(inventory.available(&criteria, most))
}

fn parameter<'a>(query: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let value = query.iter().find(|(key, _)| key == name).map(|(_, value)| value.trim());
    value.filter(|value| !value.is_empty())
}

fn is_true(query: &[(String, String)], name: &str) -> bool {
    parameter(query, name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// A number and where it is.
pub(super) fn details(number: &str) -> Vec<Element> {
    let place = place_of(number).into_iter().flat_map(|place| {
        [
            ("City", place.city),
            ("LATA", place.lata),
            ("RateCenter", place.rate_center),
            ("State", place.state),
        ]
    });
    place.chain([("FullNumber", number)]).map(|(name, text)| Element::leaf(name, text)).collect()
}

#[cfg(test)]
mod tests {
    use super::available_numbers;
    use crate::sandbox::numbers::inventory::Inventory;

    const NUMBERS: [&str; 5] =
        ["9194390001", "9194391002", "9194672277", "4354770001", "8006392277"];

    fn search(parameters: &[(&str, &str)]) -> (bool, String) {
        let mut inventory = Inventory::default();
        inventory.add(NUMBERS);
        inventory.add(["9194390003"]);
        inventory.take(&["9194390003".into()]);
        let query: Vec<_> =
            parameters.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let answer = available_numbers(&query, &inventory);
        let mut xml = String::new();
        let (Ok(body) | Err(body)) = &answer;
        body.write(&mut xml);
        (answer.is_ok(), xml)
    }

    #[track_caller]
    fn check(parameters: &[(&str, &str)], found: &[&str]) {
        let list: String =
            found.iter().map(|tn| format!("<TelephoneNumber>{tn}</TelephoneNumber>")).collect();
        let expected = format!(
            "<SearchResult><ResultCount>{}</ResultCount><TelephoneNumberList>{list}\
             </TelephoneNumberList></SearchResult>",
            found.len()
        );
        assert_eq!(search(parameters), (true, expected));
    }

    #[track_caller]
    fn check_refused(parameters: &[(&str, &str)], code: u32) {
        let (ok, xml) = search(parameters);
        let start = format!("<SearchResult><Error><Code>{code}</Code><Description>");
        assert!(!ok && xml.starts_with(&start), "{parameters:?}: {xml}");
    }

    #[test]
    fn numbers_are_found_by_every_criterion() {
        let [raleigh, raleigh_1, cary, park_city, toll_free] = NUMBERS;
        check(&[("areaCode", "919")], &[raleigh, raleigh_1, cary]);
        check(&[("npaNxx", "919439")], &[raleigh, raleigh_1]);
        check(&[("npaNxxx", "9194391")], &[raleigh_1]);
        check(&[("rateCenter", "cary"), ("state", "NC")], &[cary]);
        check(&[("state", "UT")], &[park_city]);
        check(&[("city", "RALEIGH"), ("state", "nc")], &[raleigh, raleigh_1]);
        check(&[("zip", "84060")], &[park_city]);
        check(&[("lata", "426")], &[raleigh, raleigh_1, cary]);
        check(&[("localVanity", "cars"), ("state", "NC")], &[cary]);
        check(&[("localVanity", "2277"), ("endsIn", "true")], &[cary]);
        check(&[("tollFreeVanity", "NEWCARS")], &[toll_free]);
        check(&[("tollFreeWildCardPattern", "80*")], &[toll_free]);
    }

    #[test]
    fn a_quantity_is_the_most_that_is_found() {
        check(&[("areaCode", "919"), ("quantity", "2")], &["9194390001", "9194391002"]);
        check(&[("state", "UT"), ("quantity", "5000")], &["4354770001"]);
    }

    #[test]
    fn nothing_found_is_an_empty_result() {
        assert_eq!(search(&[("areaCode", "617")]), (true, "<SearchResult/>".into()));
    }

    #[test]
    fn details_say_where_a_number_is() {
        let details = ("enableTNDetail", "true");
        let expected = "<SearchResult><ResultCount>1</ResultCount><TelephoneNumberDetailList>\
            <TelephoneNumberDetail><City>PARK CITY</City><LATA>660</LATA>\
            <RateCenter>PARK CITY</RateCenter><State>UT</State><FullNumber>4354770001</FullNumber>\
            </TelephoneNumberDetail></TelephoneNumberDetailList></SearchResult>";
        assert_eq!(search(&[("state", "UT"), details]), (true, expected.into()));
        let toll_free = search(&[("tollFreeVanity", "cars"), details]).1;
        let expected = "<TelephoneNumberDetail><FullNumber>8006392277</FullNumber></";
        assert!(toll_free.contains(expected), "{toll_free}");
    }

    #[test]
    fn a_search_is_refused_with_its_code() {
        check_refused(&[], 4010);
        check_refused(&[("areaCode", "")], 4010);
        check_refused(&[("AreaCode", "919")], 4010);
        check_refused(&[("areaCode", "9")], 4000);
        check_refused(&[("areaCode", "202")], 4023);
        check_refused(&[("npaNxx", "9")], 4002);
        check_refused(&[("rateCenter", "CARY")], 4001);
        check_refused(&[("city", "CARY")], 4005);
        check_refused(&[("state", "North Carolina")], 4006);
        check_refused(&[("zip", "1")], 4007);
        check_refused(&[("lata", "x")], 4008);
        check_refused(&[("tollFreeVanity", "car")], 4003);
        check_refused(&[("tollFreeWildCardPattern", "9**")], 4004);
        check_refused(&[("areaCode", "919"), ("npaNxx", "919439")], 4010);
        check_refused(&[("areaCode", "919"), ("quantity", "5001")], 4010);
    }
}
