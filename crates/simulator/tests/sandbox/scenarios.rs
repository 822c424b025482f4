//! The ready-made scenarios, each played to its end.

use simulator::sandbox::{SCENARIOS, Scenario};

use crate::account::{Account, number_order};

const SUPP: &str = "<LnpOrderSupp><CustomerOrderId>C-2</CustomerOrderId></LnpOrderSupp>";
const BACKORDER: &str = "<BackOrderRequested>true</BackOrderRequested>";
const PARTIAL: &str = "<PartialAllowed>true</PartialAllowed>";

/// An account in a scenario, told of everything of a type.
async fn in_scenario(name: &str, order_type: &str) -> Account {
    let account = Account::in_scenario(name).await;
    account.subscribe(order_type).await;
    account
}

#[tokio::test]
async fn a_port_in_completes() {
    let account = in_scenario("portin-completes", "portins").await;
    account.port_in().await;
    account.step("200h").await;
    assert_eq!(account.told("Status"), ["PENDING_DOCUMENTS", "SUBMITTED", "FOC", "COMPLETE"]);
}

#[tokio::test]
async fn a_port_in_is_rejected_twice_and_completes() {
    let account = in_scenario("portin-rejected-twice", "portins").await;
    let id = account.port_in().await;
    for code in ["7513", "7519"] {
        account.step("200h").await;
        let order = account.get(&format!("portins/{id}")).await;
        assert_eq!(order.value("ProcessingStatus"), Some("EXCEPTION"));
        assert_eq!(order.child("Errors").unwrap().value("Code"), Some(code));
        account.ask("PUT", &format!("portins/{id}"), SUPP).await;
        let order = account.get(&format!("portins/{id}")).await;
        assert_eq!(order.child("Errors"), None);
    }
    account.step("200h").await;
    let (statuses, messages) = (account.told("Status"), account.told("Message"));
    let told: Vec<_> = statuses.iter().map(String::as_str).zip(messages).collect();
    let nothing = String::new;
    assert_eq!(
        told,
        [
            ("PENDING_DOCUMENTS", nothing()),
            ("SUBMITTED", nothing()),
            ("EXCEPTION", "7513: the PIN is not that of the account".into()),
            ("REQUESTED_SUPP", nothing()),
            ("SUBMITTED", nothing()),
            ("EXCEPTION", "7519: the name is not that of the customer".into()),
            ("REQUESTED_SUPP", nothing()),
            ("SUBMITTED", nothing()),
            ("FOC", nothing()),
            ("COMPLETE", nothing()),
        ]
    );
}

#[tokio::test]
async fn a_port_in_snaps_back() {
    let account = in_scenario("portin-snapback", "portins").await;
    account.port_in().await;
    account.step("200h").await;
    let states = ["PENDING_DOCUMENTS", "SUBMITTED", "FOC", "SNAPBACK", "CANCELLED"];
    assert_eq!(account.told("Status"), states);
}

#[tokio::test]
async fn a_port_in_is_cancelled_after_a_note() {
    let account = in_scenario("portin-cancelled", "portins").await;
    account.port_in().await;
    account.step("200h").await;
    assert_eq!(account.told("Status"), ["PENDING_DOCUMENTS", "SUBMITTED", "", "CANCELLED"]);
    assert!(account.told("Note")[2].contains("end user"));
    assert!(account.told_numbers("CompletedTelephoneNumbers").concat().is_empty());
}

#[tokio::test]
async fn a_port_in_waits_for_a_document() {
    let account = in_scenario("portin-needs-loa", "portins").await;
    let id = account.port_in().await;
    account.step("200h").await;
    assert_eq!(account.told("Status"), ["PENDING_DOCUMENTS", ""]);
    account.upload(&format!("portins/{id}/loas"), "application/pdf", b"%PDF").await;
    account.step("200h").await;
    let rest = ["SUBMITTED", "FOC", "COMPLETE"];
    assert_eq!(account.told("Status")[2..], rest);
}

#[tokio::test]
async fn orders_for_numbers_fail() {
    let account = in_scenario("order-fails", "orders").await;
    account.place("orders", &number_order("919", 2, "")).await;
    account.step("1h").await;
    assert_eq!(account.told("Status"), ["FAILED"]);
    assert!(account.told("Message")[0].starts_with("5018: "));
}

#[tokio::test]
async fn orders_for_numbers_are_partial() {
    let account = in_scenario("order-partial", "orders").await;
    account.place("orders", &number_order("919", 3, PARTIAL)).await;
    account.place("orders", &number_order("919", 1, "")).await;
    account.step("1h").await;
    assert_eq!(account.told("Status"), ["PARTIAL", "COMPLETE"]);
    let numbers = account.told_numbers("CompletedTelephoneNumbers");
    assert_eq!(numbers.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1]);
}

#[tokio::test]
async fn orders_for_numbers_are_backordered_and_filled() {
    let account = in_scenario("order-backordered", "orders").await;
    let flags = format!("{BACKORDER}{PARTIAL}");
    let id = account.place("orders", &number_order("919", 3, &flags)).await;
    account.step("1h").await;
    let one = account.get(&format!("orders/{id}")).await;
    assert_eq!(one.value("CompletedQuantity"), Some("0"));
    account.step("1h").await;
    let one = account.get(&format!("orders/{id}")).await;
    assert_eq!(one.value("CompletedQuantity"), Some("1"));
    assert_eq!(account.told("Status"), ["BACKORDERED"]);
    account.step("2h").await;
    assert_eq!(account.told("Status"), ["BACKORDERED", "COMPLETE"]);
    assert_eq!(account.told_numbers("CompletedTelephoneNumbers")[1].len(), 3);
}

#[tokio::test]
async fn a_disconnect_is_partial() {
    let account = in_scenario("disconnect-partial", "disconnects").await;
    account.place("orders", &number_order("919", 2, "")).await;
    account.step("1m").await;
    let owned = account.sandbox.numbers();
    account.place("disconnects", &account.disconnect_order(&owned)).await;
    account.step("1m").await;
    assert_eq!(account.told("Status"), ["PARTIAL"]);
    assert_eq!(account.told("Message"), ["5010: the number is being ported out"]);
    assert_eq!(account.told_numbers("CompletedTelephoneNumbers"), [vec![owned[0].clone()]]);
    assert_eq!(account.sandbox.numbers(), owned[1..]);
}

#[tokio::test]
async fn a_csr_needs_an_answer() {
    let account = in_scenario("csr-needs-action", "csrs").await;
    let id = account.place("csrs", "<Csr><CustomerOrderId>C-1</CustomerOrderId></Csr>").await;
    account.step("200h").await;
    assert_eq!(account.told("Status"), ["ACTION_REQUIRED"]);
    assert_eq!(account.ask("PUT", &format!("csrs/{id}"), "<Csr/>").await.status, 200);
    account.step("200h").await;
    assert_eq!(account.told("Status"), ["ACTION_REQUIRED", "COMPLETE"]);
    let states = ["RECEIVED", "PROCESSING", "ACTION_REQUIRED", "PROCESSING", "COMPLETE"];
    assert_eq!(account.history(&id), states);
}

#[tokio::test]
async fn a_scenario_can_be_changed_while_it_runs() {
    let account = Account::new().await;
    account.subscribe("csrs").await;
    let failing = r#"{ "orders": [{ "kind": "csrs", "steps": [{ "state": "FAILED" }] }] }"#;
    assert_eq!(account.ask("PUT", "/sandbox/scenario", failing).await.status, 204);
    account.place("csrs", "<Csr/>").await;
    account.step("1s").await;
    assert_eq!(account.told("Status"), ["FAILED"]);
    for (name, _) in SCENARIOS {
        let name = format!("\"{name}\"");
        assert_eq!(account.ask("PUT", "/sandbox/scenario", &name).await.status, 204);
    }
    let wrong = failing.replace("FAILED", "FOC");
    let refused = account.ask("PUT", "/sandbox/scenario", &wrong).await;
    assert_eq!(refused.status, 400);
    assert!(refused.body.contains("no order gets from RECEIVED to FOC"), "{}", refused.body);
    assert!(Scenario::load("no-such-one").is_err());
}
