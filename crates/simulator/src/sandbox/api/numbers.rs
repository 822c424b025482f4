//! What is done with orders for numbers, and with no other orders.

use axum::http::StatusCode;
use axum::response::Response;

use super::answer::xml;
use super::{Call, orders};
use crate::sandbox::kinds::Kind;
use crate::sandbox::numbers::answer::{self, Record};
use crate::sandbox::numbers::{NumberOrder, Request, available_numbers};
use crate::sandbox::order::{Detail, Order};
use crate::sandbox::state::State;
use crate::sandbox::supply::Numbers;
use crate::sandbox::xml::Element;

pub(super) fn create(
    state: &mut State,
    call: &Call,
    kind: &'static Kind,
    body: Element,
) -> Response {
    let sites: Vec<_> = state.sites.iter().map(String::as_str).collect();
    let request = match Request::read(&call.body, &sites) {
        Ok(request) => request,
        Err(rejected) => return xml(StatusCode::BAD_REQUEST, &answer::rejected(&rejected)),
    };
    let user = state.username.clone();
    let id = request.customer_order_id.clone();
    let detail = Detail::Numbers(Box::new(Numbers::new(NumberOrder::new(request))));
    let order = state.place_order(kind, body, id, detail, &user, call.now);
    orders::answer_created(state, call, order)
}

pub(super) fn update(state: &mut State, call: &Call, order: usize) -> Response {
    match state.update(order, &call.body, call.now) {
        Ok(()) => xml(StatusCode::OK, &answer::updated()),
        Err(errors) => xml(StatusCode::BAD_REQUEST, &answer::refused(&errors)),
    }
}

pub(super) fn available(state: &State, call: &Call) -> Response {
    match available_numbers(&call.query, &state.inventory) {
        Ok(found) => xml(StatusCode::OK, &found),
        Err(error) => xml(StatusCode::BAD_REQUEST, &error),
    }
}

/// The answer to a GET.
pub(super) fn shown(order: &Order, account: &str, call: &Call) -> Element {
    let Detail::Numbers(numbers) = &order.detail else { return Element::default() };
    let tn_detail = call.parameter("tndetail").is_some_and(|v| v.eq_ignore_ascii_case("true"));
    answer::order(&numbers.order, &record(order, account), tn_detail)
}

pub(super) fn record<'a>(order: &'a Order, account: &'a str) -> Record<'a> {
    let ended = order.history.iter().find(|change| order.kind.is_terminal(&change.state));
    Record {
        id: &order.id,
        account_id: account,
        user: &order.user,
        created: order.created,
        last_modified: order.modified,
        completed: ended.map(|change| change.at),
    }
}
