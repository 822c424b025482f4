//! A Bandwidth that loses, doubles, delays and disorders what it sends, and what it knows when asked.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::upstream::Rule;
use jiff::SignedDuration;
use relay::connect::Connection;
use relay::setup::{self, Login, Wanted};
use simulator::endpoint::{Answer, Endpoint};
use simulator::sandbox::{Delivery, Knobs, Scenario, Seen};
use tower::ServiceExt as _;

use crate::stage::{Stage, UPSTREAM, header, subscribe, text_of};
use crate::upstream::Ground;

/// Orders that are placed: so many at once, and those that follow a while after, for more than three
/// hours.
const ORDERS: usize = 2_000;
const PLACED_AT_ONCE: usize = 20;
const PLACED_EVERY: SignedDuration = SignedDuration::from_mins(2);

/// Each a customer; its orders begin with its number.
const TENANTS: [&str; 3] = ["5500001", "5500002", "5500003"];

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
    ground: Ground,
    endpoints: Vec<Endpoint>,
    /// Each tenant's, at the API.
    logins: Vec<Login>,
}

impl Play {
    async fn new() -> Play {
        let scenario = Scenario::read(SCENARIO.as_bytes()).unwrap();
        let ground = Box::pin(Ground::new(|settings| settings.scenario = scenario)).await;
        let Stage { world, clock, .. } = &ground.stage;
        let (mut endpoints, mut logins) = (Vec::new(), Vec::new());
        for tenant in TENANTS {
            let endpoint = Endpoint::start(0, vec![], |_, _| Answer::status(200)).await.unwrap();
            endpoint.ignore_timestamps();
            logins.push(setup::tenant(&world.store, tenant, clock.now()).await.unwrap());
            let wanted = Wanted::everything(tenant, &endpoint.url());
            endpoint.set_secrets(vec![subscribe(world, wanted).await.1]);
            endpoints.push(endpoint);
        }
        let rule = |tenant: &str| Rule { prefix: tenant.into(), tenant: tenant.into() };
        let rules = TENANTS.map(rule).to_vec();
        setup::upstream(&world.store, UPSTREAM, None, rules).await.unwrap();
        let bandwidth = world.bandwidth().clone();
        let mut connection =
            Connection::look(bandwidth, UPSTREAM, &ground.relay_url).await.unwrap();
        let login = connection.renew(clock.now()).await.unwrap();
        for change in &connection.plan {
            connection.make(change, &login).await.unwrap().unwrap();
        }
        Play { ground, endpoints, logins }
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
        self.ground.post(&format!("/{kind}"), &body).await;
    }

    /// The states in the history that the relay tells an order's tenant.
    async fn history(&self, tenant: usize, seen: &Seen) -> Vec<(String, String)> {
        let path = format!("/api/accounts/{}/{}/{}/history", TENANTS[tenant], seen.kind, seen.id);
        let Login { username, password } = &self.logins[tenant];
        let basic = STANDARD.encode(format!("{username}:{password}"));
        let request = Request::get(path).header("authorization", format!("Basic {basic}"));
        let request = request.body(Body::empty()).unwrap();
        let response = self.ground.stage.world.router().oneshot(request).await.unwrap();
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

/// Whether the notification of a change was lost, or POSTed after that of a later one.
fn may_be_late(sent: &[Delivery], order: &str, at: &str) -> bool {
    let first = |one: &Delivery| one.posts.first().map(|post| post.at);
    let of_order = sent.iter().filter(|one| one.order_id.as_deref() == Some(order));
    let dated = |one: &&Delivery| one.last_modified.map(|date| format!("{date:.3}"));
    let (own, others): (Vec<_>, Vec<_>) =
        of_order.partition(|one| dated(one).as_deref() == Some(at));
    let Some(own) = own.first().and_then(|own| first(own)) else { return true };
    let later = others.into_iter().filter(|one| dated(one).is_some_and(|date| date.as_str() > at));
    later.filter_map(first).any(|later| later <= own)
}

fn tenant_of(seen: &Seen) -> usize {
    let id = seen.customer_order_id.as_deref().unwrap();
    TENANTS.iter().position(|tenant| id.starts_with(tenant)).unwrap()
}

#[tokio::test]
async fn what_an_upstream_loses_is_found_and_told_once_and_in_order() {
    let play = Box::pin(Play::new()).await;
    play.ground.sandbox.set_knobs(Knobs {
        drop: 5,
        duplicate: 5,
        delay_max: SignedDuration::from_mins(25),
        disorder: 100,
        requests_per_minute: Some(100),
    });
    for n in 0..ORDERS {
        if n % PLACED_AT_ONCE == 0 {
            play.ground.run_for(PLACED_EVERY).await;
        }
        play.place(n).await;
    }
    Box::pin(play.ground.run_for(SignedDuration::from_hours(9))).await;

    let orders = play.ground.sandbox.orders();
    assert_eq!(orders.len(), ORDERS);
    let sent = play.ground.sandbox.deliveries();
    let share = |is: fn(&&Delivery) -> bool| 100 * sent.iter().filter(is).count() / sent.len();
    assert!((3..=7).contains(&share(|one| one.posts.is_empty())), "one in twenty is lost");
    assert!((3..=7).contains(&share(|one| one.posts.len() == 2)), "one in twenty comes twice");
    assert!(share(|one| one.posts.iter().any(|post| post.at > one.made)) > 50, "most are late");
    assert!(share(|one| one.overtaken) > 10, "many are overtaken");
    // The states that Bandwidth tells of; it has others, such as RECEIVED, in its histories.
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
            if !ids.insert(header(&one, "webhook-id")) || !text_of(&one, "EventType").is_empty() {
                continue;
            }
            let order = header(&one, "hookline-order");
            let (at, state) = (text_of(&one, "LastModifiedDate"), text_of(&one, "Status"));
            let before = newest.entry(order.clone()).or_default();
            let is_late = header(&one, "hookline-late") == "true";
            assert!(is_late || *before < at, "{order}: {at} came after {before}");
            assert!(!is_late || may_be_late(&sent, &order, &at), "{order}: {at} came in time");
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
