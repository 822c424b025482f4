//! What is answered about orders for numbers, as the root element of a body.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::geography::{Place, place_of};
use super::order::{NumberOrder, State, counted};
use super::refused::Refused;
use super::request::{Rejected, Request};
use super::search::details;
use crate::sandbox::order;
use crate::sandbox::xml::Element;

/// What is known of an order besides its numbers.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    pub id: &'a str,
    pub account_id: &'a str,
    /// Who created it.
    pub user: &'a str,
    pub created: Timestamp,
    pub last_modified: Timestamp,
    /// Since when it is in a final state.
    pub completed: Option<Timestamp>,
}

/// 201 for a POST.
pub fn created(order: &NumberOrder, record: &Record) -> Element {
    let status = leaf("OrderStatus", order.state().as_str());
    Element::new("OrderResponse", vec![order_element(order.request(), record), status])
}

/// 400 for a POST, with what could be read of it.
pub fn rejected(rejected: &Rejected) -> Element {
    let mut answer = refused(&rejected.refused);
    if let Some(order) = &rejected.order {
        let echoed = order.children.iter().filter(|child| is_echoed(&child.name)).cloned();
        answer.children.push(Element::new("Order", echoed.collect()));
    }
    answer
}

/// 400 for a PUT.
pub fn refused(errors: &[Refused]) -> Element {
    Element::new("OrderResponse", vec![error_list(errors)])
}

/// 200 for a PUT.
pub fn updated() -> Element {
    Element::new("OrderResponse", vec![])
}

/// 200 for a GET of one order. With `tn_detail` each number says where it is.
pub fn order(order: &NumberOrder, record: &Record, tn_detail: bool) -> Element {
    let numbers = order.numbers();
    let (failed, pending) =
        if order.state().is_final() { (order.missing(), 0) } else { (0, order.missing()) };
    let mut children =
        vec![count("CompletedQuantity", numbers.len()), leaf("CreatedByUser", record.user)];
    // Clients take an answer with an error in it for a failure, so there is not even an empty list.
    if !order.errors().is_empty() {
        children.push(error_list(order.errors()));
    }
    let failed_numbers = order.failed_numbers();
    if !failed_numbers.is_empty() {
        let failed = failed_numbers.into_iter().map(|number| leaf("FullNumber", number));
        children.push(Element::new("FailedNumbers", failed.collect()));
    }
    children.push(date("LastModifiedDate", record.last_modified));
    children.extend(record.completed.map(|at| date("OrderCompleteDate", at)));
    let completed = numbers.iter().map(|number| {
        let full = vec![leaf("FullNumber", number)];
        Element::new("TelephoneNumber", if tn_detail { details(number) } else { full })
    });
    children.extend([
        order_element(order.request(), record),
        leaf("OrderStatus", order.state().as_str()),
        Element::new("CompletedNumbers", completed.collect()),
        leaf("Summary", summary(order)),
        count("FailedQuantity", failed),
        count("PendingQuantity", pending),
    ]);
    Element::new("OrderResponse", children)
}

/// An order in a list of them: `OrderIdUserIdDate`.
pub fn list_entry(order: &NumberOrder, record: &Record) -> Element {
    let mut children =
        vec![leaf("accountId", record.account_id), count("CountOfTNs", order.numbers().len())];
    children.extend(optional("CustomerOrderId", order.request().customer_order_id.as_deref()));
    children.extend([
        date("lastModifiedDate", record.last_modified),
        date("OrderDate", record.created),
        leaf("orderId", record.id),
        leaf("OrderType", "new_number"),
        leaf("OrderStatus", order.state().as_str()),
        leaf("userId", record.user),
    ]);
    if !order.numbers().is_empty() {
        let by = |list: &str, name: &str, of: fn(&Place) -> &str| {
            let of_number = |number: &String| place_of(number).map(|place| of(place).to_owned());
            let counted = tally(order.numbers().iter().filter_map(of_number));
            let with_count = |(value, numbers)| {
                Element::new(
                    &format!("{name}WithCount"),
                    vec![leaf(name, value), count("Count", numbers)],
                )
            };
            Element::new(list, counted.into_iter().map(with_count).collect())
        };
        children.push(Element::new(
            "TelephoneNumberDetails",
            vec![
                by("States", "State", |place| place.state),
                by("RateCenters", "RateCenter", |place| place.rate_center),
                by("Cities", "City", |place| place.city),
            ],
        ));
    }
    Element::new("OrderIdUserIdDate", children)
}

/// The numbers of an order: `/tns`.
pub fn tns(numbers: &[String]) -> Element {
    let listed = numbers.iter().map(|number| leaf("TelephoneNumber", number));
    let children = std::iter::once(count("Count", numbers.len())).chain(listed);
    Element::new("TelephoneNumbers", children.collect())
}

/// How many numbers of an order have which area code: `/areaCodes`.
pub fn area_codes(numbers: &[String]) -> Element {
    report_by("AreaCode", 3, numbers)
}

/// The same by NPA-NXX: `/npaNxx`.
pub fn npa_nxx(numbers: &[String]) -> Element {
    report_by("NPA-NXX", 6, numbers)
}

/// How many numbers an order has: `/totals`.
pub fn totals(numbers: &[String]) -> Element {
    let report = Element::new("TelephoneDetailsReport", vec![count("Count", numbers.len())]);
    Element::new("TelephoneDetailsReports", vec![report])
}

/// The same of a port.
pub fn quantity(numbers: &[String]) -> Element {
    Element::new("Quantity", vec![count("Count", numbers.len())])
}

fn report_by(name: &str, digits: usize, numbers: &[String]) -> Element {
    let prefix = |number: &String| number.get(..digits).map(str::to_owned);
    let reports = tally(numbers.iter().filter_map(prefix)).into_iter().map(|(prefix, numbers)| {
        Element::new("TelephoneDetailsReport", vec![leaf(name, prefix), count("Count", numbers)])
    });
    Element::new("TelephoneDetailsReports", reports.collect())
}

fn tally(values: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    let mut tally = BTreeMap::new();
    values.for_each(|value| *tally.entry(value).or_default() += 1);
    tally
}

/// `Order` with the id, without which clients cannot ask on.
fn order_element(request: &Request, record: &Record) -> Element {
    let mut children: Vec<Element> = Vec::new();
    children.extend(optional("CustomerOrderId", request.customer_order_id.as_deref()));
    children.push(leaf("id", record.id));
    children.extend(optional("Name", request.name.as_deref()));
    children.push(date("OrderCreateDate", record.created));
    children.extend(optional("PeerId", request.peer_id.as_deref()));
    children.push(leaf("BackOrderRequested", request.back_order_requested.to_string()));
    children.push(request.kind.clone());
    children.extend(request.tn_attributes.clone());
    children.push(leaf("PartialAllowed", request.partial_allowed.to_string()));
    children.push(leaf("SiteId", &request.site_id));
    Element::new("Order", children)
}

fn is_echoed(name: &str) -> bool {
    const NAMES: [&str; 7] = [
        "CustomerOrderId",
        "Name",
        "PeerId",
        "BackOrderRequested",
        "TnAttributes",
        "PartialAllowed",
        "SiteId",
    ];
    NAMES.contains(&name) || name.ends_with("OrderType")
}

fn error_list(errors: &[Refused]) -> Element {
    let error = |error: &Refused| {
        let mut children =
            vec![leaf("Code", error.code.to_string()), leaf("Description", &error.description)];
        children.extend(optional("TelephoneNumber", error.telephone_number.as_deref()));
        Element::new("Error", children)
    };
    Element::new("ErrorList", errors.iter().map(error).collect())
}

/// What became of the quantity, and in which area codes.
fn summary(order: &NumberOrder) -> String {
    let (got, wanted) = (order.numbers().len(), order.numbers().len() + order.missing());
    if got == 0 {
        return format!("{} requested", counted(wanted));
    }
    let prefix = |number: &String| number.get(..3).map(str::to_owned);
    let area_codes: Vec<_> = tally(order.numbers().iter().filter_map(prefix)).into_keys().collect();
    let part =
        if order.state() == State::Complete { String::new() } else { format!("{got} out of ") };
    format!("{part}{} ordered in ({})", counted(wanted), area_codes.join(", "))
}

fn leaf(name: &str, text: impl Into<String>) -> Element {
    Element::leaf(name, text)
}

fn optional(name: &str, text: Option<&str>) -> Option<Element> {
    text.map(|text| leaf(name, text))
}

fn count(name: &str, number: usize) -> Element {
    leaf(name, number.to_string())
}

/// Always with milliseconds: some clients know dates by their form.
fn date(name: &str, at: Timestamp) -> Element {
    leaf(name, order::date(at))
}

#[cfg(test)]
mod tests;
