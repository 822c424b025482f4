//! One request on its way to Bandwidth, and the answer on its way back.

use std::error::Error;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use domain::limits::{LOA_BYTES_MAX, ORDER_BYTES_MAX};
use domain::upstream::ApiAccess;
use domain::wire::{self, ErrorRoot};
use tokio::time::Instant;

use super::rewrite::{self, Names};
use super::target::{Target, is_order_id};
use super::upload::{TooLong, Upload};
use crate::api::Api;
use crate::api::xml::refusal::Refusal;
use crate::bandwidth::{Answer, AskError, Bandwidth, Exchange};
use crate::secret;
use crate::store::{Placing, StoreError};

/// From the arrival of a request to the last byte of Bandwidth's answer: of the 29 s that the function
/// may run, 4 s remain to claim an order and to answer.
const GATEWAY_TIMEOUT: Duration = Duration::from_secs(25);

/// Within this time an order that was placed is claimed, or its tenant is told otherwise.
const CLAIM_TIMEOUT: Duration = Duration::from_secs(3);

/// How often the claim is put.
const CLAIM_TRIES_MAX: usize = 3;

/// Query, in bytes: with the base and the path it is to fit a URL, whose limit is 2,048.
const QUERY_BYTES_MAX: usize = 1_024;

/// One header that is passed on, in bytes: a file's name has 255 at most.
const HEADER_BYTES_MAX: usize = 1_024;

/// Of a document: whether it is a letter of authorization, an invoice or something else.
const DOCUMENT_TYPE: HeaderName = HeaderName::from_static("documenttype");

/// Headers of a request that are Bandwidth's to read.
const ASKED: [HeaderName; 4] = [ACCEPT, CONTENT_DISPOSITION, CONTENT_TYPE, DOCUMENT_TYPE];

/// Headers of an answer that are the tenant's to read, and those with this beginning.
const ANSWERED: [HeaderName; 3] = [CONTENT_DISPOSITION, CONTENT_TYPE, RETRY_AFTER];
const ANSWERED_PREFIX: &str = "x-ratelimit-";

/// Who asks what, and of whom.
#[derive(Clone)]
pub(super) struct Passage {
    pub(super) api: Api,
    /// Base by which the client reached the relay.
    pub(super) relay: String,
    pub(super) tenant: String,
    /// Id of the key with which the tenant asks.
    pub(super) user: String,
    pub(super) upstream: String,
    pub(super) access: ApiAccess,
    pub(super) target: Target,
    pub(super) arrived: Instant,
}

/// What Bandwidth is asked.
struct Question {
    method: Method,
    /// With its query.
    path: String,
    headers: HeaderMap,
    body: reqwest::Body,
}

/// Who is on record for an order that was placed.
enum Claimed {
    Own,
    /// The order's id.
    Anothers(String),
}

impl Passage {
    /// Asks Bandwidth once, and answers what it says.
    pub(super) async fn pass(self, request: Request) -> Result<Response, Refusal> {
        let (parts, body) = request.into_parts();
        let body = match self.target.is_document() && !parts.method.is_safe() {
            true => {
                let upload = Upload::new(body, LOA_BYTES_MAX);
                reqwest::Body::wrap(upload.map_err(|_| Refusal::longer_than(LOA_BYTES_MAX))?)
            }
            false => self.outgoing(&parts.method, body).await?.into(),
        };
        let question = question(&self.target, parts, body)?;
        if self.target.order.is_some() {
            return self.response(self.ask(question).await.map_err(refusal)?);
        }
        // It goes on when the client has gone: an order that was placed is to be claimed.
        match tokio::spawn(self.place(question)).await {
            Ok(placed) => placed,
            Err(error) => Err(Refusal::unavailable(&error)),
        }
    }

    /// A body in the upstream's name.
    async fn outgoing(&self, method: &Method, body: Body) -> Result<Vec<u8>, Refusal> {
        let body = to_bytes(body, ORDER_BYTES_MAX).await;
        let body = body.map_err(|_| Refusal::longer_than(ORDER_BYTES_MAX))?;
        let named = rewrite::request(&body, &self.names());
        match self.target.is_note() && (method == Method::POST || method == Method::PUT) {
            true => self.signed(&body, named),
            false => Ok(named),
        }
    }

    /// Bandwidth wants notes signed by who asks, which for Bandwidth is the upstream's user.
    fn signed(&self, body: &Bytes, named: Vec<u8>) -> Result<Vec<u8>, Refusal> {
        let note =
            wire::note(body).map_err(|refused| Refusal::of_body(ErrorRoot::Note, refused))?;
        match note.user {
            None => Ok(named),
            Some(user) if user == self.user => Ok(rewrite::sign(&named, &self.access.username)),
            Some(_) => Err(Refusal::not_the_author()),
        }
    }

    /// Places an order, and has it recorded as the tenant's before anybody is told of it: neither the
    /// tenant, who is answered after that, nor others, for what Bandwidth tells of it waits until the
    /// placing has ended. Where nobody knows whether there is an order, or whose it is, that ends by
    /// itself.
    async fn place(self, question: Question) -> Result<Response, Refusal> {
        let store = &self.api.store;
        let now = self.api.clock.now();
        let placing = store.begin_placing(&self.upstream, &secret::uuid()?, now).await?;
        let answer = self.ask(question).await;
        if !may_be_done(&answer) {
            self.end(placing).await;
            return self.response(answer.map_err(refusal)?);
        }
        let answer = answer.map_err(refusal)?;
        if !(200..300).contains(&answer.status) {
            return self.response(answer);
        }
        let claimed = self.claim(&answer).await?;
        self.end(placing).await;
        match claimed {
            Claimed::Own => self.response(answer),
            Claimed::Anothers(order) => {
                let text = format!("The order {order} was placed, and is recorded as another's");
                Err(Refusal::bad_gateway(text))
            }
        }
    }

    async fn end(&self, placing: Placing) {
        if let Err(error) = self.api.store.end_placing(placing).await {
            tracing::warn!(?error, upstream = %self.upstream, "a placing ends by itself");
        }
    }

    /// Who is on record for a new order; an error where that cannot be known.
    async fn claim(&self, answer: &Answer) -> Result<Claimed, Refusal> {
        let (tenant, upstream) = (&self.tenant, &self.upstream);
        let Some(order) = order_id(answer) else {
            tracing::error!(%tenant, %upstream, "an order was placed and has no id");
            return Err(Refusal::bad_gateway("Bandwidth took the order and did not name it"));
        };
        let claimed = tokio::time::timeout(CLAIM_TIMEOUT, self.put_claim(&order)).await;
        match claimed {
            Ok(Ok(owner)) if owner == *tenant => Ok(Claimed::Own),
            Ok(Ok(_)) => {
                tracing::error!(%tenant, %upstream, %order, "an order was placed and is another's");
                Ok(Claimed::Anothers(order))
            }
            unknown => {
                let error = unknown.ok().and_then(Result::err);
                tracing::error!(
                    ?error, %tenant, %upstream, %order,
                    "an order was placed and could not be claimed"
                );
                let text = format!(
                    "The order {order} was placed, and could not be recorded as this account's: do \
                     not place it again"
                );
                Err(Refusal::unrecorded(text))
            }
        }
    }

    async fn put_claim(&self, order: &str) -> Result<String, StoreError> {
        let put = async || self.api.store.put_claim(&self.upstream, order, &self.tenant).await;
        for _ in 1..CLAIM_TRIES_MAX {
            if let Ok(owner) = put().await {
                return Ok(owner);
            }
        }
        put().await
    }

    /// Asks once.
    async fn ask(&self, question: Question) -> Result<Answer, AskError> {
        let (tenant, upstream) = (&self.tenant, &self.upstream);
        let kind = self.target.kind.order_type().name;
        let began = self.api.clock.now();
        let Question { method, path, headers, body } = question;
        let exchange = Exchange {
            method,
            path: &path,
            headers,
            body,
            time: GATEWAY_TIMEOUT.saturating_sub(self.arrived.elapsed()),
            bytes_max: LOA_BYTES_MAX,
        };
        let Api { store, vault, egress, .. } = self.api.clone();
        let bandwidth = Bandwidth { store, vault, egress };
        let answer = bandwidth.exchange(upstream, &self.access, exchange).await;
        let duration_ms = self.api.clock.now().duration_since(began).as_millis();
        let status = answer.as_ref().ok().map(|answer| answer.status);
        tracing::info!(%tenant, %upstream, kind, status, duration_ms, "passed a request on");
        if let Err(error) = &answer {
            tracing::error!(?error, %tenant, %upstream, kind, "Bandwidth gave no answer");
        }
        answer
    }

    /// Bandwidth's answer in the tenant's name. What it says of the upstream's credentials is for the
    /// operator: the tenant's are good.
    fn response(&self, answer: Answer) -> Result<Response, Refusal> {
        let names = self.names();
        let Answer { status, headers, body } = answer;
        if status == 401 {
            tracing::error!(upstream = %self.upstream, "Bandwidth refuses the upstream's credentials");
            let text = "Bandwidth refuses the credentials that the relay's operator has set";
            return Err(Refusal::bad_gateway(text));
        }
        let is_xml = headers.get(CONTENT_TYPE).is_none_or(|value| contains(value, "xml"));
        let is_file = self.target.is_file() && (200..300).contains(&status);
        let body = match is_xml && !is_file {
            false => body,
            true => rewrite::answer(&body, &names),
        };
        let body = match self.target.is_note() {
            false => body,
            true => rewrite::users(&body, &self.access.username, &self.user),
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
        let mut response = (status, Body::from(body)).into_response();
        let told = response.headers_mut();
        told.remove(CONTENT_TYPE);
        for (name, value) in &headers {
            if ANSWERED.contains(name) || name.as_str().starts_with(ANSWERED_PREFIX) {
                told.append(name, value.clone());
            }
        }
        let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
        let location = location.map(|value| rewrite::location(value, &names));
        if let Some(Ok(location)) = location.map(HeaderValue::try_from) {
            told.insert(LOCATION, location);
        }
        Ok(response)
    }

    fn names(&self) -> Names<'_> {
        Names { upstream: &self.upstream, relay: &self.relay, tenant: &self.tenant }
    }
}

fn question(target: &Target, parts: Parts, body: reqwest::Body) -> Result<Question, Refusal> {
    let query = parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    if query.len() > QUERY_BYTES_MAX {
        return Err(Refusal::query(format!("The query is longer than {QUERY_BYTES_MAX} bytes")));
    }
    let mut headers = HeaderMap::new();
    for name in ASKED {
        if let Some(value) = parts.headers.get(&name).filter(|it| it.len() <= HEADER_BYTES_MAX) {
            headers.insert(name, value.clone());
        }
    }
    Ok(Question { method: parts.method, path: format!("{}{query}", target.path), headers, body })
}

/// The id of a new order, as it is in keys: at the end of its location, or in the body.
fn order_id(answer: &Answer) -> Option<String> {
    let location = answer.headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let path = location.and_then(|location| location.split(['?', '#']).next());
    // The names of kinds have no digit.
    let is_id = |id: &&str| is_order_id(id) && id.bytes().any(|byte| byte.is_ascii_digit());
    let in_location = path.and_then(|path| path.rsplit('/').next()).filter(is_id);
    let in_body = || rewrite::text_of(&answer.body, &["OrderId", "orderId", "id"]).filter(is_id);
    in_location.or_else(in_body).map(str::to_ascii_lowercase)
}

fn contains(value: &HeaderValue, word: &str) -> bool {
    value.to_str().is_ok_and(|text| text.to_ascii_lowercase().contains(word))
}

/// Whether Bandwidth has done what was asked, or may have.
fn may_be_done(answer: &Result<Answer, AskError>) -> bool {
    match answer {
        Ok(answer) => !(400..500).contains(&answer.status),
        Err(error) => {
            matches!(error, AskError::Broken(_) | AskError::TimedOut | AskError::TooLong)
        }
    }
}

fn refusal(error: AskError) -> Refusal {
    match &error {
        AskError::Broken(cause) if is_too_long(cause) => Refusal::longer_than(LOA_BYTES_MAX),
        AskError::Store(_) | AskError::Vault(_) | AskError::Egress(_) => {
            Refusal::unavailable(&error)
        }
        AskError::Address(_) | AskError::Credentials => {
            Refusal::bad_gateway("The relay's operator has set what Bandwidth cannot be asked with")
        }
        AskError::Connect(_) => {
            Refusal::bad_gateway("Bandwidth cannot be reached; nothing was done")
        }
        AskError::Broken(_) => {
            Refusal::bad_gateway("Bandwidth's answer broke off; what was asked may have been done")
        }
        AskError::TooLong => Refusal::bad_gateway(
            "Bandwidth's answer is too long; what was asked may have been done",
        ),
        AskError::TimedOut => Refusal::late(),
    }
}

fn is_too_long(error: &(dyn Error + 'static)) -> bool {
    error.is::<TooLong>() || error.source().is_some_and(is_too_long)
}
