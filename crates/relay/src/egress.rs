//! The one way out: every connection to a tenant's endpoint is opened here.
//!
//! Addresses are checked after resolution, on every attempt, and the checked address is the one
//! that is connected to: the check stands inside the resolver that the client itself uses.
//! Literal addresses never reach a resolver and are checked with the URL.
//!
//! Whoever answers is proven by a certificate of the public authorities, or by the very one that
//! the tenant has named (`pin`).

mod pin;

#[cfg(test)]
mod tests;

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use domain::address::{self, Policy};
use domain::delivery::ErrorClass;
use futures::future::BoxFuture;
use ipnet::IpNet;
pub(crate) use pin::certificate;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, ClientBuilder, Method, RequestBuilder, Response, redirect};
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

/// Clients for pinned certificates. Each holds its TLS configuration and its connections.
const PINNED_CLIENTS_MAX: usize = 50;

/// Opens connections to tenants.
#[derive(Clone)]
pub struct Egress {
    /// Of the environment. Operators add to it.
    own: Arc<Policy>,
    look_up: LookUp,
    way: Arc<RwLock<Way>>,
    in_place: Option<Exchange>,
}

/// Clients, and what their resolver lets through.
#[derive(Clone)]
struct Way {
    policy: Arc<Policy>,
    look_up: LookUp,
    /// For endpoints with certificates of public authorities.
    client: Client,
    /// For pinned certificates (base64 of DER), the one that was used last at the end.
    pinned: Arc<Mutex<Vec<(String, Client)>>>,
}

/// Answers the addresses of a name.
type LookUp = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// Answers POSTs in place of the network.
type Exchange =
    Arc<dyn Fn(&Post<'_>) -> BoxFuture<'static, Result<Answer, EgressError>> + Send + Sync>;

/// A POST to make.
pub struct Post<'a> {
    pub url: &'a str,
    /// The endpoint must show exactly this certificate: base64 of DER.
    pub certificate: Option<&'a str>,
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

/// No POST could be made, for a reason of our own: it says nothing of the endpoint.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// No TLS roots, say.
    #[error("cannot make an HTTP client")]
    Client(#[from] reqwest::Error),
    #[error("cannot make a TLS configuration")]
    Tls(#[from] rustls::Error),
    #[error("the pinned certificate cannot be read")]
    Certificate,
    /// Sockets or memory.
    #[error("this machine has not what a connection takes")]
    Exhausted(#[source] io::Error),
}

impl Egress {
    pub fn new(policy: Policy) -> Result<Egress, EgressError> {
        let system = |name: String| -> BoxFuture<'static, _> {
            Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) })
        };
        Egress::resolving(policy, Arc::new(system))
    }

    fn resolving(policy: Policy, look_up: LookUp) -> Result<Egress, EgressError> {
        // An error says that one is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let own = Arc::new(policy);
        let way = Arc::new(RwLock::new(Way::new(own.clone(), look_up.clone())?));
        Ok(Egress { own, look_up, way, in_place: None })
    }

    /// Opens no connection: `answer` stands for the network, so that a run can be replayed. What
    /// policy forbids, and the time limit, are as ever.
    pub fn answered_by(
        policy: Policy,
        answer: impl Fn(&Post<'_>) -> BoxFuture<'static, Result<Answer, EgressError>>
        + Send
        + Sync
        + 'static,
    ) -> Result<Egress, EgressError> {
        Ok(Egress { in_place: Some(Arc::new(answer)), ..Egress::new(policy)? })
    }

    /// Which addresses an endpoint may have.
    pub fn policy(&self) -> Arc<Policy> {
        self.way().policy
    }

    /// Allows these networks beside those of the environment, in place of what was given before.
    ///
    /// A change makes new clients: the old ones may hold connections open to what is no longer
    /// allowed, and would use them without asking their resolver.
    pub fn allow(&self, networks: &[IpNet]) -> Result<(), EgressError> {
        let mut wanted = Policy::clone(&self.own);
        wanted.networks.extend_from_slice(networks);
        if *self.policy() != wanted {
            let way = Way::new(Arc::new(wanted), self.look_up.clone())?;
            *self.way.write().unwrap_or_else(PoisonError::into_inner) = way;
        }
        Ok(())
    }

    fn way(&self) -> Way {
        self.way.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A request to a service that the operator named. It is guarded like all others; plain http is
    /// for allowed networks only, and a path that the parser would repair is refused.
    pub(crate) fn request(
        &self,
        method: Method,
        url: &str,
    ) -> Result<RequestBuilder, address::Refused> {
        let way = self.way();
        let policy = Policy { http: false, ..Policy::clone(&way.policy) };
        let parsed = address::endpoint(url, &policy)?;
        let before_query = |url: &str| url.split('?').next().map(str::to_owned);
        match before_query(parsed.as_str()) == before_query(url) {
            true => Ok(way.client.request(method, parsed)),
            false => Err(address::Refused::Form),
        }
    }

    /// Makes one POST. Whatever goes wrong there is an answer, and only what goes wrong here an error.
    pub async fn post(&self, post: Post<'_>) -> Result<Answer, EgressError> {
        match tokio::time::timeout(POST_TIMEOUT, self.exchange(post)).await {
            Ok(answer) => answer,
            Err(_) => Ok(Answer::none(ErrorClass::Timeout)),
        }
    }

    /// One exchange, or two where a connection dies at once.
    async fn exchange(&self, post: Post<'_>) -> Result<Answer, EgressError> {
        let began = Instant::now();
        let answer = self.exchange_once(&post).await?;
        match answer.error {
            Some(ErrorClass::Protocol) if began.elapsed() < DIED_AT_ONCE => {
                tracing::info!("a connection died at once, and the POST is made again");
                self.exchange_once(&post).await
            }
            _ => Ok(answer),
        }
    }

    async fn exchange_once(&self, post: &Post<'_>) -> Result<Answer, EgressError> {
        let way = self.way();
        let url = match address::endpoint(post.url, &way.policy) {
            Ok(url) => url,
            Err(refused) => return Ok(Answer::refused(&refused)),
        };
        if let Some(answer) = &self.in_place {
            return answer(post).await;
        }
        let client = match post.certificate {
            None => way.client,
            // There would be nothing to hold against the pin.
            Some(_) if url.scheme() != "https" => {
                return Ok(Answer::refused(&address::Refused::Https));
            }
            Some(certificate) => match way.pinned(certificate) {
                Err(error @ (EgressError::Certificate | EgressError::Tls(_))) => {
                    let text = error.to_string();
                    return Ok(Answer { text, ..Answer::none(ErrorClass::Tls) });
                }
                client => client?,
            },
        };
        let headers = post.headers.iter().filter_map(|(name, value)| {
            // Values are our own or were checked with the subscription.
            Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
        });
        let request =
            client.post(url).headers(HeaderMap::from_iter(headers)).body(post.body.clone());
        match request.send().await {
            Ok(response) => Ok(read(response).await),
            Err(error) => Answer::failed(&error),
        }
    }
}

impl Way {
    fn new(policy: Arc<Policy>, look_up: LookUp) -> Result<Way, EgressError> {
        let client = Way::builder(&policy, &look_up).build()?;
        Ok(Way { policy, look_up, client, pinned: Arc::default() })
    }

    /// The client for a certificate; as many are kept as [`PINNED_CLIENTS_MAX`].
    fn pinned(&self, certificate: &str) -> Result<Client, EgressError> {
        let mut pinned = self.pinned.lock().unwrap_or_else(PoisonError::into_inner);
        let client = match pinned.iter().position(|(known, _)| known == certificate) {
            Some(at) => pinned.remove(at).1,
            None => {
                let der = pin::certificate(certificate).ok_or(EgressError::Certificate)?;
                let builder = Way::builder(&self.policy, &self.look_up);
                builder.tls_backend_preconfigured(pin::tls(der)?).build()?
            }
        };
        pinned.push((certificate.to_owned(), client.clone()));
        if pinned.len() > PINNED_CLIENTS_MAX {
            pinned.remove(0);
        }
        Ok(client)
    }

    fn builder(policy: &Arc<Policy>, look_up: &LookUp) -> ClientBuilder {
        let resolver = GuardedResolver { policy: policy.clone(), look_up: look_up.clone() };
        Client::builder()
            .dns_resolver(Arc::new(resolver))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .pool_idle_timeout(IDLE_CONNECTION_MAX)
            .user_agent(concat!("Hookline/", env!("CARGO_PKG_VERSION")))
    }
}

async fn read(mut response: Response) -> Answer {
    let status = response.status().as_u16();
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = retry_after.filter(|value| value.len() <= RETRY_AFTER_BYTES_MAX);
    let retry_after = retry_after.map(Into::into);
    let mut body = Vec::new();
    while body.len() < ANSWER_BYTES_READ_MAX {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let room = ANSWER_BYTES_READ_MAX - body.len();
                body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            }
            Ok(None) => break,
            // The status has been given; a body that breaks off takes nothing from it.
            Err(_) => break,
        }
    }
    body.truncate(ANSWER_BYTES_KEPT_MAX);
    Answer { retry_after, ..Answer::of(status, &String::from_utf8_lossy(&body)) }
}

impl Answer {
    /// What an endpoint said.
    pub fn of(status: u16, text: &str) -> Answer {
        let error = match status {
            200..=299 => None,
            300..=399 => Some(ErrorClass::Redirect),
            _ => Some(ErrorClass::Status),
        };
        Answer { status: Some(status), error, text: text.into(), retry_after: None }
    }

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

    /// There was none.
    pub fn none(error: ErrorClass) -> Answer {
        Answer { status: None, error: Some(error), text: String::new(), retry_after: None }
    }

    fn refused(refused: &address::Refused) -> Answer {
        Answer { text: refused.to_string(), ..Answer::none(ErrorClass::Address) }
    }

    fn failed(error: &reqwest::Error) -> Result<Answer, EgressError> {
        if let Some(refused) =
            causes(error).find_map(|cause| cause.downcast_ref::<address::Refused>())
        {
            return Ok(Answer::refused(refused));
        }
        let systems = causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>());
        if let Some(code) = systems.filter_map(lacking).next() {
            return Err(EgressError::Exhausted(io::Error::from_raw_os_error(code)));
        }
        let caused_by = |is: fn(&(dyn Error + 'static)) -> bool| causes(error).any(is);
        Ok(Answer::none(match () {
            () if caused_by(|cause| cause.is::<NoAddress>()) => ErrorClass::Dns,
            () if caused_by(|cause| cause.is::<rustls::Error>()) => ErrorClass::Tls,
            () if error.is_timeout() => ErrorClass::Timeout,
            () if error.is_connect() => ErrorClass::Connect,
            () => ErrorClass::Protocol,
        }))
    }
}

/// The code of an error that says that this machine has run out of something.
///
/// No address of our own to connect from (`EADDRNOTAVAIL`) is not among them: it is also what is said
/// of an endpoint that has only addresses of a kind that this machine has not.
fn lacking(error: &io::Error) -> Option<i32> {
    let lacks = [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::ENOBUFS];
    error.raw_os_error().filter(|code| lacks.contains(code))
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
struct GuardedResolver {
    policy: Arc<Policy>,
    look_up: LookUp,
}

/// The name has no address.
#[derive(Debug, thiserror::Error)]
#[error("the name does not resolve")]
struct NoAddress;

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.policy.clone();
        let found = (self.look_up)(name.as_str().to_owned());
        Box::pin(async move {
            let mut refused = None;
            let mut allowed = Vec::new();
            let found = found.await.map_err(|error| match lacking(&error) {
                Some(_) => Box::new(error) as Box<dyn Error + Send + Sync>,
                None => NoAddress.into(),
            });
            for found in found? {
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
