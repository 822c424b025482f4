//! Orders of every type.

use simulator::sandbox::{KINDS, Kind};

use crate::account::{Account, number_order};

/// Plays an order of a type that is nothing but its course: what is notified, and what is not.
async fn check(name: &str, told: &[&str], states: &[&str]) {
    let account = Account::new().await;
    account.subscribe(name).await;
    let kind = Kind::named(name).unwrap();
    let body = "<Anything><CustomerOrderId>C-1</CustomerOrderId><TelephoneNumberList>\
        <TelephoneNumber>9195550100</TelephoneNumber></TelephoneNumberList></Anything>";
    let id = account.place(kind.path, body).await;
    if name == "bulkPortins" {
        account.step("1h").await;
        assert_eq!(account.told("Status"), ["DRAFT"]);
        account.ask("PATCH", &format!("bulkPortins/{id}"), "<BulkPortin/>").await;
    }
    account.step("200h").await;
    assert_eq!(account.told("Status"), told, "{name}");
    assert_eq!(account.history(&id), states, "{name}");
    assert!(account.told("OrderType").iter().all(|told| *told == kind.order_type));
    assert!(account.told("OrderId").iter().all(|told| *told == id));

    let shown = account.ask("GET", &format!("{}/{id}", kind.path), "").await;
    let last = states.last().unwrap();
    let status = format!("<{0}>{last}</{0}>", kind.form.status);
    assert!(shown.body.contains(&status), "{}", shown.body);
    assert!(shown.body.contains("<CustomerOrderId>C-1</CustomerOrderId>"), "{}", shown.body);
    let list = account.get(&format!("{}?customerOrderId=C-1", kind.path)).await;
    assert_eq!(list.name, kind.form.list[0]);
    let entries = kind.form.list[1..].iter().fold(&list, |at, name| at.child(name).unwrap());
    let entry = entries.child(kind.form.entry).unwrap();
    assert_eq!(entry.value(kind.form.entry_id), Some(id.as_str()), "{name}");
    assert_eq!(entry.value(kind.form.entry_status), Some(*last), "{name}");
    let history = account.ask("GET", &format!("{}/{id}/history", kind.path), "").await;
    assert_eq!(history.status, if kind.has_history { 200 } else { 404 }, "{name}");
}

#[tokio::test]
async fn every_type_goes_its_course_and_is_told_of_what_the_table_says() {
    let long = ["RECEIVED", "PROCESSING", "COMPLETE"];
    check("dldas", &long, &long).await;
    let lsr = ["PENDING", "FOC", "COMPLETE"];
    check("lsrorders", &lsr, &lsr).await;
    check("e911s", &long, &long).await;
    check("tnoptions", &long, &long).await;
    check("externalTns", &["COMPLETE"], &long).await;
    let lidb = ["PENDING", "RECEIVED", "PROCESSING", "COMPLETE"];
    check("lidb", &["PROCESSING", "COMPLETE"], &lidb).await;
    let bulk = ["DRAFT", "IN_PROGRESS", "COMPLETED"];
    check("bulkPortins", &bulk, &bulk).await;
    check("importtnorders", &["COMPLETE"], &long).await;
    check("removeImportedTnOrders", &["PROCESSING", "COMPLETE"], &long).await;
    check("importVoiceTnOrders", &["COMPLETE"], &long).await;
    check("removeImportedVoiceTnOrders", &["PROCESSING", "COMPLETE"], &long).await;
    check("csrs", &["COMPLETE"], &long).await;
    let short = ["PROCESSING", "COMPLETE"];
    check("emergencyNotificationGroup", &["COMPLETE"], &short).await;
    check("emergencyEndpointGroup", &["COMPLETE"], &short).await;
    let tollfree = ["SUBMITTED", "PROCESSING", "COMPLETE"];
    check("tollfreePortingValidations", &["COMPLETE"], &tollfree).await;
    check("importToAccounts", &["COMPLETE"], &long).await;
    // Those that have tests of their own.
    assert_eq!(KINDS.len(), 16 + ["orders", "portins", "portouts", "disconnects"].len());
}

#[tokio::test]
async fn numbers_are_disconnected_that_the_account_has() {
    let account = Account::new().await;
    account.subscribe("disconnects").await;
    account.place("orders", &number_order("919", 2, "")).await;
    account.step("1m").await;
    let owned = account.sandbox.numbers();
    let stranger = "9195550100".to_owned();
    for (numbers, state) in [
        (vec![owned[0].clone(), stranger.clone()], "PARTIAL"),
        (vec![owned[1].clone()], "COMPLETE"),
        (owned.clone(), "FAILED"),
    ] {
        let id = account.place("disconnects", &account.disconnect_order(&numbers)).await;
        account.step("1m").await;
        assert_eq!(account.told("Status").last().unwrap(), state);
        assert_eq!(account.history(&id), ["RECEIVED", "PROCESSING", state]);
        let shown = account.get(&format!("disconnects/{id}")).await;
        assert_eq!(shown.value("OrderStatus"), Some(state));
        assert_eq!(shown.child("ErrorList").is_some(), state != "COMPLETE");
        assert_eq!(shown.child("orderRequest").unwrap().value("id"), Some(id.as_str()));
    }
    assert_eq!(account.told_numbers("CompletedTelephoneNumbers")[0], owned[..1]);
    assert!(account.sandbox.numbers().is_empty());
}

#[tokio::test]
async fn port_outs_come_from_elsewhere_and_take_their_numbers_along() {
    let account = Account::new().await;
    account.subscribe("portouts").await;
    account.place("orders", &number_order("919", 1, "")).await;
    account.step("1m").await;
    let owned = account.sandbox.numbers();
    assert_eq!(account.ask("POST", "portouts", "<LnpOrder/>").await.status, 405);
    let asked = format!(r#"{{"telephone_numbers":["{}"]}}"#, owned[0]);
    assert_eq!(account.ask("POST", "/sandbox/portouts", &asked).await.status, 201);
    account.step("24h").await;
    assert_eq!(account.told("Status"), ["COMPLETE"]);
    assert_eq!(account.told_numbers("CompletedTelephoneNumbers"), [owned]);
    assert!(account.sandbox.numbers().is_empty());
}
