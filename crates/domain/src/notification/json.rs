//! A notification as JSON.

use std::borrow::Cow;

use serde::Serialize;

use super::{Notification, NumberFormat};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Json<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'a str>,
    subscription_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_order_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    completed_telephone_numbers: Vec<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_modified_date: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actual_foc_date: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    impacted_telephone_numbers: Vec<Cow<'a, str>>,
}

pub(super) fn render(n: &Notification, subscription_id: &str, format: NumberFormat) -> String {
    let order = n.order.as_ref();
    let json = Json {
        status: n.status.as_deref(),
        subscription_id,
        message: n.message.as_deref(),
        order_id: order.map(|order| order.order_id.as_str()),
        order_type: order.map(|order| order.order_type.as_str()),
        customer_order_id: order.and_then(|order| order.customer_order_id.as_deref()),
        note: n.note.as_deref(),
        completed_telephone_numbers: numbers(&n.completed_telephone_numbers, format),
        last_modified_date: n.last_modified_date.as_deref(),
        actual_foc_date: n.actual_foc_date.as_deref(),
        event_type: n.event_type.as_deref(),
        impacted_telephone_numbers: numbers(&n.impacted_telephone_numbers, format),
    };
    serde_json::to_string(&json).expect("a struct of strings always becomes JSON")
}

fn numbers(list: &[String], format: NumberFormat) -> Vec<Cow<'_, str>> {
    list.iter().map(|number| format.write(number)).collect()
}
