//! What a tenant's endpoint receives.

use domain::notification::{Notification, NumberFormat};

use crate::shapes::{complete, messaging_lost, note};

#[test]
fn the_subscription_is_the_tenants_and_the_numbers_are_as_it_asked() {
    let xml = complete().to_xml("tenant <1>", NumberFormat::E164);
    assert!(xml.contains("<SubscriptionId>tenant &lt;1&gt;</SubscriptionId>"));
    assert!(xml.contains("<TelephoneNumber>+19195550100</TelephoneNumber>"));
    assert!(!xml.contains(crate::shapes::SUBSCRIPTION));
    assert_eq!(xml.matches("SubscriptionId").count(), 2);
}

#[test]
fn json_has_the_names_in_camel_case_and_leaves_out_what_is_absent() {
    assert_eq!(
        complete().to_json("s1", NumberFormat::E164),
        r#"{"status":"COMPLETE","subscriptionId":"s1","message":"2 numbers from CARY, NC & <more>","orderId":"1b9a2c44-8a1b-4f0e-9a57-9b1b6d5e7c02","orderType":"orders","customerOrderId":"CUST-42","completedTelephoneNumbers":["+19195550100","+19195550101"],"lastModifiedDate":"2026-02-03T10:11:12.345Z"}"#
    );
    assert_eq!(
        note().to_json("s1", NumberFormat::Legacy),
        r#"{"subscriptionId":"s1","orderId":"1b9a2c44-8a1b-4f0e-9a57-9b1b6d5e7c02","orderType":"portins","note":"please send the LOA again"}"#
    );
    assert_eq!(
        messaging_lost().to_json("s1", NumberFormat::Legacy),
        r#"{"subscriptionId":"s1","eventType":"MESSAGING_LOST","impactedTelephoneNumbers":["9195550100"]}"#
    );
}

#[test]
fn what_xml_cannot_hold_is_replaced_rather_than_sent() {
    let n = Notification { message: Some("a\u{0}b\u{ffff}\rc\n".into()), ..complete() };
    let xml = n.to_xml("s1", NumberFormat::Legacy);
    assert!(xml.contains("<Message>a\u{fffd}b\u{fffd}&#13;c\n</Message>"));
}
