//! Orders of all types, and what belongs to one.

use axum::http::StatusCode;
use axum::response::Response;

use super::answer::{created, empty, no_such_resource, refused, xml};
use super::{Call, list, loas, notes, numbers, portins, shapes};
use crate::sandbox::kinds::Kind;
use crate::sandbox::numbers::answer;
use crate::sandbox::order::{Detail, customer_order_id};
use crate::sandbox::scenario::Wait;
use crate::sandbox::state::State;

/// What a request to `path`, below the type, is for.
pub(super) fn route(
    state: &mut State,
    call: &Call,
    kind: &'static Kind,
    method: &str,
    path: &[&str],
) -> Response {
    match (method, path) {
        ("POST", []) => return create(state, call, kind),
        ("GET", []) => return list::list(state, call, kind),
        ("GET", ["totals"]) => return list::total(state, call, kind),
        _ => {}
    }
    let place = path.first().and_then(|id| state.find(kind, id));
    let (Some(order), [_, rest @ ..]) = (place, path) else {
        return no_such_resource("ErrorResponse");
    };
    match (method, rest) {
        ("GET", []) => get(state, call, order),
        ("PUT" | "PATCH", []) => change(state, call, order),
        ("DELETE", []) => delete(state, call, order),
        ("GET", ["history"]) if kind.has_history => {
            xml(StatusCode::OK, &shapes::history(&state.orders[order]))
        }
        ("GET", ["notes"]) if kind.has_notes => notes::list(state, order),
        // One client adds notes by PUT.
        ("POST" | "PUT", ["notes"]) if kind.has_notes => notes::add(state, call, order),
        ("PUT", ["notes", id]) if kind.has_notes => notes::change(state, call, order, id),
        (_, ["loas", rest @ ..]) => loas::route(state, call, order, method, rest),
        ("GET", [part]) => parts(state, order, part),
        _ => no_such_resource("ErrorResponse"),
    }
}

fn create(state: &mut State, call: &Call, kind: &'static Kind) -> Response {
    let request = match call.xml() {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    match kind.order_type {
        "portins" => return portins::create(state, call, kind, request),
        "orders" => return numbers::create(state, call, kind, request),
        // Others place them.
        "portouts" => return empty(StatusCode::METHOD_NOT_ALLOWED),
        _ => {}
    }
    let id = match customer_order_id(&request) {
        Ok(id) => id,
        Err(error) => {
            let root = kind.form.created.first().unwrap_or(&"ErrorResponse");
            return refused(StatusCode::BAD_REQUEST, root, &error);
        }
    };
    let user = state.username.clone();
    let order = state.place_order(kind, request, id, Detail::Nothing, &user, call.now);
    answer_created(state, call, order)
}

pub(super) fn answer_created(state: &State, call: &Call, order: usize) -> Response {
    let order = &state.orders[order];
    let location = format!("{}/{}/{}", call.base, order.kind.path, order.id);
    created(&location, Some(&shapes::created(order, &state.account)))
}

fn get(state: &State, call: &Call, order: usize) -> Response {
    let (order, account) = (&state.orders[order], &state.account);
    let shown = match &order.detail {
        Detail::Numbers(_) => numbers::shown(order, account, call),
        _ => shapes::order(order, account),
    };
    xml(StatusCode::OK, &shown)
}

/// A PUT or PATCH. Most types can be changed by nothing but what a script waits for.
fn change(state: &mut State, call: &Call, order: usize) -> Response {
    let request = match call.xml() {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    match state.orders[order].detail {
        Detail::Portin(_) => return portins::supplement(state, call, order, &request),
        Detail::Numbers(_) => return numbers::update(state, call, order),
        Detail::Nothing => {}
    }
    state.arrived(order, Wait::Submit, call.now);
    xml(StatusCode::OK, &shapes::order(&state.orders[order], &state.account))
}

fn delete(state: &mut State, call: &Call, order: usize) -> Response {
    match state.orders[order].kind.order_type {
        "portins" => portins::cancel(state, call, order),
        _ => empty(StatusCode::METHOD_NOT_ALLOWED),
    }
}

/// The numbers of an order, or how many of them are where.
fn parts(state: &State, order: usize, part: &str) -> Response {
    let order = &state.orders[order];
    let numbers = match order.detail {
        Detail::Numbers(_) => &order.completed,
        _ => &order.numbers,
    };
    let shown = match part {
        "tns" => answer::tns(numbers),
        "areaCodes" => answer::area_codes(numbers),
        "npaNxx" => answer::npa_nxx(numbers),
        // Of a port, Bandwidth's clients read one number.
        "totals" if matches!(order.kind.order_type, "portins" | "portouts") => {
            answer::quantity(numbers)
        }
        "totals" => answer::totals(numbers),
        _ => return no_such_resource("ErrorResponse"),
    };
    xml(StatusCode::OK, &shown)
}
