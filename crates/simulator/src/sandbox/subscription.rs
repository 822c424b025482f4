//! Subscriptions, as their API takes and shows them.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use reqwest::Url;

use super::kinds::Kind;
use super::order::Refused;
use super::xml::Element;
use crate::bandwidth::Bandwidth;

/// What a callback lasts for if nothing is said, in seconds.
const EXPIRY_S: i64 = 24 * 60 * 60;

/// The one kind of event.
pub(crate) const MESSAGING_LOST: &str = "MESSAGING_LOST";

/// A wish to be told.
#[derive(Clone)]
pub(crate) struct Subscription {
    pub id: String,
    pub topic: Topic,
    pub way: Way,
}

/// What of.
#[derive(Debug, Clone)]
pub(crate) enum Topic {
    Orders {
        kind: &'static Kind,
        /// Of all orders of that type if there is none.
        order_id: Option<String>,
    },
    MessagingLost,
}

/// How.
#[derive(Clone)]
pub(crate) enum Way {
    Email {
        address: String,
        /// One mail a day, instead of one at once.
        daily: bool,
        /// What stands in the next daily one.
        pending: Vec<String>,
    },
    Callback(Callback),
}

#[derive(Clone)]
pub(crate) struct Callback {
    pub url: String,
    pub expires: Timestamp,
    /// As it was given, if it was.
    pub number_format: Option<String>,
    pub username: Option<String>,
    pub public_key: Option<String>,
    /// What the last attempt was answered.
    pub status: String,
    /// Who POSTs.
    pub bandwidth: Arc<Bandwidth>,
}

impl Subscription {
    /// Reads a POST or a PUT. What only answers have is passed over.
    pub(crate) fn read(id: &str, xml: &Element, now: Timestamp) -> Result<Self, Refused> {
        let topic = topic(xml)?;
        let way = match (xml.child("CallbackSubscription"), xml.child("EmailSubscription")) {
            (Some(callback), None) => Way::Callback(read_callback(callback, now)?),
            (None, Some(email)) => read_email(email)?,
            _ => return Err(invalid()),
        };
        Ok(Subscription { id: id.into(), topic, way })
    }

    /// Whether it is over.
    pub(crate) fn has_expired(&self, now: Timestamp) -> bool {
        matches!(&self.way, Way::Callback(callback) if callback.expires <= now)
    }

    /// Whether it wants to know of an order.
    pub(crate) fn wants(&self, kind: &Kind, id: &str) -> bool {
        match &self.topic {
            Topic::Orders { kind: wanted, order_id } => {
                wanted.order_type == kind.order_type
                    && order_id.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(id))
            }
            Topic::MessagingLost => false,
        }
    }

    /// Whether it is bound to that order.
    pub(crate) fn is_bound_to(&self, id: &str) -> bool {
        let Topic::Orders { order_id: Some(order_id), .. } = &self.topic else { return false };
        order_id.eq_ignore_ascii_case(id)
    }

    /// Equal for two that would say the same to the same.
    pub(crate) fn target(&self) -> (&str, Option<&str>, &str) {
        let (topic, order_id) = match &self.topic {
            Topic::Orders { kind, order_id } => (kind.order_type, order_id.as_deref()),
            Topic::MessagingLost => (MESSAGING_LOST, None),
        };
        let to = match &self.way {
            Way::Email { address, .. } => address,
            Way::Callback(callback) => &callback.url,
        };
        (topic, order_id, to)
    }

    pub(crate) fn to_xml(&self, now: Timestamp) -> Element {
        let mut children = vec![Element::leaf("SubscriptionId", &self.id)];
        match &self.topic {
            Topic::Orders { kind, order_id } => {
                children.push(Element::leaf("OrderType", kind.order_type));
                children.extend(order_id.as_ref().map(|id| Element::leaf("OrderId", id)));
            }
            Topic::MessagingLost => children.push(Element::leaf("EventType", MESSAGING_LOST)),
        }
        children.push(match &self.way {
            Way::Email { address, daily, .. } => Element::new(
                "EmailSubscription",
                vec![
                    Element::leaf("Email", address),
                    Element::leaf("DigestRequested", if *daily { "DAILY" } else { "NONE" }),
                ],
            ),
            Way::Callback(callback) => callback.to_xml(now),
        });
        Element::new("Subscription", children)
    }
}

impl Callback {
    fn to_xml(&self, now: Timestamp) -> Element {
        let rest = now.duration_until(self.expires).as_secs();
        let mut children = vec![
            Element::leaf("URL", &self.url),
            Element::leaf("Expiry", rest.to_string()),
            Element::leaf("Status", &self.status),
        ];
        children.extend(self.number_format.iter().map(|f| Element::leaf("NumberFormat", f)));
        let mut credentials = Vec::new();
        if let Some(username) = &self.username {
            let username = vec![Element::leaf("Username", username)];
            credentials.push(Element::new("BasicAuthentication", username));
        }
        credentials.extend(self.public_key.iter().map(|key| Element::leaf("PublicKey", key)));
        if !credentials.is_empty() {
            children.push(Element::new("CallbackCredentials", credentials));
        }
        Element::new("CallbackSubscription", children)
    }

    /// A number as this callback wants it.
    pub(crate) fn format(&self, number: &str) -> String {
        match self.number_format.as_deref() {
            Some("E164") if number.len() == 10 && !number.starts_with('+') => format!("+1{number}"),
            _ => number.into(),
        }
    }
}

fn topic(xml: &Element) -> Result<Topic, Refused> {
    if let Some(name) = xml.value("OrderType") {
        let kind = Kind::named(name).ok_or_else(|| Refused::new(14500, "no such order type"))?;
        return Ok(Topic::Orders { kind, order_id: xml.value("OrderId").map(str::to_owned) });
    }
    match xml.value("EventType") {
        Some(MESSAGING_LOST) => Ok(Topic::MessagingLost),
        Some(_) => Err(Refused::new(14507, "no such event type: there is only MESSAGING_LOST")),
        None => Err(Refused::new(14508, "one of OrderType and EventType is needed")),
    }
}

fn read_email(xml: &Element) -> Result<Way, Refused> {
    let address = xml.value("Email").filter(|address| address.contains('@')).ok_or_else(invalid)?;
    let daily = match xml.value("DigestRequested") {
        Some("NONE") => false,
        Some("DAILY") => true,
        _ => return Err(Refused::new(14502, "DigestRequested is one of NONE and DAILY")),
    };
    Ok(Way::Email { address: address.into(), daily, pending: Vec::new() })
}

fn read_callback(xml: &Element, now: Timestamp) -> Result<Callback, Refused> {
    let url = xml.value("URL").ok_or_else(|| Refused::new(14503, "the callback has no URL"))?;
    let parsed = Url::parse(url).ok().filter(|url| {
        let port = url.port_or_known_default().unwrap_or_default();
        matches!(url.scheme(), "http" | "https") && (matches!(port, 80 | 443) || port >= 1024)
    });
    if parsed.is_none() {
        return Err(Refused::new(14506, "the callback's URL cannot be used"));
    }
    let expiry_s = match xml.value("Expiry") {
        Some(expiry) => expiry.parse().ok().filter(|s: &i64| *s > 0).ok_or_else(invalid)?,
        None => EXPIRY_S,
    };
    let number_format = xml.value("NumberFormat").map(str::to_owned);
    if number_format.as_ref().is_some_and(|format| !matches!(format.as_str(), "LEGACY" | "E164")) {
        return Err(invalid());
    }
    let credentials = xml.child("CallbackCredentials");
    let basic = credentials.and_then(|credentials| credentials.child("BasicAuthentication"));
    let basic = basic.map(read_basic).transpose()?;
    let public_key = credentials.and_then(|credentials| credentials.value("PublicKey"));
    if public_key.is_some_and(|key| STANDARD.decode(key).is_err()) {
        return Err(Refused::new(14504, "the public key is no certificate in Base64"));
    }
    let bandwidth = match &basic {
        Some((username, password)) => Bandwidth::new(url, username, password),
        None => Bandwidth::without_credentials(url),
    };
    Ok(Callback {
        url: url.into(),
        expires: now.checked_add(SignedDuration::from_secs(expiry_s)).unwrap_or(Timestamp::MAX),
        number_format,
        username: basic.map(|(username, _)| username),
        public_key: public_key.map(str::to_owned),
        status: "READY".into(),
        bandwidth: Arc::new(bandwidth),
    })
}

fn read_basic(xml: &Element) -> Result<(String, String), Refused> {
    let username = xml.value("Username").or(xml.value("UserName"));
    match (username, xml.value("Password")) {
        (Some(username), Some(password)) => Ok((username.into(), password.into())),
        _ => Err(Refused::new(14505, "Basic authentication needs a user name and a password")),
    }
}

fn invalid() -> Refused {
    Refused::new(14501, "the subscription is not valid")
}

#[cfg(test)]
mod tests {
    use super::Subscription;
    use crate::sandbox::xml::Element;
    use jiff::{SignedDuration, Timestamp};

    /// What is shown of a subscription after 100 s, or the error's number.
    #[track_caller]
    fn check(sent: &str, shown: Result<&str, u32>) {
        let read = Element::read(format!("<Subscription>{sent}</Subscription>").as_bytes());
        let subscription = Subscription::read("s", &read.unwrap(), Timestamp::UNIX_EPOCH);
        let later = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(100);
        let again = subscription.map_err(|refused| refused.code).map(|subscription| {
            let mut xml = String::new();
            subscription.to_xml(later).write(&mut xml);
            xml
        });
        let whole = |inner| {
            format!("<Subscription><SubscriptionId>s</SubscriptionId>{inner}</Subscription>")
        };
        assert_eq!(again, shown.map(whole));
    }

    #[track_caller]
    fn check_callback(sent: &str, shown: Result<&str, u32>) {
        let whole = |inner| {
            let topic = "<OrderType>orders</OrderType>";
            format!("{topic}<CallbackSubscription>{inner}</CallbackSubscription>")
        };
        check(&whole(sent), shown.map(whole).as_deref().map_err(|code| *code));
    }

    #[test]
    fn a_callback_counts_down_and_keeps_its_password_to_itself() {
        check_callback(
            "<URL>http://127.0.0.1:9000/x</URL>",
            Ok("<URL>http://127.0.0.1:9000/x</URL><Expiry>86300</Expiry><Status>READY</Status>"),
        );
        check_callback(
            "<Expiry>3153600000</Expiry><Status>200 OK</Status><NumberFormat>E164</NumberFormat>\
             <CallbackCredentials><BasicAuthentication><Username>u</Username>\
             <Password>p</Password></BasicAuthentication><PublicKey>TUlJ</PublicKey>\
             </CallbackCredentials><URL>https://t1.example.com/x</URL>",
            Ok("<URL>https://t1.example.com/x</URL><Expiry>3153599900</Expiry>\
                <Status>READY</Status><NumberFormat>E164</NumberFormat><CallbackCredentials>\
                <BasicAuthentication><Username>u</Username></BasicAuthentication>\
                <PublicKey>TUlJ</PublicKey></CallbackCredentials>"),
        );
    }

    #[test]
    fn a_callback_that_cannot_be_is_refused() {
        let url = "<URL>http://127.0.0.1:9000/</URL>";
        check_callback("", Err(14503));
        check_callback("<URL>t1.example.com</URL>", Err(14506));
        check_callback("<URL>ftp://t1.example.com/</URL>", Err(14506));
        check_callback("<URL>http://t1.example.com:81/</URL>", Err(14506));
        check_callback(&format!("{url}<Expiry>0</Expiry>"), Err(14501));
        check_callback(&format!("{url}<NumberFormat>FANCY</NumberFormat>"), Err(14501));
        let credentials =
            |inner| format!("{url}<CallbackCredentials>{inner}</CallbackCredentials>");
        let nameless = "<BasicAuthentication><Password>p</Password></BasicAuthentication>";
        check_callback(&credentials(nameless), Err(14505));
        check_callback(&credentials("<PublicKey>?</PublicKey>"), Err(14504));
    }

    #[test]
    fn topics_and_mails_are_checked() {
        let email = |digest: &str| {
            let digest = format!("<DigestRequested>{digest}</DigestRequested>");
            format!("<EmailSubscription><Email>ops@example.com</Email>{digest}</EmailSubscription>")
        };
        let daily = email("DAILY");
        let lost = format!("<EventType>MESSAGING_LOST</EventType>{daily}");
        check(&lost, Ok(&lost));
        let one = format!("<OrderType>lidb</OrderType><OrderId>o</OrderId>{daily}");
        check(&one.replace("lidb", "LIDBS"), Ok(&one));
        check(&daily, Err(14508));
        check(&format!("<EventType>FAX</EventType>{daily}"), Err(14507));
        check(&format!("<OrderType>faxes</OrderType>{daily}"), Err(14500));
        check(&format!("<OrderType>orders</OrderType>{}", email("WEEKLY")), Err(14502));
        check("<OrderType>orders</OrderType>", Err(14501));
    }
}
