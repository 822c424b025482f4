//! The one way out: every connection to a tenant's endpoint is opened here.
//!
//! Addresses are checked after resolution, on every attempt, and the checked address is the one
//! that is connected to: the check stands inside the resolver that the client itself uses.
//! Literal addresses never reach a resolver and are checked with the URL.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use domain::address::{self, Policy};
use domain::delivery::ErrorClass;
use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, redirect};
use tokio::time::Instant;

/// From the first packet to the last byte of the answer.
pub const POST_TIMEOUT: Duration = Duration::from_secs(15);

/// Bytes of an answer that are read before the connection is given up.
const ANSWER_BYTES_READ_MAX: usize = 16 * 1024;

/// Bytes of an answer that are kept, for the tenant to see what its endpoint said.
const ANSWER_BYTES_KEPT_MAX: usize = 1024;

/// Characters of an answer that stand in a subscription's status.
const STATUS_TEXT_CHARS_MAX: usize = 200;

/// Bytes of a `Retry-After` that is looked at: a date has 29.
const RETRY_AFTER_BYTES_MAX: usize = 64;

/// A connection that dies sooner than this is likely to have been dead already, and gets one more try.
const DIED_AT_ONCE: Duration = Duration::from_secs(1);

/// A function is frozen between invocations, and connections die meanwhile: short of what common
/// servers and load balancers wait before they close an idle one.
const IDLE_CONNECTION_MAX: Duration = Duration::from_secs(10);

/// Opens connections to tenants.
#[derive(Clone)]
pub struct Egress {
    /// Of the environment. Operators add to it.
    own: Arc<Policy>,
    way: Arc<RwLock<Way>>,
}

/// A client, and what its resolver lets through.
#[derive(Clone)]
struct Way {
    policy: Arc<Policy>,
    client: Client,
}

/// A POST to make.
pub struct Post<'a> {
    pub url: &'a str,
    /// Where two have one name, the later counts.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// What came of a POST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// `None` when no answer came.
    pub status: Option<u16>,
    /// `None` for success.
    pub error: Option<ErrorClass>,
    /// The beginning of the answer's body, or why there is none.
    pub text: String,
    /// What the answer's `Retry-After` says.
    pub retry_after: Option<String>,
}

/// The client could not be made: no TLS roots, say.
#[derive(Debug, thiserror::Error)]
#[error("cannot make an HTTP client")]
pub struct EgressError(#[source] reqwest::Error);

impl Egress {
    pub fn new(policy: Policy) -> Result<Egress, EgressError> {
        // An error says that one is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let own = Arc::new(policy);
        let way = Arc::new(RwLock::new(Way::new(own.clone())?));
        Ok(Egress { own, way })
    }

    /// Which addresses an endpoint may have.
    pub fn policy(&self) -> Arc<Policy> {
        self.way().policy
    }

    /// Allows these networks beside those of the environment, in place of what was given before.
    ///
    /// A change makes a new client: the old one may hold connections open to what is no longer
    /// allowed, and would use them without asking its resolver.
    pub fn allow(&self, networks: &[IpNet]) -> Result<(), EgressError> {
        let mut wanted = Policy::clone(&self.own);
        wanted.networks.extend_from_slice(networks);
        if *self.policy() != wanted {
            let way = Way::new(Arc::new(wanted))?;
            *self.way.write().unwrap_or_else(PoisonError::into_inner) = way;
        }
        Ok(())
    }

    fn way(&self) -> Way {
        self.way.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes one POST. Whatever goes wrong is an answer.
    pub async fn post(&self, post: Post<'_>) -> Answer {
        match tokio::time::timeout(POST_TIMEOUT, self.exchange(post)).await {
            Ok(answer) => answer,
            Err(_) => Answer::none(ErrorClass::Timeout),
        }
    }

    /// One exchange, or two where a connection dies at once.
    async fn exchange(&self, post: Post<'_>) -> Answer {
        let began = Instant::now();
        let answer = self.exchange_once(&post).await;
        match answer.error {
            Some(ErrorClass::Protocol) if began.elapsed() < DIED_AT_ONCE => {
                tracing::info!("a connection died at once, and the POST is made again");
                self.exchange_once(&post).await
            }
            _ => answer,
        }
    }

    async fn exchange_once(&self, post: &Post<'_>) -> Answer {
        let Way { policy, client } = self.way();
        let url = match address::endpoint(post.url, &policy) {
            Ok(url) => url,
            Err(refused) => return Answer::refused(&refused),
        };
        let headers = post.headers.iter().filter_map(|(name, value)| {
            // Values are our own or were checked with the subscription.
            Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
        });
        let request =
            client.post(url).headers(HeaderMap::from_iter(headers)).body(post.body.clone());
        match request.send().await {
            Ok(response) => read(response).await,
            Err(error) => Answer::failed(&error),
        }
    }
}

impl Way {
    fn new(policy: Arc<Policy>) -> Result<Way, EgressError> {
        let client = Client::builder()
            .dns_resolver(Arc::new(GuardedResolver(policy.clone())))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .pool_idle_timeout(IDLE_CONNECTION_MAX)
            .user_agent(concat!("Hookline/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(EgressError)?;
        Ok(Way { policy, client })
    }
}

async fn read(mut response: Response) -> Answer {
    let status = response.status();
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = retry_after.filter(|value| value.len() <= RETRY_AFTER_BYTES_MAX);
    let retry_after = retry_after.map(Into::into);
    let mut body = Vec::new();
    while body.len() < ANSWER_BYTES_READ_MAX {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break,
            // The status has been given; a body that breaks off takes nothing from it.
            Err(_) => break,
        }
    }
    body.truncate(ANSWER_BYTES_KEPT_MAX);
    Answer {
        status: Some(status.as_u16()),
        error: match () {
            () if status.is_success() => None,
            () if status.is_redirection() => Some(ErrorClass::Redirect),
            () => Some(ErrorClass::Status),
        },
        text: String::from_utf8_lossy(&body).into_owned(),
        retry_after,
    }
}

impl Answer {
    /// In a line: the code and the first words of the body, or what went wrong.
    pub fn status_line(&self) -> String {
        let text = self.text.lines().next().unwrap_or_default();
        let words: String = text.chars().take(STATUS_TEXT_CHARS_MAX).collect();
        let reason = |status: u16| {
            let known = reqwest::StatusCode::from_u16(status).ok();
            known.and_then(|status| status.canonical_reason()).unwrap_or_default()
        };
        let line = match (self.status, self.error) {
            (Some(status), _) if words.is_empty() => format!("{status} {}", reason(status)),
            (Some(status), _) => format!("{status} {words}"),
            (None, Some(error)) => format!("{} {words}", error.name()),
            (None, None) => words,
        };
        line.trim_end().to_owned()
    }

    fn none(error: ErrorClass) -> Answer {
        Answer { status: None, error: Some(error), text: String::new(), retry_after: None }
    }

    fn refused(refused: &address::Refused) -> Answer {
        Answer { text: refused.to_string(), ..Answer::none(ErrorClass::Address) }
    }

    fn failed(error: &reqwest::Error) -> Answer {
        if let Some(refused) =
            causes(error).find_map(|cause| cause.downcast_ref::<address::Refused>())
        {
            return Answer::refused(refused);
        }
        let caused_by = |is: fn(&(dyn Error + 'static)) -> bool| causes(error).any(is);
        Answer::none(match () {
            () if caused_by(|cause| cause.is::<NoAddress>()) => ErrorClass::Dns,
            () if caused_by(|cause| cause.is::<rustls::Error>()) => ErrorClass::Tls,
            () if error.is_timeout() => ErrorClass::Timeout,
            () if error.is_connect() => ErrorClass::Connect,
            () => ErrorClass::Protocol,
        })
    }
}

/// What caused an error, and what caused that. An I/O error hides what it wraps from `source`.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = error.source();
    std::iter::from_fn(move || {
        let cause = next?;
        let wrapped = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => cause.source(),
        };
        Some(cause)
    })
}

/// Resolves names, and gives the client only addresses that policy allows.
struct GuardedResolver(Arc<Policy>);

/// The name has no address.
#[derive(Debug, thiserror::Error)]
#[error("the name does not resolve")]
struct NoAddress;

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.0.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await.map_err(|_| NoAddress)?.collect();
            let mut refused = None;
            let mut allowed = Vec::new();
            for found in found {
                match address::check(found.ip(), &policy) {
                    Ok(()) => allowed.push(found),
                    Err(reason) => refused = Some(reason),
                }
            }
            match (allowed.is_empty(), refused) {
                (true, Some(reason)) => Err(reason.into()),
                (true, None) => Err(NoAddress.into()),
                (false, _) => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}
