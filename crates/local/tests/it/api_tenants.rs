//! The relay's own API, as tenants use it.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Request};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::SignedDuration;
use serde_json::{Value, json};
use simulator::endpoint::{Answer, Endpoint, Received};
use tower::ServiceExt as _;

use crate::stage::{ORDER, Stage, TENANT, header, start, state, text_of};

pub(crate) struct Said {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Said {
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    /// A problem of this kind, about this field.
    #[track_caller]
    pub(crate) fn is_problem(&self, status: u16, code: &str, field: Option<&str>) {
        let body = &self.body;
        assert_eq!((self.status, body["code"].as_str()), (status, Some(code)), "{body}");
        assert_eq!(body["field"].as_str(), field, "{body}");
        assert_eq!(body["status"], status);
        assert!(!body["detail"].as_str().unwrap().is_empty());
        assert_eq!(self.headers["content-type"], "application/problem+json");
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// Asks as the tenant, below `/relay/v1/tenants/{tenant}`. `Null` is no body.
pub(crate) async fn ask(stage: &Stage, method: &str, path: &str, body: Value) -> Said {
    ask_with(stage, method, path, body, &[]).await
}

async fn ask_with(
    stage: &Stage,
    method: &str,
    path: &str,
    body: Value,
    headers: &[(&str, &str)],
) -> Said {
    let uri = format!("/relay/v1/tenants/{TENANT}{path}");
    let token = format!("Bearer {}", stage.tenant_login.token());
    let mut request = Request::builder().method(method).uri(uri).header("authorization", token);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = match body {
        Value::Null => Body::empty(),
        body => {
            request = request.header("content-type", "application/json");
            Body::from(body.to_string())
        }
    };
    let response = stage.world.router().oneshot(request.body(body).unwrap()).await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let bytes = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
    let body = match bytes.is_empty() {
        true => Value::Null,
        false => serde_json::from_slice(&bytes).unwrap(),
    };
    Said { status, headers, body }
}

pub(crate) async fn get(stage: &Stage, path: &str) -> Value {
    ask(stage, "GET", path, Value::Null).await.is(200)
}

/// Makes a subscription; answers its id and its secret.
async fn subscribe(stage: &Stage, body: Value) -> (String, String) {
    let made = ask(stage, "POST", "/subscriptions", body).await.is(201);
    let text = |field: &str| made[field].as_str().unwrap().to_owned();
    (text("id"), text("signing_secret"))
}

async fn endpoint(script: impl Fn(&Received, usize) -> u16 + Send + Sync + 'static) -> Endpoint {
    let endpoint =
        Endpoint::start(0, vec![], move |one, nth| Answer::status(script(one, nth))).await.unwrap();
    endpoint.ignore_timestamps();
    endpoint
}

/// The states of the portins that an endpoint was sent, whatever it said.
fn statuses(endpoint: &Endpoint) -> Vec<String> {
    endpoint.received().iter().map(|one| text_of(one, "Status")).collect()
}

/// The values of one field of all items.
fn all<'a>(list: &'a Value, field: &str) -> Vec<&'a str> {
    let items = list["items"].as_array().unwrap().iter();
    items.map(|item| item[field].as_str().unwrap_or_default()).collect()
}

/// A state change of another order.
fn other(order: &str, order_type: &str, status: &str, second: i64) -> String {
    state(status, second).replace(ORDER, order).replace("portins", order_type)
}

fn secs(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

const SECOND: SignedDuration = SignedDuration::from_secs(1);
const URL: &str = "http://127.0.0.1:9999/a";

#[tokio::test]
async fn a_subscription_is_made_read_replaced_and_deleted_with_every_field() {
    let stage = Stage::new(0, None).await;
    let wanted = json!({
        "order_type": "PortIns", "url": URL,
        "credentials": {"username": "hook", "password": "s3cret"},
        "format": "json", "number_format": "e164", "mode": "latest", "order_policy": "halt",
        "states": ["FOC", "COMPLETE"], "retry_schedule": [1, 60, 604_800],
        "headers": {"x-tenant": "one"}, "enabled": false, "expires_at": "2026-03-01T00:00:00Z",
    });
    let made = ask(&stage, "POST", "/subscriptions", wanted.clone()).await;
    let (location, etag) = (made.header("location").to_owned(), made.header("etag").to_owned());
    let mut view = made.is(201);
    let id = view["id"].as_str().unwrap().to_owned();
    assert_eq!(location, format!("/relay/v1/tenants/{TENANT}/subscriptions/{id}"));
    assert_eq!(etag, "\"1\"");
    let secret = view.as_object_mut().unwrap().remove("signing_secret").unwrap();
    assert!(secret.as_str().unwrap().starts_with("whsec_"));

    let path = format!("/subscriptions/{id}");
    let read = ask(&stage, "GET", &path, Value::Null).await;
    assert_eq!(read.header("etag"), "\"1\"");
    let read = read.is(200);
    assert_eq!(read, view, "what was made");
    let mut expected = wanted.clone();
    expected.as_object_mut().unwrap().remove("credentials");
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&read[field], value, "{field}");
    }
    assert_eq!((&read["username"], &read["signing_secrets"]), (&json!("hook"), &json!(1)));
    assert_eq!(read["created_at"], start().to_string());
    assert!(!read.to_string().contains("s3cret"));

    // What is left out goes back to its default, but for a password.
    let fewer = json!({"url": URL, "order_type": "portins", "credentials": {"username": "hook"}});
    let stale = [("if-match", "\"7\"")];
    let refused = ask_with(&stage, "PUT", &path, fewer.clone(), &stale).await;
    refused.is_problem(412, "changed", None);
    let current = [("if-match", "\"1\"")];
    let replaced = ask_with(&stage, "PUT", &path, fewer.clone(), &current).await;
    assert_eq!(replaced.header("etag"), "\"2\"");
    let replaced = replaced.is(200);
    for (field, value) in [
        ("format", json!("xml")),
        ("number_format", json!("legacy")),
        ("mode", json!("every")),
        ("order_policy", json!("skip")),
        ("states", json!([])),
        ("headers", json!({})),
        ("enabled", json!(true)),
        ("expires_at", Value::Null),
    ] {
        assert_eq!(replaced[field], value, "{field}");
    }
    assert_eq!(replaced["retry_schedule"].as_array().unwrap().len(), 12);
    ask_with(&stage, "PUT", &path, fewer.clone(), &current).await.is_problem(412, "changed", None);

    let listed = get(&stage, "/subscriptions?limit=1").await;
    let next = listed["next"].as_str().unwrap();
    let rest = get(&stage, &format!("/subscriptions?limit=1&cursor={next}")).await;
    let mut ids = [all(&listed, "id"), all(&rest, "id")].concat();
    ids.sort_unstable();
    let mut both = [id.as_str(), stage.subscription.as_str()];
    both.sort_unstable();
    assert_eq!(ids, both);

    let gone = ask(&stage, "DELETE", &path, Value::Null).await;
    assert_eq!((gone.status, gone.body), (204, Value::Null));
    for (method, body) in [("GET", Value::Null), ("DELETE", Value::Null), ("PUT", fewer)] {
        ask(&stage, method, &path, body).await.is_problem(404, "not_found", None);
    }
    let nothing = ask(&stage, "POST", &format!("{path}/secret"), Value::Null).await;
    nothing.is_problem(404, "not_found", None);
    ask(&stage, "POST", &format!("{path}/test"), Value::Null).await.is_problem(
        404,
        "not_found",
        None,
    );
}

#[tokio::test]
async fn what_a_subscription_cannot_be_is_refused_with_the_field_at_fault() {
    let stage = Stage::new(0, None).await;
    let long = "x".repeat(3_000);
    for (field, value) in [
        ("nonsense", json!(1)),
        ("url", json!("nonsense")),
        ("url", json!("http://10.0.0.1/")),
        ("url", json!("http://endpoint.example/")),
        ("url", json!("http://8.8.8.8/")),
        ("url", json!("ftp://127.0.0.1/")),
        ("url", json!(format!("http://127.0.0.1/{long}"))),
        ("url", Value::Null),
        ("order_type", json!("cars")),
        ("order_id", json!("1")),
        ("event_type", json!("")),
        ("credentials", json!("hook:x")),
        ("credentials.password", json!({"username": "hook"})),
        ("credentials.username", json!({"username": "a:b", "password": "x"})),
        ("credentials.nonsense", json!({"username": "a", "nonsense": 1})),
        ("format", json!("yaml")),
        ("number_format", json!("E164")),
        ("mode", json!("some")),
        ("order_policy", json!("hope")),
        ("states[1]", json!(["FOC", ""])),
        ("states", json!(vec!["FOC"; 21])),
        ("retry_schedule[1]", json!([1, 0])),
        ("retry_schedule[1]", json!([1, 604_801])),
        ("retry_schedule[0]", json!([-1])),
        ("retry_schedule", json!(vec![1; 31])),
        ("certificate", json!("no base64")),
        ("certificate", json!("bm9uc2Vuc2U=")),
        ("signature", json!("v2")),
        ("enabled", json!("yes")),
        ("expires_at", json!("2026-02-03T10:00:00Z")),
        ("expires_at", json!("soon")),
        ("snapshot", json!(1)),
    ] {
        let mut body = json!({"url": URL});
        let name = field.split(['.', '[']).next().unwrap();
        body[name] = value;
        let said = ask(&stage, "POST", "/subscriptions", body.clone()).await;
        assert_eq!(said.status, 422, "{body} {}", said.body);
        said.is_problem(422, "invalid", Some(field));
    }
    for (body, field) in [
        (json!({}), None),
        (json!({"url": URL, "order_type": "orders", "event_type": "X"}), Some("event_type")),
        (json!({"url": URL, "order_type": "orders", "order_id": "1"}), Some("order_id")),
    ] {
        ask(&stage, "POST", "/subscriptions", body).await.is_problem(422, "invalid", field);
    }
    let again = json!({"url": stage.endpoint.url()});
    ask(&stage, "POST", "/subscriptions", again).await.is_problem(409, "duplicate", None);
    let path = format!("/subscriptions/{}", stage.subscription);
    let late = ask(&stage, "PUT", &path, json!({"url": URL, "snapshot": true})).await;
    late.is_problem(422, "invalid", Some("snapshot"));
    let plain = [("content-type", "text/plain")];
    let said = ask_with(&stage, "POST", "/subscriptions", Value::Null, &plain).await;
    said.is_problem(415, "media_type", None);
    for query in ["?limit=0", "?limit=201", "?limit=x", "?cursor=%25", "?cursor=", "?nonsense=1"] {
        let said = ask(&stage, "GET", &format!("/subscriptions{query}"), Value::Null).await;
        said.is_problem(400, "malformed", None);
    }
    assert_eq!(get(&stage, "/subscriptions").await["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn headers_are_refused_that_are_not_the_tenants_to_set() {
    let stage = Stage::new(0, None).await;
    let made = async |headers: &Value| {
        let body = json!({"url": URL, "headers": headers});
        ask(&stage, "POST", "/subscriptions", body).await
    };
    for name in [
        "Authorization",
        "connection",
        "Content-Encoding",
        "content-length",
        "content-type",
        "cookie",
        "expect",
        "Host",
        "keep-alive",
        "te",
        "trailer",
        "Transfer-Encoding",
        "upgrade",
        "user-agent",
        "proxy-authorization",
        "proxy-connection",
        "Webhook-Id",
        "webhook-timestamp",
        "WEBHOOK-SIGNATURE",
        "hookline-order",
        "Hookline-Anything",
        "",
        "x a",
        "x:a",
        "x\na",
        "x\ra",
        "x-\u{e4}",
        "x\0",
        &"x".repeat(65),
    ] {
        let field = format!("headers.{name}");
        made(&json!({name: "x"})).await.is_problem(422, "invalid", Some(&field));
    }
    for value in [
        "new\nline",
        "new\r\nhost: elsewhere",
        "\r",
        "\0",
        "\t",
        "\u{7f}",
        "Gr\u{fc}\u{df}e",
        "\u{85}",
        &"x".repeat(513),
    ] {
        made(&json!({"x-a": value})).await.is_problem(422, "invalid", Some("headers.x-a"));
    }
    let many = |count: usize| -> Value { (0..count).map(|n| (format!("x-{n}"), "x")).collect() };
    made(&many(11)).await.is_problem(422, "invalid", Some("headers"));
    let mut most = many(8);
    most["x".repeat(64)] = json!("x".repeat(512));
    most["!#$%&'*+-.^_`|~09"] = json!(" !~");
    let view = made(&most).await.is(201);
    assert_eq!(view["headers"], most);
}

#[tokio::test]
async fn a_new_secret_signs_at_once_and_the_old_one_beside_it_for_a_day() {
    let stage = Stage::new(0, None).await;
    let path = format!("/subscriptions/{}", stage.subscription);
    let rotated = ask(&stage, "POST", &format!("{path}/secret"), Value::Null).await.is(200);
    assert_eq!(rotated["previous_until"], "2026-02-04T10:00:00Z");
    assert_eq!(get(&stage, &path).await["signing_secrets"], 2);
    let (old, new) = (stage.secret.clone(), rotated["signing_secret"].as_str().unwrap());

    let mut second = 0;
    let mut verified = async |secret: &str| {
        second += 1;
        stage.endpoint.set_secrets(vec![secret.to_owned()]);
        stage.post_accepted(&state("FOC", second)).await;
        stage.run_for(SECOND).await;
        let received = stage.endpoint.received();
        assert_eq!(received.len(), usize::try_from(second).unwrap());
        received.last().unwrap().verified.is_ok()
    };
    assert!(verified(&old).await && verified(new).await);
    stage.clock.advance(SignedDuration::from_hours(24) - secs(10));
    assert!(verified(&old).await && verified(new).await);
    stage.clock.advance(secs(10));
    assert!(!verified(&old).await);
    assert!(verified(new).await);
    assert_eq!(get(&stage, &path).await["signing_secrets"], 1);
}

#[tokio::test]
async fn each_secret_that_was_replaced_signs_for_its_day() {
    let stage = Stage::new(0, None).await;
    let path = format!("/subscriptions/{}", stage.subscription);
    for _ in 0..3 {
        ask(&stage, "POST", &format!("{path}/secret"), Value::Null).await.is(200);
    }
    assert_eq!(get(&stage, &path).await["signing_secrets"], 4);
    stage.post_accepted(&state("FOC", 1)).await;
    stage.run_for(SECOND).await;
    assert!(stage.endpoint.received()[0].verified.is_ok(), "the first one");
    let more = ask(&stage, "POST", &format!("{path}/secret"), Value::Null).await;
    more.is_problem(409, "too_many_secrets", None);
    stage.clock.advance(SignedDuration::from_hours(24));
    ask(&stage, "POST", &format!("{path}/secret"), Value::Null).await.is(200);
    assert_eq!(get(&stage, &path).await["signing_secrets"], 2);
}

#[tokio::test]
async fn an_endpoint_that_keeps_changing_its_answer_does_not_keep_its_subscription_as_it_was() {
    let mut stage = Stage::with_script(None, |_, nth| if nth % 2 == 0 { 200 } else { 500 }).await;
    let moved = endpoint(|_, _| 200).await;
    // What the API changes in one process, no other is told of.
    let here = stage.world.clone();
    stage.redeploy().await;
    let told = async |second: i64| {
        stage.post_accepted(&other(&format!("o-{second}"), "portins", "FOC", second)).await;
        here.run_until(stage.clock.now() + secs(3)).await;
    };
    told(1).await;
    let path = format!("/subscriptions/{}", stage.subscription);
    ask(&stage, "PUT", &path, json!({"url": moved.url()})).await.is(200);
    for second in [2, 3, 4] {
        told(second).await;
    }
    let orders: Vec<_> = moved.received().iter().map(|one| text_of(one, "OrderId")).collect();
    assert!(orders.contains(&"o-4".to_owned()), "{orders:?}");
    assert!(stage.endpoint.received().len() <= 3, "5 seconds at most by what was before");
}

#[tokio::test]
async fn a_time_that_cannot_be_compared_is_refused() {
    let stage = Stage::new(0, None).await;
    let far = json!({"from": "-009999-06-01T00:00:00Z", "to": "-000001-01-01T00:00:00Z"});
    let said = ask(&stage, "POST", "/replays", far).await;
    said.is_problem(422, "invalid", Some("from"));
    let said = ask(&stage, "GET", "/notifications?from=-000001-01-01T00:00:00Z", Value::Null).await;
    said.is_problem(422, "invalid", Some("from"));
    let body = json!({"url": URL, "retry_schedule": vec![604_800; 5]});
    let said = ask(&stage, "POST", "/subscriptions", body).await;
    said.is_problem(422, "invalid", Some("retry_schedule"));
    assert!(stage.items("JOBS").await.is_empty());
}

#[tokio::test]
async fn a_test_delivery_is_signed_and_its_answer_is_shown() {
    let stage = Stage::new(0, None).await;
    let endpoint = Endpoint::start(0, vec![], |_, nth| Answer {
        body: b"so it is".to_vec(),
        ..Answer::status(if nth == 0 { 200 } else { 418 })
    });
    let endpoint = endpoint.await.unwrap();
    endpoint.ignore_timestamps();
    let body = json!({"url": endpoint.url(), "order_type": "portins", "headers": {"x-a": "b"}});
    let (id, secret) = subscribe(&stage, body).await;
    endpoint.set_secrets(vec![secret]);

    let path = format!("/subscriptions/{id}/test");
    let said = ask(&stage, "POST", &path, Value::Null).await.is(200);
    assert_eq!(said["succeeded"], true);
    assert_eq!((&said["status"], &said["answer"]), (&json!(200), &json!("so it is")));
    let said = ask(&stage, "POST", &path, Value::Null).await.is(200);
    assert_eq!((&said["succeeded"], &said["status"]), (&json!(false), &json!(418)));
    assert_eq!(said["error"], "status");
    let one = &endpoint.received()[0];
    assert_eq!(one.verified, Ok(()));
    assert_eq!((header(one, "hookline-test"), header(one, "x-a")), ("true".into(), "b".into()));
    assert!(header(one, "webhook-id").starts_with("test_"));
    assert_eq!(text_of(one, "OrderType"), "portins");
    assert_eq!(text_of(one, "SubscriptionId"), id);
    assert!(stage.is_quiet());
}

#[tokio::test]
async fn what_was_asked_for_is_what_a_delivery_is_like() {
    let stage = Stage::new(0, None).await;
    let endpoint = endpoint(|_, _| 200).await;
    let (_, secret) = subscribe(
        &stage,
        json!({
            "url": endpoint.url(), "format": "json", "number_format": "e164",
            "credentials": {"username": "hook", "password": "s3"},
            "headers": {"x-a": "b"}, "states": ["foc", "COMPLETE"],
        }),
    )
    .await;
    endpoint.set_secrets(vec![secret]);
    let numbers = "<CompletedTelephoneNumbers><TelephoneNumber>9195550100</TelephoneNumber>\
                   </CompletedTelephoneNumbers></Notification>";
    let note = state("", 4).replace("<Status></Status>", "<Note>well</Note>");
    for body in [
        state("SUBMITTED", 1),
        state("FOC", 2),
        state("EXCEPTION", 3),
        note,
        state("COMPLETE", 5).replace("</Notification>", numbers),
    ] {
        stage.post_accepted(&body).await;
    }
    stage.run_for(SECOND).await;
    let received = endpoint.received();
    let bodies: Vec<Value> =
        received.iter().map(|one| serde_json::from_slice(&one.body).unwrap()).collect();
    let told: Vec<_> = bodies.iter().map(|body| body["status"].as_str().unwrap()).collect();
    assert_eq!(told, ["FOC", "COMPLETE"]);
    assert_eq!(bodies[1]["completedTelephoneNumbers"], json!(["+19195550100"]));
    for one in &received {
        assert_eq!(one.verified, Ok(()));
        assert_eq!(header(one, "x-a"), "b");
        assert_eq!(header(one, "authorization"), "Basic aG9vazpzMw==");
        assert_eq!(header(one, "content-type"), "application/json");
    }
    assert_eq!(stage.endpoint.received().len(), 5, "the other subscription is as it was");
}

#[tokio::test]
async fn the_modes_final_and_latest_leave_out_what_they_say() {
    let stage = Stage::new(0, None).await;
    let last = endpoint(|_, _| 200).await;
    // It fails once, and finds something newer by then.
    let latest = endpoint(|_, nth| if nth == 0 { 500 } else { 200 }).await;
    subscribe(&stage, json!({"url": last.url(), "mode": "final"})).await;
    let (id, _) = subscribe(&stage, json!({"url": latest.url(), "mode": "latest"})).await;
    for (second, status) in [(1, "SUBMITTED"), (2, "FOC"), (3, "EXCEPTION"), (4, "COMPLETE")] {
        stage.post_accepted(&state(status, second)).await;
        stage.run_for(SECOND).await;
    }
    stage.run_for(SignedDuration::from_mins(1)).await;
    assert_eq!(statuses(&last), ["COMPLETE"]);
    assert_eq!(statuses(&latest), ["SUBMITTED", "COMPLETE"]);

    let mut found = Vec::new();
    for notification in all(&get(&stage, "/notifications").await, "id") {
        let one = get(&stage, &format!("/notifications/{notification}")).await;
        let deliveries = one["deliveries"].as_array().unwrap();
        let own = deliveries.iter().find(|one| one["subscription"] == id.as_str()).unwrap();
        found.push(own["state"].as_str().unwrap().to_owned());
    }
    assert_eq!(found, ["delivered", "superseded", "superseded", "superseded"]);
}

#[tokio::test]
async fn an_order_that_halts_waits_for_a_retry_and_goes_on_in_order() {
    let stage = Stage::new(0, None).await;
    let endpoint = endpoint(|_, nth| if nth < 2 { 500 } else { 200 }).await;
    let body = json!({"url": endpoint.url(), "order_policy": "halt", "retry_schedule": [1]});
    let (id, _) = subscribe(&stage, body).await;
    stage.post_accepted(&state("SUBMITTED", 1)).await;
    stage.run_for(secs(10)).await;
    stage.post_accepted(&state("FOC", 2)).await;
    stage.run_for(SignedDuration::from_mins(30)).await;
    assert_eq!(statuses(&endpoint), ["SUBMITTED", "SUBMITTED"]);

    let undelivered = get(&stage, "/deliveries/undelivered").await;
    let halted = &undelivered["items"][0];
    assert_eq!((&halted["halted"], &halted["state"]), (&json!(true), &json!("pending")));
    assert_eq!(halted["next_at"], Value::Null);
    assert_eq!(
        undelivered["items"].as_array().unwrap().len(),
        1,
        "what waits behind it is not tried"
    );
    assert!(get(&stage, "/deliveries/dead").await["items"].as_array().unwrap().is_empty());

    let feed = get(&stage, "/notifications").await;
    let [foc, _exhausted, submitted] = all(&feed, "id")[..] else { panic!("{feed}") };
    let retry = |notification: &str| format!("/notifications/{notification}/deliveries/{id}/retry");
    let behind = ask(&stage, "POST", &retry(foc), Value::Null).await;
    behind.is_problem(409, "behind", None);
    let retried = ask(&stage, "POST", &retry(submitted), Value::Null).await.is(202);
    assert_eq!((&retried["halted"], &retried["state"]), (&json!(false), &json!("pending")));
    stage.run_for(SECOND).await;
    assert_eq!(statuses(&endpoint)[2..], ["SUBMITTED", "FOC"]);
    assert_eq!(header(&endpoint.received()[2], "hookline-replay"), "", "it had not been delivered");
    assert!(get(&stage, "/deliveries/undelivered").await["items"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn a_subscription_that_is_disabled_collects_and_delivers_in_order_when_it_is_enabled() {
    let stage = Stage::new(0, None).await;
    let endpoint = endpoint(|_, _| 200).await;
    let body = |enabled: bool| json!({"url": endpoint.url(), "enabled": enabled});
    let (id, _) = subscribe(&stage, body(false)).await;
    for (second, status) in [(1, "SUBMITTED"), (2, "FOC"), (3, "EXCEPTION")] {
        stage.post_accepted(&state(status, second)).await;
        stage.post_accepted(&other("other", "portins", status, second)).await;
        stage.run_for(SignedDuration::from_mins(20)).await;
    }
    assert_eq!(endpoint.received().len(), 0);
    let collected = get(&stage, "/deliveries/undelivered").await;
    let held: Vec<_> =
        collected["items"].as_array().unwrap().iter().map(|one| &one["held"]).collect();
    assert_eq!(held, [true, true], "the first of each order");

    ask(&stage, "PUT", &format!("/subscriptions/{id}"), body(true)).await.is(200);
    stage.post_accepted(&state("REQUESTED_SUPP", 4)).await;
    stage.run_for(SignedDuration::from_mins(6)).await;
    let received = endpoint.received();
    let of = |order: &str| -> Vec<_> {
        let own = received.iter().filter(|one| text_of(one, "OrderId") == order);
        own.map(|one| text_of(one, "Status")).collect()
    };
    assert_eq!(of(ORDER), ["SUBMITTED", "FOC", "EXCEPTION", "REQUESTED_SUPP"]);
    assert_eq!(of("other"), ["SUBMITTED", "FOC", "EXCEPTION"]);
    assert!(stage.is_quiet());
    assert!(stage.items("JOBS").await.is_empty());
}

#[tokio::test]
async fn a_snapshot_tells_each_open_order_of_the_type_and_what_follows_comes_once() {
    let stage = Stage::new(0, None).await;
    let endpoint = endpoint(|_, _| 200).await;
    for body in [
        other("quiet", "portins", "SUBMITTED", 1),
        other("quiet", "portins", "FOC", 2),
        other("busy", "portins", "SUBMITTED", 1),
        other("late", "portins", "SUBMITTED", 1),
        other("ended", "portins", "CANCELLED", 1),
        other("else", "orders", "BACKORDERED", 1),
    ] {
        stage.post_accepted(&body).await;
    }
    stage.run_for(SECOND).await;
    // Accepted, and not fanned out yet.
    stage.post_accepted(&other("busy", "portins", "FOC", 3)).await;
    let body = json!({"url": endpoint.url(), "order_type": "PORTINS", "snapshot": true});
    subscribe(&stage, body).await;
    stage.post_accepted(&other("busy", "portins", "EXCEPTION", 4)).await;
    stage.run_for(secs(30)).await;
    stage.post_accepted(&other("busy", "portins", "REQUESTED_SUPP", 5)).await;
    stage.run_for(SignedDuration::from_mins(4)).await;
    for (order, second) in [("quiet", 6), ("late", 7), ("ended", 8)] {
        stage.post_accepted(&other(order, "portins", "EXCEPTION", second)).await;
    }
    stage.run_for(SignedDuration::from_mins(4)).await;
    let received = endpoint.received();
    let of = |order: &str| -> Vec<_> {
        let own = received.iter().filter(|one| text_of(one, "OrderId") == order);
        own.map(|one| text_of(one, "Status")).collect()
    };
    assert_eq!(of("quiet"), ["FOC", "EXCEPTION"]);
    assert_eq!(of("late"), ["SUBMITTED", "EXCEPTION"]);
    assert_eq!(of("ended"), ["EXCEPTION"], "there was nothing open to tell of");
    assert_eq!(of("else"), [""; 0]);
    assert_eq!(of("busy"), ["FOC", "EXCEPTION", "REQUESTED_SUPP"], "it needed no telling");
    assert!(stage.items("JOBS").await.is_empty());
}

#[tokio::test]
async fn a_note_that_comes_before_the_snapshot_does_not_stand_for_it() {
    let stage = Stage::new(0, None).await;
    let endpoint = endpoint(|_, _| 200).await;
    stage.post_accepted(&other("noted", "portins", "FOC", 1)).await;
    stage.run_for(SECOND).await;
    let body = json!({"url": endpoint.url(), "order_type": "portins", "snapshot": true});
    subscribe(&stage, body).await;
    let note = other("noted", "portins", "x", 2).replace("<Status>x</Status>", "<Note>n</Note>");
    stage.post_accepted(&note).await;
    stage.run_for(SignedDuration::from_mins(4)).await;
    let received = endpoint.received();
    let told: Vec<_> = received.iter().map(|one| text_of(one, "Status")).collect();
    assert_eq!(told, ["", "FOC"]);
    assert_eq!(header(&received[1], "hookline-late"), "true");
}

#[tokio::test]
async fn a_snapshot_of_one_order_comes_first_and_its_subscription_ends_with_the_order() {
    let stage = Stage::new(0, None).await;
    let endpoint = endpoint(|_, nth| if nth == 3 { 500 } else { 200 }).await;
    for (second, status) in [(1, "SUBMITTED"), (2, "FOC")] {
        stage.post_accepted(&state(status, second)).await;
    }
    stage.run_for(SECOND).await;
    stage.post_accepted(&state("EXCEPTION", 3)).await;
    let order = ORDER.to_uppercase();
    let body = json!({
        "url": endpoint.url(), "order_type": "portins", "order_id": order, "snapshot": true,
    });
    let (id, _) = subscribe(&stage, body).await;
    stage.post_accepted(&state("REQUESTED_SUPP", 4)).await;
    stage.run_for(SECOND).await;
    stage.post_accepted(&state("FOC", 5)).await;
    stage.post_accepted(&state("COMPLETE", 6)).await;
    stage.run_for(SECOND).await;
    assert_eq!(statuses(&endpoint), ["EXCEPTION", "REQUESTED_SUPP", "FOC", "COMPLETE"]);
    let path = format!("/subscriptions/{id}");
    assert_eq!(get(&stage, &path).await["order_id"], order, "the last has not been taken yet");
    stage.run_for(SignedDuration::from_mins(1)).await;
    assert_eq!(statuses(&endpoint).len(), 5);
    ask(&stage, "GET", &path, Value::Null).await.is_problem(404, "not_found", None);
    assert_eq!(all(&get(&stage, "/subscriptions").await, "id"), [stage.subscription.as_str()]);
}

#[tokio::test]
async fn an_expired_subscription_is_gone_and_another_may_take_its_place() {
    let stage = Stage::new(0, None).await;
    let endpoint = endpoint(|_, _| 200).await;
    let at = (start() + SignedDuration::from_mins(10)).to_string();
    let (id, _) = subscribe(&stage, json!({"url": endpoint.url(), "expires_at": at})).await;
    stage.post_accepted(&state("SUBMITTED", 1)).await;
    stage.run_for(SignedDuration::from_mins(10)).await;
    stage.post_accepted(&state("FOC", 2)).await;
    stage.run_for(SECOND).await;
    assert_eq!(statuses(&endpoint), ["SUBMITTED"]);
    let path = format!("/subscriptions/{id}");
    ask(&stage, "GET", &path, Value::Null).await.is_problem(404, "not_found", None);
    assert_eq!(all(&get(&stage, "/subscriptions").await, "id"), [stage.subscription.as_str()]);
    subscribe(&stage, json!({"url": endpoint.url()})).await;
    stage.post_accepted(&state("EXCEPTION", 3)).await;
    stage.run_for(SECOND).await;
    assert_eq!(statuses(&endpoint), ["SUBMITTED", "EXCEPTION"]);
}

#[tokio::test]
async fn a_request_with_an_idempotency_key_is_done_once() {
    let stage = Stage::new(0, None).await;
    let key = [("idempotency-key", "one")];
    let post = async |body: Value| ask_with(&stage, "POST", "/subscriptions", body, &key).await;
    let refused = post(json!({"url": "nonsense"})).await;
    refused.is_problem(422, "invalid", Some("url"));
    let first = post(json!({"url": URL})).await;
    let again = post(json!({"url": URL})).await;
    assert_eq!((first.status, again.status), (201, 201), "{}", again.body);
    assert!(first.body["signing_secret"].as_str().unwrap().starts_with("whsec_"));
    assert_eq!(first.body, again.body, "with the secret");
    for name in ["location", "etag", "content-type"] {
        assert_eq!(first.header(name), again.header(name));
        assert_ne!(first.header(name), "");
    }
    let another = post(json!({"url": "http://127.0.0.1:9999/b"})).await;
    another.is_problem(409, "idempotency_key_reused", None);
    assert_eq!(get(&stage, "/subscriptions").await["items"].as_array().unwrap().len(), 2);
    stage.clock.advance(SignedDuration::from_hours(1));
    assert_eq!(post(json!({"url": URL})).await.body, first.body);
    let empty = ask_with(&stage, "POST", "/subscriptions", json!({}), &[("idempotency-key", "")]);
    empty.await.is_problem(400, "malformed", None);
}

#[tokio::test]
async fn a_request_that_is_being_worked_on_is_not_begun_again() {
    let stage = Stage::new(0, None).await;
    let slow = |_: &Received, _: usize| Answer {
        after: Duration::from_millis(500),
        ..Answer::status(200)
    };
    let endpoint = Endpoint::start(0, vec![], slow).await.unwrap();
    let (id, _) = subscribe(&stage, json!({"url": endpoint.url()})).await;
    let key = [("idempotency-key", "one")];
    let path = format!("/subscriptions/{id}/test");
    let first = ask_with(&stage, "POST", &path, Value::Null, &key);
    let second = async {
        endpoint.next().await;
        ask_with(&stage, "POST", &path, Value::Null, &key).await
    };
    let (first, second) = tokio::join!(first, second);
    second.is_problem(409, "in_progress", None);
    let first = first.is(200);
    let third = ask_with(&stage, "POST", &path, Value::Null, &key).await;
    assert_eq!(third.is(200), first);
    assert_eq!(endpoint.received().len(), 1);
}

#[tokio::test]
async fn notifications_are_listed_newest_first_and_filtered() {
    let stage = Stage::new(0, None).await;
    let event = "<Notification><EventType>MESSAGING_LOST</EventType><SubscriptionId>up-1\
                 </SubscriptionId></Notification>";
    for body in [
        state("SUBMITTED", 1),
        other("O-2", "lidbs", "PROCESSING", 2),
        event.to_owned(),
        state("FOC", -60),
        other("O-2", "lidbs", "COMPLETE", 4),
    ] {
        stage.post_accepted(&body).await;
        stage.run_for(SignedDuration::from_mins(1)).await;
    }
    let listed = get(&stage, "/notifications").await;
    let names = |list: &Value| -> Vec<String> {
        let items = list["items"].as_array().unwrap().iter();
        let name =
            |item: &Value| item["status"].as_str().or(item["event_type"].as_str()).map(Into::into);
        items.map(|item| name(item).unwrap()).collect()
    };
    assert_eq!(names(&listed), ["COMPLETE", "FOC", "MESSAGING_LOST", "PROCESSING", "SUBMITTED"]);
    assert_eq!(listed["next"], Value::Null);
    let foc = &listed["items"][1];
    assert_eq!((&foc["order_id"], &foc["order_type"]), (&json!(ORDER), &json!("portins")));
    assert_eq!(foc["received_at"], "2026-02-03T10:03:00Z");
    assert_eq!(foc["happened_at"], "2026-02-03T09:59:00Z");
    assert_eq!(foc["subscriptions"], json!([stage.subscription]));
    let lost = &listed["items"][2];
    assert_eq!((&lost["order_id"], &lost["status"]), (&Value::Null, &Value::Null));

    for (query, found) in [
        ("order_id=o-2", vec!["COMPLETE", "PROCESSING"]),
        ("order_type=LIDB", vec!["COMPLETE", "PROCESSING"]),
        ("order_type=messaging_lost", vec!["MESSAGING_LOST"]),
        ("status=foc", vec!["FOC"]),
        ("order_type=portins&status=PROCESSING", vec![]),
        ("from=2026-02-03T10:02:00Z", vec!["COMPLETE", "FOC", "MESSAGING_LOST"]),
        ("to=2026-02-03T10:01:00Z", vec!["PROCESSING", "SUBMITTED"]),
        ("from=2026-02-03T10:03:00%2B00:00&to=2026-02-03T10:03:00Z", vec!["FOC"]),
    ] {
        assert_eq!(names(&get(&stage, &format!("/notifications?{query}")).await), found, "{query}");
    }

    // Pages: of what is read, so that a filter may leave none.
    let mut pages = Vec::new();
    let mut path = "/notifications?limit=2&order_id=O-2&from=2026-02-03T10:00:00Z".to_owned();
    loop {
        let page = get(&stage, &path).await;
        pages.push(names(&page));
        let Some(next) = page["next"].as_str() else { break };
        path =
            format!("/notifications?limit=2&order_id=O-2&from=2026-02-03T10:00:00Z&cursor={next}");
    }
    assert_eq!(pages, [vec!["COMPLETE"], vec!["PROCESSING"], vec![]]);

    for query in [
        "from=2026-02-03T10:01:00Z&to=2026-02-03T10:00:00Z",
        "from=today",
        "nonsense=1",
        "cursor=*",
        "limit=201",
    ] {
        let said = ask(&stage, "GET", &format!("/notifications?{query}"), Value::Null).await;
        said.is_problem(400, "malformed", None);
    }
}

#[tokio::test]
async fn a_notification_shows_what_came_in_and_every_attempt_to_tell_of_it() {
    let waits = [SECOND, SignedDuration::from_hours(1)];
    let stage = Stage::new(2, Some(waits.to_vec())).await;
    let body = state("FOC", 1);
    stage.post_accepted(&body).await;
    stage.run_for(SignedDuration::from_mins(1)).await;
    let feed = get(&stage, "/notifications").await;
    let id = feed["items"][0]["id"].as_str().unwrap();
    let path = format!("/notifications/{id}");
    let one = get(&stage, &path).await;
    assert_eq!((&one["id"], &one["status"]), (&json!(id), &json!("FOC")));
    assert_eq!(one["raw"], body);
    assert_eq!(one["content"]["orderId"], ORDER);
    assert_eq!(one["content"]["subscriptionId"], "up-1");
    let [delivery] = &one["deliveries"].as_array().unwrap()[..] else { panic!("{one}") };
    assert_eq!(delivery["subscription"], stage.subscription);
    assert_eq!(delivery["order_id"], ORDER);
    assert_eq!(delivery["state"], "pending");
    assert_eq!((&delivery["sequence"], &delivery["late"]), (&json!(1), &json!(false)));
    assert_eq!(delivery["next_at"], "2026-02-03T11:00:01Z");
    let attempts = delivery["attempts"].as_array().unwrap();
    let stripped: Vec<_> =
        attempts.iter().map(|one| (one["at"].as_str(), &one["status"], &one["error"])).collect();
    let (failed, status) = (json!("status"), json!(500));
    assert_eq!(
        stripped,
        [
            (Some("2026-02-03T10:00:00Z"), &status, &failed),
            (Some("2026-02-03T10:00:01Z"), &status, &failed)
        ]
    );
    let sent = &stage.endpoint.received()[0];
    assert_eq!(delivery["webhook_id"], header(sent, "webhook-id"));
    let listed = get(&stage, "/deliveries/undelivered").await;
    assert_eq!(&listed["items"][0], delivery, "the same in the list");

    stage.run_for(SignedDuration::from_hours(1)).await;
    let one = get(&stage, &path).await;
    let delivery = &one["deliveries"][0];
    assert_eq!(delivery["state"], "delivered");
    assert_eq!(delivery["attempts"].as_array().unwrap().len(), 3);
    assert_eq!(delivery["attempts"][2]["error"], Value::Null);
    assert_eq!(delivery["finished_at"], "2026-02-03T11:00:01Z");
    assert!(get(&stage, "/deliveries/undelivered").await["items"].as_array().unwrap().is_empty());

    let position = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let nowhere = [
        "x".to_owned(),
        "%20".into(),
        position("\u{1}"),
        position("2026-02-03T10:00:00.000Z#0"),
        position(&"x".repeat(1_024)),
        position(&"x".repeat(1_025)),
    ];
    for id in nowhere {
        let said = ask(&stage, "GET", &format!("/notifications/{id}"), Value::Null).await;
        said.is_problem(404, "not_found", None);
        let path = format!("/notifications/{id}/deliveries/{}/retry", stage.subscription);
        ask(&stage, "POST", &path, Value::Null).await.is_problem(404, "not_found", None);
    }
}

#[tokio::test]
async fn the_dead_are_listed_and_delivered_again_one_by_one() {
    let waits = Some(vec![SECOND]);
    let stage = Stage::with_script(waits, |_, nth| if nth < 6 { 503 } else { 200 }).await;
    for (n, order) in ["a", "b", "c"].into_iter().enumerate() {
        stage.post_accepted(&other(order, "orders", "COMPLETE", i64::try_from(n).unwrap())).await;
        stage.run_for(secs(10)).await;
    }
    let listed = get(&stage, "/deliveries/dead").await;
    assert_eq!(all(&listed, "order_id"), ["c", "b", "a"], "newest first");
    assert_eq!(all(&listed, "state"), ["dead"; 3]);
    let mut pages = Vec::new();
    let mut path = "/deliveries/dead?limit=2".to_owned();
    loop {
        let page = get(&stage, &path).await;
        pages.push(all(&page, "order_id").join(" "));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/deliveries/dead?limit=2&cursor={next}");
    }
    assert_eq!(pages, ["c b", "a"]);
    let cursor = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let forged = [
        cursor("{}"),
        cursor("x"),
        cursor(r#"{"pk":"","sk":"","standing_since":""}"#),
        cursor(r#"{"pk":"LANE#a#b","sk":"x","standing_since":"2026-02-03T10:00:00Z"}"#),
    ];
    for cursor in forged {
        let path = format!("/deliveries/dead?cursor={cursor}");
        ask(&stage, "GET", &path, Value::Null).await.is_problem(400, "malformed", None);
    }

    let feed = get(&stage, "/notifications?order_id=b").await;
    let id = feed["items"][0]["id"].as_str().unwrap();
    let retry = format!("/notifications/{id}/deliveries/{}/retry", stage.subscription);
    let key = [("idempotency-key", "once")];
    let retried = ask_with(&stage, "POST", &retry, Value::Null, &key).await.is(202);
    assert_eq!((&retried["state"], &retried["replayed"]), (&json!("pending"), &json!(true)));
    assert_eq!(retried["attempts"].as_array().unwrap().len(), 2);
    stage.run_for(SECOND).await;
    let received = stage.endpoint.received();
    assert_eq!(received.len(), 7);
    let last = &received[6];
    assert_eq!(
        (text_of(last, "OrderId"), header(last, "hookline-replay")),
        ("b".into(), "true".into())
    );
    assert_eq!(header(last, "hookline-attempt"), "3");
    assert_eq!(header(last, "webhook-id"), retried["webhook_id"].as_str().unwrap());
    assert_eq!(all(&get(&stage, "/deliveries/dead").await, "order_id"), ["c", "a"]);

    let same = ask_with(&stage, "POST", &retry, Value::Null, &key).await.is(202);
    assert_eq!(same, retried);
    stage.run_for(SignedDuration::from_mins(10)).await;
    assert_eq!(stage.endpoint.received().len(), 7, "nor does its fallback deliver it twice");
    // What was delivered may be asked for again.
    ask(&stage, "POST", &retry, Value::Null).await.is(202);
    stage.run_for(SECOND).await;
    let last = stage.endpoint.received().pop().unwrap();
    assert_eq!(
        (text_of(&last, "OrderId"), header(&last, "hookline-replay")),
        ("b".into(), "true".into())
    );

    for subscription in ["nobody", "a%23b", &"x".repeat(200)] {
        let path = format!("/notifications/{id}/deliveries/{subscription}/retry");
        ask(&stage, "POST", &path, Value::Null).await.is_problem(404, "not_found", None);
    }
    let path = format!("/subscriptions/{}", stage.subscription);
    ask(&stage, "DELETE", &path, Value::Null).await.is(204);
    ask(&stage, "POST", &retry, Value::Null).await.is_problem(409, "unsubscribed", None);
}

#[tokio::test]
async fn a_retry_whose_wake_is_lost_comes_in_its_time_and_a_parked_one_comes_at_once() {
    let waits = vec![SignedDuration::from_hours(2)];
    let stage = Stage::with_script(Some(waits), |_, nth| if nth == 0 { 500 } else { 200 }).await;
    stage.post_accepted(&state("FOC", 1)).await;
    stage.run_for(SignedDuration::from_mins(5)).await;
    let feed = get(&stage, "/notifications").await;
    let id = feed["items"][0]["id"].as_str().unwrap();
    let retry = format!("/notifications/{id}/deliveries/{}/retry", stage.subscription);
    let retried = ask(&stage, "POST", &retry, Value::Null).await.is(202);
    assert_eq!(retried["next_at"], "2026-02-03T10:07:00Z", "at the latest");
    for wake in stage.world.receive_wakes(local::WAKES, 10) {
        stage.aws.queue(local::WAKES).delete(&wake.receipt);
    }
    stage.run_for(SignedDuration::from_mins(1)).await;
    assert_eq!(stage.endpoint.received().len(), 1);
    stage.run_for(SignedDuration::from_mins(2)).await;
    assert_eq!(statuses(&stage.endpoint), ["FOC", "FOC"]);
    stage.run_for(SignedDuration::from_hours(3)).await;
    assert_eq!(stage.endpoint.received().len(), 2);
}

#[tokio::test]
async fn a_replay_delivers_again_what_its_dry_run_counted() {
    let stage = Stage::new(0, None).await;
    let second = endpoint(|_, _| 200).await;
    let gone = endpoint(|_, _| 200).await;
    let (id, _) = subscribe(&stage, json!({"url": second.url(), "order_type": "portins"})).await;
    let (gone_id, _) = subscribe(&stage, json!({"url": gone.url()})).await;
    for (n, order) in (1..).zip(["a", "b", "c"]) {
        stage.post_accepted(&other(order, "portins", "SUBMITTED", n)).await;
        stage.post_accepted(&other(order, "portins", "FOC", n + 10)).await;
        stage.post_accepted(&other(&format!("{order}-2"), "orders", "COMPLETE", n)).await;
        stage.run_for(SignedDuration::from_mins(1)).await;
    }
    assert_eq!((stage.endpoint.received().len(), second.received().len()), (9, 6));
    ask(&stage, "DELETE", &format!("/subscriptions/{gone_id}"), Value::Null).await.is(204);

    let from = "2026-02-03T10:00:00Z";
    let one_subscription = json!({"from": from, "subscription": id});
    for (filter, expected) in [
        (json!({"from": from}), 15),
        (json!({"from": "2026-02-03T10:01:00Z", "to": "2026-02-03T10:01:30Z"}), 5),
        (json!({"from": from, "order_id": "A"}), 4),
        (json!({"from": from, "order_type": "Orders"}), 3),
        (json!({"from": from, "status": "foc"}), 6),
        (one_subscription.clone(), 6),
        (json!({"from": from, "dead_only": true}), 0),
    ] {
        let before = stage.endpoint.received().len() + second.received().len();
        let mut dry = filter.clone();
        dry["dry_run"] = json!(true);
        let dry = ask(&stage, "POST", "/replays", dry).await.is(200);
        assert_eq!(dry, json!({"deliveries": expected, "complete": true}), "{filter}");
        stage.run_for(SignedDuration::from_mins(6)).await;
        assert_eq!(before, stage.endpoint.received().len() + second.received().len());

        let asked = ask(&stage, "POST", "/replays", filter.clone()).await;
        let location = asked.header("location").to_owned();
        let asked = asked.is(202);
        let path = format!("/replays/{}", asked["id"].as_str().unwrap());
        assert_eq!(location, format!("/relay/v1/tenants/{TENANT}{path}"));
        assert_eq!(get(&stage, &path).await, asked);
        assert_eq!((&asked["count"], &asked["done_at"]), (&json!(0), &Value::Null));
        // What comes in meanwhile is live.
        stage.run_for(SignedDuration::from_mins(6)).await;
        let done = get(&stage, &path).await;
        assert_eq!(done["count"], expected, "{filter}");
        assert_eq!(done["asked_at"], asked["asked_at"]);
        assert!(done["done_at"].is_string());
        let after = stage.endpoint.received().len() + second.received().len();
        assert_eq!(after - before, expected, "{filter}");
    }
    let (first, second) = (stage.endpoint.received(), second.received());
    for one in first[9..].iter().chain(&second[6..]) {
        assert_eq!(header(one, "hookline-replay"), "true");
    }
    assert_eq!(gone.received().len(), 9);
    assert!(get(&stage, "/deliveries/dead").await["items"].as_array().unwrap().is_empty());
    assert!(stage.items("JOBS").await.is_empty());

    for (body, field) in [
        (json!({}), None),
        (json!({"from": "2027-01-01T00:00:00Z"}), Some("from")),
        (json!({"from": from, "to": "2026-02-03T09:00:00Z"}), Some("to")),
        (json!({"from": from, "subscription": "nobody"}), Some("subscription")),
        (json!({"from": from, "order_id": ""}), Some("order_id")),
        (json!({"from": from, "nonsense": 1}), Some("nonsense")),
        (json!({"from": "soon"}), Some("from")),
    ] {
        ask(&stage, "POST", "/replays", body).await.is_problem(422, "invalid", field);
    }
    // Work of another kind is no replay, whoever knows its id.
    ask(&stage, "POST", "/subscriptions", json!({"url": URL, "snapshot": true})).await.is(201);
    let job = stage.items("JOBS").await.pop().unwrap()["sk"].as_s().unwrap().clone();
    for id in [URL_SAFE_NO_PAD.encode(job), "x".into(), URL_SAFE_NO_PAD.encode("x")] {
        let said = ask(&stage, "GET", &format!("/replays/{id}"), Value::Null).await;
        said.is_problem(404, "not_found", None);
    }
}

#[tokio::test]
async fn a_replay_of_the_dead_takes_them_off_their_list() {
    let stage = Stage::with_script(Some(vec![]), |_, nth| if nth < 2 { 500 } else { 200 }).await;
    for (n, order) in (1..).zip(["a", "b", "c"]) {
        stage.post_accepted(&other(order, "portins", "FOC", n)).await;
        stage.run_for(SECOND).await;
    }
    assert_eq!(all(&get(&stage, "/deliveries/dead").await, "order_id"), ["b", "a"]);
    let body = json!({"from": "2026-02-03T00:00:00Z", "dead_only": true});
    ask(&stage, "POST", "/replays", body).await.is(202);
    stage.run_for(SignedDuration::from_mins(6)).await;
    let orders: Vec<_> =
        stage.endpoint.received().iter().map(|one| text_of(one, "OrderId")).collect();
    assert_eq!(orders, ["a", "b", "c", "a", "b"]);
    assert!(get(&stage, "/deliveries/dead").await["items"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn an_order_shows_its_history_and_what_each_endpoint_was_told() {
    let stage = Stage::new(0, None).await;
    let down = endpoint(|_, nth| if nth == 0 { 200 } else { 500 }).await;
    let (id, _) = subscribe(
        &stage,
        json!({"url": down.url(), "order_type": "portins", "retry_schedule": [3_600]}),
    )
    .await;
    let more = "<CustomerOrderId>c-1</CustomerOrderId><Message>so far so good</Message>\
                <ActualFocDate>2026-02-10T00:00:00Z</ActualFocDate></Notification>";
    let note = state("", 3).replace("<Status></Status>", "<Note>please resend</Note>");
    for body in [
        state("SUBMITTED", 1),
        state("FOC", 2).replace("</Notification>", more),
        note,
        state("PENDING_DOCUMENTS", 0),
    ] {
        stage.post_accepted(&body).await;
        stage.run_for(SECOND).await;
    }
    let path = format!("/orders/PortIns/{}", ORDER.to_uppercase());
    let one = get(&stage, &path).await;
    assert_eq!((&one["order_id"], &one["order_type"]), (&json!(ORDER), &json!("portins")));
    assert_eq!((&one["status"], &one["customer_order_id"]), (&json!("FOC"), &json!("c-1")));
    assert_eq!(one["actual_foc_date"], "2026-02-10T00:00:00Z");
    assert_eq!(one["last_at"], "2026-02-03T10:00:03Z");
    assert_eq!(one["history_next"], Value::Null);
    let history = one["history"].as_array().unwrap();
    let told: Vec<_> = history
        .iter()
        .map(|one| one["status"].as_str().or(one["note"].as_str()).unwrap())
        .collect();
    assert_eq!(told, ["please resend", "FOC", "SUBMITTED", "PENDING_DOCUMENTS"]);
    assert_eq!(history[1]["message"], "so far so good");
    assert_eq!(history[1]["at"], "2026-02-03T10:00:02Z");
    let late: Vec<_> = history.iter().map(|one| one["late"].as_bool().unwrap()).collect();
    assert_eq!(late, [false, false, false, true]);
    let named = format!("/notifications/{}", history[1]["notification"].as_str().unwrap());
    assert_eq!(get(&stage, &named).await["status"], "FOC");

    let told = one["told"].as_array().unwrap();
    let of = |id: &str| told.iter().find(|one| one["subscription"] == id).unwrap();
    let well = of(&stage.subscription);
    assert_eq!(well["status"], "PENDING_DOCUMENTS", "last told, although it came late");
    assert_eq!((&well["pending"], &well["next_at"]), (&json!(0), &Value::Null));
    let last = stage.endpoint.received().pop().unwrap();
    assert_eq!(well["webhook_id"], header(&last, "webhook-id"));
    let ill = of(&id);
    assert_eq!((&ill["status"], &ill["pending"]), (&json!("SUBMITTED"), &json!(3)));
    assert_eq!(ill["at"], "2026-02-03T10:00:00Z");
    assert_eq!(ill["next_at"], "2026-02-03T11:00:01Z");

    let missing = [
        "/orders/portins/x",
        "/orders/cars/1",
        &format!("/orders/orders/{ORDER}"),
        &format!("/orders/portins/{}", "x".repeat(65)),
        "/orders/portins/%01",
    ];
    for path in missing {
        ask(&stage, "GET", path, Value::Null).await.is_problem(404, "not_found", None);
    }
}

#[tokio::test]
async fn a_long_history_has_pages() {
    let stage = Stage::new(0, None).await;
    for n in 0..103 {
        stage.post_accepted(&state("EXCEPTION", n)).await;
    }
    stage.run_for(secs(30)).await;
    let path = format!("/orders/portins/{ORDER}");
    let first = get(&stage, &path).await;
    assert_eq!(first["history"].as_array().unwrap().len(), 100);
    assert_eq!(first["told"][0]["pending"], 0);
    let next = first["history_next"].as_str().unwrap();
    let second = get(&stage, &format!("{path}?cursor={next}")).await;
    let rest: Vec<_> = second["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["at"].as_str().unwrap())
        .collect();
    assert_eq!(rest, ["2026-02-03T10:00:02Z", "2026-02-03T10:00:01Z", "2026-02-03T10:00:00Z"]);
    assert_eq!((&second["told"], &second["history_next"]), (&Value::Null, &Value::Null));
    ask(&stage, "GET", &format!("{path}?cursor=*"), Value::Null).await.is_problem(
        400,
        "malformed",
        None,
    );
}

#[tokio::test]
async fn orders_are_listed_by_type_with_pages_and_a_filter() {
    let stage = Stage::new(0, None).await;
    for (n, order) in (1..).zip(["a", "B", "c"]) {
        let status = if order == "B" { "FAILED" } else { "COMPLETE" };
        stage.post_accepted(&other(order, "orders", status, n)).await;
    }
    stage.post_accepted(&state("FOC", 1)).await;
    stage.run_for(SECOND).await;
    let mut pages = Vec::new();
    let mut path = "/orders/Orders?limit=2".to_owned();
    loop {
        let page = get(&stage, &path).await;
        pages.push(all(&page, "order_id").join(" "));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/orders/Orders?limit=2&cursor={next}");
    }
    assert_eq!(pages, ["a B", "c"]);
    let failed = get(&stage, "/orders/orders?status=failed").await;
    assert_eq!(all(&failed, "order_id"), ["B"]);
    assert_eq!(all(&get(&stage, "/orders/portins").await, "order_id"), [ORDER]);
    assert_eq!(all(&get(&stage, "/orders/csrs").await, "order_id"), [""; 0]);
    ask(&stage, "GET", "/orders/orders?limit=0", Value::Null).await.is_problem(
        400,
        "malformed",
        None,
    );
}

#[tokio::test]
async fn a_subscription_that_has_just_changed_its_topic_has_one_delivery_of_each() {
    let mut stage = Stage::new(0, None).await;
    let endpoint = endpoint(|_, _| 200).await;
    let (id, _) = subscribe(&stage, json!({"url": endpoint.url()})).await;
    // Fan-out then remembers who asked for everything, and not who asked for portins.
    let event = "<Notification><EventType>MESSAGING_LOST</EventType></Notification>";
    stage.post_accepted(event).await;
    stage.run_for(SECOND).await;
    let fanout = stage.world.clone();
    stage.redeploy().await;
    let body = json!({"url": endpoint.url(), "order_type": "portins"});
    ask(&stage, "PUT", &format!("/subscriptions/{id}"), body).await.is(200);
    stage.post_accepted(&state("FOC", 1)).await;
    fanout.fan_out_batch().await;
    stage.run_for(SECOND).await;
    assert_eq!(statuses(&endpoint), ["", "FOC"]);
    let feed = get(&stage, "/notifications").await;
    let path = format!("/notifications/{}", feed["items"][0]["id"].as_str().unwrap());
    let one = get(&stage, &path).await;
    assert_eq!(one["deliveries"].as_array().unwrap().len(), 2);
    let body = json!({"from": start().to_string(), "dry_run": true});
    let dry = ask(&stage, "POST", "/replays", body).await.is(200);
    assert_eq!(dry["deliveries"], 4);
}

#[tokio::test]
async fn a_subscription_that_is_deleted_before_its_snapshot_is_told_nothing() {
    let stage = Stage::new(0, None).await;
    let endpoint = endpoint(|_, _| 200).await;
    stage.post_accepted(&state("FOC", 1)).await;
    stage.run_for(SECOND).await;
    let (id, _) = subscribe(&stage, json!({"url": endpoint.url(), "snapshot": true})).await;
    ask(&stage, "DELETE", &format!("/subscriptions/{id}"), Value::Null).await.is(204);
    stage.run_for(SignedDuration::from_mins(5)).await;
    assert!(endpoint.received().is_empty());
    assert!(get(&stage, "/deliveries/dead").await["items"].as_array().unwrap().is_empty());
    assert!(stage.items("JOBS").await.is_empty());
}

#[tokio::test]
async fn a_snapshot_goes_by_the_states_that_were_asked_for_and_stands_in_the_feed() {
    let stage = Stage::new(0, None).await;
    stage.post_accepted(&state("FOC", 1)).await;
    stage.run_for(SECOND).await;
    let [picky, open] = [endpoint(|_, _| 200).await, endpoint(|_, _| 200).await];
    let of_order = |endpoint: &Endpoint, states: Value| {
        json!({
            "order_type": "portins", "order_id": ORDER, "url": endpoint.url(), "states": states,
            "snapshot": true,
        })
    };
    subscribe(&stage, of_order(&picky, json!(["COMPLETE"]))).await;
    let (id, _) = subscribe(&stage, of_order(&open, json!([]))).await;
    stage.run_for(SECOND).await;
    assert_eq!(statuses(&picky), [""; 0]);
    assert_eq!(statuses(&open), ["FOC"]);
    let notifications = get(&stage, "/notifications").await;
    let told = notifications["items"][0]["subscriptions"].as_array().unwrap().clone();
    assert!(told.contains(&json!(id)), "{told:?}");
}

#[tokio::test]
async fn what_was_held_for_a_subscription_that_is_deleted_is_given_up() {
    let stage = Stage::new(0, None).await;
    let (id, _) = subscribe(&stage, json!({"url": URL, "enabled": false})).await;
    stage.post_accepted(&state("FOC", 1)).await;
    stage.run_for(secs(5)).await;
    assert_eq!(all(&get(&stage, "/deliveries/undelivered").await, "subscription"), [id.as_str()]);
    ask(&stage, "DELETE", &format!("/subscriptions/{id}"), Value::Null).await.is(204);
    stage.run_for(SignedDuration::from_mins(10)).await;
    assert_eq!(all(&get(&stage, "/deliveries/undelivered").await, "subscription"), [""; 0]);
    assert_eq!(all(&get(&stage, "/deliveries/dead").await, "subscription"), [id.as_str()]);
}

#[tokio::test]
async fn ids_that_cannot_be_are_not_found() {
    let stage = Stage::new(0, None).await;
    for id in ["x".repeat(1_100), "%ff".into(), "%00".into(), "%2e%2e".into(), "%23".into()] {
        for path in ["/subscriptions/", "/notifications/", "/replays/", "/orders/portins/"] {
            let said = ask(&stage, "GET", &format!("{path}{id}"), Value::Null).await;
            assert_eq!(said.status, 404, "{path}{id}: {}", said.body);
        }
    }
}
