//! A notification as Bandwidth writes it.

use super::{Notification, NumberFormat, document};

const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?><Notification>"#;

/// The elements stand in the order of Bandwidth's real messages, for readers that count on it.
pub(super) fn render(n: &Notification, subscription_id: &str, format: NumberFormat) -> String {
    let order = n.order.as_ref();
    let mut xml = HEAD.to_owned();
    text(&mut xml, "Status", n.status.as_deref());
    text(&mut xml, "SubscriptionId", Some(subscription_id));
    text(&mut xml, "Message", n.message.as_deref());
    text(&mut xml, "OrderId", order.map(|order| order.order_id.as_str()));
    text(&mut xml, "OrderType", order.map(|order| order.order_type.as_str()));
    text(&mut xml, "CustomerOrderId", order.and_then(|order| order.customer_order_id.as_deref()));
    text(&mut xml, "Note", n.note.as_deref());
    list(&mut xml, "CompletedTelephoneNumbers", &n.completed_telephone_numbers, format);
    text(&mut xml, "LastModifiedDate", n.last_modified_date.as_deref());
    text(&mut xml, "ActualFocDate", n.actual_foc_date.as_deref());
    text(&mut xml, "EventType", n.event_type.as_deref());
    list(&mut xml, "ImpactedTelephoneNumbers", &n.impacted_telephone_numbers, format);
    xml.push_str("</Notification>");
    xml
}

/// An element of text; without a value, nothing.
pub(crate) fn text(xml: &mut String, element: &str, value: Option<&str>) {
    let Some(value) = value else { return };
    xml.push_str(&format!("<{element}>"));
    for c in value.chars() {
        match c {
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '&' => xml.push_str("&amp;"),
            // A reader turns a bare one into a line feed.
            '\r' => xml.push_str("&#13;"),
            c if document::is_legal(c) => xml.push(c),
            _ => xml.push(char::REPLACEMENT_CHARACTER),
        }
    }
    xml.push_str(&format!("</{element}>"));
}

fn list(xml: &mut String, element: &str, numbers: &[String], format: NumberFormat) {
    if numbers.is_empty() {
        return;
    }
    xml.push_str(&format!("<{element}>"));
    for number in numbers {
        text(xml, "TelephoneNumber", Some(&format.write(number)));
    }
    xml.push_str(&format!("</{element}>"));
}
