//! Orders as their notifications tell of them, and notes on them.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, Request, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::limits;
use domain::notification::Notification;
use domain::record::{HistoryEntry, OrderDetail, OrderNote, OrderRecord};
use domain::wire::{self, ErrorRoot, Kind, Report};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::refusal::{Closed, Refusal};
use super::{Base, xml};
use crate::api::auth::Caller;
use crate::api::{Api, origin};
use crate::secret;
use crate::store::{Page, StoredEvent};

/// Orders of a page, unless the client says otherwise, and at most: as many as Bandwidth gives.
const SIZE_MAX: u16 = 1_000;

/// Events and notes of one order that are read. An order has some ten; the rest is room.
const STORY_MAX: u16 = 1_000;

/// Who changes the state of an order, as far as a notification tells.
const BANDWIDTH: &str = "bandwidth";

/// What a list may be asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// `1`, or the id of the first order of the page.
    page: Option<String>,
    size: Option<u16>,
    status: Option<String>,
    #[serde(rename = "customerOrderId", alias = "customerorderid")]
    customer_order_id: Option<String>,
    /// The first and the last day, both or neither.
    startdate: Option<String>,
    enddate: Option<String>,
}

impl Asked {
    /// The query that asks for the same of another page.
    fn for_page(&self, page: &str, size: u16) -> String {
        let filters = [
            ("status", &self.status),
            ("customerOrderId", &self.customer_order_id),
            ("startdate", &self.startdate),
            ("enddate", &self.enddate),
        ];
        let filters = filters.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?)));
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("page", page).append_pair("size", &size.to_string());
        query.extend_pairs(filters).finish()
    }
}

/// A filter is applied to the orders of the page, so that a page may hold fewer than its size.
pub(super) async fn list(
    State(api): State<Api>,
    Extension(base): Extension<Base>,
    Path((account, segment)): Path<(String, String)>,
    asked: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let kind = kind_of(&segment)?;
    let Query(asked) = asked.map_err(|error| Refusal::query(error.body_text()))?;
    let size = asked.size.unwrap_or(SIZE_MAX);
    if !(1..=SIZE_MAX).contains(&size) {
        return Err(Refusal::query(format!("size is not 1 to {SIZE_MAX}")));
    }
    let days = days(&asked)?;
    let from = asked.page.as_ref().filter(|page| !matches!(page.as_str(), "" | "1"));
    if from.is_some_and(|page| page.chars().all(|digit| digit.is_ascii_digit())) {
        return Err(Refusal::query("page is neither 1 nor the id of an order; follow the links"));
    }
    if from.is_some_and(|page| page.len() > limits::CURSOR_BYTES_MAX) {
        return Err(Refusal::query("page is too long"));
    }
    let from = from.map(|page| page.to_ascii_lowercase());
    let is_first = from.is_none();
    let page = Page { limit: size, from, ..Page::default() };
    let (mut orders, next) =
        api.store.order_records(&account, kind.order_type().name, page).await?;
    orders.retain(|one| is_asked_for(one, &asked, days));

    let all = format!("{}{}/accounts/{account}/{segment}", origin::of(&headers), base.path);
    let link = |page: &str| format!("{all}?{}", asked.for_page(page, size));
    // The next page begins right after the last order that was read.
    let next = next.map(|last| link(&format!("{last}~")));
    Ok(xml(wire::orders(
        kind,
        &wire::Page {
            account: &account,
            orders: &orders,
            total: (is_first && next.is_none()).then_some(orders.len()),
            first: &link("1"),
            next: next.as_deref(),
        },
    )))
}

fn is_asked_for(one: &OrderRecord, asked: &Asked, days: Option<(Date, Date)>) -> bool {
    let same = |wanted: &Option<String>, is: &Option<String>| {
        wanted
            .as_ref()
            .is_none_or(|wanted| is.as_ref().is_some_and(|is| is.eq_ignore_ascii_case(wanted)))
    };
    let day = one.first_at.to_zoned(TimeZone::UTC).date();
    same(&asked.status, &one.status)
        && same(&asked.customer_order_id, &one.customer_order_id)
        && days.is_none_or(|(from, to)| (from..=to).contains(&day))
}

/// Bandwidth writes the year of a day in two digits or in four.
fn days(asked: &Asked) -> Result<Option<(Date, Date)>, Refusal> {
    let day = |text: &String| {
        let full = if text.len() == 8 { format!("20{text}") } else { text.clone() };
        full.parse::<Date>().map_err(|_| Refusal::query("A date is not YYYY-MM-DD"))
    };
    match (&asked.startdate, &asked.enddate) {
        (None, None) => Ok(None),
        (Some(from), Some(to)) => Ok(Some((day(from)?, day(to)?))),
        _ => Err(Refusal::query("startdate and enddate go together")),
    }
}

pub(super) async fn get(
    State(api): State<Api>,
    Extension(base): Extension<Base>,
    Path((account, kind, id)): Path<(String, String, String)>,
) -> Result<Response, Refusal> {
    let kind = kind_of(&kind)?;
    let detail = detail(&api, &account, kind, &id).await?;
    Ok(xml(wire::order(kind, &detail, &account, base.numbers)))
}

pub(super) async fn history(
    State(api): State<Api>,
    Path((account, kind, id)): Path<(String, String, String)>,
) -> Result<Response, Refusal> {
    let record = find(&api, &account, kind_of(&kind)?, &id).await?;
    let (events, notes) = api.store.story(&account, &record, STORY_MAX).await?;
    let mut entries: Vec<_> = events.iter().filter_map(told).map(entry).collect();
    entries.extend(notes.into_iter().map(|note| HistoryEntry {
        at: note.at,
        status: None,
        note: Some(note.text),
        author: note.user,
    }));
    entries.sort_by_key(|entry| entry.at);
    Ok(xml(wire::history(&entries)))
}

pub(super) async fn notes(
    State(api): State<Api>,
    Path((account, kind, id)): Path<(String, String, String)>,
) -> Result<Response, Refusal> {
    let record = find(&api, &account, kind_of(&kind)?, &id).await?;
    let (events, mut notes) = api.store.story(&account, &record, STORY_MAX).await?;
    notes.extend(events.iter().filter_map(told).filter_map(|(event, notification)| {
        Some(OrderNote {
            id: note_id(event),
            user: BANDWIDTH.into(),
            text: notification.note?,
            at: event.key.at(),
        })
    }));
    if notes.is_empty() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    notes.sort_by_key(|note| note.at);
    Ok(xml(wire::notes(&notes)))
}

pub(super) async fn add_note(
    State(api): State<Api>,
    Extension(base): Extension<Base>,
    Extension(caller): Extension<Caller>,
    Path((account, segment, id)): Path<(String, String, String)>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let asked = read_note(body)?;
    let record = find(&api, &account, kind_of(&segment)?, &id).await?;
    let note = OrderNote {
        id: u32::from_be_bytes(secret::random()?) % NOTE_IDS,
        user: author(asked.user, &caller)?,
        text: asked.text,
        at: api.clock.now(),
    };
    api.store.put_note(&account, &record, &note).await?;
    let order = format!("{}{}/accounts/{account}/{segment}/{id}", origin::of(&headers), base.path);
    let location = format!("{order}/notes/{}", note.id);
    Ok((StatusCode::CREATED, [(LOCATION, location)]).into_response())
}

pub(super) async fn change_note(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path((account, kind, id, note)): Path<(String, String, String, String)>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let asked = read_note(body)?;
    let record = find(&api, &account, kind_of(&kind)?, &id).await?;
    let number = note.parse().map_err(|_| Refusal::no_note())?;
    api.store.note(&account, &record, number).await?.ok_or_else(Refusal::no_note)?;
    let user = author(asked.user, &caller)?;
    let new = OrderNote { id: number, user, text: asked.text, at: api.clock.now() };
    api.store.put_note(&account, &record, &new).await?;
    Ok(xml(String::new()))
}

pub(super) async fn telephone_numbers(
    State(api): State<Api>,
    Extension(base): Extension<Base>,
    Path((account, kind, id)): Path<(String, String, String)>,
) -> Result<Response, Refusal> {
    let detail = detail(&api, &account, kind_of(&kind)?, &id).await?;
    Ok(xml(wire::telephone_numbers(&detail.numbers, base.numbers)))
}

pub(super) async fn area_codes(
    State(api): State<Api>,
    Path((account, kind, id)): Path<(String, String, String)>,
) -> Result<Response, Refusal> {
    let detail = detail(&api, &account, kind_of(&kind)?, &id).await?;
    Ok(xml(wire::reports(Report::AreaCode, &detail.numbers)))
}

/// Bandwidth's clients read the totals of a port as one number, and those of other orders by the
/// first six digits.
pub(super) async fn totals(
    State(api): State<Api>,
    Path((account, segment, id)): Path<(String, String, String)>,
) -> Result<Response, Refusal> {
    let kind = kind_of(&segment)?;
    let numbers = detail(&api, &account, kind, &id).await?.numbers;
    Ok(xml(match kind.order_type().name {
        "portins" | "portouts" => wire::quantity(numbers.len()),
        _ => wire::reports(Report::NpaNxx, &numbers),
    }))
}

/// By the first six digits.
pub(super) async fn exchanges(
    State(api): State<Api>,
    Path((account, kind, id)): Path<(String, String, String)>,
) -> Result<Response, Refusal> {
    let detail = detail(&api, &account, kind_of(&kind)?, &id).await?;
    Ok(xml(wire::reports(Report::NpaNxx, &detail.numbers)))
}

/// What is Bandwidth's alone, where the gateway has not passed it on.
pub(super) async fn refuse(
    closed: Option<Extension<Closed>>,
    request: Request,
) -> Result<Response, Refusal> {
    kind_of(request.uri().path().split('/').nth(1).unwrap_or_default())?;
    Err(Refusal::no_orders_here(closed.map(|Extension(closed)| closed)))
}

fn kind_of(segment: &str) -> Result<Kind, Refusal> {
    Kind::of(segment).ok_or_else(Refusal::no_such_path)
}

async fn find(api: &Api, account: &str, kind: Kind, id: &str) -> Result<OrderRecord, Refusal> {
    let subject = id.to_ascii_lowercase();
    let found = api.store.order_record(account, kind.order_type().name, &subject).await?;
    found.ok_or_else(Refusal::no_resource)
}

async fn detail(api: &Api, account: &str, kind: Kind, id: &str) -> Result<OrderDetail, Refusal> {
    let record = find(api, account, kind, id).await?;
    let (events, _) = api.store.story(account, &record, STORY_MAX).await?;
    let newest_first: Vec<_> = events.iter().rev().filter_map(told).collect();
    let with_status = newest_first.iter().find(|(_, one)| one.status.is_some());
    let with_numbers =
        newest_first.iter().find(|(_, one)| !one.completed_telephone_numbers.is_empty());
    Ok(OrderDetail {
        message: with_status.and_then(|(_, one)| one.message.clone()),
        numbers: with_numbers
            .map(|(_, one)| one.completed_telephone_numbers.clone())
            .unwrap_or_default(),
        record,
    })
}

/// What an event says. Each was read before it was stored.
fn told(event: &StoredEvent) -> Option<(&StoredEvent, Notification)> {
    Some((event, Notification::parse(&event.raw).ok()?))
}

fn entry((event, notification): (&StoredEvent, Notification)) -> HistoryEntry {
    HistoryEntry {
        at: event.key.at(),
        status: notification.status,
        note: notification.note.or(notification.message),
        author: BANDWIDTH.into(),
    }
}

/// Nine digits: one of Bandwidth's clients takes ten for a telephone number.
const NOTE_IDS: u32 = 1_000_000_000;

/// Of a note that Bandwidth sent: it has no number, but its content a name.
fn note_id(event: &StoredEvent) -> u32 {
    let name = event.key.digest().get(..8).unwrap_or_default();
    u32::from_str_radix(name, 16).unwrap_or_default() % NOTE_IDS
}

/// Nobody signs as somebody else.
fn author(named: Option<String>, caller: &Caller) -> Result<String, Refusal> {
    match named.is_none_or(|named| named == caller.key_id) {
        true => Ok(caller.key_id.clone()),
        false => Err(Refusal::not_the_author()),
    }
}

fn read_note(body: Result<Bytes, BytesRejection>) -> Result<wire::NoteRequest, Refusal> {
    let body = body.map_err(|_| Refusal::too_long())?;
    wire::note(&body).map_err(|refused| Refusal::of_body(ErrorRoot::Note, refused))
}
