//! Checks of what tenants and operators send, field by field.

use domain::address::{self, Policy};
use domain::limits;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::problem::Problem;
use crate::egress;

/// An endpoint: the form of its URL, where it may be, and the certificate that it has to show. It is
/// neither resolved nor called.
pub(super) fn endpoint(
    url: &str,
    certificate: Option<&str>,
    policy: &Policy,
) -> Result<(), Problem> {
    let url = address::endpoint(url, policy)
        .map_err(|refused| Problem::invalid("url", format!("{refused}.")))?;
    let Some(certificate) = certificate else { return Ok(()) };
    if egress::certificate(certificate).is_none() {
        let detail = "This is not the base64 of a certificate in DER.";
        return Err(Problem::invalid("certificate", detail));
    }
    match url.scheme() {
        "https" => Ok(()),
        _ => Err(Problem::invalid("certificate", "Only an https endpoint shows a certificate.")),
    }
}

/// Text without control characters, of limited length.
pub(super) fn text(field: &str, text: &str, chars_max: usize) -> Result<(), Problem> {
    if text.is_empty() || text.chars().count() > chars_max || text.chars().any(char::is_control) {
        let detail = format!("This is not 1 to {chars_max} characters of plain text.");
        return Err(Problem::invalid(field, detail));
    }
    Ok(())
}

/// The id of an account or a tenant: it becomes part of paths and keys.
pub(super) fn account(field: &str, id: &str) -> Result<(), Problem> {
    match is_id(id, limits::ACCOUNT_BYTES_MAX) {
        true => Ok(()),
        false => {
            let detail = format!(
                "This is not 1 to {} letters, digits, hyphens, underscores and dots.",
                limits::ACCOUNT_BYTES_MAX
            );
            Err(Problem::invalid(field, detail))
        }
    }
}

/// Whether there may be something by this id. What is only dots, a client would take for a folder.
pub(super) fn is_id(id: &str, bytes_max: usize) -> bool {
    let sound = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    id.len() <= bytes_max && id.bytes().all(sound) && id.bytes().any(|b| b != b'.')
}

/// A time that can be compared with others as text.
pub(super) fn time(field: &str, at: Timestamp) -> Result<(), Problem> {
    match (1970..=9999).contains(&at.to_zoned(TimeZone::UTC).year()) {
        true => Ok(()),
        false => Err(Problem::invalid(field, "A time is of the years 1970 to 9999.")),
    }
}

/// A retry schedule in seconds.
pub(super) fn waits(field: &str, seconds: &[u32]) -> Result<Vec<SignedDuration>, Problem> {
    if seconds.len() > limits::WAITS_MAX {
        let detail = format!("There are more than {} waits.", limits::WAITS_MAX);
        return Err(Problem::invalid(field, detail));
    }
    let wait = |(n, seconds): (usize, &u32)| match (1..=limits::WAIT_SECONDS_MAX).contains(seconds)
    {
        true => Ok(SignedDuration::from_secs(i64::from(*seconds))),
        false => Err(Problem::invalid(
            &format!("{field}[{n}]"),
            format!("A wait is 1 to {} seconds.", limits::WAIT_SECONDS_MAX),
        )),
    };
    if seconds.iter().map(|wait| u64::from(*wait)).sum::<u64>() > limits::SCHEDULE_SECONDS_MAX {
        let detail = format!("It takes longer than {} seconds.", limits::SCHEDULE_SECONDS_MAX);
        return Err(Problem::invalid(field, detail));
    }
    seconds.iter().enumerate().map(wait).collect()
}

/// Headers that a tenant wants on each delivery: none of those that the relay or HTTP itself sets.
pub(super) fn headers(field: &str, headers: &[(String, String)]) -> Result<(), Problem> {
    if headers.len() > limits::HEADERS_MAX {
        let detail = format!("There are more than {} headers.", limits::HEADERS_MAX);
        return Err(Problem::invalid(field, detail));
    }
    for (name, value) in headers {
        let at = format!("{field}.{name}");
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if name.is_empty() || name.len() > limits::HEADER_NAME_BYTES_MAX || !name.bytes().all(token)
        {
            return Err(Problem::invalid(&at, "This is no name of a header."));
        }
        let lower = name.to_ascii_lowercase();
        if RESERVED.contains(&lower.as_str())
            || RESERVED_PREFIXES.iter().any(|prefix| lower.starts_with(prefix))
        {
            return Err(Problem::invalid(&at, "This header is not yours to set."));
        }
        let visible = |b: u8| (b' '..=b'~').contains(&b);
        if value.len() > limits::HEADER_VALUE_BYTES_MAX || !value.bytes().all(visible) {
            let detail = format!(
                "The value is not up to {} visible ASCII characters.",
                limits::HEADER_VALUE_BYTES_MAX
            );
            return Err(Problem::invalid(&at, detail));
        }
    }
    Ok(())
}

/// Connections, bodies and credentials have their own settings.
const RESERVED: [&str; 14] = [
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

const RESERVED_PREFIXES: [&str; 3] = ["hookline-", "proxy-", "webhook-"];
