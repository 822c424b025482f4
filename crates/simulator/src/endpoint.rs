//! A tenant's endpoint: takes what it is sent, verifies its signature with the library of the
//! Standard Webhooks project, and answers as it is told to.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use standardwebhooks::Webhook;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// What an endpoint was sent, and what it said to it.
#[derive(Debug, Clone)]
pub struct Received {
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// An endpoint without secrets verifies nothing.
    pub verified: Result<(), String>,
    /// The status it was answered with.
    pub answered: u16,
}

/// How an endpoint answers.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// How long it takes.
    pub after: Duration,
}

impl Answer {
    pub fn status(status: u16) -> Answer {
        Answer { status, ..Answer::default() }
    }
}

/// A running endpoint. It stops when this is dropped.
pub struct Endpoint {
    url: String,
    state: Arc<Shared>,
    server: JoinHandle<()>,
}

type Script = Box<dyn Fn(&Received, usize) -> Answer + Send + Sync>;

struct Shared {
    script: Script,
    secrets: Mutex<Vec<String>>,
    ignores_timestamps: AtomicBool,
    received: Mutex<Log>,
    arrived: Notify,
}

#[derive(Default)]
struct Log {
    all: Vec<Received>,
    /// How many [`Endpoint::next`] has given out.
    taken: usize,
}

impl Endpoint {
    /// Listens on 127.0.0.1, at any free port for 0. `script` is asked how to answer each request,
    /// the first of which is number 0.
    pub async fn start(
        port: u16,
        secrets: Vec<String>,
        script: impl Fn(&Received, usize) -> Answer + Send + Sync + 'static,
    ) -> anyhow::Result<Endpoint> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen on {address}"))?;
        let url = format!("http://{}/", listener.local_addr()?);
        let state = Arc::new(Shared {
            script: Box::new(script),
            secrets: Mutex::new(secrets),
            ignores_timestamps: AtomicBool::new(false),
            received: Mutex::default(),
            arrived: Notify::new(),
        });
        let router = Router::new().fallback(receive).with_state(state.clone());
        let server = tokio::spawn(async move {
            // It runs until it is dropped.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Endpoint { url, state, server })
    }

    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// The secrets it was given when its subscription was made.
    pub fn set_secrets(&self, secrets: Vec<String>) {
        *self.state.secrets.lock().unwrap_or_else(PoisonError::into_inner) = secrets;
    }

    /// Signatures may be of any time: for senders on a clock of their own.
    pub fn ignore_timestamps(&self) {
        self.state.ignores_timestamps.store(true, Ordering::SeqCst);
    }

    /// Everything so far, oldest first.
    pub fn received(&self) -> Vec<Received> {
        self.state.log().all.clone()
    }

    /// Waits for the next request that this has not given out.
    pub async fn next(&self) -> Received {
        loop {
            let arrived = self.state.arrived.notified();
            {
                let mut log = self.state.log();
                if let Some(received) = log.all.get(log.taken).cloned() {
                    log.taken += 1;
                    return received;
                }
            }
            arrived.await;
        }
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn log(&self) -> std::sync::MutexGuard<'_, Log> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), String> {
        let secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut outcome = Ok(());
        for secret in secrets {
            outcome = self.verify_with(&secret, headers, body);
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    fn verify_with(&self, secret: &str, headers: &HeaderMap, body: &[u8]) -> Result<(), String> {
        let webhook = Webhook::new(secret).map_err(|error| error.to_string())?;
        if !self.ignores_timestamps.load(Ordering::SeqCst) {
            return webhook.verify(body, headers).map_err(|error| error.to_string());
        }
        let header = |name: &str| {
            headers.get(name).and_then(|value| value.to_str().ok()).ok_or(format!("no {name}"))
        };
        let timestamp = header("webhook-timestamp")?.parse().map_err(|_| "bad timestamp")?;
        let expected = webhook
            .sign(header("webhook-id")?, timestamp, body)
            .map_err(|error| error.to_string())?;
        match header("webhook-signature")?.split(' ').any(|given| given == expected) {
            true => Ok(()),
            false => Err("signature invalid".into()),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "some endpoints are slow")]
async fn receive(State(state): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let verified = state.verify(&headers, &body);
    let mut received = Received { headers, body: body.to_vec(), verified, answered: 0 };
    let answer = {
        let mut log = state.log();
        let answer = (state.script)(&received, log.all.len());
        received.answered = answer.status;
        log.all.push(received);
        answer
    };
    state.arrived.notify_waiters();
    if !answer.after.is_zero() {
        tokio::time::sleep(answer.after).await;
    }
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or_default();
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<http::HeaderName>(), value.parse()) {
            response.headers_mut().append(name, value);
        }
    }
    response
}
