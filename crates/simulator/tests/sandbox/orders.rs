//! Orders for numbers, with the stock that they are filled from.

use crate::account::{Account, number_order, quantity_of};

/// An area code of the stock, and none.
const RALEIGH: &str = "919";

#[tokio::test]
async fn an_order_is_received_at_once_and_decided_a_second_later() {
    let account = Account::new().await;
    account.subscribe("orders").await;
    let id = account.place("orders", &number_order(RALEIGH, 2, "")).await;
    assert_eq!(account.get(&format!("orders/{id}")).await.value("OrderStatus"), Some("RECEIVED"));
    let history = account.get(&format!("orders/{id}/history")).await;
    assert_eq!(history.children, []);
    account.step("1s").await;

    assert_eq!(account.history(&id), ["RECEIVED", "COMPLETE"]);
    // That it was received is told to nobody.
    assert_eq!(account.told("Status"), ["COMPLETE"]);
    assert_eq!(account.told("LastModifiedDate"), ["2026-03-02T10:00:01.000Z"]);
    let message = account.told("Message");
    assert!(message[0].starts_with("Created a new number order for 2 numbers"), "{message:?}");
    let numbers = account.told_numbers("CompletedTelephoneNumbers");
    let tns = account.get(&format!("orders/{id}/tns")).await;
    assert_eq!(tns.value("Count"), Some("2"));
    let listed: Vec<_> = tns.children[1..].iter().map(|child| child.text.clone()).collect();
    assert_eq!(numbers, [listed]);

    let order = account.get(&format!("orders/{id}")).await;
    assert_eq!(order.value("OrderStatus"), Some("COMPLETE"));
    assert_eq!(order.value("OrderCompleteDate"), Some("2026-03-02T10:00:01.000Z"));
    for (part, entry) in [
        ("areaCodes", "<AreaCode>919</AreaCode><Count>2</Count>"),
        ("npaNxx", "<Count>2</Count>"),
        ("totals", "<TelephoneDetailsReport><Count>2</Count></TelephoneDetailsReport>"),
    ] {
        let answered = account.ask("GET", &format!("orders/{id}/{part}"), "").await;
        assert!(answered.body.contains(entry), "{}", answered.body);
    }
}

#[tokio::test]
async fn a_backorder_is_filled_when_numbers_arrive() {
    let account = Account::new().await;
    account.subscribe("orders").await;
    let stock = account.ask("GET", "availableNumbers?areaCode=919&quantity=5000", "").await;
    let all = quantity_of(&stock.body);
    let flags = "<BackOrderRequested>true</BackOrderRequested>";
    let id = account.place("orders", &number_order(RALEIGH, all + 2, flags)).await;
    account.step("1s").await;
    let arrive = |quantity: usize| format!(r#"{{"at":"919","quantity":{quantity}}}"#);
    let new = account.ask("POST", "/sandbox/stock", &arrive(1)).await;
    assert_eq!(new.body, r#"{"new":1}"#);
    account.sandbox.run_due().await;
    assert_eq!(account.told("Status"), ["BACKORDERED"]);
    account.ask("POST", "/sandbox/stock", r#"{"telephone_numbers":["9199999999"]}"#).await;
    account.sandbox.run_due().await;

    assert_eq!(account.told("Status"), ["BACKORDERED", "COMPLETE"]);
    assert_eq!(account.history(&id), ["RECEIVED", "BACKORDERED", "COMPLETE"]);
    assert_eq!(account.told_numbers("CompletedTelephoneNumbers")[1].len(), all + 2);
}

#[tokio::test]
async fn a_backorder_can_be_renamed_and_closed() {
    let account = Account::in_scenario("order-fails").await;
    account.subscribe("orders").await;
    let flags = "<BackOrderRequested>true</BackOrderRequested>";
    let id = account.place("orders", &number_order(RALEIGH, 1, flags)).await;
    let path = format!("orders/{id}");
    let close = "<Order><CloseOrder>true</CloseOrder></Order>";
    let early = account.ask("PUT", &path, close).await;
    assert!(early.status == 400 && early.body.contains("<Code>5060</Code>"), "{}", early.body);
    account.step("1s").await;

    let rename = "<Order><CustomerOrderId>hello</CustomerOrderId></Order>";
    assert_eq!(account.ask("PUT", &path, rename).await.status, 200);
    let history = account.get(&format!("{path}/history")).await;
    let difference = history.children.last().unwrap().value("Difference");
    assert_eq!(difference, Some("CustomerOrderId : \"\" --> hello"));
    assert_eq!(account.ask("PUT", &path, close).await.status, 200);
    account.sandbox.run_due().await;
    assert_eq!(account.told("Status"), ["BACKORDERED", "FAILED"]);
    assert_eq!(account.told("CustomerOrderId"), ["", "hello"]);
}

#[tokio::test]
async fn what_is_wrong_with_an_order_is_said_and_nothing_is_kept_of_it() {
    let account = Account::new().await;
    let body = number_order(RALEIGH, 1, "").replace("743", "9");
    let answered = account.ask("POST", "orders", &body).await;
    assert_eq!(answered.status, 400);
    assert!(answered.body.contains("<Code>5016</Code>"), "{}", answered.body);
    assert!(account.sandbox.orders().is_empty());
}

#[tokio::test]
async fn a_number_that_was_disconnected_can_be_ordered_again() {
    let account = Account::new().await;
    account.place("orders", &number_order(RALEIGH, 1, "")).await;
    account.step("1m").await;
    let number = account.sandbox.numbers();
    account.place("disconnects", &account.disconnect_order(&number)).await;
    account.step("1m").await;
    assert!(account.sandbox.numbers().is_empty());
    // The smallest is taken first.
    account.place("orders", &number_order(RALEIGH, 1, "")).await;
    account.step("1m").await;
    assert_eq!(account.sandbox.numbers(), number);
}

#[tokio::test]
async fn an_order_that_a_scenario_holds_back_gets_only_what_arrives() {
    let account = Account::in_scenario("order-fails").await;
    let flags = "<BackOrderRequested>true</BackOrderRequested>";
    let id = account.place("orders", &number_order(RALEIGH, 2, flags)).await;
    account.step("1s").await;
    let arrive = async |number: &str| {
        let body = format!(r#"{{"telephone_numbers":["{number}"]}}"#);
        assert_eq!(account.ask("POST", "/sandbox/stock", &body).await.body, r#"{"new":1}"#);
        account.history(&id)
    };
    assert_eq!(arrive("6172629999").await, ["RECEIVED", "BACKORDERED"]);
    assert_eq!(arrive("9199999998").await, ["RECEIVED", "BACKORDERED"]);
    assert_eq!(arrive("9199999999").await, ["RECEIVED", "BACKORDERED", "COMPLETE"]);
    assert_eq!(account.sandbox.numbers(), ["9199999998", "9199999999"]);
}
