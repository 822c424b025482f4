//! Bandwidth's API over HTTP: who may, how often, and which request goes where.

mod answer;
mod control;
mod list;
mod loas;
mod notes;
mod numbers;
mod orders;
mod portins;
mod shapes;
mod subscriptions;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Query, State as Shared};
use axum::http::header::{AUTHORIZATION, HOST, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use super::Sandbox;
use super::kinds::Kind;
use super::order::Refused;
use super::portin::LOA_SIZE_MAX;
use super::state::State;
use super::xml::Element;
use answer::{malformed, no_such_resource, refused};

/// Requests are counted by the minute.
const WINDOW_S: i64 = 60;

/// Tells when requests are taken again, in seconds since 1970.
const RATE_LIMIT_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// A request, as far as anybody here wants to know.
pub(crate) struct Call {
    method: Method,
    /// Below the account, or below `/sandbox`.
    path: Vec<String>,
    /// What stands before that, with the scheme.
    base: String,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
    now: Timestamp,
}

/// The header of those who may.
pub(crate) fn authorization(username: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{username}:{password}")))
}

pub(crate) fn router(sandbox: Sandbox) -> Router {
    let limit = DefaultBodyLimit::max(LOA_SIZE_MAX);
    Router::new().fallback(answer).layer(limit).with_state(sandbox)
}

async fn answer(
    Shared(sandbox): Shared<Sandbox>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let given = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
    if given != Some(sandbox.0.authorization.as_bytes()) {
        return unauthorized();
    }
    let path: Vec<_> =
        uri.path().split('/').filter(|segment| !segment.is_empty()).map(str::to_owned).collect();
    let query = Query::try_from_uri(&uri).map(|Query(query)| query).unwrap_or_default();
    let now = sandbox.0.clock.now();
    let mut call = Call { method, path, base: String::new(), query, headers, body, now };
    if call.path.first().is_some_and(|first| first == "sandbox") {
        call.path.remove(0);
        let answer = control::answer(&sandbox, &call).await;
        sandbox.0.planned.notify_one();
        return answer;
    }
    let Some(account) = call.enter_account() else {
        return no_such_resource("ErrorResponse");
    };
    let mut state = sandbox.state();
    if let Some(answer) = too_many(&mut state, now) {
        return answer;
    }
    if account != state.account {
        let denied = Refused::new(1001, "no access to this account");
        return refused(StatusCode::FORBIDDEN, "ErrorResponse", &denied);
    }
    let answer = route(&mut state, &call);
    sandbox.0.planned.notify_one();
    answer
}

fn route(state: &mut State, call: &Call) -> Response {
    let path: Vec<_> = call.path.iter().map(String::as_str).collect();
    match (call.method.as_str(), path.as_slice()) {
        ("GET", ["subscriptions"]) => subscriptions::list(state, call),
        ("POST", ["subscriptions"]) => subscriptions::create(state, call),
        ("GET", ["subscriptions", id]) => subscriptions::get(state, call, id),
        ("PUT", ["subscriptions", id]) => subscriptions::replace(state, call, id),
        ("DELETE", ["subscriptions", id]) => subscriptions::delete(state, call, id),
        ("GET", ["availableNumbers"]) => numbers::available(state, call),
        (method, [kind, rest @ ..]) => match Kind::named(kind) {
            Some(kind) => orders::route(state, call, kind, method, rest),
            None => no_such_resource("ErrorResponse"),
        },
        _ => no_such_resource("ErrorResponse"),
    }
}

impl Call {
    /// Goes down to the account that the path names: behind any of the prefixes that clients use.
    fn enter_account(&mut self) -> Option<String> {
        let path: Vec<_> = self.path.iter().map(String::as_str).collect();
        let depth = match path.as_slice() {
            ["api", "v1" | "v2", "accounts", _, ..] => 4,
            ["api" | "v1.0", "accounts", _, ..] => 3,
            ["accounts", _, ..] => 2,
            _ => return None,
        };
        let rest = self.path.split_off(depth);
        let above = std::mem::replace(&mut self.path, rest);
        let host =
            self.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
        self.base = format!("http://{host}/{}", above.join("/"));
        above.last().cloned()
    }

    /// A parameter that says something.
    fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    /// The body, or an answer that says what is wrong with it.
    #[expect(clippy::result_large_err, reason = "both are answers")]
    fn xml(&self) -> Result<Element, Response> {
        Element::read(&self.body).map_err(|error| malformed(&error))
    }
}

/// Counts a request, unless there were too many of them in this minute.
fn too_many(state: &mut State, now: Timestamp) -> Option<Response> {
    let minute = now.as_second().div_euclid(WINDOW_S);
    if state.requests.0 != minute {
        state.requests = (minute, 0);
    }
    let limit = state.knobs.requests_per_minute?;
    if state.requests.1 >= limit {
        let reset = HeaderValue::from((minute + 1) * WINDOW_S);
        return Some((StatusCode::TOO_MANY_REQUESTS, [(RATE_LIMIT_RESET, reset)]).into_response());
    }
    state.requests.1 += 1;
    None
}

fn unauthorized() -> Response {
    let denied = Refused::new(1001, "user name and password are missing or wrong");
    let mut answer = refused(StatusCode::UNAUTHORIZED, "ErrorResponse", &denied);
    let challenge = HeaderValue::from_static("Basic realm=\"Bandwidth\"");
    answer.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    answer
}
