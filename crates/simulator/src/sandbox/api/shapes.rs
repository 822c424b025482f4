//! How orders are shown.

use crate::sandbox::api::answer::{nested, optional};
use crate::sandbox::numbers::answer;
use crate::sandbox::order::{Detail, Order, Refused, date};
use crate::sandbox::xml::Element;

/// The answer to a GET.
pub(super) fn order(order: &Order, account: &str) -> Element {
    match order.kind.order_type {
        "portins" => portin(order, account),
        "disconnects" => disconnect(order),
        _ => nested(order.kind.form.got, plain(order, account)),
    }
}

/// The answer to the POST that made it.
pub(super) fn created(order: &Order, account: &str) -> Element {
    if let Detail::Numbers(numbers) = &order.detail {
        return answer::created(&numbers.order, &super::numbers::record(order, account));
    }
    match order.kind.order_type {
        "portins" => {
            let description = "The order was received. Ask for its state by its id.";
            portin_answer(order, "201", description)
        }
        "disconnects" => disconnect(order),
        _ => nested(order.kind.form.created, plain(order, account)),
    }
}

/// What was sent, with what came to it.
fn plain(order: &Order, account: &str) -> Vec<Element> {
    let mut children = vec![
        Element::leaf("OrderId", &order.id),
        Element::leaf("OrderCreateDate", date(order.created)),
        Element::leaf("AccountId", account),
        Element::leaf("CreatedByUser", &order.user),
        Element::leaf("LastModifiedDate", date(order.modified)),
    ];
    if !order.errors.is_empty() {
        children.push(Element::new("ErrorList", order.errors.iter().map(error).collect()));
    }
    children.push(Element::leaf(order.kind.form.status, &order.state));
    let echo = order.request.children.iter().filter(|child| child.name != order.kind.form.status);
    children.extend(echo.cloned());
    children
}

fn portin(order: &Order, account: &str) -> Element {
    let mut children = vec![Element::leaf("OrderId", &order.id)];
    children.extend(order.errors.iter().map(portin_error));
    children.push(Element::leaf("ProcessingStatus", &order.state));
    if let Detail::Portin(portin) = &order.detail {
        let foc = portin.actual_foc.filter(|_| matches!(order.state.as_str(), "FOC" | "COMPLETE"));
        children.extend(optional("ActualFocDate", foc.map(date).as_deref()));
    }
    children.extend(echo(order));
    children.extend([
        Element::leaf("AccountId", account),
        Element::leaf("OrderCreateDate", date(order.created)),
        Element::leaf("LastModifiedDate", date(order.modified)),
        Element::leaf("userId", &order.user),
        Element::leaf("LastModifiedBy", &order.modified_by),
        Element::leaf("PortType", "AUTOMATED"),
    ]);
    Element::new("LnpOrderResponse", children)
}

/// The answer to a POST or PUT of a port-in.
pub(super) fn portin_answer(order: &Order, code: &str, description: &str) -> Element {
    let status = vec![Element::leaf("Code", code), Element::leaf("Description", description)];
    let mut children = vec![
        Element::leaf("OrderId", &order.id),
        Element::new("Status", status),
        Element::leaf("ProcessingStatus", &order.state),
    ];
    children.extend(echo(order));
    Element::new("LnpOrderResponse", children)
}

/// The answer to a request for a port-in that cannot be met.
pub(super) fn portin_refused(id: Option<&str>, errors: &[Refused], echo: &[Element]) -> Element {
    let status = vec![
        Element::leaf("Code", "400"),
        Element::leaf("Description", "The order is not valid. See what is wrong with it."),
    ];
    let mut children = Vec::new();
    children.extend(optional("OrderId", id));
    children.push(Element::new("Status", status));
    children.extend(errors.iter().map(portin_error));
    children.push(Element::leaf("ProcessingStatus", "EXCEPTION"));
    children.extend(echo.iter().filter(|child| child.name != "ProcessingStatus").cloned());
    Element::new("LnpOrderResponse", children)
}

fn echo(order: &Order) -> Vec<Element> {
    let children = order.request.children.iter();
    children.filter(|child| child.name != "ProcessingStatus").cloned().collect()
}

/// Errors of a port-in repeat, without a list around them.
fn portin_error(refused: &Refused) -> Element {
    let mut children = vec![
        Element::leaf("Code", refused.code.to_string()),
        Element::leaf("Description", &refused.description),
    ];
    if let Some(number) = &refused.telephone_number {
        children.push(Element::new("TelephoneNumbers", vec![Element::leaf("Tn", number)]));
    }
    Element::new("Errors", children)
}

fn error(refused: &Refused) -> Element {
    let mut children = vec![
        Element::leaf("Code", refused.code.to_string()),
        Element::leaf("Description", &refused.description),
    ];
    children.extend(optional("TelephoneNumber", refused.telephone_number.as_deref()));
    Element::new("Error", children)
}

fn disconnect(order: &Order) -> Element {
    let mut request =
        vec![Element::leaf("id", &order.id), Element::leaf("OrderCreateDate", date(order.created))];
    request.extend(order.request.children.iter().cloned());
    let mut children = Vec::new();
    if !order.errors.is_empty() {
        children.push(Element::new("ErrorList", order.errors.iter().map(error).collect()));
    }
    children.push(Element::new("orderRequest", request));
    children.push(Element::leaf("OrderStatus", &order.state));
    if !order.completed.is_empty() {
        let numbers = order.completed.iter().map(|n| Element::leaf("TelephoneNumber", n));
        children.push(Element::new("DisconnectedTelephoneNumberList", numbers.collect()));
    }
    Element::new("DisconnectTelephoneNumberOrderResponse", children)
}

/// An entry of a list.
pub(super) fn entry(order: &Order, account: &str) -> Element {
    if let Detail::Numbers(numbers) = &order.detail {
        return answer::list_entry(&numbers.order, &super::numbers::record(order, account));
    }
    let form = &order.kind.form;
    let count = order.numbers.len();
    let mut children = vec![
        Element::leaf("accountId", account),
        Element::leaf("CountOfTNs", count.to_string()),
        Element::leaf("userId", &order.user),
        Element::leaf("lastModifiedDate", date(order.modified)),
        Element::leaf("OrderDate", date(order.created)),
        Element::leaf(form.entry_id, &order.id),
        Element::leaf("OrderType", form.entry_type),
    ];
    children.extend(optional("CustomerOrderId", order.customer_order_id.as_deref()));
    if let Detail::Portin(portin) = &order.detail {
        children.extend(optional("ActualFOCDate", portin.actual_foc.map(date).as_deref()));
        let requested = portin.requested_foc.map(date);
        children.extend(optional("RequestedFOCDate", requested.as_deref()));
        let billing = order.request.value("BillingTelephoneNumber");
        children.extend(optional("BillingTelephoneNumber", billing));
    }
    children.push(Element::leaf(form.entry_status, &order.state));
    Element::new(form.entry, children)
}

/// All changes. A draft has no history yet, nor has an order for numbers that was only received.
pub(super) fn history(order: &Order) -> Element {
    let draft = order.state == "DRAFT" && matches!(order.detail, Detail::Portin(_));
    if draft || (order.state == "DRAFT" && order.kind.order_type == "bulkPortins") {
        let children = vec![
            Element::leaf("Code", "7710"),
            Element::leaf("Description", "Drafts have no history"),
        ];
        return Element::new("OrderHistoryWrapper", vec![Element::new("IrisStatus", children)]);
    }
    if matches!(order.detail, Detail::Numbers(_)) && order.history.len() == 1 {
        return Element::new("OrderHistoryWrapper", Vec::new());
    }
    let changes = order.history.iter().map(|change| {
        let mut children = vec![
            Element::leaf("OrderDate", date(change.at)),
            Element::leaf("Note", &change.note),
            Element::leaf("Author", &change.author),
            Element::leaf("Status", &change.state),
        ];
        children.extend(optional("Difference", change.difference.as_deref()));
        Element::new("OrderHistory", children)
    });
    Element::new("OrderHistoryWrapper", changes.collect())
}
