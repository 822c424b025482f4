//! The sandbox's own API, in JSON: what no customer of Bandwidth can do.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use jiff::SignedDuration;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::Call;
use crate::sandbox::kinds::Kind;
use crate::sandbox::numbers::QUANTITY_MAX;
use crate::sandbox::order::{Detail, customer_order_id};
use crate::sandbox::scenario::Scenario;
use crate::sandbox::state::{SYSTEM, State};
use crate::sandbox::xml::Element;
use crate::sandbox::{Knobs, Sandbox};

/// What cannot be done, and why.
struct Refusal(StatusCode, String);

/// A state that somebody puts an order into.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Push {
    state: String,
    message: Option<String>,
}

/// New numbers: these, or so many `at` an area code or rate center.
#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Stock {
    Numbers { telephone_numbers: Vec<String> },
    Quantity { at: String, quantity: usize },
}

/// A port-out that another carrier asks for, or an event.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Numbers {
    telephone_numbers: Vec<String>,
    customer_order_id: Option<String>,
}

pub(super) async fn answer(sandbox: &Sandbox, call: &Call) -> Response {
    let path: Vec<_> = call.path.iter().map(String::as_str).collect();
    let answer = match (call.method.as_str(), path.as_slice()) {
        ("POST", ["step"]) => step(sandbox, call).await,
        ("GET", ["knobs"]) => Ok(Json(sandbox.knobs()).into_response()),
        ("PUT", ["knobs"]) => knobs(sandbox, call),
        ("GET", ["mails"]) => Ok(Json(sandbox.mails()).into_response()),
        ("GET", ["sent"]) => Ok(Json(sandbox.deliveries()).into_response()),
        ("PUT", ["scenario"]) => scenario(sandbox, call),
        ("POST", ["stock"]) => stock(&mut sandbox.state(), call),
        ("POST", ["portouts"]) => portout(&mut sandbox.state(), call),
        ("POST", ["events"]) => event(&mut sandbox.state(), call),
        ("POST", ["orders", id, "state"]) => push(&mut sandbox.state(), call, id),
        _ => Err(Refusal(StatusCode::NOT_FOUND, "there is no such thing".into())),
    };
    answer.unwrap_or_else(|Refusal(status, error)| {
        (status, Json(json!({ "error": error }))).into_response()
    })
}

async fn step(sandbox: &Sandbox, call: &Call) -> Result<Response, Refusal> {
    let by = call.parameter("by").and_then(|by| by.parse::<SignedDuration>().ok());
    let by = by.filter(|by| !by.is_negative()).ok_or_else(|| bad("by is a time like 2h"))?;
    let happened = sandbox.step(by).await.map_err(|error| {
        // The clock is not one that can be moved.
        Refusal(StatusCode::CONFLICT, format!("{error:#}"))
    })?;
    let now = sandbox.0.clock.now();
    Ok(Json(json!({ "now": now, "happened": happened })).into_response())
}

fn knobs(sandbox: &Sandbox, call: &Call) -> Result<Response, Refusal> {
    let knobs: Knobs = read(call)?;
    if [knobs.drop, knobs.duplicate, knobs.disorder].iter().any(|percent| *percent > 100)
        || knobs.delay_max.is_negative()
    {
        return Err(bad("a knob goes from 0 to 100, and no delay is negative"));
    }
    sandbox.set_knobs(knobs);
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// A scenario, or the name of a ready-made one as a JSON string.
fn scenario(sandbox: &Sandbox, call: &Call) -> Result<Response, Refusal> {
    let name = serde_json::from_slice::<String>(&call.body).ok();
    let scenario = match name.filter(|name| Scenario::is_ready_made(name)) {
        Some(name) => Scenario::load(&name),
        None => Scenario::read(&call.body),
    };
    sandbox.set_scenario(scenario.map_err(|error| bad(&format!("{error:#}")))?);
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn stock(state: &mut State, call: &Call) -> Result<Response, Refusal> {
    let numbers = match read(call)? {
        Stock::Numbers { telephone_numbers } => telephone_numbers,
        Stock::Quantity { at, quantity } => state.unknown_numbers(&at, quantity.min(QUANTITY_MAX)),
    };
    let new = state.stock(&numbers, call.now);
    Ok(Json(json!({ "new": new })).into_response())
}

fn portout(state: &mut State, call: &Call) -> Result<Response, Refusal> {
    let asked: Numbers = read(call)?;
    let kind = Kind::named("portouts").ok_or_else(|| bad("there are no port-outs"))?;
    let list = asked.telephone_numbers.iter().map(|n| Element::leaf("PhoneNumber", n)).collect();
    let mut children = vec![Element::new("ListOfPhoneNumbers", list)];
    children.extend(asked.customer_order_id.map(|id| Element::leaf("CustomerOrderId", id)));
    let request = Element::new("LnpOrder", children);
    let id = customer_order_id(&request).map_err(|error| bad(&error.description))?;
    let order = state.place_order(kind, request, id, Detail::Nothing, SYSTEM, call.now);
    Ok((StatusCode::CREATED, Json(json!({ "id": state.orders[order].id }))).into_response())
}

fn event(state: &mut State, call: &Call) -> Result<Response, Refusal> {
    let event: Numbers = read(call)?;
    state.lose_messaging(&event.telephone_numbers, call.now);
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// What an operator can do: nothing but what can follow, and without what was planned.
fn push(state: &mut State, call: &Call, id: &str) -> Result<Response, Refusal> {
    let Push { state: to, message } = read(call)?;
    let missing = || Refusal(StatusCode::NOT_FOUND, format!("there is no order {id}"));
    let order = state.place(id).ok_or_else(missing)?;
    let (kind, from) = (state.orders[order].kind, state.orders[order].state.clone());
    if matches!(state.orders[order].detail, Detail::Numbers(_)) {
        let error = "orders for numbers go by what is in stock".to_owned();
        return Err(Refusal(StatusCode::CONFLICT, error));
    }
    let known = kind.states().find(|known| *known == to);
    let Some(to) = known.filter(|to| kind.allows(&from, to)) else {
        let error = format!("{}: no order gets from {from} to {to}", kind.order_type);
        return Err(Refusal(StatusCode::CONFLICT, error));
    };
    state.rewrite(order, Vec::new(), call.now);
    state.change(order, to, SYSTEM, message, call.now);
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn read<T: DeserializeOwned>(call: &Call) -> Result<T, Refusal> {
    serde_json::from_slice(&call.body).map_err(|error| bad(&error.to_string()))
}

fn bad(error: &str) -> Refusal {
    Refusal(StatusCode::BAD_REQUEST, error.into())
}
