//! Port-ins: their ways, and what customers do to them.

use simulator::sandbox::LOA_SIZE_MAX;

use crate::account::{Account, lnp_order};

#[tokio::test]
async fn a_port_in_goes_its_way_and_every_state_is_notified() {
    let account = Account::new().await;
    let subscription = account.subscribe("portins").await;
    // Sooner than it can be.
    let asked = "<RequestedFocDate>2026-03-03T00:00:00Z</RequestedFocDate><SiteId>";
    let order = lnp_order("9195550100").replace("<SiteId>", asked);
    let id = account.place("portins", &order).await;
    account.sandbox.run_due().await;
    assert_eq!(account.told("Status"), ["PENDING_DOCUMENTS"]);
    account.step("24h").await;
    account.step("72h").await;

    let states = ["PENDING_DOCUMENTS", "SUBMITTED", "FOC", "COMPLETE"];
    assert_eq!(account.told("Status"), states);
    assert_eq!(account.history(&id), states);
    assert!(account.told("OrderId").iter().all(|told| *told == id));
    assert!(account.told("SubscriptionId").iter().all(|told| *told == subscription));
    assert!(account.told("CustomerOrderId").iter().all(|told| told == "C-1"));
    assert!(account.told("OrderType").iter().all(|told| told == "portins"));
    let dates = [
        "2026-03-02T10:00:00.000Z",
        "2026-03-02T10:00:05.000Z",
        "2026-03-03T10:00:05.000Z",
        "2026-03-05T10:00:05.000Z",
    ];
    assert_eq!(account.told("LastModifiedDate"), dates);
    let foc = ["", "", "2026-03-05T10:00:05Z", ""];
    assert_eq!(account.told("ActualFocDate"), foc);

    let order = account.get(&format!("portins/{id}")).await;
    assert_eq!(order.value("ProcessingStatus"), Some("COMPLETE"));
    assert_eq!(order.value("LastModifiedDate"), Some("2026-03-05T10:00:05.000Z"));
    assert_eq!(order.value("ActualFocDate"), Some("2026-03-05T10:00:05.000Z"));
    let totals = account.get(&format!("portins/{id}/totals")).await;
    assert_eq!((totals.name.as_str(), totals.value("Count")), ("Quantity", Some("1")));
}

#[tokio::test]
async fn a_port_in_is_refused_with_all_that_is_wrong() {
    let account = Account::new().await;
    account.port_in().await;
    let codes = async |body: &str| {
        let answered = account.ask("POST", "portins", body).await;
        assert_eq!(answered.status, 400);
        let errors = answered.xml().children.into_iter().filter(|child| child.name == "Errors");
        errors.map(|error| error.value("Code").unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(codes(&lnp_order("9195550100")).await, ["7205"]);
    assert_eq!(codes("<LnpOrder/>").await, ["7309", "5070"]);
    let id = lnp_order("9195550101").replace("C-1", "C_1");
    assert_eq!(codes(&id).await, ["5052"]);
    assert_eq!(account.ask("POST", "portins", "<LnpOrder>").await.status, 400);
    assert_eq!(account.sandbox.orders().len(), 1);
}

/// The port-in of an account, `by` after it was made.
async fn ported(by: &str) -> (Account, String) {
    let account = Account::new().await;
    account.subscribe("portins").await;
    let id = account.port_in().await;
    account.step(by).await;
    (account, id)
}

#[tokio::test]
async fn a_change_begins_the_port_again() {
    let (account, id) = ported("48h").await;
    let supp = "<LnpOrderSupp><OrderId>1</OrderId><CustomerOrderId>C-2</CustomerOrderId>\
        <SiteId>744</SiteId><RequestedFocDate>2026-03-09T16:30:00Z</RequestedFocDate></LnpOrderSupp>";
    let answered = account.ask("PUT", &format!("portins/{id}"), supp).await;
    assert_eq!(answered.status, 200);
    assert_eq!(answered.xml().value("ProcessingStatus"), Some("REQUESTED_SUPP"));
    assert_eq!(answered.body.matches("<OrderId>").count(), 1, "{}", answered.body);
    account.step("200h").await;

    let rest = ["REQUESTED_SUPP", "SUBMITTED", "FOC", "COMPLETE"];
    assert_eq!(account.told("Status")[3..], rest);
    assert_eq!(account.told("CustomerOrderId")[3..], ["C-2"; 4]);
    assert_eq!(account.told("ActualFocDate")[5], "2026-03-09T16:30:00Z");
    // Nothing of what was planned before comes in between. The new CustomerOrderId is a change of
    // its own, a millisecond earlier.
    let dates = [
        "2026-03-04T10:00:00.001Z",
        "2026-03-04T10:01:00.000Z",
        "2026-03-05T10:01:00.000Z",
        "2026-03-09T16:30:00.000Z",
    ];
    assert_eq!(account.told("LastModifiedDate")[3..], dates);
    let order = account.get(&format!("portins/{id}")).await;
    assert_eq!(order.value("SiteId"), Some("744"));
    assert_eq!(order.value("CustomerOrderId"), Some("C-2"));

    let late = account.ask("PUT", &format!("portins/{id}"), supp).await;
    assert_eq!(late.status, 400);
    assert_eq!(late.xml().child("Errors").unwrap().value("Code"), Some("7304"));
    assert_eq!(account.told("Status").len(), 7);
}

#[tokio::test]
async fn a_cancellation_is_requested_and_then_done() {
    let (account, id) = ported("1h").await;
    assert_eq!(account.ask("DELETE", &format!("portins/{id}"), "").await.status, 200);
    account.step("200h").await;
    assert_eq!(account.told("Status")[2..], ["REQUESTED_CANCEL", "CANCELLED"]);
    let again = account.ask("DELETE", &format!("portins/{id}"), "").await;
    assert!(again.status == 400 && again.body.contains("<Code>7304</Code>"), "{}", again.body);
    let supp = account.ask("PUT", &format!("portins/{id}"), "<LnpOrderSupp/>").await;
    assert_eq!(supp.status, 400);
}

#[tokio::test]
async fn a_draft_waits_until_it_is_submitted() {
    let account = Account::new().await;
    account.subscribe("portins").await;
    let draft = "<LnpOrder><ProcessingStatus>DRAFT</ProcessingStatus></LnpOrder>";
    let (one, two) = (account.place("portins", draft).await, account.place("portins", draft).await);
    account.step("200h").await;
    assert!(account.told("Status").is_empty());
    let history = account.get(&format!("portins/{one}/history")).await;
    assert_eq!(history.children[0].value("Code"), Some("7710"));
    assert_eq!(account.get("portins").await.value("TotalCount"), Some("0"));
    assert_eq!(account.get("portins?status=draft").await.value("TotalCount"), Some("2"));

    let submit = "<LnpOrderSupp><ProcessingStatus>SUBMITTED</ProcessingStatus></LnpOrderSupp>";
    assert_eq!(account.ask("PUT", &format!("portins/{one}"), submit).await.status, 200);
    assert_eq!(account.ask("DELETE", &format!("portins/{two}"), "").await.status, 200);
    account.step("200h").await;
    assert_eq!(account.told("Status"), ["PENDING_DOCUMENTS", "SUBMITTED", "FOC", "COMPLETE"]);
    assert_eq!(account.ask("GET", &format!("portins/{two}"), "").await.status, 404);
}

#[tokio::test]
async fn documents_are_kept_with_what_they_are() {
    let (account, id) = ported("1h").await;
    let loas = format!("portins/{id}/loas");
    assert_eq!(account.get(&loas).await.value("fileCount"), Some("0"));
    let path = format!("{loas}?documentType=LOA");
    let uploaded = account.upload(&path, "application/pdf", b"%PDF 1").await;
    assert_eq!(uploaded.status, 201);
    let file = format!("{loas}/{}", uploaded.id());
    assert_eq!(uploaded.xml().value("filename"), Some(uploaded.id().as_str()));
    assert!(file.ends_with(".pdf"));
    assert_eq!(account.ask("GET", &file, "").await.body, "%PDF 1");

    let metadata = format!("{file}/metadata");
    assert_eq!(account.get(&metadata).await.value("DocumentType"), Some("LOA"));
    let described = "<FileMetaData><DocumentName>bill</DocumentName>\
        <DocumentType>INVOICE</DocumentType></FileMetaData>";
    assert_eq!(account.ask("PUT", &metadata, described).await.status, 200);
    let file_data = account.get(&loas).await.child("fileData").cloned().unwrap();
    assert_eq!(file_data.value("FileName"), Some(uploaded.id().as_str()));
    assert_eq!(file_data.child("FileMetaData"), None);
    let list = account.get(&format!("{loas}?metadata=true")).await;
    let shown = list.child("fileData").unwrap().child("FileMetaData").unwrap();
    assert_eq!(shown.value("DocumentName"), Some("bill"));
    assert_eq!(shown.value("DocumentType"), Some("INVOICE"));
    let long =
        format!("<FileMetaData><DocumentName>{}</DocumentName></FileMetaData>", "b".repeat(51));
    let refused = account.ask("PUT", &metadata, &long).await;
    assert!(refused.status == 400 && refused.body.contains("7800"), "{}", refused.body);

    assert_eq!(account.replace(&file, "application/pdf", b"%PDF 2").await.status, 200);
    assert_eq!(account.ask("GET", &file, "").await.body, "%PDF 2");
    assert_eq!(account.ask("DELETE", &file, "").await.status, 200);
    assert_eq!(account.ask("GET", &file, "").await.status, 404);

    for (content_type, size, status) in [
        ("application/pdf", LOA_SIZE_MAX, 201),
        ("application/pdf", LOA_SIZE_MAX + 1, 413),
        ("application/pdf", 0, 400),
        ("image/gif", 1, 400),
    ] {
        let answered = account.upload(&loas, content_type, &vec![b'x'; size]).await;
        assert_eq!(answered.status, status, "{content_type} {size}");
    }
}

#[tokio::test]
async fn a_change_that_names_no_customer_order_id_leaves_it() {
    let (account, id) = ported("1h").await;
    let path = format!("portins/{id}");
    let supp = "<LnpOrderSupp><SiteId>744</SiteId></LnpOrderSupp>";
    assert_eq!(account.ask("PUT", &path, supp).await.status, 200);
    account.step("1h").await;
    let order = account.get(&path).await;
    assert_eq!((order.value("SiteId"), order.value("CustomerOrderId")), (Some("744"), Some("C-1")));
    assert_eq!(account.told("CustomerOrderId"), ["C-1"; 4]);
}

#[tokio::test]
async fn a_note_before_the_foc_date_does_not_move_it() {
    let account = Account::new().await;
    account.subscribe("portins").await;
    let noted = r#"{ "orders": [{ "kind": "portins", "steps": [
        { "state": "SUBMITTED" },
        { "state": "FOC" },
        { "after": "1h", "note": "soon" },
        { "after": "2h", "state": "COMPLETE" } ] }] }"#;
    assert_eq!(account.ask("PUT", "/sandbox/scenario", noted).await.status, 204);
    account.port_in().await;
    let later = "<RequestedFocDate>2026-03-09T16:30:00Z</RequestedFocDate><SiteId>";
    account.place("portins", &lnp_order("9195550101").replace("<SiteId>", later)).await;
    account.step("200h").await;
    let told = |element| {
        let told = account.told(element).into_iter().filter(|told| !told.is_empty());
        told.collect::<Vec<_>>()
    };
    let dates = ["2026-03-02T13:00:00Z", "2026-03-09T16:30:00Z"];
    assert_eq!(told("ActualFocDate"), dates);
    let completed = dates.map(|date| date.replace("00Z", "00.000Z"));
    assert_eq!(told("LastModifiedDate")[8..], completed);
}
