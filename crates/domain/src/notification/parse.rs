//! From a body to a notification.
//!
//! Children may come in any order (Bandwidth's own order differs from its documentation), unknown
//! ones are passed over, and a namespace prefix makes no difference.

use std::collections::HashMap;

use super::decode::decode;
use super::document::{Document, Part};
use super::{Malformed, Notification, Order};
use crate::limits;

/// The elements that hold text, and how many characters each may have.
const TEXTS: [(&str, usize); 10] = [
    ("SubscriptionId", limits::SUBSCRIPTION_ID_CHARS_MAX),
    ("OrderType", limits::ORDER_TYPE_CHARS_MAX),
    ("OrderId", limits::ORDER_ID_CHARS_MAX),
    ("CustomerOrderId", limits::CUSTOMER_ORDER_ID_CHARS_MAX),
    ("EventType", limits::EVENT_TYPE_CHARS_MAX),
    ("Status", limits::STATUS_CHARS_MAX),
    ("Message", limits::MESSAGE_CHARS_MAX),
    ("Note", limits::NOTE_CHARS_MAX),
    ("LastModifiedDate", limits::DATE_CHARS_MAX),
    ("ActualFocDate", limits::DATE_CHARS_MAX),
];

const LISTS: [&str; 2] = ["CompletedTelephoneNumbers", "ImpactedTelephoneNumbers"];

/// Bandwidth's documentation has both; its messages have the first.
const LIST_ITEMS: [&str; 2] = ["TelephoneNumber", "TelephoneNumbers"];

pub(super) fn parse(body: &[u8]) -> Result<Notification, Malformed> {
    let text = decode(body, limits::BODY_BYTES_MAX)?;
    let mut document = Document::new(&text)?;
    let mut children = Children::default();
    while let Some(part) = document.next()? {
        match part {
            Part::Open(name) if name == "Notification" => children = read_children(&mut document)?,
            _ => return Err(Malformed::Root),
        }
    }
    assemble(children)
}

/// What was found below the root. An element that is there but empty is an empty string or list.
#[derive(Default)]
struct Children {
    texts: HashMap<&'static str, String>,
    lists: HashMap<&'static str, Vec<String>>,
}

fn read_children(document: &mut Document) -> Result<Children, Malformed> {
    let mut children = Children::default();
    loop {
        let name = match document.next()? {
            Some(Part::Open(name)) => name,
            Some(Part::Text(_)) => continue,
            Some(Part::Close) | None => return Ok(children),
        };
        let twice = if let Some(&(element, chars_max)) = TEXTS.iter().find(|(e, _)| *e == name) {
            let value = read_text(document, element, chars_max)?;
            children.texts.insert(element, value).map(|_| element)
        } else if let Some(&list) = LISTS.iter().find(|list| **list == name) {
            children.lists.insert(list, read_numbers(document, list)?).map(|_| list)
        } else {
            document.skip()?;
            None
        };
        if let Some(element) = twice {
            return Err(Malformed::Twice(element));
        }
    }
}

fn read_text(
    document: &mut Document,
    element: &'static str,
    chars_max: usize,
) -> Result<String, Malformed> {
    let content = document.text(element)?;
    let content = content.trim();
    if content.chars().nth(chars_max).is_some() {
        return Err(Malformed::Length { element, chars_max });
    }
    Ok(content.to_owned())
}

fn read_numbers(document: &mut Document, list: &'static str) -> Result<Vec<String>, Malformed> {
    let mut numbers = Vec::new();
    loop {
        let name = match document.next()? {
            Some(Part::Open(name)) => name,
            Some(Part::Text(_)) => continue,
            Some(Part::Close) | None => return Ok(numbers),
        };
        let Some(&element) = LIST_ITEMS.iter().find(|item| **item == name) else {
            document.skip()?;
            continue;
        };
        let number = read_text(document, element, limits::TELEPHONE_NUMBER_CHARS_MAX)?;
        if !number.is_empty() {
            numbers.push(number);
        }
        if numbers.len() > limits::TELEPHONE_NUMBERS_MAX {
            return Err(Malformed::Count(list));
        }
    }
}

fn assemble(mut children: Children) -> Result<Notification, Malformed> {
    let mut text = |element| children.texts.remove(element).filter(|value| !value.is_empty());
    let mut list = |element| children.lists.remove(element).unwrap_or_default();

    let event_type = text("EventType");
    let customer_order_id = text("CustomerOrderId");
    let order = match (text("OrderType"), text("OrderId")) {
        (_, Some(order_id)) if !is_order_id(&order_id) => return Err(Malformed::OrderId),
        (Some(order_type), Some(order_id)) => {
            Some(Order { order_type, order_id, customer_order_id })
        }
        // Half an order names nothing, and the event stands without it.
        _ if event_type.is_some() => None,
        (Some(_), None) => return Err(Malformed::Missing("OrderId")),
        (None, Some(_)) => return Err(Malformed::Missing("OrderType")),
        (None, None) => return Err(Malformed::NoSubject),
    };
    Ok(Notification {
        subscription_id: text("SubscriptionId"),
        order,
        event_type,
        status: text("Status"),
        message: text("Message"),
        note: text("Note"),
        completed_telephone_numbers: list("CompletedTelephoneNumbers"),
        impacted_telephone_numbers: list("ImpactedTelephoneNumbers"),
        last_modified_date: text("LastModifiedDate"),
        actual_foc_date: text("ActualFocDate"),
    })
}

/// Order ids become part of keys, URLs and headers. Bandwidth's are UUIDs.
fn is_order_id(id: &str) -> bool {
    (1..=limits::ORDER_ID_CHARS_MAX).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}
