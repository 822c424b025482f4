//! Which endpoints a tenant may name, and which addresses they may turn out to have.
//!
//! A tenant chooses where we connect to, so nothing may lead into our own network. `endpoint`
//! judges a URL when it is stored and again before a request; `check` judges every address that
//! its name resolves to, on every attempt, because names change.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use url::{Host, Url};

use crate::limits::{HOST_BYTES_MAX, HOST_LABEL_BYTES_MAX, URL_BYTES_MAX};

mod ranges;

/// What an operator allows beyond the default, which is https to public addresses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// Allowed although they are not public.
    pub networks: Vec<IpNet>,
    /// Plain http is allowed everywhere.
    pub http: bool,
}

/// Why an endpoint is refused, in words for the tenant. Names no address: what a name resolves to
/// within our network is not the tenant's to know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the URL is longer than {URL_BYTES_MAX} bytes")]
    Length,
    #[error("the URL is not an absolute http or https URL")]
    Form,
    #[error("the URL must not hold a user name or password")]
    UserInfo,
    #[error("the URL must begin with https://")]
    Https,
    #[error("the port must be 80, 443 or at least 1024")]
    Port,
    #[error("the host is not a valid domain name")]
    HostName,
    #[error("the host is a local name, not one of the public internet")]
    LocalName,
    #[error("the address is not public ({0})")]
    Address(&'static str),
}

/// Names that only a local network resolves, beside all names without a dot: the special-use names
/// of RFC 6761, 6762, 7686 and 8375, ICANN's `internal`, and what routers commonly hand out.
const LOCAL_SUFFIXES: [&str; 8] =
    ["local", "internal", "localdomain", "home.arpa", "lan", "home", "corp", "onion"];

/// Reads a tenant's URL. Its host is read as the HTTP client reads it: by the same parser.
pub fn endpoint(url: &str, policy: &Policy) -> Result<Url, Refused> {
    if url.len() > URL_BYTES_MAX {
        return Err(Refused::Length);
    }
    // The parser repairs much of what other readers of the same text would see differently.
    let (scheme, rest) = url.split_once("://").ok_or(Refused::Form)?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let repaired = |c: char| c.is_whitespace() || c.is_control() || c == '\\';
    let http = scheme.eq_ignore_ascii_case("http");
    if !(http || scheme.eq_ignore_ascii_case("https"))
        || authority.is_empty()
        || url.contains(repaired)
    {
        return Err(Refused::Form);
    }
    if authority.contains('@') {
        return Err(Refused::UserInfo);
    }
    let mut parsed = Url::parse(url).map_err(|_| Refused::Form)?;
    let exempt = match parsed.host().ok_or(Refused::Form)? {
        Host::Ipv4(ip) => check_literal(ip.into(), policy)?,
        Host::Ipv6(ip) => check_literal(ip.into(), policy)?,
        Host::Domain(name) => check_name(name, policy)?,
    };
    if http && !policy.http && !exempt {
        return Err(Refused::Https);
    }
    // Below 1024 are the well-known services (SSH, mail, directories), which a request could be made
    // to speak to. Web servers that are not at 80 or 443 are above.
    match parsed.port_or_known_default() {
        Some(80 | 443 | 1024..) => {}
        _ => return Err(Refused::Port),
    }
    // It would not be sent.
    parsed.set_fragment(None);
    Ok(parsed)
}

/// Judges an address that is about to be connected to.
pub fn check(ip: IpAddr, policy: &Policy) -> Result<(), Refused> {
    if allowed(ip, policy) {
        return Ok(());
    }
    if let Some(inner) = ranges::inner(ip) {
        return check(inner.into(), policy);
    }
    match ranges::not_public(ip) {
        Some(name) => Err(Refused::Address(name)),
        None => Ok(()),
    }
}

/// Whether a network may be allowed while the relay runs. The machine's own addresses may not: that
/// is for whoever sets up the machine.
pub fn may_be_allowed(network: &IpNet) -> bool {
    !ranges::holds_own(network)
}

/// Whether the operator made an exception for this address, which then includes plain http.
fn check_literal(ip: IpAddr, policy: &Policy) -> Result<bool, Refused> {
    check(ip, policy)?;
    Ok(allowed(ip, policy) || ranges::inner(ip).is_some_and(|inner| allowed(inner.into(), policy)))
}

/// Likewise for a name.
fn check_name(name: &str, policy: &Policy) -> Result<bool, Refused> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let label = |label: &str| (1..=HOST_LABEL_BYTES_MAX).contains(&label.len());
    if name.len() > HOST_BYTES_MAX || !name.split('.').all(label) {
        return Err(Refused::HostName);
    }
    if is_within(name, "localhost") {
        let loopback = [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()];
        let allowed = loopback.iter().any(|ip| allowed(*ip, policy));
        return if allowed { Ok(true) } else { Err(Refused::LocalName) };
    }
    if !name.contains('.') || LOCAL_SUFFIXES.iter().any(|suffix| is_within(name, suffix)) {
        return Err(Refused::LocalName);
    }
    Ok(false)
}

/// The parser has made names lower case.
fn is_within(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn allowed(ip: IpAddr, policy: &Policy) -> bool {
    policy.networks.iter().any(|network| network.contains(&ip))
}
