//! A tenant's endpoint: takes what it is sent, verifies its signature with the library of the
//! Standard Webhooks project (which knows no `v1a`: that is done here), and answers as it is told to.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};
use futures::stream;
use standardwebhooks::Webhook;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::Clock;

/// As the project's own libraries have it.
const TOLERANCE_SECONDS: u64 = 5 * 60;

/// What an endpoint was sent, and what it said to it.
#[derive(Debug, Clone)]
pub struct Received {
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// Signature and credentials, as far as the endpoint knows any: else there is nothing to verify.
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
    /// It never comes: the connection stays open until the endpoint stops.
    pub hang: bool,
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
    stop: watch::Sender<bool>,
    server: Option<JoinHandle<()>>,
}

type Script = Box<dyn Fn(&Received, usize) -> Answer + Send + Sync>;

struct Shared {
    script: Script,
    secrets: Mutex<Vec<String>>,
    /// What the header `Authorization` has to be.
    authorization: Mutex<Option<String>>,
    stopped: watch::Receiver<bool>,
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
        let (stop, stopped) = watch::channel(false);
        let state = Arc::new(Shared {
            script: Box::new(script),
            secrets: Mutex::new(secrets),
            authorization: Mutex::default(),
            stopped: stopped.clone(),
            ignores_timestamps: AtomicBool::new(false),
            received: Mutex::default(),
            arrived: Notify::new(),
        });
        let router = Router::new().fallback(receive).with_state(state.clone());
        let server = axum::serve(listener, router).with_graceful_shutdown(told(stopped));
        let server = tokio::spawn(async move {
            // It ends when it is told to.
            let _ = server.await;
        });
        Ok(Endpoint { url, state, stop, server: Some(server) })
    }

    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// The secrets it was given when its subscription was made, or its public keys (`whpk_...`).
    pub fn set_secrets(&self, secrets: Vec<String>) {
        *self.state.secrets.lock().unwrap_or_else(PoisonError::into_inner) = secrets;
    }

    /// Challenges whatever comes without these credentials, and leaves the script out of it.
    pub fn require_basic(&self, username: &str, password: &str) {
        let authorization = format!("Basic {}", STANDARD.encode(format!("{username}:{password}")));
        *self.state.authorization.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(authorization);
    }

    /// Signatures may be of any time: for senders on a clock of their own.
    pub fn ignore_timestamps(&self) {
        self.state.ignores_timestamps.store(true, Ordering::SeqCst);
    }

    /// Everything so far, oldest first.
    pub fn received(&self) -> Vec<Received> {
        self.state.log().all.clone()
    }

    /// Answers what has begun, drops what hangs, and is gone: connections that were kept are closed.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        if let Some(server) = self.server.take() {
            // An error means that it has gone already.
            let _ = server.await;
        }
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
        self.stop.send_replace(true);
    }
}

async fn told(mut stopped: watch::Receiver<bool>) {
    // An error means that whoever could tell has gone.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

impl Shared {
    fn log(&self) -> std::sync::MutexGuard<'_, Log> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the credentials are those that are required, where any are.
    fn admits(&self, headers: &HeaderMap) -> bool {
        let required = self.authorization.lock().unwrap_or_else(PoisonError::into_inner);
        let given = headers.get(AUTHORIZATION).map(|value| value.as_bytes());
        required.as_ref().is_none_or(|required| given == Some(required.as_bytes()))
    }

    fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), String> {
        if !self.admits(headers) {
            return Err("credentials missing or wrong".into());
        }
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
        let any_time = self.ignores_timestamps.load(Ordering::SeqCst);
        if !any_time && secret.starts_with("whpk_") {
            let timestamp: i64 =
                header(headers, "webhook-timestamp")?.parse().map_err(|_| "bad timestamp")?;
            let now = Clock::system().now().as_second();
            if now.abs_diff(timestamp) > TOLERANCE_SECONDS {
                return Err("timestamp too old or too new".into());
            }
        } else if !any_time {
            let webhook = Webhook::new(secret).map_err(|error| error.to_string())?;
            return webhook.verify(body, headers).map_err(|error| error.to_string());
        }
        verify(secret, headers, body)
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, String> {
    headers.get(name).and_then(|value| value.to_str().ok()).ok_or(format!("no {name}"))
}

/// Verifies a signature of whatever time.
pub fn verify(secret: &str, headers: &HeaderMap, body: &[u8]) -> Result<(), String> {
    let timestamp: i64 =
        header(headers, "webhook-timestamp")?.parse().map_err(|_| "bad timestamp")?;
    let (id, given) = (header(headers, "webhook-id")?, header(headers, "webhook-signature")?);
    if let Some(public) = secret.strip_prefix("whpk_") {
        let content = [format!("{id}.{timestamp}.").as_bytes(), body].concat();
        return verify_with_public_key(public, given, &content);
    }
    let webhook = Webhook::new(secret).map_err(|error| error.to_string())?;
    let expected = webhook.sign(id, timestamp, body).map_err(|error| error.to_string())?;
    match given.split(' ').any(|given| given == expected) {
        true => Ok(()),
        false => Err("signature invalid".into()),
    }
}

/// Whether one of the signatures is of scheme `v1a`, and made with the key's other half.
fn verify_with_public_key(public: &str, signatures: &str, content: &[u8]) -> Result<(), String> {
    let key = STANDARD.decode(public).ok().and_then(|key| key.try_into().ok());
    let key = key.and_then(|key| VerifyingKey::from_bytes(&key).ok()).ok_or("bad public key")?;
    let given = signatures.split(' ').filter_map(|entry| entry.strip_prefix("v1a,"));
    let mut given = given.filter_map(|entry| {
        let decoded = STANDARD.decode(entry).ok()?;
        Signature::from_slice(&decoded).ok()
    });
    match given.any(|given| key.verify_strict(content, &given).is_ok()) {
        true => Ok(()),
        false => Err("signature invalid".into()),
    }
}

async fn receive(State(state): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let admitted = state.admits(&headers);
    let verified = state.verify(&headers, &body);
    let mut received = Received { headers, body: body.to_vec(), verified, answered: 0 };
    let answer = {
        let mut log = state.log();
        let answer = match admitted {
            true => (state.script)(&received, log.all.len()),
            false => challenge(),
        };
        received.answered = answer.status;
        log.all.push(received);
        answer
    };
    state.arrived.notify_waiters();
    if answer.hang {
        told(state.stopped.clone()).await;
        // What is begun here breaks off, and could not be taken for a success.
        let mut broken = Response::new(Body::from_stream(stream::once(async {
            Err::<Bytes, _>(io::Error::from(io::ErrorKind::ConnectionAborted))
        })));
        *broken.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        return broken;
    }
    if !answer.after.is_zero() {
        pause(answer.after).await;
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

fn challenge() -> Answer {
    let header = (WWW_AUTHENTICATE.to_string(), "Basic realm=\"endpoint\"".to_owned());
    Answer { headers: vec![header], ..Answer::status(401) }
}

#[expect(clippy::disallowed_methods, reason = "some endpoints are slow")]
async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

#[cfg(test)]
mod tests {
    use super::{Answer, Endpoint};
    use reqwest::{Client, RequestBuilder};
    use standardwebhooks::Webhook;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn client() -> Client {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Client::builder().no_proxy().build().unwrap()
    }

    fn signed(client: &Client, url: &str, timestamp: i64) -> RequestBuilder {
        let signature = Webhook::new(SECRET).unwrap().sign("id", timestamp, b"body").unwrap();
        client
            .post(url)
            .header("webhook-id", "id")
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", format!("v1,bm9uc2Vuc2U= {signature}"))
            .body("body")
    }

    #[tokio::test]
    async fn a_signature_is_verified_and_so_is_its_time() {
        let endpoint =
            Endpoint::start(0, vec![SECRET.into()], |_, _| Answer::status(204)).await.unwrap();
        let (client, url) = (client(), endpoint.url());
        let now = crate::Clock::system().now().as_second();
        signed(&client, &url, now).send().await.unwrap();
        assert_eq!(endpoint.next().await.verified, Ok(()));
        signed(&client, &url, now - 3600).send().await.unwrap();
        assert!(endpoint.next().await.verified.is_err());
        endpoint.ignore_timestamps();
        signed(&client, &url, now - 3600).send().await.unwrap();
        assert_eq!(endpoint.next().await.verified, Ok(()));
        signed(&client, &url, now).body("another").send().await.unwrap();
        assert!(endpoint.next().await.verified.is_err());
        client.post(&url).body("body").send().await.unwrap();
        assert!(endpoint.next().await.verified.is_err());
    }

    #[tokio::test]
    async fn an_endpoint_that_stops_is_gone_for_kept_and_hanging_connections() {
        let endpoint =
            Endpoint::start(0, vec![], |_, nth| Answer { hang: nth > 0, ..Answer::status(200) })
                .await
                .unwrap();
        let (client, url) = (client(), endpoint.url());
        assert_eq!(client.post(&url).send().await.unwrap().status(), 200);
        let hanging = tokio::spawn(client.post(&url).send());
        let _ = (endpoint.next().await, endpoint.next().await);
        assert!(!hanging.is_finished());
        endpoint.stop().await;
        let hung = hanging.await.unwrap();
        assert!(hung.is_err() || hung.is_ok_and(|answer| answer.status() == 503));
        assert!(client.post(&url).send().await.unwrap_err().is_connect());
    }
}
