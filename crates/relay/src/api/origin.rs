//! How the caller reached us, for the absolute URLs in answers.

use axum::http::HeaderMap;
use axum::http::header::HOST;

/// Scheme and authority, such as `https://relay.example`. Empty where the request names no host: a
/// URL is then a path.
pub(super) fn of(headers: &HeaderMap) -> String {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let scheme = match text("x-forwarded-proto") {
        Some("https") => "https",
        _ => "http",
    };
    match text(HOST.as_str()) {
        Some(host) => format!("{scheme}://{host}"),
        None => String::new(),
    }
}
