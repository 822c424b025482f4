use super::{Rejected, Request, Wish};
use crate::sandbox::numbers::criterion::Criterion;
use crate::sandbox::numbers::refused::Refused;

const SITES: [&str; 2] = ["743", "744"];

const AREA_CODE: &str = "<AreaCodeSearchAndOrderType><AreaCode>919</AreaCode>\
    <Quantity>2</Quantity></AreaCodeSearchAndOrderType>";

fn read(elements: &str) -> Result<Request, Rejected> {
    Request::read(format!("<Order>{elements}</Order>").as_bytes(), &SITES)
}

/// The wish of an order with nothing but a site and this.
fn wish(kind: &str) -> Result<Wish, Vec<Refused>> {
    let request = read(&format!("<SiteId>743</SiteId>{kind}"));
    request.map(|request| request.wish).map_err(|rejected| rejected.refused)
}

/// The codes with which an order is refused; none if it is not.
#[track_caller]
fn check(elements: &str, codes: &[u32]) {
    let refused = read(elements).err().map(|rejected| rejected.refused).unwrap_or_default();
    assert_eq!(refused.iter().map(|one| one.code).collect::<Vec<_>>(), codes, "{elements}");
}

#[track_caller]
fn check_kind(kind: &str, codes: &[u32]) {
    check(&format!("<SiteId>743</SiteId>{kind}"), codes);
}

#[track_caller]
fn check_combined(elements: &str, codes: &[u32]) {
    let combined = "CombinedSearchAndOrderType";
    check_kind(&format!("<{combined}>{elements}<Quantity>1</Quantity></{combined}>"), codes);
}

#[track_caller]
fn check_numbers(numbers: &[&str], codes: &[u32]) {
    check_kind(&existing(numbers), codes);
}

fn existing(numbers: &[&str]) -> String {
    let list: String = numbers
        .iter()
        .map(|number| format!("<TelephoneNumber>{number}</TelephoneNumber>"))
        .collect();
    let kind = "ExistingTelephoneNumberOrderType";
    format!("<{kind}><TelephoneNumberList>{list}</TelephoneNumberList></{kind}>")
}

#[test]
fn everything_that_can_be_said_is_read() {
    let request = read(&format!(
        "<PartialAllowed>true</PartialAllowed><BackOrderRequested>True</BackOrderRequested>
         <TnAttributes><TnAttribute>Protected</TnAttribute></TnAttributes>{AREA_CODE}
         <PeerId>500709</PeerId><SiteId> 744 </SiteId><Name>A name</Name>
         <CustomerOrderId>CUST 42-a</CustomerOrderId>"
    ));
    let request = request.unwrap();
    assert_eq!(request.customer_order_id.as_deref(), Some("CUST 42-a"));
    assert_eq!(request.name.as_deref(), Some("A name"));
    assert_eq!((request.site_id.as_str(), request.peer_id.as_deref()), ("744", Some("500709")));
    assert!(request.back_order_requested && request.partial_allowed);
    assert_eq!(request.kind.name, "AreaCodeSearchAndOrderType");
    assert_eq!(request.tn_attributes.unwrap().value("TnAttribute"), Some("Protected"));
    let criteria = vec![Criterion::Starts("919".into())];
    assert_eq!(request.wish, Wish::Search { criteria, quantity: 2 });
}

#[test]
fn neither_backorder_nor_a_part_is_wished_for_unless_it_is_said() {
    let request = read(&format!("<SiteId>743</SiteId>{AREA_CODE}")).unwrap();
    assert!(!request.back_order_requested && !request.partial_allowed);
    assert_eq!((request.customer_order_id, request.name, request.peer_id), (None, None, None));
}

#[test]
fn every_kind_of_search_is_read() {
    let starts = |digits: &str| Criterion::Starts(digits.into());
    let state = || Criterion::State("NC".into());
    let city = || Criterion::City("RALEIGH".into());
    let rate_center = || Criterion::RateCenter("RALEIGH".into());
    let vanity = |ends_in| Criterion::LocalVanity { digits: "6392277".into(), ends_in };
    for (kind, elements, expected) in [
        ("AreaCode", "<AreaCode>435</AreaCode>", vec![starts("435")]),
        ("NPANXX", "<NpaNxx>919439</NpaNxx><EnableLCA>true</EnableLCA>", vec![starts("919439")]),
        ("NPANXX", "<NpaNxx>9194391</NpaNxx>", vec![starts("9194391")]),
        (
            "RateCenter",
            "<RateCenter>RALEIGH</RateCenter><State>NC</State>",
            vec![rate_center(), state()],
        ),
        ("State", "<State>NC</State>", vec![state()]),
        ("City", "<City>RALEIGH</City><State>NC</State>", vec![city(), state()]),
        ("ZIP", "<Zip>27606</Zip>", vec![Criterion::Zip("27606".into())]),
        ("LATA", "<Lata>426</Lata>", vec![Criterion::Lata("426".into())]),
        (
            "TollFreeVanity",
            "<TollFreeVanity>newcars</TollFreeVanity>",
            vec![Criterion::TollFreeVanity("6392277".into())],
        ),
        (
            "TollFreeWildChar",
            "<TollFreeWildCardPattern>8**</TollFreeWildCardPattern>",
            vec![Criterion::TollFreeWildCard("8**".into())],
        ),
        (
            "Combined",
            "<City>RALEIGH</City><RateCenter>RALEIGH</RateCenter><State>NC</State>
             <NpaNxxX>9194391</NpaNxxX><LATA>426</LATA><Zip>27606</Zip>",
            vec![
                starts("9194391"),
                rate_center(),
                city(),
                state(),
                Criterion::Zip("27606".into()),
                Criterion::Lata("426".into()),
            ],
        ),
        (
            "Combined",
            "<AreaCode>617</AreaCode><LocalVanity>newcars</LocalVanity>",
            vec![starts("617"), vanity(false)],
        ),
        (
            "Combined",
            "<AreaCode>617</AreaCode><LocalVanity>newcars</LocalVanity><EndsIn>true</EndsIn>",
            vec![starts("617"), vanity(true)],
        ),
    ] {
        let kind = format!("{kind}SearchAndOrderType");
        let wish = wish(&format!("<{kind}>{elements}<Quantity>3</Quantity></{kind}>"));
        assert_eq!(wish, Ok(Wish::Search { criteria: expected, quantity: 3 }), "{elements}");
    }
}

#[test]
fn given_numbers_are_read_in_both_formats() {
    let numbers = vec!["8005550100".to_owned(), "9194390001".to_owned()];
    assert_eq!(wish(&existing(&["+19194390001", "8005550100"])), Ok(Wish::Numbers(numbers)));
}

#[test]
fn a_body_that_is_no_order_is_refused() {
    for body in ["", "<Order>", "<order/>", "<Orders/>", "<!DOCTYPE Order><Order/>"] {
        let rejected = Request::read(body.as_bytes(), &SITES).unwrap_err();
        assert_eq!((rejected.refused[0].code, rejected.order), (5002, None), "{body}");
    }
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    check("", &[5022, 5087]);
    check("<SiteId>1</SiteId><CustomerOrderId>a_b</CustomerOrderId>", &[5052, 5016, 5087]);
    let order = read("<Name>n</Name>").unwrap_err().order.unwrap();
    assert_eq!(order.value("Name"), Some("n"));
}

#[test]
fn names_have_limits() {
    let names =
        |tag: &str, text: &str| format!("<SiteId>743</SiteId>{AREA_CODE}<{tag}>{text}</{tag}>");
    check(&names("CustomerOrderId", &"a".repeat(40)), &[]);
    check(&names("CustomerOrderId", &"a".repeat(41)), &[5052]);
    check(&names("CustomerOrderId", "a.b"), &[5052]);
    check(&names("CustomerOrderId", "\u{e9}"), &[5052]);
    check(&names("Name", &"\u{e9}".repeat(50)), &[]);
    check(&names("Name", &"a".repeat(51)), &[5002]);
    check(&names("PeerId", "p"), &[5023]);
    check(&names("BackOrderRequested", "yes"), &[5002]);
    check(&names("PartialAllowed", "1"), &[5002]);
}

#[test]
fn an_order_has_one_type() {
    check_kind(AREA_CODE, &[]);
    check_kind("", &[5087]);
    check_kind("<AreaCodesSearchAndOrderType/>", &[5087]);
    check_kind("<areaCodeSearchAndOrderType/>", &[5087]);
    check_kind(&format!("{AREA_CODE}{AREA_CODE}"), &[5087]);
}

#[test]
fn each_search_needs_what_it_is_named_for() {
    for (kind, code) in [
        ("AreaCode", 4000),
        ("NPANXX", 4002),
        ("RateCenter", 4001),
        ("State", 4006),
        ("City", 4005),
        ("ZIP", 4007),
        ("LATA", 4008),
        ("TollFreeVanity", 4003),
        ("TollFreeWildChar", 4004),
        ("Combined", 4010),
    ] {
        let kind = format!("{kind}SearchAndOrderType");
        check_kind(&format!("<{kind}><Quantity>1</Quantity></{kind}>"), &[code]);
        // Another's criterion does not do.
        let other = "<Tier>1</Tier><EnableTNDetail>true</EnableTNDetail>";
        check_kind(&format!("<{kind}>{other}<Quantity>1</Quantity></{kind}>"), &[code]);
    }
    let cities =
        "<CitySearchAndOrderType><City>CARY</City><Quantity>1</Quantity></CitySearchAndOrderType>";
    check_kind(cities, &[4005]);
    check_kind(&AREA_CODE.replace("919", "202"), &[4023]);
}

#[test]
fn a_quantity_is_from_1_to_5000() {
    for (quantity, codes) in [
        ("1", [].as_slice()),
        ("5000", &[]),
        ("0", &[5009]),
        ("5001", &[5009]),
        ("x", &[5009]),
        ("", &[5009]),
    ] {
        check_kind(&AREA_CODE.replace(">2<", &format!(">{quantity}<")), codes);
    }
    check_kind(&AREA_CODE.replace(">2<", "><").replace("919", "9"), &[4000, 5009]);
}

#[test]
fn combinations_have_exclusions() {
    check_combined("<AreaCode>919</AreaCode><NpaNxx>919439</NpaNxx>", &[4010]);
    check_combined("<NpaNxxX>9194391</NpaNxxX><NpaNxx>919439</NpaNxx>", &[4010]);
    check_combined("<City>RALEIGH</City>", &[4005]);
    check_combined("<RateCenter>RALEIGH</RateCenter>", &[4001]);
    check_combined("<LocalVanity>CARS</LocalVanity>", &[4010]);
    check_combined("<LocalVanity>CARS</LocalVanity><State>NC</State>", &[4010]);
    check_combined(
        "<LocalVanity>CARS</LocalVanity><AreaCode>919</AreaCode><State>NC</State>",
        &[4010],
    );
    check_combined("<AreaCode>919</AreaCode><EndsIn>true</EndsIn>", &[4010]);
    check_combined("<TollFreeVanity>CARS</TollFreeVanity>", &[4010]);

    let lca = |criteria: &str, codes| {
        check_combined(&format!("{criteria}<EnableLCA>true</EnableLCA>"), codes);
    };
    lca("<NpaNxx>919439</NpaNxx>", &[]);
    lca("<NpaNxxX>9194391</NpaNxxX>", &[]);
    lca("<RateCenter>RALEIGH</RateCenter><State>NC</State>", &[]);
    lca("<AreaCode>919</AreaCode>", &[4010]);
    lca("<NpaNxx>919439</NpaNxx><Zip>27606</Zip>", &[4010]);
}

#[test]
fn only_npa_nxx_and_local_vanity_are_not_backordered() {
    let backorder = |kind: &str, codes| {
        check_kind(&format!("<BackOrderRequested>true</BackOrderRequested>{kind}"), codes);
    };
    let search = |kind: &str, criteria: &str| {
        let kind = format!("{kind}SearchAndOrderType");
        format!("<{kind}>{criteria}<Quantity>1</Quantity></{kind}>")
    };
    backorder(AREA_CODE, &[]);
    backorder(&search("ZIP", "<Zip>27606</Zip>"), &[]);
    backorder(
        &search("TollFreeWildChar", "<TollFreeWildCardPattern>8**</TollFreeWildCardPattern>"),
        &[],
    );
    backorder(&search("Combined", "<State>NC</State>"), &[]);
    backorder(&existing(&["9194390001"]), &[]);
    backorder(&search("TollFreeVanity", "<TollFreeVanity>CARS</TollFreeVanity>"), &[]);

    backorder(&search("NPANXX", "<NpaNxx>919439</NpaNxx>"), &[5522]);
    backorder(&search("NPANXX", "<NpaNxx>9194391</NpaNxx>"), &[5522]);
    backorder(&search("Combined", "<NpaNxx>919439</NpaNxx>"), &[5522]);
    backorder(&search("Combined", "<NpaNxxX>9194391</NpaNxxX>"), &[5522]);
    let vanity = "<AreaCode>919</AreaCode><LocalVanity>CARS</LocalVanity>";
    backorder(&search("Combined", vanity), &[5522]);
}

#[test]
fn given_numbers_are_checked_one_by_one() {
    check_numbers(&["9194390001", "8005550100"], &[]);
    check_numbers(&[], &[5073]);
    check_numbers(&["1", "2"], &[5008]);
    check_numbers(&["9194390001", "1", "2"], &[5070, 5070]);
    check_numbers(&["9194390001", "+19194390001", "9194390001"], &[5093, 5093]);
    let many: Vec<_> = (0..=5000).map(|n| format!("919439{n:04}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    check_numbers(&many[1..], &[]);
    check_numbers(&many, &[5095]);

    let refused = wish(&existing(&["9194390001", " 1 "])).unwrap_err();
    assert_eq!(refused[0].telephone_number.as_deref(), Some("1"));
}

#[test]
fn attributes_are_known_and_stand_once() {
    let attributes = |names: &[&str], kind: &str, codes| {
        let list: String =
            names.iter().map(|name| format!("<TnAttribute>{name}</TnAttribute>")).collect();
        check_kind(&format!("<TnAttributes>{list}</TnAttributes>{kind}"), codes);
    };
    attributes(&[], AREA_CODE, &[]);
    attributes(&["Protected", "External", "Imported"], AREA_CODE, &[]);
    attributes(&["Guarded"], AREA_CODE, &[5102]);
    attributes(&["Protected", "Protected"], AREA_CODE, &[5102]);
    let toll_free = "<TollFreeWildCharSearchAndOrderType><Quantity>1</Quantity>\
        <TollFreeWildCardPattern>8**</TollFreeWildCardPattern></TollFreeWildCharSearchAndOrderType>";
    attributes(&["Imported"], toll_free, &[]);
    attributes(&["Protected"], toll_free, &[5101]);
}
