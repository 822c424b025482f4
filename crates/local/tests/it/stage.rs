//! A world with one upstream, one tenant, one endpoint, and what tests ask of it.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use jiff::{SignedDuration, Timestamp};
use local::World;
use relay::Dice;
use relay::setup::{self, Login, Wanted};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use simulator::Clock;
use simulator::aws::Aws;
use simulator::endpoint::{Answer, Endpoint, Received};
use tower::ServiceExt as _;

pub(crate) const UPSTREAM: &str = "9900012";
pub(crate) const TENANT: &str = "5500001";
pub(crate) const ORDER: &str = "1b9a2c44-8a1b-4f0e-9a57-9b1b6d5e7c02";

pub(crate) type Item = HashMap<String, AttributeValue>;

pub(crate) struct Stage {
    pub(crate) aws: Aws,
    pub(crate) clock: Clock,
    pub(crate) world: World,
    pub(crate) endpoint: Endpoint,
    /// The upstream's, for ingest.
    pub(crate) login: Login,
    /// The tenant's, for the API.
    pub(crate) tenant_login: Login,
    /// The first subscription, to everything.
    pub(crate) subscription: String,
    pub(crate) secret: String,
}

pub(crate) fn start() -> Timestamp {
    "2026-02-03T10:00:00Z".parse().unwrap()
}

impl Stage {
    /// `failures` is how often the endpoint answers 500 first; `waits` the tenant's retry schedule.
    pub(crate) async fn new(failures: usize, waits: Option<Vec<SignedDuration>>) -> Stage {
        Stage::with_script(waits, move |_, nth| if nth < failures { 500 } else { 200 }).await
    }

    /// `script` says what status the endpoint answers with.
    pub(crate) async fn with_script(
        waits: Option<Vec<SignedDuration>>,
        script: impl Fn(&Received, usize) -> u16 + Send + Sync + 'static,
    ) -> Stage {
        Stage::with_answers(waits, move |one, nth| Answer::status(script(one, nth))).await
    }

    /// `script` says how the endpoint answers.
    pub(crate) async fn with_answers(
        waits: Option<Vec<SignedDuration>>,
        script: impl Fn(&Received, usize) -> Answer + Send + Sync + 'static,
    ) -> Stage {
        crate::logs::keep();
        let clock = Clock::manual(start());
        let aws = Aws::memory(clock.clone()).unwrap();
        let world = World::new(aws.clone(), clock.clone(), dice()).await.unwrap();
        let endpoint = Endpoint::start(0, Vec::new(), script).await.unwrap();
        endpoint.ignore_timestamps();
        let wanted = Wanted { waits, ..Wanted::everything(TENANT, &endpoint.url()) };
        let tenant_login =
            setup::tenant(&world.store, TENANT, world.relay_clock().now()).await.unwrap();
        let (subscription, secret) = subscribe(&world, wanted).await;
        endpoint.set_secrets(vec![secret.clone()]);
        let login = setup::upstream(&world.store, UPSTREAM, Some(TENANT), vec![]).await.unwrap();
        Stage { aws, clock, world, endpoint, login, tenant_login, subscription, secret }
    }

    /// Asks the relay's own API as the tenant, and gives the JSON of its good answer.
    pub(crate) async fn api(&self, method: &str, below: &str, body: Value) -> Value {
        let (status, answer) = self.client().ask(method, below, body).await;
        assert!(status.is_success(), "{method} {below}: {status} {answer}");
        answer
    }

    /// The tenant, at the API.
    pub(crate) fn client(&self) -> Client {
        Client { router: self.world.router(), token: self.tenant_login.token() }
    }

    /// How many deliveries are pending.
    pub(crate) async fn pending(&self) -> i32 {
        let scan = self.dynamodb().scan().table_name("hookline");
        let scan = scan.filter_expression("begins_with(pk, :lane) AND #state = :pending");
        let scan = scan.expression_attribute_names("#state", "state");
        let scan = scan.expression_attribute_values(":lane", AttributeValue::S("LANE#".into()));
        let scan =
            scan.expression_attribute_values(":pending", AttributeValue::S("pending".into()));
        scan.send().await.unwrap().count
    }

    /// Attempts that were made of the first delivery of an order to the first subscription.
    pub(crate) async fn lane_attempts(&self, order: &str) -> u32 {
        let lane = self.items(&format!("LANE#{}#{order}", self.subscription)).await;
        lane[0]["attempts_made"].as_n().unwrap().parse().unwrap()
    }

    /// What a deployment is: nothing that a process remembered is left.
    pub(crate) async fn redeploy(&mut self) {
        self.world = World::new(self.aws.clone(), self.clock.clone(), dice()).await.unwrap();
    }

    /// Posts as an upstream does that sends its credentials at once.
    pub(crate) async fn post(&self, body: impl Into<Body>) -> (u16, String) {
        let user = format!("{}:{}", self.login.username, self.login.password);
        post(self.world.router(), UPSTREAM, Some(&user), body).await
    }

    pub(crate) async fn post_accepted(&self, body: &str) {
        assert_eq!(self.post(body.to_owned()).await, (200, String::new()));
    }

    pub(crate) async fn run_for(&self, time: SignedDuration) {
        self.world.run_until(self.clock.now() + time).await;
    }

    /// The table, past the relay.
    pub(crate) fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .http_client(self.aws.http_client())
            .build();
        aws_sdk_dynamodb::Client::from_conf(config)
    }

    /// All items of one partition.
    pub(crate) async fn items(&self, pk: &str) -> Vec<Item> {
        let page = self
            .dynamodb()
            .query()
            .table_name("hookline")
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", AttributeValue::S(pk.into()))
            .send()
            .await
            .unwrap();
        page.items.unwrap()
    }

    /// The states of the order that the endpoint was told with success, repeats left out.
    pub(crate) fn told(&self) -> Vec<String> {
        self.told_where(|_| true)
    }

    /// The same, of those that are chosen.
    pub(crate) fn told_where(&self, is_chosen: impl Fn(&Received) -> bool) -> Vec<String> {
        let received = self.endpoint.received();
        let mut told = Vec::new();
        for one in received.iter().filter(|one| one.answered == 200 && is_chosen(one)) {
            let status = text_of(one, "Status");
            if !told.contains(&status) {
                told.push(status);
            }
        }
        told
    }

    /// The path by which the delivery of a state to the first subscription is retried.
    pub(crate) async fn retry_of(&self, status: &str) -> String {
        let found = self.api("GET", &format!("/notifications?status={status}"), Value::Null).await;
        let id = found["items"][0]["id"].as_str().unwrap();
        format!("/notifications/{id}/deliveries/{}/retry", self.subscription)
    }

    /// Has the attempts to the first subscription, whose rate is limited, spoken for until then.
    pub(crate) async fn take_slots_until(&self, at: Timestamp) {
        self.dynamodb()
            .update_item()
            .table_name("hookline")
            .key("pk", AttributeValue::S(format!("TENANT#{TENANT}")))
            .key("sk", AttributeValue::S(format!("SUBSCRIPTION#{}", self.subscription)))
            .update_expression("SET slot_ms = :at")
            .expression_attribute_values(":at", AttributeValue::N(at.as_millisecond().to_string()))
            .send()
            .await
            .unwrap();
    }

    /// Nothing waits anywhere: neither in the queues nor on the stream.
    pub(crate) fn is_quiet(&self) -> bool {
        let queues =
            [local::WAKES, local::ASIDE, local::WAKES_DEAD, local::INBOX, local::INBOX_DEAD];
        queues.iter().all(|name| self.aws.queue(name).is_empty())
            && self.aws.stream().batch(1).is_empty()
    }
}

/// Asks the relay's own API as the tenant.
#[derive(Clone)]
pub(crate) struct Client {
    router: Router,
    token: String,
}

impl Client {
    pub(crate) async fn ask(&self, method: &str, below: &str, body: Value) -> (StatusCode, Value) {
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let request = Request::builder()
            .method(method)
            .uri(format!("/relay/v1/tenants/{TENANT}{below}"))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .body(body)
            .unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }
}

/// Makes a subscription; answers its id and its signing secret.
pub(crate) async fn subscribe(world: &World, wanted: Wanted) -> (String, String) {
    let clock = world.relay_clock();
    let (made, secret) =
        setup::subscription(&world.subscriptions, wanted, None, clock).await.unwrap();
    (made.id, secret.expose_secret().to_owned())
}

/// Always the middle: waits are as planned.
pub(crate) fn dice() -> Dice {
    Dice::new(|| 0.5)
}

pub(crate) async fn post(
    router: Router,
    account: &str,
    user: Option<&str>,
    body: impl Into<Body>,
) -> (u16, String) {
    use base64::Engine as _;
    let mut request = Request::post(format!("/notify/{account}"));
    if let Some(user) = user {
        let encoded = base64::engine::general_purpose::STANDARD.encode(user);
        request = request.header("authorization", format!("Basic {encoded}"));
    }
    let response = router.oneshot(request.body(body.into()).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

pub(crate) fn secs(count: i64) -> SignedDuration {
    SignedDuration::from_secs(count)
}

/// The same state of another order.
pub(crate) fn of(order: &str, status: &str, second: i64) -> String {
    state(status, second).replace(ORDER, order)
}

/// A state change of [`ORDER`], dated that many seconds after the start.
pub(crate) fn state(status: &str, second: i64) -> String {
    let at = start() + SignedDuration::from_secs(second);
    format!(
        "<Notification><Status>{status}</Status><SubscriptionId>up-1</SubscriptionId>\
         <OrderId>{ORDER}</OrderId><OrderType>portins</OrderType>\
         <LastModifiedDate>{at:.3}</LastModifiedDate></Notification>"
    )
}

/// The text of one element of what arrived.
pub(crate) fn text_of(received: &Received, element: &str) -> String {
    let body = String::from_utf8(received.body.clone()).unwrap();
    let rest = body.split_once(&format!("<{element}>")).map_or("", |(_, rest)| rest);
    rest.split_once(&format!("</{element}>")).map_or("", |(text, _)| text).to_owned()
}

pub(crate) fn header(received: &Received, name: &str) -> String {
    received.headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned()
}

/// How often each webhook-id was answered with success.
pub(crate) fn successes(endpoint: &Endpoint) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for one in endpoint.received().iter().filter(|one| one.answered == 200) {
        *counts.entry(header(one, "webhook-id")).or_default() += 1;
    }
    counts
}
