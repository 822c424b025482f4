//! A sandbox in another process.

use anyhow::{Context as _, bail};
use jiff::SignedDuration;
use serde_json::Value;

/// Moves the manual clock of the sandbox at `url` on; its own user is `username`. What it answers:
/// `now`, and what `happened`.
pub async fn step_remote(
    url: &str,
    (username, password): (&str, &str),
    by: SignedDuration,
) -> anyhow::Result<Value> {
    // An error says that one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build()?;
    let url = format!("{}/sandbox/step?by={by}", url.trim_end_matches('/'));
    let request = client.post(&url).basic_auth(username, Some(password));
    let answer = request.send().await.with_context(|| format!("{url} is out of reach"))?;
    let (status, text) = (answer.status(), answer.text().await?);
    if !status.is_success() {
        bail!("refused with {}: {text}", status.as_u16());
    }
    serde_json::from_str(&text).context("the answer is not one of a sandbox")
}
