//! What a callback's endpoint asks of whoever calls it.

use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::SecretString;

use super::code;
use crate::limits::{CERTIFICATE_BYTES_MAX, PASSWORD_CHARS_MAX, USERNAME_CHARS_MAX};
use crate::subscription::Credentials;
use crate::wire::Refused;
use crate::wire::element::Element;

/// Names by which other parts of Bandwidth's API, its prose and mistaken clients call credentials.
/// To pass over them would make a subscription that calls without any.
const MISPLACED: [&str; 5] =
    ["CallbackCreds", "BasicAuthentication", "PublicKey", "Username", "Password"];

/// The first of the two that is there, checked.
#[derive(Default)]
pub(super) struct Found {
    pub(super) basic: Option<Credentials>,
    /// base64 of DER, without white space.
    pub(super) public_key: Option<String>,
}

/// Credentials belong into `<CallbackSubscription>`. One of Bandwidth's clients puts them beside
/// it, where Bandwidth passes over them; here they count as if they were inside.
pub(super) fn credentials(subscription: &Element, callback: &Element) -> Result<Found, Refused> {
    let [inside, beside] = [callback, subscription].map(read);
    match (inside?, beside?) {
        (Some(inside), Some(beside)) if !inside.same(&beside) => Err(Refused::new(
            code::SUBSCRIPTION,
            "<CallbackCredentials> within <CallbackSubscription> differ from those beside it",
        )),
        (inside, beside) => Ok(inside.or(beside).unwrap_or_default()),
    }
}

/// Whether credentials stand directly in this element.
pub(super) fn are_in(element: &Element) -> Result<bool, Refused> {
    Ok(read(element)?.is_some())
}

fn read(parent: &Element) -> Result<Option<Found>, Refused> {
    for name in MISPLACED {
        if parent.child(name, code::SUBSCRIPTION)?.is_some() {
            return Err(Refused::new(
                code::SUBSCRIPTION,
                format!(
                    "<{name}> does not belong here: credentials are <CallbackCredentials> with \
                     <BasicAuthentication>, or <PublicKey>, or both"
                ),
            ));
        }
    }
    let Some(element) = parent.child("CallbackCredentials", code::SUBSCRIPTION)? else {
        return Ok(None);
    };
    let basic = element.child("BasicAuthentication", code::SUBSCRIPTION)?.map(basic).transpose()?;
    let public_key = element.text("PublicKey", code::PUBLIC_KEY)?.map(public_key).transpose()?;
    if basic.is_none() && public_key.is_none() {
        return Err(Refused::new(
            code::SUBSCRIPTION,
            "<CallbackCredentials> has neither <BasicAuthentication> nor <PublicKey>",
        ));
    }
    Ok(Some(Found { basic, public_key }))
}

/// Both go into a header as they are, so white space counts and control characters cannot be.
fn basic(element: &Element) -> Result<Credentials, Refused> {
    let text =
        |name| element.exact(name, code::BASIC_AUTHENTICATION).map(Option::unwrap_or_default);
    let (username, password) = (text("Username")?, text("Password")?);
    let refuse = |why: String| Err(Refused::new(code::BASIC_AUTHENTICATION, why));
    if username.trim().is_empty() || password.trim().is_empty() {
        return refuse("<BasicAuthentication> needs <Username> and <Password>, not blank".into());
    }
    if username.chars().nth(USERNAME_CHARS_MAX).is_some() {
        return refuse(format!("<Username> is longer than {USERNAME_CHARS_MAX} characters"));
    }
    if password.chars().nth(PASSWORD_CHARS_MAX).is_some() {
        return refuse(format!("<Password> is longer than {PASSWORD_CHARS_MAX} characters"));
    }
    // RFC 7617, section 2.
    if username.contains(':') {
        return refuse("<Username> contains a colon".into());
    }
    if [username, password].iter().any(|text| text.contains(char::is_control)) {
        return refuse(
            "<Username> or <Password> contains a line break or control character".into(),
        );
    }
    Ok(Credentials { username: username.to_owned(), password: SecretString::from(password) })
}

fn public_key(text: &str) -> Result<String, Refused> {
    let refuse = |why: String| Err(Refused::new(code::PUBLIC_KEY, why));
    let encoded: String = text.split_ascii_whitespace().collect();
    let Ok(der) = STANDARD.decode(&encoded) else {
        return refuse("<PublicKey> is not base64 of a certificate in DER".into());
    };
    if der.len() > CERTIFICATE_BYTES_MAX {
        return refuse(format!("<PublicKey> holds more than {CERTIFICATE_BYTES_MAX} bytes"));
    }
    // X.690: a certificate is a SEQUENCE, and a length follows the tag.
    if !matches!(der[..], [0x30, _, ..]) {
        return refuse("<PublicKey> is base64, but not of a certificate in DER".into());
    }
    Ok(encoded)
}

impl Found {
    fn same(&self, other: &Found) -> bool {
        use secrecy::ExposeSecret;
        let basic = |found: &Found| {
            let basic = found.basic.as_ref();
            basic.map(|one| (one.username.clone(), one.password.expose_secret().to_owned()))
        };
        self.public_key == other.public_key && basic(self) == basic(other)
    }
}
