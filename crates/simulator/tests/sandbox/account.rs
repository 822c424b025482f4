//! A customer of the sandbox: sends requests, and has an endpoint.

use jiff::SignedDuration;
use reqwest::{Client, Method, Response};
use simulator::Clock;
use simulator::endpoint::{Answer, Endpoint};
use simulator::sandbox::xml::Element;
use simulator::sandbox::{Knobs, Sandbox, Scenario, Serving, Settings};
use tokio::net::TcpListener;

pub(crate) const START: &str = "2026-03-02T10:00:00Z";

/// For how long subscriptions last here, in seconds.
const YEAR_S: u32 = 365 * 24 * 60 * 60;

pub(crate) struct Account {
    pub(crate) sandbox: Sandbox,
    pub(crate) endpoint: Endpoint,
    serving: Serving,
    client: Client,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) location: String,
    pub(crate) challenge: String,
    pub(crate) reset: String,
    pub(crate) body: String,
}

impl Account {
    pub(crate) async fn new() -> Account {
        Account::with(|_| {}).await
    }

    pub(crate) async fn in_scenario(name: &str) -> Account {
        Account::with(|settings| settings.scenario = Scenario::load(name).unwrap()).await
    }

    pub(crate) async fn with_knobs(knobs: Knobs) -> Account {
        Account::with(|settings| settings.knobs = knobs).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Settings)) -> Account {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut settings = Settings::new(Clock::manual(START.parse().unwrap()));
        change(&mut settings);
        let sandbox = Sandbox::new(settings);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let serving = sandbox.serve(listener).unwrap();
        let endpoint = Endpoint::start(0, vec![], |_, _| Answer::status(200)).await.unwrap();
        let client = Client::builder().no_proxy().build().unwrap();
        Account { sandbox, endpoint, serving, client }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.serving.url())
    }

    /// A request to the account, or to `/sandbox`.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: &str) -> Answered {
        let path = match path.starts_with("/sandbox") {
            true => path.to_owned(),
            false => format!("/api/accounts/9900012/{path}"),
        };
        let method: Method = method.parse().unwrap();
        let request = self.client.request(method, self.url(&path)).body(body.to_owned());
        let request = request.basic_auth("sandbox", Some("sandbox"));
        Answered::of(request.send().await.unwrap()).await
    }

    pub(crate) async fn upload(&self, path: &str, content_type: &str, body: &[u8]) -> Answered {
        self.send(Method::POST, path, content_type, body).await
    }

    pub(crate) async fn replace(&self, path: &str, content_type: &str, body: &[u8]) -> Answered {
        self.send(Method::PUT, path, content_type, body).await
    }

    async fn send(&self, method: Method, path: &str, kind: &str, body: &[u8]) -> Answered {
        let url = self.url(&format!("/api/accounts/9900012/{path}"));
        let request = self.client.request(method, url).body(body.to_owned());
        let request = request.header("content-type", kind);
        let request = request.basic_auth("sandbox", Some("sandbox"));
        Answered::of(request.send().await.unwrap()).await
    }

    /// A GET by a user whose password is `sandbox`, or by nobody.
    pub(crate) async fn get_as(&self, path: &str, user: Option<&str>) -> Answered {
        let mut request = self.client.get(self.url(path));
        if let Some(user) = user {
            request = request.basic_auth(user, Some("sandbox"));
        }
        Answered::of(request.send().await.unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Element {
        let answered = self.ask("GET", path, "").await;
        assert_eq!(answered.status, 200, "{}", answered.body);
        answered.xml()
    }

    /// Places an order. Its id.
    pub(crate) async fn place(&self, path: &str, body: &str) -> String {
        let answered = self.ask("POST", path, body).await;
        assert_eq!(answered.status, 201, "{}", answered.body);
        answered.id()
    }

    /// A port-in for one number.
    pub(crate) async fn port_in(&self) -> String {
        self.place("portins", &lnp_order("9195550100")).await
    }

    /// Another one.
    pub(crate) async fn other_port_in(&self) -> String {
        self.place("portins", &lnp_order("9195550199")).await
    }

    pub(crate) fn disconnect_order(&self, numbers: &[String]) -> String {
        let number = |n: &String| format!("<TelephoneNumber>{n}</TelephoneNumber>");
        let numbers: String = numbers.iter().map(number).collect();
        let list = format!("<TelephoneNumberList>{numbers}</TelephoneNumberList>");
        let order_type = "DisconnectTelephoneNumberOrderType";
        let inner = format!("<{order_type}>{list}</{order_type}>");
        format!("<DisconnectTelephoneNumberOrder>{inner}</DisconnectTelephoneNumberOrder>")
    }

    /// Has the endpoint told of all orders of a type. The subscription's id.
    pub(crate) async fn subscribe(&self, order_type: &str) -> String {
        self.subscribe_to(&format!("<OrderType>{order_type}</OrderType>")).await
    }

    pub(crate) async fn subscribe_to(&self, topic: &str) -> String {
        let url = self.endpoint.url();
        let callback = format!("<URL>{url}</URL><Expiry>{YEAR_S}</Expiry>");
        let callback = format!("<CallbackSubscription>{callback}</CallbackSubscription>");
        let body = format!("<Subscription>{topic}{callback}</Subscription>");
        self.place("subscriptions", &body).await
    }

    /// Lets time go by.
    pub(crate) async fn step(&self, by: &str) {
        self.sandbox.step(span(by)).await.unwrap();
    }

    /// What the endpoint was told, oldest first: the text of that element, or nothing.
    pub(crate) fn told(&self, element: &str) -> Vec<String> {
        let received = self.endpoint.received();
        let texts = received.iter().map(|one| {
            let xml = Element::read(&one.body).unwrap();
            xml.value(element).unwrap_or_default().to_owned()
        });
        texts.collect()
    }

    /// The numbers in a list of each notification.
    pub(crate) fn told_numbers(&self, list: &str) -> Vec<Vec<String>> {
        let received = self.endpoint.received();
        let numbers = received.iter().map(|one| {
            let list = Element::read(&one.body).unwrap().child(list).cloned().unwrap_or_default();
            list.children.into_iter().map(|number| number.text).collect()
        });
        numbers.collect()
    }

    /// The states of an order's history.
    pub(crate) fn history(&self, id: &str) -> Vec<String> {
        let orders = self.sandbox.orders();
        let order = orders.iter().find(|order| order.id == id).unwrap();
        order.history.iter().map(|(_, state)| state.clone()).collect()
    }
}

impl Answered {
    async fn of(response: Response) -> Answered {
        let header = |name: &str| {
            let value = response.headers().get(name).map(|value| value.to_str().unwrap());
            value.unwrap_or_default().to_owned()
        };
        Answered {
            status: response.status().as_u16(),
            location: header("location"),
            challenge: header("www-authenticate"),
            reset: header("x-ratelimit-reset"),
            body: response.text().await.unwrap(),
        }
    }

    pub(crate) fn id(&self) -> String {
        self.location.rsplit('/').next().unwrap().to_owned()
    }

    pub(crate) fn xml(&self) -> Element {
        Element::read(self.body.as_bytes()).unwrap()
    }
}

pub(crate) fn span(text: &str) -> SignedDuration {
    text.parse().unwrap()
}

pub(crate) fn lnp_order(number: &str) -> String {
    format!(
        "<LnpOrder><CustomerOrderId>C-1</CustomerOrderId><SiteId>743</SiteId><ListOfPhoneNumbers>\
         <PhoneNumber>{number}</PhoneNumber></ListOfPhoneNumbers></LnpOrder>"
    )
}

/// An order for so many numbers of an area code.
pub(crate) fn number_order(area_code: &str, quantity: usize, flags: &str) -> String {
    format!(
        "<Order><SiteId>743</SiteId>{flags}<AreaCodeSearchAndOrderType><AreaCode>{area_code}\
         </AreaCode><Quantity>{quantity}</Quantity></AreaCodeSearchAndOrderType></Order>"
    )
}

/// How many numbers there are in an answer.
pub(crate) fn quantity_of(body: &str) -> usize {
    body.matches("</TelephoneNumber>").count()
}
