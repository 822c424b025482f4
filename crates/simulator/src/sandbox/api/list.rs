//! Lists of orders: filters, pages, links.

use axum::http::StatusCode;
use axum::response::Response;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use reqwest::Url;

use super::Call;
use super::answer::{nested, refused, xml};
use super::shapes;
use crate::sandbox::kinds::{Dates, Kind};
use crate::sandbox::order::{Detail, Order, Refused};
use crate::sandbox::state::State;
use crate::sandbox::xml::Element;

/// Orders on a page, where nothing is said.
const SIZE: usize = 300;
const SIZE_MAX: usize = 1000;

/// Years that a list without dates goes back.
const YEARS: i64 = 2;

/// What is asked for.
struct Wanted {
    status: Option<String>,
    created: Days,
    modified: Days,
}

/// From a day to a day, both of them too.
#[derive(Default, Clone, Copy)]
struct Days {
    from: Option<Date>,
    to: Option<Date>,
}

/// A page of orders, the newest first. `page` is 1 or the id of the first order on it.
pub(super) fn list(state: &State, call: &Call, kind: &Kind) -> Response {
    let size = call.parameter("size").map_or(Some(SIZE), |size| size.parse().ok());
    let Some(size) = size.filter(|size| (1..=SIZE_MAX).contains(size)) else {
        return bad(kind, &Refused::new(1013, "size is a number from 1 to 1000"));
    };
    let found = match found(state, call, kind) {
        Ok(found) => found,
        Err(error) => return bad(kind, &error),
    };
    if found.is_empty() && kind.empty_is_404 {
        let none = nested(kind.form.list, vec![Element::leaf("TotalCount", "0")]);
        return xml(StatusCode::NOT_FOUND, &none);
    }
    let first = match call.parameter("page") {
        None | Some("1") => 0,
        Some(id) => match found.iter().position(|order| order.id.eq_ignore_ascii_case(id)) {
            Some(first) => first,
            None => return bad(kind, &Refused::new(1016, "no order begins such a page")),
        },
    };
    let mut entries = vec![Element::leaf("TotalCount", found.len().to_string())];
    entries.push(links(call, kind, &found, first, size));
    let page = found.iter().skip(first).take(size);
    entries.extend(page.map(|order| shapes::entry(order, &state.account)));
    xml(StatusCode::OK, &nested(kind.form.list, entries))
}

/// How many there are.
pub(super) fn total(state: &State, call: &Call, kind: &Kind) -> Response {
    let count = match found(state, call, kind) {
        Ok(found) => found.len().to_string(),
        Err(error) => return bad(kind, &error),
    };
    let root = match kind.order_type {
        "orders" => nested(kind.form.list, vec![Element::leaf("TotalCount", count)]),
        _ => Element::new("Quantity", vec![Element::leaf("Count", count)]),
    };
    xml(StatusCode::OK, &root)
}

fn found<'a>(state: &'a State, call: &Call, kind: &Kind) -> Result<Vec<&'a Order>, Refused> {
    let wanted = Wanted::read(call, kind)?;
    let fits = |order: &&Order| {
        !order.deleted
            && order.kind.order_type == kind.order_type
            && wanted.fits(order)
            && fits_rest(order, call)
    };
    Ok(state.orders.iter().rev().filter(fits).collect())
}

/// The filters that are compared as they are.
fn fits_rest(order: &Order, call: &Call) -> bool {
    let is = |name: &str, value: &str| call.parameter(name).is_none_or(|wanted| wanted == value);
    let tn = |wanted: &str| order.numbers.iter().any(|number| number == wanted);
    is("customerOrderId", order.customer_order_id.as_deref().unwrap_or_default())
        && is("userid", &order.user)
        && is("lastModifiedBy", &order.modified_by)
        && call.parameter("orderIdFragment").is_none_or(|start| order.id.starts_with(start))
        && call.parameter("tn").is_none_or(tn)
}

impl Wanted {
    fn read(call: &Call, kind: &Kind) -> Result<Wanted, Refused> {
        let mut wanted = Wanted {
            status: status(call, kind)?,
            created: Days::default(),
            modified: Days::default(),
        };
        match kind.dates {
            Dates::Ranges => {
                wanted.created = days(call, "createdDateFrom", "createdDateTo")?;
                wanted.modified = days(call, "modifiedDateFrom", "modifiedDateTo")?;
                if let Some(after) = day(call, "lastModifiedAfter")? {
                    // The day itself is not after it.
                    let next = after.saturating_add(1.day());
                    wanted.modified.from = wanted.modified.from.max(Some(next));
                }
            }
            Dates::Created | Dates::Modified => {
                let days = days(call, "startdate", "enddate")?;
                if days.from.is_some() != days.to.is_some() {
                    return Err(Refused::new(15508, "startdate and enddate go together"));
                }
                match kind.dates {
                    Dates::Created => wanted.created = days,
                    _ => wanted.modified = days,
                }
            }
        }
        if wanted.created.is_open() && wanted.modified.is_open() {
            let ago = of(call.now).saturating_sub(YEARS.years());
            wanted.modified.from = Some(ago);
        }
        Ok(wanted)
    }

    fn fits(&self, order: &Order) -> bool {
        // Drafts are not shown unless they are asked for.
        let draft = matches!(order.detail, Detail::Portin(_)) && order.state == "DRAFT";
        let state = match &self.status {
            Some(status) => order.state == *status,
            None => !draft,
        };
        state && self.created.contain(order.created) && self.modified.contain(order.modified)
    }
}

impl Days {
    fn is_open(&self) -> bool {
        self.from.is_none() && self.to.is_none()
    }

    fn contain(&self, at: Timestamp) -> bool {
        let day = of(at);
        self.from.is_none_or(|from| day >= from) && self.to.is_none_or(|to| day <= to)
    }
}

/// The day of a time, as Bandwidth counts it here. Which zone it counts in is not documented.
fn of(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

fn status(call: &Call, kind: &Kind) -> Result<Option<String>, Refused> {
    let Some(status) = call.parameter("status").map(str::to_ascii_uppercase) else {
        return Ok(None);
    };
    // Orders for numbers cannot be asked for by their first state.
    let listed = |state: &&str| kind.order_type != "orders" || *state != "RECEIVED";
    let states: Vec<_> = kind.states().filter(listed).collect();
    if states.contains(&status.as_str()) {
        return Ok(Some(status));
    }
    let known = states.join(", ").to_ascii_lowercase();
    Err(Refused::new(15518, format!("there is no such status. There are {known}")))
}

fn days(call: &Call, from: &str, to: &str) -> Result<Days, Refused> {
    let days = Days { from: day(call, from)?, to: day(call, to)? };
    match days {
        Days { from: Some(first), to: Some(last) } if first > last => {
            Err(Refused::new(15509, format!("{from} must not be after {to}")))
        }
        days => Ok(days),
    }
}

/// `YYYY-MM-DD`, or `YY-MM-DD` in this century.
fn day(call: &Call, name: &str) -> Result<Option<Date>, Refused> {
    let Some(text) = call.parameter(name) else { return Ok(None) };
    let long = if text.find('-') == Some(2) { format!("20{text}") } else { text.into() };
    let day = long.parse().map_err(|_| Refused::new(15503, format!("{name} is no date")))?;
    Ok(Some(day))
}

/// In their odd form, as text.
fn links(call: &Call, kind: &Kind, found: &[&Order], first: usize, size: usize) -> Element {
    let link = |rel: &str, place: usize| {
        let page = match place {
            0 => "1",
            place => found.get(place).map_or("1", |order| order.id.as_str()),
        };
        let size = size.to_string();
        let rest = call.query.iter().filter(|(name, _)| !matches!(name.as_str(), "page" | "size"));
        let rest = rest.map(|(name, value)| (name.as_str(), value.as_str()));
        let query = [("page", page), ("size", size.as_str())].into_iter().chain(rest);
        let url = format!("{}/{}", call.base, kind.path);
        let url = Url::parse_with_params(&url, query).map_or(url, String::from);
        Element::leaf(rel, format!("Link=<{url}>;rel=\"{rel}\";"))
    };
    let mut links = vec![link("first", 0)];
    if first + size < found.len() {
        links.push(link("next", first + size));
    }
    if first > 0 {
        links.push(link("previous", first.saturating_sub(size)));
    }
    links.push(link("last", found.len().saturating_sub(1) / size * size));
    Element::new("Links", links)
}

/// What is wrong with a query is a 404 for some types, as documented.
fn bad(kind: &Kind, error: &Refused) -> Response {
    let status = match (kind.dates, error.code) {
        (Dates::Ranges, _) | (_, 1016) => StatusCode::NOT_FOUND,
        _ => StatusCode::BAD_REQUEST,
    };
    refused(status, "ErrorResponse", error)
}
