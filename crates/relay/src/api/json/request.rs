//! What comes in: bodies, pages, versions.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::header::{CONTENT_TYPE, ETAG, IF_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::limits;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problem::Problem;
use crate::store::Page;

/// A body of JSON. What is unknown in it is refused with its name.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Body<T>, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::media_type());
        }
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|_| Problem::too_long(limits::API_BODY_BYTES_MAX))?;
        read(&bytes).map(Body)
    }
}

/// Reads a body; the error names the field at fault.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let field = error.path().to_string();
        match error.inner().classify() {
            serde_json::error::Category::Data => Problem::invalid(&field, sentence(error.inner())),
            _ => Problem::malformed(format!("The body is no JSON: {}", sentence(error.inner()))),
        }
    })?;
    json.end().map_err(|error| {
        Problem::malformed(format!("Something follows the JSON: {}", sentence(&error)))
    })?;
    Ok(value)
}

fn sentence(error: &serde_json::Error) -> String {
    let mut text = error.to_string();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text + "."
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

/// Parameters of the query; an unknown one is refused.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Asked<T>, Problem> {
        Query::try_from_uri(&parts.uri)
            .map(|Query(asked)| Asked(asked))
            .map_err(|error| Problem::malformed(format!("{}.", error.body_text())))
    }
}

/// Which page of a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// Items read for the page, 1 to 200. A filter may leave fewer.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// `next` of the page before.
    #[param(max_length = 1024)]
    cursor: Option<String>,
}

const LIMIT_DEFAULT: u16 = 50;

/// A page then stays well within the 1 MB that one query reads. (AWS: DynamoDB quotas.)
const LIMIT_MAX: u16 = 200;

impl PageQuery {
    pub(super) fn page(&self) -> Result<Page, Problem> {
        page(self.limit, self.cursor.as_deref())
    }
}

/// For queries that have filters beside the page.
pub(super) fn page(limit: Option<u16>, cursor: Option<&str>) -> Result<Page, Problem> {
    let limit = limit_of(limit)?;
    Ok(Page { limit, after: cursor.map(open_cursor).transpose()?, ..Page::default() })
}

pub(super) fn limit_of(limit: Option<u16>) -> Result<u16, Problem> {
    let limit = limit.unwrap_or(LIMIT_DEFAULT);
    match (1..=LIMIT_MAX).contains(&limit) {
        true => Ok(limit),
        false => Err(Problem::malformed(format!("limit is not 1 to {LIMIT_MAX}."))),
    }
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Listed<T> {
    pub(super) items: Vec<T>,
    /// Give it as `cursor` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
}

impl<T> Listed<T> {
    pub(super) fn new(items: Vec<T>, next: Option<String>) -> Listed<T> {
        Listed { items, next: next.map(close_cursor) }
    }
}

/// Positions in a list leave as one word that nobody is to read.
pub(super) fn close_cursor(position: String) -> String {
    URL_SAFE_NO_PAD.encode(position)
}

pub(super) fn open_cursor(cursor: &str) -> Result<String, Problem> {
    let opened =
        URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let sound = |position: &String| {
        !position.is_empty()
            && position.len() <= limits::CURSOR_BYTES_MAX
            && !position.chars().any(char::is_control)
    };
    opened.filter(sound).ok_or_else(|| Problem::malformed("The cursor is none of ours."))
}

/// The header by which an answer names the version that it shows.
pub(super) fn etag(revision: u64) -> [(HeaderName, String); 1] {
    [(ETAG, format!("\"{revision}\""))]
}

/// The revision that `If-Match` asks for; `None` where any will do.
pub(super) fn if_match(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get(IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    match quoted.and_then(|revision| revision.parse().ok()) {
        Some(revision) => Ok(Some(revision)),
        // Some other version than any of ours.
        None => Err(Problem::changed()),
    }
}

/// Whether `If-Match` lets a change of `revision` through.
pub(super) fn check_match(headers: &HeaderMap, revision: u64) -> Result<(), Problem> {
    match if_match(headers)? {
        Some(wanted) if wanted != revision => Err(Problem::changed()),
        _ => Ok(()),
    }
}
