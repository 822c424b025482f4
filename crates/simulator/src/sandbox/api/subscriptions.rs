//! `subscriptions`.

use axum::http::StatusCode;
use axum::response::Response;

use super::Call;
use super::answer::{created, empty, refused, xml};
use crate::sandbox::kinds::Kind;
use crate::sandbox::order::Refused;
use crate::sandbox::state::State;
use crate::sandbox::subscription::{Subscription, Topic};
use crate::sandbox::xml::Element;

const ROOT: &str = "SubscriptionsResponse";

/// Subscriptions to all orders of one type. Bandwidth has such a limit, and does not say which.
const GLOBAL_MAX: usize = 50;

/// All, or those of one `orderType` and `orderId`.
pub(super) fn list(state: &mut State, call: &Call) -> Response {
    state.expire(call.now);
    let kind = call.parameter("orderType");
    let order = call.parameter("orderId");
    let wanted = state.subscriptions.iter().filter(|subscription| {
        let Topic::Orders { kind: topic, .. } = &subscription.topic else {
            return kind.is_none() && order.is_none();
        };
        let named =
            |name| Kind::named(name).is_some_and(|kind| kind.order_type == topic.order_type);
        kind.is_none_or(named) && order.is_none_or(|id| subscription.is_bound_to(id))
    });
    let shown = wanted.map(|subscription| subscription.to_xml(call.now)).collect();
    xml(StatusCode::OK, &Element::new(ROOT, vec![Element::new("Subscriptions", shown)]))
}

pub(super) fn get(state: &mut State, call: &Call, id: &str) -> Response {
    let Some(place) = find(state, call, id) else { return unknown(id) };
    let shown = vec![state.subscriptions[place].to_xml(call.now)];
    xml(StatusCode::OK, &Element::new(ROOT, vec![Element::new("Subscriptions", shown)]))
}

/// What is wrong with it is a 404 here, as documented.
pub(super) fn create(state: &mut State, call: &Call) -> Response {
    state.expire(call.now);
    let id = state.ids.uuid();
    match read(state, call, &id) {
        Err(error) => {
            let status = match error.code {
                16006 | 16008 => StatusCode::CONFLICT,
                _ => StatusCode::NOT_FOUND,
            };
            refused(status, ROOT, &error)
        }
        Ok(subscription) => {
            let location = format!("{}/subscriptions/{id}", call.base);
            state.subscriptions.push(subscription);
            created(&location, None)
        }
    }
}

/// Everything is replaced: what is left out is gone. What is wrong is a 400 here, as documented.
pub(super) fn replace(state: &mut State, call: &Call, id: &str) -> Response {
    let Some(place) = find(state, call, id) else { return unknown(id) };
    match read(state, call, id) {
        Err(error) => refused(StatusCode::BAD_REQUEST, ROOT, &error),
        Ok(subscription) => {
            state.subscriptions[place] = subscription;
            empty(StatusCode::OK)
        }
    }
}

pub(super) fn delete(state: &mut State, call: &Call, id: &str) -> Response {
    let Some(place) = find(state, call, id) else { return unknown(id) };
    state.subscriptions.remove(place);
    empty(StatusCode::OK)
}

fn find(state: &mut State, call: &Call, id: &str) -> Option<usize> {
    state.expire(call.now);
    state.subscriptions.iter().position(|subscription| subscription.id.eq_ignore_ascii_case(id))
}

fn unknown(id: &str) -> Response {
    let error = Refused::new(16000, format!("the account has no subscription {id}"));
    refused(StatusCode::NOT_FOUND, ROOT, &error)
}

fn read(state: &State, call: &Call, id: &str) -> Result<Subscription, Refused> {
    let invalid = |_| Refused::new(14501, "the body is no XML");
    let body = Element::read(&call.body).map_err(invalid)?;
    let subscription = Subscription::read(id, &body, call.now)?;
    if let Topic::Orders { kind, order_id: Some(order_id) } = &subscription.topic {
        let Some(order) = state.place(order_id) else {
            let description = format!("the account has no order {order_id}");
            return Err(Refused::new(16005, description));
        };
        if state.orders[order].kind.order_type != kind.order_type {
            let description = format!("order {order_id} is not one of {}", kind.order_type);
            return Err(Refused::new(16004, description));
        }
    }
    let others = || state.subscriptions.iter().filter(|other| other.id != id);
    if others().any(|other| other.target() == subscription.target()) {
        return Err(Refused::new(16008, "there is a subscription for this target already"));
    }
    let (topic, order_id, _) = subscription.target();
    let same_topic = others().filter(|other| {
        let target = other.target();
        (target.0, target.1) == (topic, None)
    });
    if order_id.is_none() && same_topic.count() >= GLOBAL_MAX {
        let description = format!("no more than {GLOBAL_MAX} subscriptions to all of one type");
        return Err(Refused::new(16006, description));
    }
    Ok(subscription)
}
