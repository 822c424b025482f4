//! What every request to an endpoint carries, delivery or test: signature, credentials, and the
//! tenant's own headers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::sign::{BadSecret, Key};
use domain::subscription::{Subscription, Target};
use jiff::Timestamp;
use secrecy::ExposeSecret as _;

use crate::subscriptions::signing;

/// The headers for one body under one `webhook-id`, in order of rising importance: where two have
/// one name, the later counts.
pub(crate) fn signed(
    subscription: &Subscription,
    id: &str,
    at: Timestamp,
    body: &str,
) -> Result<Vec<(String, String)>, BadSecret> {
    let timestamp = at.as_second();
    let signatures = signing(subscription, at).map(|secret| {
        let key = Key::of(secret.expose_secret())?;
        Ok(key.sign(id, timestamp, body.as_bytes()))
    });
    let signatures: Vec<String> = signatures.collect::<Result<_, _>>()?;
    let mut headers = subscription.headers.clone();
    headers.extend([
        ("content-type".into(), subscription.content_type().into()),
        ("webhook-signature".into(), signatures.join(" ")),
        ("webhook-id".into(), id.into()),
        ("webhook-timestamp".into(), timestamp.to_string()),
    ]);
    if let Target::Callback(callback) = &subscription.target
        && let Some(basic) = &callback.basic
    {
        let plain = format!("{}:{}", basic.username, basic.password.expose_secret());
        headers.push(("authorization".into(), format!("Basic {}", STANDARD.encode(plain))));
    }
    Ok(headers)
}
