//! `POST /notify/{account}`: takes a notification from Bandwidth, and answers 200 only when it is
//! durable.
//!
//! Bandwidth calls once. It sends credentials only after a 401 that carries `WWW-Authenticate`, and
//! never tries again after any other failure (docs/upstream.md), so this module does as little as it
//! can: one look at the upstream, which is remembered, and one conditional put. Where the table
//! does not answer, the inbox queue keeps the notification.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::{Path, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::event::EventKey;
use domain::limits;
use domain::notification::{Malformed, Notification};
use domain::upstream::{IngestCredentials, Upstream};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use crate::Clock;
use crate::metrics;
use crate::queue::{Arrival, Inbox, Proof};
use crate::secret::{same, sha256};
use crate::store::{Quarantined, Store, StoreError, StoredEvent};

/// How long the table may take, all in all, before the inbox is used. Bandwidth's own limit is not
/// documented; this leaves the queue time within any usual one.
const TABLE_PATIENCE: Duration = Duration::from_secs(2);

/// What ingest needs.
#[derive(Clone)]
pub struct Ingest {
    pub store: Store,
    pub inbox: Inbox,
    pub clock: Clock,
}

/// The one route.
pub fn router(ingest: Ingest) -> Router {
    Router::new().route("/notify/{account}", post(notify)).with_state(ingest)
}

async fn notify(
    State(ingest): State<Ingest>,
    Path(account): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Some(credentials) = basic(&headers) else {
        return challenge();
    };
    let (body, too_long) = match read(body).await {
        Ok(read) => read,
        Err(_) => return (StatusCode::BAD_REQUEST, "The body broke off.").into_response(),
    };
    let arrival = Arrival {
        account,
        received_at: ingest.clock.now(),
        body,
        too_long,
        proof: Proof {
            username: credentials.username,
            password_sha256: sha256(credentials.password.expose_secret().as_bytes()),
            verified: false,
        },
    };
    accept(&ingest, arrival).await
}

async fn accept(ingest: &Ingest, mut arrival: Arrival) -> Response {
    let by_table = tokio::time::timeout(TABLE_PATIENCE, async {
        arrival.proof.verified = verify(&ingest.store, &arrival).await?;
        if !arrival.proof.verified {
            return Ok(None);
        }
        keep(&ingest.store, &arrival).await.map(Some)
    });
    let examined = match by_table.await {
        Ok(Ok(None)) => return challenge(),
        Ok(Ok(Some(kept))) => kept,
        by_table => {
            match by_table {
                Ok(Err(error)) => tracing::warn!(?error, "the table refused: the inbox is next"),
                _ => tracing::warn!("the table was silent: the inbox is next"),
            }
            if let Err(error) = ingest.inbox.send(&arrival).await {
                tracing::error!(?error, "a notification could not be kept");
                metrics::refused();
                return (StatusCode::SERVICE_UNAVAILABLE, "Neither store answers.").into_response();
            }
            metrics::diverted();
            examine(&arrival).map(drop)
        }
    };
    match examined {
        Ok(()) => StatusCode::OK.into_response(),
        Err(unreadable) => unreadable.into_response(),
    }
}

/// Whether the arrival's credentials are its upstream's. What is remembered is enough to accept
/// them; before they are refused the table is asked, which may know newer ones.
pub(crate) async fn verify(store: &Store, arrival: &Arrival) -> Result<bool, StoreError> {
    if arrival.proof.verified {
        return Ok(true);
    }
    if arrival.account.len() > limits::ACCOUNT_BYTES_MAX {
        return Ok(false);
    }
    let at = arrival.received_at;
    let known = store.upstream(&arrival.account).await?;
    if proves(&arrival.proof, known.as_deref(), at) {
        return Ok(true);
    }
    let known = store.refreshed_upstream(&arrival.account).await?;
    Ok(proves(&arrival.proof, known.as_deref(), at))
}

/// Compares in constant time. An account that does not exist costs the same as a wrong password.
fn proves(proof: &Proof, upstream: Option<&Upstream>, at: Timestamp) -> bool {
    let nobody =
        IngestCredentials { username: String::new(), password_sha256: [0; 32], until: None };
    let credentials = upstream.map(|upstream| &upstream.credentials[..]).unwrap_or_default();
    credentials.iter().chain([&nobody]).fold(false, |proven, one| {
        let username = sha256(one.username.as_bytes());
        let same_username = same(&username, &sha256(proof.username.as_bytes()));
        let same_password = same(&one.password_sha256, &proof.password_sha256);
        let current = one.until.is_none_or(|until| at < until);
        proven | (same_username & same_password & current)
    })
}

/// Puts an arrival into the table: as an event, or where it cannot be read, into quarantine. The
/// inner result is what the upstream is told.
pub(crate) async fn keep(
    store: &Store,
    arrival: &Arrival,
) -> Result<Result<(), Unreadable>, StoreError> {
    let notification = match examine(arrival) {
        Ok(notification) => notification,
        Err(unreadable) => {
            let kept = Quarantined {
                received_at: arrival.received_at,
                reason: unreadable.to_string(),
                raw: arrival.body.clone(),
            };
            store.put_quarantined(&arrival.account, &kept).await?;
            metrics::quarantined();
            tracing::warn!(
                upstream = %arrival.account,
                reason = %unreadable,
                "a body was put into quarantine"
            );
            return Ok(Err(unreadable));
        }
    };
    let (account, raw) = (&arrival.account, arrival.body.clone());
    put_event_of(store, account, arrival.received_at, raw, &notification).await?;
    Ok(Ok(()))
}

/// Puts a notification into the table as the event that it is; answers the event.
pub(crate) async fn put_event_of(
    store: &Store,
    account: &str,
    received_at: Timestamp,
    raw: Vec<u8>,
    notification: &Notification,
) -> Result<StoredEvent, StoreError> {
    let subject = notification.subject();
    let key = match EventKey::stated(notification) {
        Some(key) => key,
        None => {
            let digest = notification.digest();
            let at = store.first_seen(account, &subject, &digest, received_at).await?;
            EventKey::new(at, &digest)
        }
    };
    let mut event = StoredEvent {
        upstream: account.into(),
        subject,
        key,
        received_at,
        raw,
        tenant: None,
        reconciled: false,
    };
    let mut known = put_unless_same(store, &event, notification).await?;
    if known == Known::Otherwise {
        event.key = EventKey::new(event.key.at(), &notification.digest());
        known = put_unless_same(store, &event, notification).await?;
    }
    let known = known != Known::Not;
    tracing::info!(
        upstream = %event.upstream,
        order = %event.subject,
        event = %event.key,
        change = notification.change(),
        known,
        "accepted an event"
    );
    metrics::accepted(known);
    Ok(event)
}

/// Whether a notification had come before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Not,
    Same,
    /// Another had its key, and says something else.
    Otherwise,
}

async fn put_unless_same(
    store: &Store,
    event: &StoredEvent,
    notification: &Notification,
) -> Result<Known, StoreError> {
    let standing = match store.put_event(event).await {
        Ok(None) => return Ok(Known::Not),
        Ok(Some(standing)) => standing,
        // A newer version wrote it. Told twice is better than not at all.
        Err(StoreError::Shape { .. }) => return Ok(Known::Otherwise),
        Err(error) => return Err(error),
    };
    // What the relay found out by asking is what this one tells.
    let is_same = standing.reconciled
        || Notification::parse(&standing.raw)
            .is_ok_and(|standing| standing.digest() == notification.digest());
    Ok(if is_same { Known::Same } else { Known::Otherwise })
}

/// Why an arrival is no notification.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("The body is longer than {} bytes.", limits::BODY_BYTES_MAX)]
    TooLong,
    #[error("This is no notification: {0}.")]
    Malformed(Malformed),
}

fn examine(arrival: &Arrival) -> Result<Notification, Unreadable> {
    if arrival.too_long {
        return Err(Unreadable::TooLong);
    }
    Notification::parse(&arrival.body).map_err(Unreadable::Malformed)
}

impl IntoResponse for Unreadable {
    fn into_response(self) -> Response {
        let status = match self {
            Unreadable::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Unreadable::Malformed(_) => StatusCode::BAD_REQUEST,
        };
        (status, self.to_string()).into_response()
    }
}

/// The answer to missing and to wrong credentials. Without its header Bandwidth would not call
/// again, and the event would be lost.
fn challenge() -> Response {
    (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Basic realm=\"hookline\"")]).into_response()
}

struct Basic {
    username: String,
    password: SecretString,
}

/// Reads `Authorization: Basic` (RFC 7617).
fn basic(headers: &HeaderMap) -> Option<Basic> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (username, password) = decoded.split_once(':')?;
    Some(Basic { username: username.into(), password: password.into() })
}

/// Reads a body up to the limit, and says whether there was more.
async fn read(body: Body) -> Result<(Vec<u8>, bool), axum::Error> {
    let mut body = std::pin::pin!(body);
    let mut bytes = Vec::new();
    while let Some(frame) = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        if let Ok(data) = frame?.into_data() {
            bytes.extend_from_slice(&data);
        }
        if bytes.len() > limits::BODY_BYTES_MAX {
            bytes.truncate(limits::BODY_BYTES_MAX);
            return Ok((bytes, true));
        }
    }
    Ok((bytes, false))
}
