//! Port-ins: their ways, and what customers do to them.

use crate::account::{Account, lnp_order};

#[tokio::test]
async fn a_port_in_goes_its_way_and_every_state_is_notified() {
    let account = Account::new().await;
    let subscription = account.subscribe("portins").await;
    let id = account.port_in().await;
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
