//! `Idempotency-Key`: a POST that is repeated with the same key is answered as it was the first
//! time, and done once.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use domain::limits;
use jiff::SignedDuration;
use secrecy::{ExposeSecret as _, SecretString};

use super::Api;
use super::auth::Caller;
use super::json::Problem;
use crate::secret::sha256;
use crate::store::{ANSWER_KEPT, Remembered, RememberedAnswer};

const HEADER: &str = "idempotency-key";

/// Characters of a key: a UUID has 36.
const KEY_CHARS_MAX: usize = 255;

/// A request that was begun longer ago than this, and has no answer, died. Longer than a function
/// may run.
const ABANDONED: SignedDuration = SignedDuration::from_mins(2);

/// An answer to remember is at most this long, in bytes: what creates something is short.
const ANSWER_BYTES_MAX: usize = 100 * 1024;

/// The header of a new thing's address is remembered with its answer, and these.
const REMEMBERED_HEADERS: [&str; 3] = ["content-type", "etag", "location"];

/// Runs a request, or answers as before.
pub(super) async fn once(
    api: &Api,
    caller: &Caller,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let Some(key) = key_of(request.headers())? else { return Ok(next.run(request).await) };
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, limits::API_BODY_BYTES_MAX)
        .await
        .map_err(|_| Problem::too_long(limits::API_BODY_BYTES_MAX))?;
    let place = format!("idempotency/{}/{key}", caller.key_id);
    let key = hex(&sha256(key.as_bytes()));
    let asked = Remembered {
        request_sha256: fingerprint(&parts.method, parts.uri.path(), &body),
        at: api.clock.now(),
        answer: None,
    };
    if let Some(before) = api.store.begin_request(&caller.key_id, &key, &asked).await? {
        if before.request_sha256 != asked.request_sha256 {
            let detail = "This key was used for another request.";
            return Err(Problem::conflict("idempotency_key_reused", detail));
        }
        match before.answer {
            Some(_) if before.at + ANSWER_KEPT <= asked.at => {
                api.store.note_request(&caller.key_id, &key, &asked).await?;
            }
            Some(answer) => return repeat(api, &place, answer).await,
            None if before.at + ABANDONED > asked.at => {
                let detail = "The same request is being worked on.";
                return Err(Problem::conflict("in_progress", detail));
            }
            None => api.store.note_request(&caller.key_id, &key, &asked).await?,
        }
    }
    let answered = next.run(Request::from_parts(parts, Body::from(body))).await;
    if !answered.status().is_success() {
        // It came to nothing, and may be tried again with what was wrong put right.
        api.store.forget_request(&caller.key_id, &key).await?;
        return Ok(answered);
    }
    let (parts, body) = answered.into_parts();
    let body = to_bytes(body, ANSWER_BYTES_MAX).await.map_err(|_| Problem::unavailable())?;
    let text = SecretString::from(String::from_utf8_lossy(&body).into_owned());
    let kept = REMEMBERED_HEADERS.iter().filter_map(|name| {
        let value = parts.headers.get(*name)?.to_str().ok()?;
        Some(((*name).to_owned(), value.to_owned()))
    });
    let answer = RememberedAnswer {
        status: parts.status.as_u16(),
        headers: kept.collect(),
        sealed_body: api.vault.seal(&place, &text).await?,
    };
    let noted = Remembered { answer: Some(answer), ..asked };
    api.store.note_request(&caller.key_id, &key, &noted).await?;
    Ok(Response::from_parts(parts, Body::from(body)))
}

async fn repeat(api: &Api, place: &str, answer: RememberedAnswer) -> Result<Response, Problem> {
    let body = api.vault.open(place, &answer.sealed_body).await?;
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = (status, body.expose_secret().to_owned()).into_response();
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), value.try_into()) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

fn key_of(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(HEADER) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    if text.is_empty() || text.len() > KEY_CHARS_MAX {
        let detail = format!("Idempotency-Key is not 1 to {KEY_CHARS_MAX} ASCII characters.");
        return Err(Problem::malformed(detail));
    }
    Ok(Some(text.into()))
}

fn fingerprint(method: &axum::http::Method, path: &str, body: &Bytes) -> [u8; 32] {
    let mut all = format!("{method} {path}\n").into_bytes();
    all.extend_from_slice(body);
    sha256(&all)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
