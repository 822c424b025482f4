//! A subscription that is to be created, or to take the place of another.

use jiff::SignedDuration;

use super::code;
use super::credentials::{self, credentials};
use crate::limits::{EMAIL_CHARS_MAX, EXPIRY_SECONDS_MAX, URL_BYTES_MAX};
use crate::notification::NumberFormat;
use crate::order::{self, ORDER_TYPES};
use crate::subscription::{Callback, Digest, Email, Target, Topic};
use crate::wire::Refused;
use crate::wire::element::{self, Element};

/// How long a callback lasts that says nothing of it: Bandwidth's default.
pub const EXPIRY_DEFAULT: SignedDuration = SignedDuration::from_hours(24);

/// The only type of event that Bandwidth has.
const EVENT_TYPE: &str = "MESSAGING_LOST";

#[derive(Debug, Clone)]
pub struct SubscriptionRequest {
    /// Never [`Topic::All`], which Bandwidth's XML cannot say. Spelled as the client did.
    pub topic: Topic,
    /// Whether its URL may be called is not checked yet.
    pub target: Target,
    /// From now; `None`: nothing was said. Mails do not expire.
    pub expiry: Option<SignedDuration>,
    /// `None`: nothing was said.
    pub numbers: Option<NumberFormat>,
    /// Of the relay's own making: also tell the present state of the orders that are there.
    pub snapshot: bool,
}

/// Reads `<Subscription>`. What only answers have is passed over, so that a client may send back
/// what it was given.
pub fn subscription(body: &[u8]) -> Result<SubscriptionRequest, Refused> {
    let root = element::root(body, "Subscription", code::SUBSCRIPTION)?;
    let topic = topic(&root)?;
    let snapshot = root.text("Snapshot", code::SUBSCRIPTION)?;
    let snapshot = snapshot.map_or(Ok(false), |text| {
        choice("Snapshot", text, &[("true", true), ("false", false)], code::SUBSCRIPTION)
    })?;
    let callback = root.child("CallbackSubscription", code::SUBSCRIPTION)?;
    let email = root.child("EmailSubscription", code::SUBSCRIPTION)?;
    match (callback, email) {
        (Some(callback), None) => Ok(SubscriptionRequest {
            topic,
            target: Target::Callback(self::callback(&root, callback)?),
            expiry: expiry(callback)?,
            numbers: numbers(callback)?,
            snapshot,
        }),
        (None, Some(email)) => {
            let target = Target::Email(self::email(&root, email)?);
            Ok(SubscriptionRequest { topic, target, expiry: None, numbers: None, snapshot })
        }
        (None, None) => refuse("neither <CallbackSubscription> nor <EmailSubscription> is there"),
        (Some(_), Some(_)) => {
            refuse("<CallbackSubscription> and <EmailSubscription> are both there")
        }
    }
}

fn refuse<T>(description: &str) -> Result<T, Refused> {
    Err(Refused::new(code::SUBSCRIPTION, description))
}

fn topic(root: &Element) -> Result<Topic, Refused> {
    let present = |text: &&str| !text.is_empty();
    let order_type = root.text("OrderType", code::SUBSCRIPTION)?.filter(present);
    let event_type = root.text("EventType", code::SUBSCRIPTION)?.filter(present);
    let order_id = root.text("OrderId", code::SUBSCRIPTION)?;
    match (order_type, event_type) {
        (Some(_), Some(_)) => refuse("<OrderType> and <EventType> are both there"),
        (None, None) => {
            Err(Refused::new(code::NO_TYPE, "neither <OrderType> nor <EventType> is there"))
        }
        (None, Some(_)) if order_id.is_some() => refuse("<OrderId> goes with <OrderType> only"),
        (None, Some(event_type)) if event_type.eq_ignore_ascii_case(EVENT_TYPE) => {
            Ok(Topic::EventType(event_type.to_owned()))
        }
        (None, Some(_)) => Err(Refused::new(
            code::EVENT_TYPE,
            format!("<EventType> is not known; valid is {EVENT_TYPE}"),
        )),
        (Some(order_type), None) => of_orders(order_type, order_id),
    }
}

fn of_orders(order_type: &str, order_id: Option<&str>) -> Result<Topic, Refused> {
    if order::order_type(order_type).is_none() {
        let valid: Vec<&str> = ORDER_TYPES.iter().map(|one| one.name).collect();
        let valid = valid.join(", ");
        let description = format!("<OrderType> is not known; valid are {valid}");
        return Err(Refused::new(code::ORDER_TYPE, description));
    }
    let order_type = order_type.to_owned();
    match order_id {
        None => Ok(Topic::OrderType(order_type)),
        Some(id) if is_uuid(id) => Ok(Topic::Order { order_type, order_id: id.to_owned() }),
        // An empty one too: it was meant to name an order, and all orders are something else.
        Some(_) => Err(Refused::new(code::NOT_A_UUID, "<OrderId> is not a valid UUID")),
    }
}

/// 8, 4, 4, 4 and 12 hexadecimal digits, as Bandwidth writes order ids.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn callback(root: &Element, callback: &Element) -> Result<Callback, Refused> {
    let url = callback.text("URL", code::SUBSCRIPTION)?.unwrap_or_default();
    if url.is_empty() {
        return Err(Refused::new(code::URL_EMPTY, "<URL> is required and must not be empty"));
    }
    if url.len() > URL_BYTES_MAX {
        return refuse(&format!("<URL> is longer than {URL_BYTES_MAX} bytes"));
    }
    let found = credentials(root, callback)?;
    Ok(Callback { url: url.to_owned(), basic: found.basic, public_key: found.public_key })
}

fn email(root: &Element, email: &Element) -> Result<Email, Refused> {
    if credentials::are_in(root)? {
        return refuse("<CallbackCredentials> go with <CallbackSubscription> only");
    }
    let address = email.text("Email", code::SUBSCRIPTION)?.unwrap_or_default();
    if !is_address(address) {
        return refuse(&format!(
            "<Email> is not one e-mail address of at most {EMAIL_CHARS_MAX} characters"
        ));
    }
    let digest = email.text("DigestRequested", code::DIGEST)?.unwrap_or_default();
    let digests = [("NONE", Digest::None), ("DAILY", Digest::Daily)];
    let digest = choice("DigestRequested", digest, &digests, code::DIGEST)?;
    Ok(Email { address: address.to_owned(), digest })
}

/// Something before one `@` and something after it, and nothing by which a mail program would see
/// more than one address. Whether mail arrives there is seen by sending it.
fn is_address(text: &str) -> bool {
    let special = |c: char| c.is_whitespace() || c.is_control() || "<>()[],;:\\\"".contains(c);
    let parts = text.split_once('@');
    parts.is_some_and(|(local, host)| !local.is_empty() && !host.is_empty() && !host.contains('@'))
        && text.chars().nth(EMAIL_CHARS_MAX).is_none()
        && !text.contains(special)
}

fn expiry(callback: &Element) -> Result<Option<SignedDuration>, Refused> {
    let Some(text) = callback.text("Expiry", code::SUBSCRIPTION)? else { return Ok(None) };
    match text.parse() {
        Ok(seconds @ 1..=EXPIRY_SECONDS_MAX) => Ok(Some(SignedDuration::from_secs(seconds))),
        _ => refuse(&format!(
            "<Expiry> is not a whole number of seconds from 1 to {EXPIRY_SECONDS_MAX}"
        )),
    }
}

fn numbers(callback: &Element) -> Result<Option<NumberFormat>, Refused> {
    let formats = [("LEGACY", NumberFormat::Legacy), ("E164", NumberFormat::E164)];
    let text = callback.text("NumberFormat", code::SUBSCRIPTION)?;
    text.map(|text| choice("NumberFormat", text, &formats, code::SUBSCRIPTION)).transpose()
}

/// What a text stands for, in any case.
fn choice<T: Copy>(
    element: &str,
    text: &str,
    choices: &[(&str, T)],
    code: u16,
) -> Result<T, Refused> {
    let chosen = choices.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    chosen.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        Refused::new(code, format!("<{element}> must be {}", names.join(" or ")))
    })
}
