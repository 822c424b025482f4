//! Bandwidth's side of a notification: one POST, credentials only when asked for, no second try.

use std::fmt::Write as _;

use anyhow::Context as _;
use reqwest::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use reqwest::{Client, Response, redirect};

/// An account at Bandwidth that reports to one URL.
pub struct Bandwidth {
    client: anyhow::Result<Client>,
    notify_url: String,
    username: String,
    password: String,
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
        // An error says that one is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().no_proxy().redirect(redirect::Policy::none()).build();
        Bandwidth {
            client: client.context("cannot make an HTTP client"),
            notify_url: notify_url.into(),
            username: username.into(),
            password: password.into(),
        }
    }

    /// Posts one notification. Credentials follow a challenge (RFC 7235), and only a challenge: a
    /// 401 without `WWW-Authenticate: Basic` is the end of it.
    pub async fn notify(&self, xml: &str) -> anyhow::Result<Told> {
        let first = self.post(xml, false).await?;
        let first_status = first.status().as_u16();
        let challenge = first.headers().get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
        let challenged = first_status == 401
            && challenge
                .is_some_and(|it| it.get(..6).is_some_and(|it| it.eq_ignore_ascii_case("basic ")));
        let last = match challenged {
            true => self.post(xml, true).await?,
            false => first,
        };
        let status = last.status().as_u16();
        Ok(Told { first_status, status, body: last.text().await? })
    }

    async fn post(&self, xml: &str, with_credentials: bool) -> anyhow::Result<Response> {
        let client = self.client.as_ref().map_err(|error| anyhow::anyhow!("{error:#}"))?;
        let mut request = client
            .post(&self.notify_url)
            .header(CONTENT_TYPE, "application/xml; charset=utf-8")
            .body(xml.to_owned());
        if with_credentials {
            request = request.basic_auth(&self.username, Some(&self.password));
        }
        Ok(request.send().await?)
    }
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
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
