//! The shapes of message that Bandwidth sends, in real element order.

use domain::notification::{Notification, NumberFormat, Order};

pub(crate) const SUBSCRIPTION: &str = "5f7d7a0e-6b1e-4c55-8a0a-0c7e6a1d1a01";
pub(crate) const ORDER: &str = "1b9a2c44-8a1b-4f0e-9a57-9b1b6d5e7c02";

/// A number order that is done: every element that orders can have, but for the note.
pub(crate) fn complete() -> Notification {
    Notification {
        order: Some(Order {
            order_type: "orders".into(),
            order_id: ORDER.into(),
            customer_order_id: Some("CUST-42".into()),
        }),
        status: Some("COMPLETE".into()),
        message: Some("2 numbers from CARY, NC & <more>".into()),
        completed_telephone_numbers: vec!["9195550100".into(), "9195550101".into()],
        last_modified_date: Some("2026-02-03T10:11:12.345Z".into()),
        ..bare()
    }
}

/// A note on a port-in.
pub(crate) fn note() -> Notification {
    Notification {
        order: Some(order("portins")),
        note: Some("please send the LOA again".into()),
        ..bare()
    }
}

/// Numbers that lost messaging.
pub(crate) fn messaging_lost() -> Notification {
    Notification {
        event_type: Some("MESSAGING_LOST".into()),
        impacted_telephone_numbers: vec!["9195550100".into()],
        ..bare()
    }
}

fn state(order_type: &str, status: &str) -> Notification {
    Notification { order: Some(order(order_type)), status: Some(status.into()), ..bare() }
}

fn order(order_type: &str) -> Order {
    Order { order_type: order_type.into(), order_id: ORDER.into(), customer_order_id: None }
}

fn bare() -> Notification {
    Notification { subscription_id: Some(SUBSCRIPTION.into()), ..Notification::default() }
}

#[track_caller]
fn check(children: &str, expected: &Notification) {
    let children = children.replace("SUB", SUBSCRIPTION).replace("ORD", ORDER);
    for head in [
        "",
        r#"<?xml version="1.0"?>"#,
        r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>"#,
    ] {
        let body = format!("{head}<Notification>{children}</Notification>");
        assert_eq!(Notification::parse(body.as_bytes()).as_ref(), Ok(expected));
    }
    // We write what Bandwidth writes, so the same text comes back.
    let xml = expected.to_xml(SUBSCRIPTION, NumberFormat::Legacy);
    assert!(xml.ends_with(&format!("standalone=\"yes\"?><Notification>{children}</Notification>")));
}

#[test]
fn a_complete_number_order() {
    check(
        "<Status>COMPLETE</Status><SubscriptionId>SUB</SubscriptionId>\
         <Message>2 numbers from CARY, NC &amp; &lt;more&gt;</Message><OrderId>ORD</OrderId>\
         <OrderType>orders</OrderType><CustomerOrderId>CUST-42</CustomerOrderId>\
         <CompletedTelephoneNumbers><TelephoneNumber>9195550100</TelephoneNumber>\
         <TelephoneNumber>9195550101</TelephoneNumber></CompletedTelephoneNumbers>\
         <LastModifiedDate>2026-02-03T10:11:12.345Z</LastModifiedDate>",
        &complete(),
    );
}

#[test]
fn a_failed_number_order_with_the_number_that_was_asked_for() {
    let message = "5005: The telephone number is unavailable for ordering";
    check(
        "<Status>FAILED</Status><SubscriptionId>SUB</SubscriptionId>\
         <Message>5005: The telephone number is unavailable for ordering</Message>\
         <OrderId>ORD</OrderId><OrderType>orders</OrderType><CompletedTelephoneNumbers>\
         <TelephoneNumber>9195550100</TelephoneNumber></CompletedTelephoneNumbers>",
        &Notification {
            message: Some(message.into()),
            completed_telephone_numbers: vec!["9195550100".into()],
            ..state("orders", "FAILED")
        },
    );
}

#[test]
fn a_port_in_with_a_firm_date() {
    check(
        "<Status>FOC</Status><SubscriptionId>SUB</SubscriptionId><OrderId>ORD</OrderId>\
         <OrderType>portins</OrderType>\
         <LastModifiedDate>2026-02-03T10:11:12.345Z</LastModifiedDate>\
         <ActualFocDate>2026-02-10T16:30:00Z</ActualFocDate>",
        &Notification {
            last_modified_date: Some("2026-02-03T10:11:12.345Z".into()),
            actual_foc_date: Some("2026-02-10T16:30:00Z".into()),
            ..state("portins", "FOC")
        },
    );
}

#[test]
fn a_note_with_and_without_a_status() {
    check(
        "<SubscriptionId>SUB</SubscriptionId><OrderId>ORD</OrderId><OrderType>portins</OrderType>\
         <Note>please send the LOA again</Note>",
        &note(),
    );
    check(
        "<Status>FOC</Status><SubscriptionId>SUB</SubscriptionId><OrderId>ORD</OrderId>\
         <OrderType>portins</OrderType><Note>please send the LOA again</Note>",
        &Notification { status: Some("FOC".into()), ..note() },
    );
}

#[test]
fn an_order_of_any_other_type() {
    for (order_type, status) in [
        ("bulkPortins", "NEEDS_ATTENTION"),
        ("e911s", "ADJUSTED_COMPLETE"),
        ("tnoptions", "PROCESSING"),
        ("csrs", "ACTION_REQUIRED"),
        ("disconnects", "PARTIAL"),
        ("ordersOfTheFuture", "A_NEW_STATE"),
    ] {
        let children = format!(
            "<Status>{status}</Status><SubscriptionId>SUB</SubscriptionId><OrderId>ORD</OrderId>\
             <OrderType>{order_type}</OrderType>"
        );
        check(&children, &state(order_type, status));
    }
}

#[test]
fn an_event_that_belongs_to_no_order() {
    check(
        "<SubscriptionId>SUB</SubscriptionId><EventType>MESSAGING_LOST</EventType>\
         <ImpactedTelephoneNumbers><TelephoneNumber>9195550100</TelephoneNumber>\
         </ImpactedTelephoneNumbers>",
        &messaging_lost(),
    );
}
