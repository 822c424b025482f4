//! One name for one content.

use sha2::{Digest, Sha256};

use super::{Notification, NumberFormat};
use crate::order;

/// Half of a SHA-256, in hexadecimal, over a form that does not depend on the subscription.
///
/// Never change what goes in: keys of stored events hold it.
pub(super) fn digest(notification: &Notification) -> String {
    let n = notification;
    let order = n.order.as_ref();
    let text = |value: Option<String>| Vec::from_iter(value);
    let fields = [
        text(order.map(|order| order.order_type.to_lowercase())),
        text(order.map(|order| order.order_id.to_ascii_lowercase())),
        text(order.and_then(|order| order.customer_order_id.clone())),
        text(n.event_type.as_ref().map(|event_type| event_type.to_uppercase())),
        text(n.status.as_ref().map(|status| status.to_uppercase())),
        text(n.message.clone()),
        text(n.note.clone()),
        text(n.last_modified_date.clone()),
        text(n.actual_foc_date.clone()),
        numbers(&n.completed_telephone_numbers),
        numbers(&n.impacted_telephone_numbers),
    ];
    hash_of(&fields)
}

/// The same over nothing but which order came to which state and when: what a notification of it says,
/// and what the order's history says.
///
/// Never change what goes in: keys of stored events hold it.
pub(super) fn state_digest(notification: &Notification, at: &str) -> Option<String> {
    let n = notification;
    if n.note.is_some() || n.event_type.is_some() {
        return None;
    }
    let (order, status) = (n.order.as_ref()?, n.status.as_ref()?);
    let known = order::order_type(&order.order_type).map(|known| known.name);
    let fields = [
        vec!["state".to_owned()],
        vec![known.unwrap_or(&order.order_type).to_lowercase()],
        vec![order.order_id.to_ascii_lowercase()],
        vec![status.to_uppercase()],
        vec![at.to_owned()],
    ];
    Some(hash_of(&fields))
}

fn hash_of(fields: &[Vec<String>]) -> String {
    let mut hash = Sha256::new();
    // Each length comes before what it counts, so that no two contents are the same bytes.
    for values in fields {
        hash.update((values.len() as u64).to_be_bytes());
        for value in values {
            hash.update((value.len() as u64).to_be_bytes());
            hash.update(value);
        }
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn numbers(list: &[String]) -> Vec<String> {
    let mut numbers: Vec<String> =
        list.iter().map(|number| NumberFormat::E164.write(number).into_owned()).collect();
    numbers.sort_unstable();
    numbers
}
