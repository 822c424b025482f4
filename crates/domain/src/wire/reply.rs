//! Reading what Bandwidth answers when the relay asks.
//!
//! Its answers differ from type to type, and from its own documentation: names are looked for
//! wherever they stand, in any case, and what is not there is absent.

use jiff::Timestamp;

use super::Kind;
use super::element::{Element, read};
use crate::limits::{REPLY_BYTES_MAX, TELEPHONE_NUMBERS_MAX};
use crate::notification::Malformed;

/// One page of a list of orders.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    pub orders: Vec<Listed>,
    /// What `page` has to be for the next page; `None` after the last.
    pub next: Option<String>,
    /// On all pages together.
    pub total: Option<u64>,
}

/// What a list says of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub order_id: String,
    pub last_modified: Option<Timestamp>,
}

/// One line of an order's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stated {
    pub status: String,
    pub at: Timestamp,
    pub note: Option<String>,
}

/// One order as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Described {
    pub status: Option<String>,
    pub last_modified: Option<Timestamp>,
    pub customer_order_id: Option<String>,
    /// As Bandwidth wrote them.
    pub numbers: Vec<String>,
    pub actual_foc_date: Option<String>,
}

/// A subscription that Bandwidth holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Held {
    pub id: String,
    pub order_type: Option<String>,
    pub event_type: Option<String>,
    pub order_id: Option<String>,
    /// Of a callback; a mail has none.
    pub url: Option<String>,
    /// Of its credentials.
    pub username: Option<String>,
    /// Seconds that are left.
    pub expiry: Option<i64>,
    /// How its last notification was answered.
    pub status: Option<String>,
}

/// Reads a list of orders of any type.
pub fn listing(body: &[u8]) -> Result<Listing, Malformed> {
    let root = read(body, REPLY_BYTES_MAX)?;
    let within = root.within();
    let orders = within.iter().filter_map(|row| {
        Some(Listed {
            order_id: row.own("OrderId")?.to_owned(),
            last_modified: row.own("LastModifiedDate").and_then(|date| date.parse().ok()),
        })
    });
    Ok(Listing {
        orders: orders.collect(),
        next: root.find("next").and_then(page_of),
        total: root.find("TotalCount").and_then(|total| total.parse().ok()),
    })
}

/// The `page` in a link such as `Link=<https://...?page=2&size=30>;rel="next";`.
fn page_of(link: &str) -> Option<String> {
    let (_, rest) = link.split_once(['?', '&'])?;
    let query = rest.split(['>', '#']).next()?;
    let page = query.split('&').find_map(|pair| pair.strip_prefix("page="))?;
    (!page.is_empty()).then(|| page.to_owned())
}

/// Reads a history, oldest first. What has no state or no usable time is left out.
pub fn history(body: &[u8]) -> Result<Vec<Stated>, Malformed> {
    let root = read(body, REPLY_BYTES_MAX)?;
    let lines = root.within().into_iter().filter_map(|line| {
        Some(Stated {
            status: line.own("Status")?.to_owned(),
            at: line.own("OrderDate")?.parse().ok()?,
            note: line.own("Note").map(str::to_owned),
        })
    });
    let mut lines: Vec<_> = lines.collect();
    // Where the newest comes first, it does so among those of one time too.
    if lines.first().zip(lines.last()).is_some_and(|(first, last)| first.at > last.at) {
        lines.reverse();
    }
    lines.sort_by_key(|line| line.at);
    Ok(lines)
}

/// Reads one order.
pub fn described(kind: Kind, body: &[u8]) -> Result<Described, Malformed> {
    let root = read(body, REPLY_BYTES_MAX)?;
    let shape = kind.shape;
    let names = [shape.status, "OrderStatus", "ProcessingStatus", "Status"];
    let text = |name: &str| root.find(name).map(str::to_owned);
    let around = shape.numbers.0.last().copied().unwrap_or_default();
    let numbers = root.within().into_iter().find(|one| one.is(around)).map(Element::within);
    let numbers = numbers.unwrap_or_default().into_iter().filter_map(Element::leaf);
    Ok(Described {
        status: names.iter().find_map(|name| text(name)),
        last_modified: root.find("LastModifiedDate").and_then(|date| date.parse().ok()),
        customer_order_id: text("CustomerOrderId"),
        numbers: numbers.take(TELEPHONE_NUMBERS_MAX).map(str::to_owned).collect(),
        actual_foc_date: text("ActualFocDate"),
    })
}

/// What an error says: its code and its text, as far as there are any.
pub fn refusal(body: &[u8]) -> Option<String> {
    let root = read(body, REPLY_BYTES_MAX).ok()?;
    let texts = ["ErrorCode", "Code", "Description"].iter().filter_map(|name| root.find(name));
    Some(texts.collect::<Vec<_>>().join(" "))
}

/// Reads the list of subscriptions.
pub fn held(body: &[u8]) -> Result<Vec<Held>, Malformed> {
    let root = read(body, REPLY_BYTES_MAX)?;
    let rows = root.within().into_iter().filter_map(|row| {
        let text = |name: &str| row.own(name).map(str::to_owned);
        let found = |name: &str| row.find(name).map(str::to_owned);
        Some(Held {
            id: text("SubscriptionId")?,
            order_type: text("OrderType"),
            event_type: text("EventType"),
            order_id: text("OrderId"),
            url: found("URL"),
            username: found("Username"),
            expiry: row.find("Expiry").and_then(|seconds| seconds.parse().ok()),
            status: found("Status"),
        })
    });
    Ok(rows.collect())
}
