use super::{Change, NumberOrder, State};
use crate::sandbox::numbers::inventory::{Inventory, Standing};
use crate::sandbox::numbers::request::Request;

/// All in CARY, NC.
const STOCK: [&str; 5] = ["9194670001", "9194670002", "9194670003", "9194670004", "9194670005"];

fn stock(count: usize) -> Inventory {
    let mut inventory = Inventory::default();
    inventory.add(STOCK.into_iter().take(count));
    inventory
}

fn order(elements: &str) -> NumberOrder {
    let body = format!("<Order><SiteId>743</SiteId>{elements}</Order>");
    NumberOrder::new(Request::read(body.as_bytes(), &["743"]).unwrap())
}

/// An order for three numbers of area code 919.
fn three(backorder: bool, partial: bool) -> NumberOrder {
    order(&format!(
        "<BackOrderRequested>{backorder}</BackOrderRequested>\
         <PartialAllowed>{partial}</PartialAllowed>\
         <AreaCodeSearchAndOrderType><AreaCode>919</AreaCode><Quantity>3</Quantity>\
         </AreaCodeSearchAndOrderType>"
    ))
}

/// An order for these numbers.
fn given(numbers: &[&str], partial: bool) -> NumberOrder {
    given_or_later(numbers, false, partial)
}

fn given_or_later(numbers: &[&str], backorder: bool, partial: bool) -> NumberOrder {
    let list: String =
        numbers.iter().map(|tn| format!("<TelephoneNumber>{tn}</TelephoneNumber>")).collect();
    order(&format!(
        "<BackOrderRequested>{backorder}</BackOrderRequested>\
         <PartialAllowed>{partial}</PartialAllowed><ExistingTelephoneNumberOrderType>\
         <TelephoneNumberList>{list}</TelephoneNumberList></ExistingTelephoneNumberOrderType>"
    ))
}

#[track_caller]
fn check(change: Option<Change>, state: State, message: &str, numbers: &[&str]) {
    let telephone_numbers = numbers.iter().map(|number| (*number).into()).collect();
    assert_eq!(change, Some(Change { state, message: message.into(), telephone_numbers }));
}

#[track_caller]
fn check_standing(inventory: &Inventory, numbers: &[&str], standing: Standing) {
    for number in numbers {
        assert_eq!(inventory.standing(number), Some(standing), "{number}");
    }
}

fn codes(order: &NumberOrder) -> Vec<u32> {
    order.errors().iter().map(|error| error.code).collect()
}

#[test]
fn what_is_found_and_what_is_allowed_decide() {
    for (in_stock, backorder, partial, state, taken) in [
        (4, true, true, State::Complete, 3),
        (4, true, false, State::Complete, 3),
        (4, false, true, State::Complete, 3),
        (4, false, false, State::Complete, 3),
        (2, true, true, State::Backordered, 2),
        (2, true, false, State::Backordered, 0),
        (2, false, true, State::Partial, 2),
        (2, false, false, State::Failed, 0),
        (0, true, true, State::Backordered, 0),
        (0, true, false, State::Backordered, 0),
        (0, false, true, State::Failed, 0),
        (0, false, false, State::Failed, 0),
    ] {
        let searched = three(backorder, partial);
        let given = given_or_later(&STOCK[..3], backorder, partial);
        for (mut order, named_if_failed) in [(searched, 0), (given, 3)] {
            let line = format!("{in_stock} in stock: {order:?}");
            let mut inventory = stock(in_stock);
            assert_eq!((order.state(), order.numbers().len()), (State::Received, 0), "{line}");

            let change = order.process(&mut inventory).unwrap();
            assert_eq!((order.state(), change.state), (state, state), "{line}");
            assert_eq!(order.numbers(), &STOCK[..taken], "{line}");
            assert_eq!(order.missing(), 3 - taken, "{line}");
            let standing =
                if state == State::Backordered { Standing::Ordered } else { Standing::InService };
            check_standing(&inventory, &STOCK[..taken], standing);
            check_standing(&inventory, &STOCK[taken..in_stock], Standing::Available);
            // In a terminal state only.
            let named = match state {
                State::Backordered => 0,
                State::Failed => named_if_failed,
                _ => taken,
            };
            assert_eq!(change.telephone_numbers, STOCK[..named], "{line}");
            assert_eq!(order.process(&mut inventory), None, "{line}");

            inventory.add(STOCK);
            let filled = order.fill(&mut inventory).map(|change| change.telephone_numbers);
            let all = (state == State::Backordered)
                .then(|| STOCK[..3].iter().map(|tn| (*tn).into()).collect::<Vec<String>>());
            assert_eq!(filled, all, "{line}");
        }
    }
}

#[test]
fn a_notification_says_how_it_went() {
    let message = |in_stock, backorder, partial| {
        let change = three(backorder, partial).process(&mut stock(in_stock));
        change.unwrap().message
    };
    let created = "Created a new number order for 3 numbers from CARY, NC";
    assert_eq!(message(3, false, false), created);
    assert_eq!(message(2, false, true), "5017: Only 2 of 3 numbers are there");
    assert_eq!(message(2, false, false), "5017: Only 2 of 3 numbers are there");
    assert_eq!(message(0, false, true), "5018: None of the numbers that were ordered is there");
    assert_eq!(message(2, true, true), "Order backordered: more numbers are awaited");
    assert_eq!(message(2, true, false), "Order backordered: no number is taken, all are awaited");
}

#[test]
fn a_notification_says_where_the_numbers_are_from() {
    let from = |numbers: &[&str]| {
        let mut inventory = Inventory::default();
        inventory.add(numbers.iter().copied());
        let message = given(numbers, false).process(&mut inventory).unwrap().message;
        message.strip_prefix("Created a new number order for ").unwrap().to_owned()
    };
    assert_eq!(from(&["3032840001"]), "1 number from DENVERSLVN, CO");
    assert_eq!(from(&["4042940001", "4043280001"]), "2 numbers from ATLANTA NE, GA");
    assert_eq!(from(&["8005550100"]), "1 number from Unknown RC, Unknown State");
    assert_eq!(from(&["3032840001", "8005550100"]), "2 numbers from 2 rate centers");
}

#[test]
fn given_numbers_are_had_or_named() {
    let mut inventory = stock(3);
    inventory.take(&[STOCK[2].into()]);
    let unavailable = "5005: This telephone number cannot be ordered";

    let mut order = given(&[STOCK[0], STOCK[2], STOCK[4]], false);
    let change = order.process(&mut inventory);
    check(change, State::Failed, unavailable, &[STOCK[0], STOCK[2], STOCK[4]]);
    assert_eq!(order.failed_numbers(), [STOCK[0], STOCK[2], STOCK[4]]);
    let errors: Vec<_> =
        order.errors().iter().map(|one| (one.code, one.telephone_number.as_deref())).collect();
    assert_eq!(errors, [(5005, Some(STOCK[2])), (5005, Some(STOCK[4]))]);
    check_standing(&inventory, &STOCK[..2], Standing::Available);

    let mut order = given(&[STOCK[0], STOCK[2]], true);
    check(order.process(&mut inventory), State::Partial, unavailable, &[STOCK[0]]);
    assert_eq!(order.failed_numbers(), [STOCK[2]]);
    assert_eq!(order.errors()[0].telephone_number.as_deref(), Some(STOCK[2]));

    let mut order = given(&[STOCK[1]], false);
    let created = "Created a new number order for 1 number from CARY, NC";
    check(order.process(&mut inventory), State::Complete, created, &[STOCK[1]]);
    assert!(order.failed_numbers().is_empty() && order.errors().is_empty());
}

#[test]
fn a_number_goes_to_one_order_only() {
    let mut inventory = stock(5);
    let mut first = three(false, false);
    let mut second = three(false, true);
    first.process(&mut inventory);
    second.process(&mut inventory);
    assert_eq!(first.numbers(), &STOCK[..3]);
    assert_eq!(
        (second.state(), second.numbers()),
        (State::Partial, &[STOCK[3].into(), STOCK[4].into()][..])
    );
}

#[test]
fn a_backorder_that_wants_all_takes_nothing_before_all_are_there() {
    let mut inventory = stock(1);
    let mut order = three(true, false);
    order.process(&mut inventory);
    inventory.add([STOCK[1]]);
    assert_eq!(order.fill(&mut inventory), None);
    assert!(order.numbers().is_empty());
    check_standing(&inventory, &STOCK[..2], Standing::Available);

    inventory.add([STOCK[2], STOCK[3]]);
    let created = "Created a new number order for 3 numbers from CARY, NC";
    check(order.fill(&mut inventory), State::Complete, created, &STOCK[..3]);
    check_standing(&inventory, &STOCK[..3], Standing::InService);
    check_standing(&inventory, &STOCK[3..4], Standing::Available);
}

#[test]
fn a_backorder_that_takes_parts_tells_only_of_the_last() {
    let mut inventory = stock(1);
    let mut order = three(true, true);
    order.process(&mut inventory);
    assert_eq!(order.fill(&mut inventory), None);
    inventory.add([STOCK[1]]);
    assert_eq!(order.fill(&mut inventory), None);
    assert_eq!(
        (order.state(), order.numbers()),
        (State::Backordered, &[STOCK[0].into(), STOCK[1].into()][..])
    );
    check_standing(&inventory, &STOCK[..2], Standing::Ordered);

    inventory.add(STOCK);
    let created = "Created a new number order for 3 numbers from CARY, NC";
    check(order.fill(&mut inventory), State::Complete, created, &STOCK[..3]);
    check_standing(&inventory, &STOCK[..3], Standing::InService);
    assert_eq!(order.fill(&mut inventory), None);
}

#[test]
fn numbers_that_are_put_back_fill_a_backorder() {
    let mut inventory = stock(3);
    let mut first = three(false, false);
    let mut second = three(true, false);
    first.process(&mut inventory);
    second.process(&mut inventory);
    inventory.put_back(first.numbers());
    assert_eq!(second.fill(&mut inventory).unwrap().state, State::Complete);
}

#[test]
fn a_closed_backorder_keeps_what_it_has() {
    let close = b"<Order><CloseOrder>true</CloseOrder></Order>";
    let mut inventory = stock(2);
    let mut order = three(true, true);
    order.process(&mut inventory);
    let change = order.update(close, &mut inventory).unwrap();
    check(change, State::Partial, "5017: Only 2 of 3 numbers are there", &STOCK[..2]);
    check_standing(&inventory, &STOCK[..2], Standing::InService);

    let mut order = three(true, false);
    order.process(&mut inventory);
    let change = order.update(close, &mut inventory).unwrap();
    check(change, State::Failed, "5018: None of the numbers that were ordered is there", &[]);
    assert_eq!(codes(&order), [5018]);

    inventory.add(STOCK);
    assert_eq!(order.fill(&mut inventory), None);
    assert_eq!(order.update(close, &mut inventory).unwrap_err()[0].code, 5060);
}

#[test]
fn names_can_be_changed_while_an_order_is_backordered() {
    let mut inventory = stock(0);
    let mut order = three(true, false);
    order.process(&mut inventory);
    let mut put = |body: &str| order.update(body.as_bytes(), &mut inventory);
    let body = "<Order><Name>n</Name><CustomerOrderId>c-1</CustomerOrderId></Order>";
    assert_eq!(put(body), Ok(None));
    assert_eq!(put("<Order><Name>m</Name><CloseOrder>false</CloseOrder></Order>"), Ok(None));
    let code = |refused: Result<_, Vec<super::Refused>>| refused.unwrap_err()[0].code;
    assert_eq!(
        code(put("<Order><Name>o</Name><CustomerOrderId>c_1</CustomerOrderId></Order>")),
        5052
    );
    assert_eq!(code(put("<Order><CloseOrder>now</CloseOrder></Order>")), 5002);
    assert_eq!(code(put("<Note/>")), 5002);

    let names = (order.request().name.as_deref(), order.request().customer_order_id.as_deref());
    assert_eq!(names, (Some("m"), Some("c-1")));
    assert_eq!(order.state(), State::Backordered);
}

#[test]
fn an_order_that_is_not_backordered_cannot_be_changed() {
    for in_stock in [0, 2, 3] {
        let mut inventory = stock(in_stock);
        let mut order = three(false, true);
        for _ in 0..2 {
            let before = order.clone();
            for body in
                ["<Order><CloseOrder>true</CloseOrder></Order>", "<Order><Name>n</Name></Order>"]
            {
                let refused = order.update(body.as_bytes(), &mut inventory).unwrap_err();
                assert_eq!(refused.iter().map(|one| one.code).collect::<Vec<_>>(), [5060]);
            }
            assert_eq!(order, before);
            order.process(&mut inventory);
        }
    }
}

#[test]
fn states_have_the_names_of_the_wire() {
    let states =
        [State::Received, State::Complete, State::Partial, State::Failed, State::Backordered];
    let names = ["RECEIVED", "COMPLETE", "PARTIAL", "FAILED", "BACKORDERED"];
    assert_eq!(states.map(State::as_str), names);
    assert_eq!(states.map(State::is_final), [false, true, true, true, false]);
}
