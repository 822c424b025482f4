//! Bandwidth's side of a notification: one POST, credentials only when asked for, no second try.

use std::fmt::Write as _;
use std::sync::OnceLock;

use anyhow::Context as _;
use reqwest::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use reqwest::{Client, Response, redirect};

/// An account at Bandwidth that reports to one URL.
#[derive(Debug)]
pub struct Bandwidth {
    /// Made when it is needed: that reads the system's certificates, and there may be many of these.
    client: OnceLock<Client>,
    notify_url: String,
    credentials: Option<(String, String)>,
}

/// What came of a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Of the POST without credentials.
    pub first_status: u16,
    /// Of the last POST that was made: anything but 200 is a failure, and the event is gone.
    pub status: u16,
    pub body: String,
}

impl Bandwidth {
    pub fn new(notify_url: &str, username: &str, password: &str) -> Bandwidth {
        let credentials = Some((username.into(), password.into()));
        Bandwidth { credentials, ..Bandwidth::without_credentials(notify_url) }
    }

    /// One that no challenge is met with.
    pub fn without_credentials(notify_url: &str) -> Bandwidth {
        Bandwidth { client: OnceLock::new(), notify_url: notify_url.into(), credentials: None }
    }

    /// Posts one notification. Credentials follow a challenge (RFC 7235), and only a challenge: a
    /// 401 without `WWW-Authenticate: Basic` is the end of it.
    pub async fn notify(&self, xml: &str) -> anyhow::Result<Told> {
        let first = self.post(xml, None).await?;
        let first_status = first.status().as_u16();
        let last = match &self.credentials {
            Some(given) if first_status == 401 && challenges(&first) => {
                self.post(xml, Some(given)).await?
            }
            _ => first,
        };
        let status = last.status().as_u16();
        Ok(Told { first_status, status, body: last.text().await? })
    }

    async fn post(
        &self,
        xml: &str,
        credentials: Option<&(String, String)>,
    ) -> anyhow::Result<Response> {
        let mut request = self
            .client()?
            .post(&self.notify_url)
            .header(CONTENT_TYPE, "application/xml; charset=utf-8")
            .body(xml.to_owned());
        if let Some((username, password)) = credentials {
            request = request.basic_auth(username, Some(password));
        }
        Ok(request.send().await?)
    }

    fn client(&self) -> anyhow::Result<&Client> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        // An error says that one is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().no_proxy().redirect(redirect::Policy::none()).build();
        let client = client.context("cannot make an HTTP client")?;
        Ok(self.client.get_or_init(|| client))
    }
}

/// Whether an answer asks for Basic credentials.
fn challenges(response: &Response) -> bool {
    let mut challenges = response.headers().get_all(WWW_AUTHENTICATE).iter();
    challenges.any(|challenge| {
        let scheme = challenge.as_bytes().split(|byte| *byte == b' ').next();
        scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"Basic"))
    })
}

/// A notification, as Bandwidth writes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    pub status: Option<String>,
    pub subscription_id: Option<String>,
    pub message: Option<String>,
    pub order_id: Option<String>,
    pub order_type: Option<String>,
    pub customer_order_id: Option<String>,
    pub note: Option<String>,
    pub completed_telephone_numbers: Vec<String>,
    pub last_modified_date: Option<String>,
    pub actual_foc_date: Option<String>,
    pub event_type: Option<String>,
    pub impacted_telephone_numbers: Vec<String>,
}

impl Message {
    /// The elements in the order that has been seen on the wire, which is not the documented one.
    pub fn to_xml(&self) -> String {
        let mut xml = String::from(
            "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?><Notification>",
        );
        element(&mut xml, "Status", &self.status);
        element(&mut xml, "SubscriptionId", &self.subscription_id);
        element(&mut xml, "Message", &self.message);
        element(&mut xml, "OrderId", &self.order_id);
        element(&mut xml, "OrderType", &self.order_type);
        element(&mut xml, "CustomerOrderId", &self.customer_order_id);
        element(&mut xml, "Note", &self.note);
        numbers(&mut xml, "CompletedTelephoneNumbers", &self.completed_telephone_numbers);
        element(&mut xml, "LastModifiedDate", &self.last_modified_date);
        element(&mut xml, "ActualFocDate", &self.actual_foc_date);
        element(&mut xml, "EventType", &self.event_type);
        numbers(&mut xml, "ImpactedTelephoneNumbers", &self.impacted_telephone_numbers);
        xml.push_str("</Notification>");
        xml
    }
}

fn element(xml: &mut String, name: &str, value: &Option<String>) {
    if let Some(value) = value {
        let _ = write!(xml, "<{name}>{}</{name}>", escaped(value));
    }
}

fn numbers(xml: &mut String, name: &str, numbers: &[String]) {
    if numbers.is_empty() {
        return;
    }
    let _ = write!(xml, "<{name}>");
    for number in numbers {
        element(xml, "TelephoneNumber", &Some(number.clone()));
    }
    let _ = write!(xml, "</{name}>");
}

fn escaped(text: &str) -> String {
    // A reader takes a bare carriage return for a line feed.
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\r', "&#13;")
}

#[cfg(test)]
mod tests {
    use super::{Bandwidth, Message};
    use crate::endpoint::{Answer, Endpoint};

    #[track_caller]
    fn check(message: &Message, expected: &str) {
        let start = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>";
        let expected = format!("{start}<Notification>{expected}</Notification>");
        assert_eq!(message.to_xml(), expected);
    }

    fn some(text: &str) -> Option<String> {
        Some(text.into())
    }

    #[test]
    fn the_elements_stand_in_the_order_that_was_seen_on_the_wire() {
        let numbers = vec!["9195550100".to_owned(), "9195550101".to_owned()];
        let message = Message {
            status: some("FOC"),
            subscription_id: some("s"),
            message: some("m"),
            order_id: some("o"),
            order_type: some("portins"),
            customer_order_id: some("c"),
            completed_telephone_numbers: numbers.clone(),
            last_modified_date: some("2026-02-03T10:11:12.345Z"),
            actual_foc_date: some("2026-02-10T16:30:00Z"),
            ..Message::default()
        };
        let expected = "<Status>FOC</Status><SubscriptionId>s</SubscriptionId><Message>m</Message>\
            <OrderId>o</OrderId><OrderType>portins</OrderType><CustomerOrderId>c</CustomerOrderId>\
            <CompletedTelephoneNumbers><TelephoneNumber>9195550100</TelephoneNumber>\
            <TelephoneNumber>9195550101</TelephoneNumber></CompletedTelephoneNumbers>\
            <LastModifiedDate>2026-02-03T10:11:12.345Z</LastModifiedDate>\
            <ActualFocDate>2026-02-10T16:30:00Z</ActualFocDate>";
        check(&message, expected);

        let event = Message {
            event_type: some("MESSAGING_LOST"),
            impacted_telephone_numbers: numbers[..1].to_vec(),
            ..Message::default()
        };
        let expected = "<EventType>MESSAGING_LOST</EventType><ImpactedTelephoneNumbers>\
            <TelephoneNumber>9195550100</TelephoneNumber></ImpactedTelephoneNumbers>";
        check(&event, expected);
    }

    #[test]
    fn text_is_escaped() {
        let message = Message { note: some("a<b>&\r\n]]>\"é"), ..Message::default() };
        check(&message, "<Note>a&lt;b&gt;&amp;&#13;\n]]&gt;\"é</Note>");
    }

    #[tokio::test]
    async fn credentials_are_sent_only_when_they_are_asked_for() {
        let ingest = Endpoint::start(0, vec![], |_, _| Answer::status(200)).await.unwrap();
        let bandwidth = Bandwidth::new(&ingest.url(), "user", "secret");
        assert_eq!(bandwidth.notify("<x/>").await.unwrap().first_status, 200);
        ingest.require_basic("user", "secret");
        let told = bandwidth.notify("<x/>").await.unwrap();
        assert_eq!((told.first_status, told.status), (401, 200));

        let sent = ingest.received();
        let credentials: Vec<_> =
            sent.iter().map(|one| one.headers.contains_key("authorization")).collect();
        assert_eq!(credentials, [false, false, true]);
        assert!(sent.iter().all(|one| one.body == b"<x/>"));
        assert_eq!(sent[0].headers["content-type"], "application/xml; charset=utf-8");

        let stranger = Bandwidth::without_credentials(&ingest.url());
        assert_eq!(stranger.notify("<x/>").await.unwrap().status, 401);
        assert_eq!(ingest.received().len(), 4);
    }

    #[tokio::test]
    async fn nothing_is_sent_again_without_a_challenge_for_basic() {
        for (status, challenge, posts) in [
            (401, None, 1),
            (401, Some("Bearer realm=\"x\""), 1),
            (401, Some("basic realm=\"x\""), 2),
            (503, Some("Basic realm=\"x\""), 1),
            (302, None, 1),
        ] {
            let ingest = Endpoint::start(0, vec![], move |_, _| {
                let header = |value: &str| ("WWW-Authenticate".to_owned(), value.to_owned());
                let headers = challenge.map(header).into_iter().collect();
                Answer { headers, body: b"no".into(), ..Answer::status(status) }
            })
            .await
            .unwrap();
            let told = Bandwidth::new(&ingest.url(), "u", "p").notify("<x/>").await.unwrap();
            assert_eq!((told.status, told.body.as_str()), (status, "no"));
            assert_eq!(ingest.received().len(), posts, "{status} {challenge:?}");
        }
    }
}
