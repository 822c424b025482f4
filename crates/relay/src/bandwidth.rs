//! Bandwidth's own API, asked as an upstream's user.
//!
//! Every question is asked once: whoever asks knows whether it may be repeated. Connections go the
//! same guarded way as deliveries.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::upstream::ApiAccess;
use domain::{address, limits};
use reqwest::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Body, Method, Response};
use secrecy::{ExposeSecret as _, SecretString};

use crate::egress::{Egress, EgressError};
use crate::store::{Store, StoreError};
use crate::vault::{Vault, VaultError};

/// From the first packet to the last byte of an answer: Bandwidth takes a second for a long list.
pub const ASK_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of an answer.
pub const ANSWER_BYTES_MAX: usize = limits::REPLY_BYTES_MAX;

/// What it takes to ask Bandwidth's API.
#[derive(Clone)]
pub struct Bandwidth {
    pub store: Store,
    pub vault: Vault,
    pub egress: Egress,
}

/// A question to Bandwidth's API.
pub struct Ask<'a> {
    pub method: Method,
    /// Below `/accounts/{account}`: begins with `/`, and has its query with it.
    pub path: &'a str,
    pub content_type: Option<&'a str>,
    pub body: Option<String>,
}

/// A question with all that can be chosen of it.
pub(crate) struct Exchange<'a> {
    pub(crate) method: Method,
    /// As in [`Ask`].
    pub(crate) path: &'a str,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    /// From the first packet to the last byte of the answer.
    pub(crate) time: Duration,
    /// Of the answer's body.
    pub(crate) bytes_max: usize,
}

/// What Bandwidth said, whatever its status.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// There was no answer, or none that could be read. No text of it holds a URL: telephone numbers may
/// stand in queries.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The password cannot be opened.
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    Egress(#[from] EgressError),
    /// The URL may not be asked.
    #[error("the URL of Bandwidth's API is refused")]
    Address(#[from] address::Refused),
    /// The credentials hold what no header can.
    #[error("the credentials for Bandwidth's API cannot be presented")]
    Credentials,
    /// Nothing was sent.
    #[error("there is no connection to Bandwidth's API")]
    Connect(#[source] reqwest::Error),
    /// What was asked may have been done.
    #[error("the connection to Bandwidth's API broke off")]
    Broken(#[source] reqwest::Error),
    /// What was asked may have been done.
    #[error("Bandwidth's API took too long")]
    TimedOut,
    /// What was asked has been done.
    #[error("the answer of Bandwidth's API is too long")]
    TooLong,
}

impl Bandwidth {
    /// Asks once, and reads all of the answer.
    pub async fn ask(
        &self,
        account: &str,
        access: &ApiAccess,
        ask: Ask<'_>,
    ) -> Result<Answer, AskError> {
        let mut headers = HeaderMap::new();
        if let Some(value) = ask.content_type.and_then(|text| HeaderValue::from_str(text).ok()) {
            headers.insert(CONTENT_TYPE, value);
        }
        let exchange = Exchange {
            method: ask.method,
            path: ask.path,
            headers,
            body: ask.body.unwrap_or_default().into(),
            time: ASK_TIMEOUT,
            bytes_max: ANSWER_BYTES_MAX,
        };
        self.exchange(account, access, exchange).await
    }

    /// The same, with limits of its own.
    pub(crate) async fn exchange(
        &self,
        account: &str,
        access: &ApiAccess,
        exchange: Exchange<'_>,
    ) -> Result<Answer, AskError> {
        let (time, bytes_max) = (exchange.time, exchange.bytes_max);
        let asked = async {
            let sent = self.send(account, access, exchange).await?;
            let (status, headers) = (sent.status().as_u16(), sent.headers().clone());
            Ok(Answer { status, headers, body: read(sent, bytes_max).await? })
        };
        tokio::time::timeout(time, asked).await.unwrap_or(Err(AskError::TimedOut))
    }

    async fn send(
        &self,
        account: &str,
        access: &ApiAccess,
        exchange: Exchange<'_>,
    ) -> Result<Response, AskError> {
        let Exchange { method, path, mut headers, body, .. } = exchange;
        self.egress.allow(&self.store.allowed_networks().await?)?;
        let url = format!("{}/accounts/{account}{path}", access.url);
        let password = self.vault.open(&place(account), &access.sealed_password).await?;
        headers.insert(AUTHORIZATION, basic(&access.username, &password)?);
        // A connection that was kept may be dead, and what goes into it lost or done: nobody could
        // tell which.
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        let request = self.egress.request(method, &url)?.headers(headers).body(body);
        request.send().await.map_err(failed)
    }
}

/// Reads a body of limited length, in bytes.
async fn read(mut response: Response, bytes_max: usize) -> Result<Vec<u8>, AskError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > bytes_max {
            return Err(AskError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Seals the password of an upstream's user; it is opened for that upstream only.
pub async fn seal(
    vault: &Vault,
    account: &str,
    password: &SecretString,
) -> Result<Vec<u8>, VaultError> {
    vault.seal(&place(account), password).await
}

fn place(account: &str) -> String {
    format!("upstream/{account}/api")
}

fn basic(username: &str, password: &SecretString) -> Result<HeaderValue, AskError> {
    let plain = format!("{username}:{}", password.expose_secret());
    let value = format!("Basic {}", STANDARD.encode(plain));
    let mut value = HeaderValue::try_from(value).map_err(|_| AskError::Credentials)?;
    value.set_sensitive(true);
    Ok(value)
}

fn failed(error: reqwest::Error) -> AskError {
    match error.is_connect() {
        true => AskError::Connect(error.without_url()),
        false => AskError::Broken(error.without_url()),
    }
}
