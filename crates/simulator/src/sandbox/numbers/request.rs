//! An order as it is asked for: the `Order` element of a POST.

use std::collections::BTreeSet;

use super::criterion::Criterion;
use super::field::{Asked, Field, QUANTITY_MAX, criteria, quantity};
use super::geography::ten_digits;
use super::refused::Refused;
use crate::sandbox::order::customer_order_id;
use crate::sandbox::xml::Element;

/// Characters of an order's name.
const NAME_LENGTH_MAX: usize = 50;

const EXISTING: &str = "ExistingTelephoneNumberOrderType";
const COMBINED: &str = "CombinedSearchAndOrderType";

/// The searches that need all of their criteria.
const SEARCHES: [(&str, &[Field]); 9] = [
    ("AreaCodeSearchAndOrderType", &[Field::AreaCode]),
    ("NPANXXSearchAndOrderType", &[Field::NpaNxx]),
    ("RateCenterSearchAndOrderType", &[Field::RateCenter, Field::State]),
    ("StateSearchAndOrderType", &[Field::State]),
    ("CitySearchAndOrderType", &[Field::City, Field::State]),
    ("ZIPSearchAndOrderType", &[Field::Zip]),
    ("LATASearchAndOrderType", &[Field::Lata]),
    ("TollFreeVanitySearchAndOrderType", &[Field::TollFreeVanity]),
    ("TollFreeWildCharSearchAndOrderType", &[Field::TollFreeWildCard]),
];

const TN_ATTRIBUTES: [&str; 3] = ["Protected", "External", "Imported"];

/// An order that can be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub customer_order_id: Option<String>,
    pub name: Option<String>,
    pub site_id: String,
    pub peer_id: Option<String>,
    pub back_order_requested: bool,
    pub partial_allowed: bool,
    pub wish: Wish,
    /// The element that says what is wished for, as it was sent.
    pub kind: Element,
    /// `TnAttributes` as they were sent.
    pub tn_attributes: Option<Element>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// These very numbers, of ten digits.
    Numbers(Vec<String>),
    /// Any numbers that match.
    Search { criteria: Vec<Criterion>, quantity: usize },
}

/// An order that cannot be accepted: all that is wrong with it, and what could be read of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    pub refused: Vec<Refused>,
    pub order: Option<Element>,
}

impl Wish {
    pub fn quantity(&self) -> usize {
        match self {
            Wish::Numbers(numbers) => numbers.len(),
            Wish::Search { quantity, .. } => *quantity,
        }
    }
}

impl Request {
    /// Reads the body of a POST, for an account with these sites.
    pub fn read(body: &[u8], sites: &[&str]) -> Result<Request, Rejected> {
        let order =
            read_order(body).map_err(|refused| Rejected { refused: vec![refused], order: None })?;
        read(&order, sites).map_err(|refused| Rejected { refused, order: Some(order) })
    }
}

/// The root of a body that is to be an order.
pub(super) fn read_order(body: &[u8]) -> Result<Element, Refused> {
    let order = Element::read(body)
        .map_err(|malformed| Refused::new(5002, format!("The body cannot be read: {malformed}")))?;
    match order.name.as_str() {
        "Order" => Ok(order),
        _ => Err(Refused::new(5002, "The body is to be an Order")),
    }
}

fn read(order: &Element, sites: &[&str]) -> Result<Request, Vec<Refused>> {
    let mut refused = Vec::new();
    check_names(order, &mut refused);
    check_place(order, sites, &mut refused);
    let back_order_requested = flag(order, "BackOrderRequested", &mut refused);
    let partial_allowed = flag(order, "PartialAllowed", &mut refused);
    let kind = kind(order).map_err(|one| refused.push(one)).ok();
    let tn_attributes = order.child("TnAttributes");
    let asked = kind.map(asked).unwrap_or_default();
    check_attributes(tn_attributes, &asked, &mut refused);
    if back_order_requested && !can_wait(&asked) {
        refused.push(Refused::new(
            5522,
            "NPA-NXX, NPA-NXX-X and local vanity numbers cannot be backordered",
        ));
    }
    let wish = kind.and_then(|kind| wish(kind, &asked).map_err(|all| refused.extend(all)).ok());
    let text = |name| order.value(name).map(str::to_owned);
    match (kind, wish) {
        (Some(kind), Some(wish)) if refused.is_empty() => Ok(Request {
            customer_order_id: text("CustomerOrderId"),
            name: text("Name"),
            site_id: text("SiteId").unwrap_or_default(),
            peer_id: text("PeerId"),
            back_order_requested,
            partial_allowed,
            wish,
            kind: kind.clone(),
            tn_attributes: tn_attributes.cloned(),
        }),
        _ => Err(refused),
    }
}

/// What an order is called. Both can be changed while it is backordered.
pub(super) fn check_names(order: &Element, refused: &mut Vec<Refused>) {
    refused.extend(customer_order_id(order).err());
    if order.value("Name").is_some_and(|name| name.chars().count() > NAME_LENGTH_MAX) {
        refused.push(Refused::new(5002, "A Name has 50 characters at most"));
    }
}

fn check_place(order: &Element, sites: &[&str], refused: &mut Vec<Refused>) {
    match order.value("SiteId") {
        None => refused.push(Refused::new(5022, "A SiteId is needed")),
        Some(site) if sites.contains(&site) => {}
        Some(_) => refused.push(Refused::new(5016, "The account has no site of this SiteId")),
    }
    let is_number = |id: &str| id.bytes().all(|byte| byte.is_ascii_digit());
    if order.value("PeerId").is_some_and(|id| !is_number(id)) {
        refused.push(Refused::new(5023, "A PeerId is a number"));
    }
}

/// True or false. What is not given is false.
pub(super) fn flag(order: &Element, name: &str, refused: &mut Vec<Refused>) -> bool {
    let value = order.value(name).unwrap_or("false").to_lowercase();
    if !matches!(value.as_str(), "true" | "false") {
        refused.push(Refused::new(5002, format!("{name} is true or false")));
    }
    value == "true"
}

/// The one element that says what is ordered.
fn kind(order: &Element) -> Result<&Element, Refused> {
    let mut kinds = order.children.iter().filter(|child| child.name.ends_with("OrderType"));
    let known = |name: &str| {
        [EXISTING, COMBINED].contains(&name) || SEARCHES.iter().any(|(search, _)| *search == name)
    };
    match (kinds.next(), kinds.next()) {
        (Some(kind), None) if known(&kind.name) => Ok(kind),
        (None, _) => Err(Refused::new(5087, "Nothing says which numbers are ordered")),
        (_, Some(_)) => Err(Refused::new(5087, "An order has one order type")),
        _ => Err(Refused::new(5087, "There is no order type of this name")),
    }
}

/// The criteria that are given.
fn asked(kind: &Element) -> Asked<'_> {
    let value = |field: Field| field.elements().iter().find_map(|name| kind.value(name));
    let fields = match SEARCHES.iter().find(|(name, _)| *name == kind.name) {
        Some((_, fields)) => fields,
        None if kind.name == COMBINED => Field::ALL.as_slice(),
        None => &[],
    };
    fields.iter().filter_map(|field| Some((*field, value(*field)?))).collect()
}

fn check_attributes(attributes: Option<&Element>, asked: &Asked, refused: &mut Vec<Refused>) {
    let mut known = BTreeSet::new();
    for attribute in attributes.iter().flat_map(|all| &all.children) {
        let name = attribute.text.trim();
        if !TN_ATTRIBUTES.contains(&name) {
            refused.push(Refused::new(5102, "There is no TnAttribute of this name"));
        } else if !known.insert(name) {
            refused.push(Refused::new(5102, format!("The TnAttribute {name} stands twice")));
        }
    }
    if known.contains("Protected") && asked.iter().any(|(field, _)| field.is_toll_free()) {
        refused.push(Refused::new(5101, "Toll-free numbers cannot be ordered as Protected"));
    }
}

/// Whether such an order may wait for numbers. Of NPA-NXX and local vanity the documents say that
/// it may not.
fn can_wait(asked: &Asked) -> bool {
    let never = [Field::NpaNxx, Field::NpaNxxX, Field::LocalVanity];
    !asked.iter().any(|(field, _)| never.contains(field))
}

fn wish(kind: &Element, asked: &Asked) -> Result<Wish, Vec<Refused>> {
    if kind.name == EXISTING {
        return numbers(kind).map(Wish::Numbers);
    }
    let mut refused = Vec::new();
    let criteria = search(kind, asked).map_err(|all| refused.extend(all)).ok();
    let quantity = kind.value("Quantity").and_then(quantity);
    if quantity.is_none() {
        refused
            .push(Refused::new(5009, format!("A Quantity is a number from 1 to {QUANTITY_MAX}")));
    }
    match (criteria, quantity) {
        (Some(criteria), Some(quantity)) => Ok(Wish::Search { criteria, quantity }),
        _ => Err(refused),
    }
}

fn search(kind: &Element, asked: &Asked) -> Result<Vec<Criterion>, Vec<Refused>> {
    let mut refused = Vec::new();
    match SEARCHES.iter().find(|(name, _)| *name == kind.name) {
        Some((_, fields)) if asked.len() < fields.len() => refused.push(fields[0].refused()),
        Some(_) => {}
        None => check_combination(kind, asked, &mut refused),
    }
    let ends_in = flag(kind, "EndsIn", &mut refused);
    if refused.is_empty() { criteria(asked, ends_in) } else { Err(refused) }
}

/// What only a combination can be wrong in.
fn check_combination(kind: &Element, asked: &Asked, refused: &mut Vec<Refused>) {
    let fields: Vec<Field> = asked.iter().map(|(field, _)| *field).collect();
    if fields.iter().any(|field| field.is_toll_free()) {
        refused.push(Refused::new(4010, "Toll-free numbers have order types of their own"));
    }
    let vanity = [Field::AreaCode, Field::LocalVanity];
    if fields.contains(&Field::LocalVanity) && fields != vanity {
        refused.push(Refused::new(4010, "A local vanity needs an area code, and nothing else"));
    }
    let local = [&[Field::NpaNxx][..], &[Field::NpaNxxX], &[Field::RateCenter, Field::State]];
    if flag(kind, "EnableLCA", refused) && !local.contains(&fields.as_slice()) {
        refused.push(Refused::new(
            4010,
            "EnableLCA goes with NpaNxx, NpaNxxX, or RateCenter and State, alone",
        ));
    }
}

/// The numbers of an order for given ones.
fn numbers(kind: &Element) -> Result<Vec<String>, Vec<Refused>> {
    let given: Vec<&str> = kind
        .child("TelephoneNumberList")
        .iter()
        .flat_map(|list| &list.children)
        .filter(|child| child.name == "TelephoneNumber")
        .map(|child| child.text.trim())
        .collect();
    if given.is_empty() {
        return Err(vec![Refused::new(5073, "No telephone number is given")]);
    }
    if given.len() > QUANTITY_MAX {
        let description = format!("An order has {QUANTITY_MAX} telephone numbers at most");
        return Err(vec![Refused::new(5095, description)]);
    }
    let mut numbers = BTreeSet::new();
    let mut refused = Vec::new();
    for text in &given {
        match ten_digits(text) {
            None => refused.push(Refused::of(5070, "A telephone number has ten digits", text)),
            Some(number) if numbers.contains(&number) => {
                refused.push(Refused::of(5093, "The telephone number stands twice", &number));
            }
            Some(number) => _ = numbers.insert(number),
        }
    }
    if numbers.is_empty() {
        return Err(vec![Refused::new(5008, "None of the telephone numbers is valid")]);
    }
    refused.is_empty().then(|| numbers.into_iter().collect()).ok_or(refused)
}

#[cfg(test)]
mod tests;
