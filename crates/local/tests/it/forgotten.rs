//! A Bandwidth that loses, doubles, delays and disorders what it sends, and what it knows when asked.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::upstream::{ApiAccess, Rule, Upstream};
use jiff::{SignedDuration, Timestamp};
use relay::bandwidth::{self, Ask};
use relay::setup::{self, Login, Wanted};
use reqwest::Method;
use simulator::endpoint::{Answer, Endpoint};
use simulator::sandbox::{Knobs, Sandbox, Scenario, Seen, Serving, Settings};
use tokio::net::TcpListener;
use tower::ServiceExt as _;

use crate::stage::{Stage, UPSTREAM, header, subscribe, text_of};

/// Orders that are placed: so many at once, and those that follow a while after, for more than three
/// hours.
const ORDERS: usize = 2_000;
const PLACED_AT_ONCE: usize = 20;
const PLACED_EVERY: SignedDuration = SignedDuration::from_mins(2);

/// Each a customer; its orders begin with its number.
const TENANTS: [&str; 3] = ["5500001", "5500002", "5500003"];

/// The sandbox's clock and the relay's are one; they take turns of this length.
const TURN: SignedDuration = SignedDuration::from_mins(5);

/// A month of port-ins within hours, with the ones that are rejected twice, and numbers that arrive late.
const SCENARIO: &str = r#"{ "orders": [
  { "kind": "portins", "customer_order_id_prefix": "5500001", "steps": [
    { "after": "1m", "state": "SUBMITTED" }, { "after": "40m", "state": "EXCEPTION", "message": "a" },
    { "after": "50m", "state": "REQUESTED_SUPP" }, { "after": "2m", "state": "SUBMITTED" },
    { "after": "40m", "state": "EXCEPTION", "message": "b" },
    { "after": "20m", "state": "REQUESTED_SUPP" }, { "after": "2m", "state": "SUBMITTED" },
    { "after": "1h", "state": "FOC" }, { "after": "2h", "state": "COMPLETE" } ] },
  { "kind": "portins", "steps": [
    { "after": "1m", "state": "SUBMITTED" }, { "after": "1h", "state": "FOC" },
    { "after": "2h", "state": "COMPLETE" } ] },
  { "kind": "orders", "customer_order_id_prefix": "5500002", "steps": [
    { "after": "1s", "available": 0 }, { "after": "90m", "arrive": 2 } ] } ] }"#;

struct Play {
    stage: Stage,
    sandbox: Sandbox,
    endpoints: Vec<Endpoint>,
    /// Each tenant's, at the API.
    logins: Vec<Login>,
    access: ApiAccess,
    _serving: Serving,
}

impl Play {
    async fn new() -> Play {
        let stage = Box::pin(Stage::new(0, None)).await;
        let world = &stage.world;
        let (mut endpoints, mut logins) = (Vec::new(), Vec::new());
        for tenant in TENANTS {
            let endpoint = Endpoint::start(0, vec![], |_, _| Answer::status(200)).await.unwrap();
            endpoint.ignore_timestamps();
            logins.push(setup::tenant(&world.store, tenant, stage.clock.now()).await.unwrap());
            let wanted = Wanted::everything(tenant, &endpoint.url());
            endpoint.set_secrets(vec![subscribe(world, wanted).await.1]);
            endpoints.push(endpoint);
        }
        let rule = |tenant: &str| Rule { prefix: tenant.into(), tenant: tenant.into() };
        let login = setup::upstream(&world.store, UPSTREAM, None, TENANTS.map(rule).to_vec());
        let login = login.await.unwrap();

        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let notify = format!("http://{}/notify/{UPSTREAM}", listener.local_addr().unwrap());
        let router = world.router();
        tokio::spawn(async move { axum::serve(listener, router).await });

        let settings = Settings {
            account: UPSTREAM.into(),
            scenario: Scenario::read(SCENARIO.as_bytes()).unwrap(),
            seed: 6,
            ..Settings::new(stage.clock.clone())
        };
        let (username, password) = (settings.username.clone(), settings.password.clone());
        let sandbox = Sandbox::new(settings);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let serving = sandbox.serve(listener).unwrap();
        let access = ApiAccess {
            url: format!("{}/api", serving.url()),
            username,
            sealed_password: bandwidth::seal(&world.vault, UPSTREAM, &password.into())
                .await
                .unwrap(),
            gateway_since: None,
        };
        let old = world.store.refreshed_upstream(UPSTREAM).await.unwrap().unwrap();
        let api = Some(access.clone());
        let new = Upstream { api, revision: old.revision + 1, ..Upstream::clone(&old) };
        world.store.put_upstream(&new).await.unwrap();

        let play = Play { sandbox, endpoints, logins, access, _serving: serving, stage };
        for kind in BTreeSet::from(KINDS) {
            play.post(
                "/subscriptions",
                &format!(
                    "<Subscription><OrderType>{kind}</OrderType><CallbackSubscription>\
                     <URL>{notify}</URL><Expiry>315360000</Expiry><CallbackCredentials>\
                     <BasicAuthentication><Username>{}</Username><Password>{}</Password>\
                     </BasicAuthentication></CallbackCredentials></CallbackSubscription>\
                     </Subscription>",
                    login.username, login.password
                ),
            )
            .await;
        }
        play
    }

    async fn post(&self, path: &str, body: &str) {
        let world = &self.stage.world;
        let answer = loop {
            let content_type = Some("application/xml");
            let ask = Ask { method: Method::POST, path, content_type, body: Some(body.into()) };
            let answer = world.bandwidth.ask(UPSTREAM, &self.access, ask).await.unwrap();
            if answer.status != 429 {
                break answer;
            }
            // Whoever reconciles has asked as often as may be.
            self.run_until(self.stage.clock.now() + TURN).await;
        };
        assert_eq!(answer.status, 201, "{path} {body} {}", String::from_utf8_lossy(&answer.body));
    }

    /// Places the nth order, for one tenant after the other.
    async fn place(&self, n: usize) {
        let customer_order_id = format!("{} {n}", TENANTS[n % TENANTS.len()]);
        let kind = KINDS[n % KINDS.len()];
        let id = format!("<CustomerOrderId>{customer_order_id}</CustomerOrderId>");
        let body = match kind {
            "orders" => format!(
                "<Order>{id}<SiteId>743</SiteId><BackOrderRequested>true</BackOrderRequested>\
                 <PartialAllowed>true</PartialAllowed><StateSearchAndOrderType><State>NC</State>\
                 <Quantity>1</Quantity></StateSearchAndOrderType></Order>"
            ),
            "portins" => format!(
                "<LnpOrder>{id}<SiteId>743</SiteId><ListOfPhoneNumbers><PhoneNumber>919555{n:04}</PhoneNumber>\
                 </ListOfPhoneNumbers></LnpOrder>"
            ),
            "disconnects" => format!(
                "<DisconnectTelephoneNumberOrder>{id}<DisconnectTelephoneNumberOrderType>\
                 <TelephoneNumberList><TelephoneNumber>919556{n:04}</TelephoneNumber>\
                 </TelephoneNumberList></DisconnectTelephoneNumberOrderType>\
                 </DisconnectTelephoneNumberOrder>"
            ),
            _ => format!("<Request>{id}</Request>"),
        };
        self.post(&format!("/{kind}"), &body).await;
    }

    /// Both go on until then.
    async fn run_until(&self, until: Timestamp) {
        while self.stage.clock.now() < until {
            let next = (self.stage.clock.now() + TURN).min(until);
            self.stage.world.run_until(next).await;
            self.sandbox.run_due().await;
        }
    }

    /// The states in the history that the relay tells an order's tenant.
    async fn history(&self, tenant: usize, seen: &Seen) -> Vec<(String, String)> {
        let path = format!("/api/accounts/{}/{}/{}/history", TENANTS[tenant], seen.kind, seen.id);
        let Login { username, password } = &self.logins[tenant];
        let basic = STANDARD.encode(format!("{username}:{password}"));
        let request = Request::get(path).header("authorization", format!("Basic {basic}"));
        let request = request.body(Body::empty()).unwrap();
        let response = self.stage.world.router().oneshot(request).await.unwrap();
        let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        let between = |line: &str, name: &str| {
            let (_, rest) = line.split_once(&format!("<{name}>")).unwrap();
            rest.split_once('<').unwrap().0.to_owned()
        };
        let lines = body.split("<OrderHistory>").skip(1);
        lines.map(|line| (between(line, "OrderDate"), between(line, "Status"))).collect()
    }
}

const KINDS: [&str; 8] =
    ["orders", "portins", "orders", "disconnects", "portins", "e911s", "csrs", "tnoptions"];

/// What Bandwidth told its subscribers of an order, or would have.
fn notified(seen: &Seen) -> Vec<(String, String)> {
    seen.notified.iter().map(|(at, state)| (format!("{at:.3}"), state.clone())).collect()
}

fn tenant_of(seen: &Seen) -> usize {
    let id = seen.customer_order_id.as_deref().unwrap();
    TENANTS.iter().position(|tenant| id.starts_with(tenant)).unwrap()
}

#[tokio::test]
async fn what_an_upstream_loses_is_found_and_told_once_and_in_order() {
    let play = Box::pin(Play::new()).await;
    play.sandbox.set_knobs(Knobs {
        drop: 5,
        duplicate: 5,
        delay_max: SignedDuration::from_mins(25),
        disorder: 100,
        requests_per_minute: Some(100),
    });
    for n in 0..ORDERS {
        if n % PLACED_AT_ONCE == 0 {
            play.run_until(play.stage.clock.now() + PLACED_EVERY).await;
        }
        play.place(n).await;
    }
    let rest = play.stage.clock.now() + SignedDuration::from_hours(14);
    Box::pin(play.run_until(rest)).await;

    let orders = play.sandbox.orders();
    assert_eq!(orders.len(), ORDERS);
    let lost = play.sandbox.deliveries().iter().filter(|one| one.posts.is_empty()).count();
    assert!(lost > 150, "the upstream lost {lost}");
    for seen in &orders {
        let expected = notified(seen);
        assert!(!expected.is_empty(), "{seen:?}");
        assert_eq!(play.history(tenant_of(seen), seen).await, expected, "{seen:?}");
    }

    let mut told = BTreeMap::<(usize, String), Vec<(String, String)>>::new();
    for (tenant, endpoint) in play.endpoints.iter().enumerate() {
        let (mut ids, mut newest) = (BTreeSet::new(), BTreeMap::<String, String>::new());
        for one in endpoint.received() {
            assert_eq!(one.verified, Ok(()));
            if !ids.insert(header(&one, "webhook-id")) || text_of(&one, "EventType") != "" {
                continue;
            }
            let order = header(&one, "hookline-order");
            let (at, state) = (text_of(&one, "LastModifiedDate"), text_of(&one, "Status"));
            let before = newest.entry(order.clone()).or_default();
            let is_late = header(&one, "hookline-late") == "true";
            assert!(is_late || *before < at, "{order}: {at} came after {before}");
            *before = at.clone().max(before.clone());
            told.entry((tenant, order)).or_default().push((at, state));
        }
    }
    assert_eq!(told.len(), ORDERS, "no tenant was told of another's");
    for seen in &orders {
        let told = told.get_mut(&(tenant_of(seen), seen.id.clone())).unwrap();
        told.sort();
        assert_eq!(*told, notified(seen));
    }
}
