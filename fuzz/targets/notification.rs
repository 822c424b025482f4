//! What Bandwidth posts, or anybody else. What was read is written again for tenants.

#![no_main]

use domain::notification::{Notification, NumberFormat};

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    let Ok(notification) = Notification::parse(body) else { return };
    assert_eq!(notification.digest().len(), 32);
    assert!(!notification.subject().is_empty());
    notification.change();
    domain::event::stated_time(&notification);
    for format in [NumberFormat::Legacy, NumberFormat::E164] {
        let json = notification.to_json("a subscription", format);
        serde_json::from_str::<serde_json::Value>(&json).expect("JSON is written");
        let xml = notification.to_xml("a subscription", format);
        let again = Notification::parse(xml.as_bytes()).expect("what is written can be read");
        assert_eq!(again.to_xml("a subscription", format), xml);
    }
});
