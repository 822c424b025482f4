//! What is done with port-ins, and with no other orders.

use axum::http::StatusCode;
use axum::response::Response;

use super::answer::{empty, xml};
use super::{Call, orders, shapes};
use crate::sandbox::kinds::Kind;
use crate::sandbox::order::{Detail, Refused, customer_order_id, telephone_numbers};
use crate::sandbox::portin::{Portin, requested_foc};
use crate::sandbox::state::State;
use crate::sandbox::xml::Element;

pub(super) fn create(
    state: &mut State,
    call: &Call,
    kind: &'static Kind,
    request: Element,
) -> Response {
    let draft = request.value("ProcessingStatus").is_some_and(|s| s.eq_ignore_ascii_case("DRAFT"));
    let errors = if draft { Vec::new() } else { wrong(state, &request) };
    let id = customer_order_id(&request);
    let errors: Vec<_> = errors.into_iter().chain(id.as_ref().err().cloned()).collect();
    match id {
        Ok(id) if errors.is_empty() => {
            let user = state.username.clone();
            let requested_foc = requested_foc(&request);
            let detail = Detail::Portin(Portin { requested_foc, ..Portin::default() });
            let order = state.place_order(kind, request, id, detail, &user, call.now);
            orders::answer_created(state, call, order)
        }
        _ => {
            let refused = shapes::portin_refused(None, &errors, &request.children);
            xml(StatusCode::BAD_REQUEST, &refused)
        }
    }
}

pub(super) fn supplement(
    state: &mut State,
    call: &Call,
    order: usize,
    request: &Element,
) -> Response {
    let done = customer_order_id(request);
    match done.and_then(|_| state.supplement(order, request, call.now)) {
        Ok(()) => {
            let description = "The change was received. Ask for the order's state by its id.";
            let order = &state.orders[order];
            xml(StatusCode::OK, &shapes::portin_answer(order, "200", description))
        }
        Err(error) => refused(state, order, error),
    }
}

pub(super) fn cancel(state: &mut State, call: &Call, order: usize) -> Response {
    match state.cancel(order, call.now) {
        Ok(()) => empty(StatusCode::OK),
        Err(error) => refused(state, order, error),
    }
}

fn refused(state: &State, order: usize, error: Refused) -> Response {
    let id = Some(state.orders[order].id.as_str());
    xml(StatusCode::BAD_REQUEST, &shapes::portin_refused(id, &[error], &[]))
}

fn wrong(state: &State, request: &Element) -> Vec<Refused> {
    let mut errors = Vec::new();
    if request.value("SiteId").is_none() {
        errors.push(Refused::new(7309, "a port-in needs a SiteId"));
    }
    let numbers = request.child("ListOfPhoneNumbers").map(telephone_numbers).unwrap_or_default();
    if numbers.is_empty() {
        errors.push(Refused::new(5070, "a port-in needs telephone numbers"));
    }
    for number in numbers {
        if state.is_being_ported(&number) {
            let description = "another order is about this telephone number";
            let refused = Refused::new(7205, description);
            errors.push(Refused { telephone_number: Some(number), ..refused });
        }
    }
    errors
}
