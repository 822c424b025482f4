//! The relay's own API, as operators use it.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request};
use domain::address::Policy;
use jiff::SignedDuration;
use local::World;
use relay::egress::Egress;
use relay::setup::{self, Login};
use relay::store::{Quarantined, Written};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::stage::{ORDER, Stage, TENANT, UPSTREAM, dice, post, start, state};

const OTHER_TENANT: &str = "5500002";

struct Said {
    status: u16,
    headers: HeaderMap,
    bytes: Bytes,
}

impl Said {
    fn body(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_default()
    }

    #[track_caller]
    fn is(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.bytes));
        self.body()
    }

    /// A problem of this kind, about this field.
    #[track_caller]
    fn is_problem(&self, status: u16, code: &str, field: Option<&str>) {
        let body = self.is(status);
        assert_eq!((body["code"].as_str(), body["field"].as_str()), (Some(code), field), "{body}");
        assert_eq!(self.headers["content-type"], "application/problem+json");
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A stage and its operator.
struct Office {
    stage: Stage,
    admin: Login,
}

impl Office {
    async fn new() -> Office {
        let stage = Box::pin(Stage::new(0, None)).await;
        let now = stage.world.relay_clock().now();
        let admin = setup::operator(&stage.world.store, now).await.unwrap();
        Office { stage, admin }
    }

    /// Asks as the operator, below `/relay/v1`. `Null` is no body.
    async fn ask(&self, method: &str, path: &str, body: Value) -> Said {
        ask(&self.stage, &self.admin.token(), method, path, body, &[]).await
    }

    async fn get(&self, path: &str) -> Value {
        self.ask("GET", path, Value::Null).await.is(200)
    }

    /// Puts what was read with this ETag.
    async fn put(&self, path: &str, etag: &str, body: Value) -> Said {
        let headers = [("if-match", etag)];
        ask(&self.stage, &self.admin.token(), "PUT", path, body, &headers).await
    }

    /// Makes a key; answers its token.
    async fn key(&self, body: Value) -> String {
        let made = self.ask("POST", "/keys", body).await.is(201);
        made["token"].as_str().unwrap().to_owned()
    }

    async fn second_tenant(&self) {
        self.ask("POST", "/tenants", json!({"id": OTHER_TENANT})).await.is(201);
    }

    /// What Bandwidth is told that presents these credentials.
    async fn notify(&self, login: &Value, body: String) -> u16 {
        let user = user_of(login);
        post(self.stage.world.router(), UPSTREAM, Some(&user), body).await.0
    }

    /// The states of what a tenant was told, newest first.
    async fn fed(&self, tenant: &str) -> Vec<String> {
        let feed = self.get(&format!("/tenants/{tenant}/notifications")).await;
        let items = feed["items"].as_array().unwrap().iter();
        items.map(|item| item["status"].as_str().unwrap().to_owned()).collect()
    }

    /// What is remembered of an upstream or a network is forgotten.
    fn wait(&self) {
        self.stage.clock.advance(SignedDuration::from_secs(6));
    }
}

async fn ask(
    stage: &Stage,
    token: &str,
    method: &str,
    path: &str,
    body: Value,
    headers: &[(&str, &str)],
) -> Said {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("/relay/v1{path}"))
        .header("authorization", format!("Bearer {token}"));
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
    Said { status, headers, bytes }
}

/// Username and password, as they are presented.
fn user_of(login: &Value) -> String {
    let text = |name: &str| login[name].as_str().unwrap().to_owned();
    format!("{}:{}", text("username"), text("password"))
}

#[tokio::test]
async fn an_upstream_is_made_read_listed_and_replaced() {
    let office = Office::new().await;
    office.second_tenant().await;
    let rules = json!([{"prefix": "north-", "tenant": OTHER_TENANT}]);
    let wanted = json!({"account": "9900013", "default_tenant": TENANT, "rules": rules});
    let made = office.ask("POST", "/upstreams", wanted.clone()).await;
    let body = made.is(201);
    assert_eq!(made.header("location"), "/relay/v1/upstreams/9900013");
    assert_eq!(body["notify_path"], "/notify/9900013");
    let username = body["username"].as_str().unwrap();
    assert!(username.starts_with("bandwidth-9900013-"), "{username}");
    office.ask("POST", "/upstreams", wanted).await.is_problem(409, "exists", None);

    // The credentials are good for that path.
    let user = user_of(&body);
    let router = office.stage.world.router();
    let path = body["notify_path"].as_str().unwrap().strip_prefix("/notify/").unwrap();
    assert_eq!(post(router, path, Some(&user), state("FOC", 1)).await.0, 200);

    let one = office.ask("GET", "/upstreams/9900013", Value::Null).await;
    let expected = json!({
        "account": "9900013", "default_tenant": TENANT, "rules": rules,
        "credentials": [{"username": username}], "notify_path": "/notify/9900013",
    });
    assert_eq!(one.is(200), expected);
    assert_eq!(one.header("etag"), made.header("etag"));
    let page = office.get("/upstreams?limit=1").await;
    assert_eq!(page["items"][0]["account"], UPSTREAM);
    let next = format!("/upstreams?cursor={}", page["next"].as_str().unwrap());
    assert_eq!(office.get(&next).await, json!({"items": [expected]}));

    let old = one.header("etag");
    let replaced = office.put("/upstreams/9900013", old, json!({})).await;
    assert_eq!(replaced.is(200)["rules"], json!([]));
    assert!(replaced.body()["default_tenant"].is_null());
    assert_eq!(replaced.body()["credentials"], expected["credentials"]);
    assert_ne!(replaced.header("etag"), old);
    office.put("/upstreams/9900013", old, json!({})).await.is_problem(412, "changed", None);
    for path in ["/upstreams/1", "/upstreams/%23", "/upstreams/.."] {
        office.ask("GET", path, Value::Null).await.is_problem(404, "not_found", None);
        office.ask("PUT", path, json!({})).await.is_problem(404, "not_found", None);
        let path = format!("{path}/credentials");
        office.ask("POST", &path, Value::Null).await.is_problem(404, "not_found", None);
    }
}

#[tokio::test]
async fn an_upstream_with_mistakes_is_refused_by_the_field() {
    let office = Office::new().await;
    let rule = |prefix: &str, tenant: &str| json!({"prefix": prefix, "tenant": tenant});
    let many = vec![rule("a", TENANT); domain::limits::RULES_MAX + 1];
    let long = "x".repeat(domain::limits::CUSTOMER_ORDER_ID_CHARS_MAX + 1);
    for (more, field) in [
        (json!({"default_tenant": "nobody"}), "default_tenant"),
        (json!({"default_tenant": ""}), "default_tenant"),
        (json!({"rules": [rule("a", TENANT), rule("b", "nobody")]}), "rules[1].tenant"),
        (json!({"rules": [rule("", TENANT)]}), "rules[0].prefix"),
        (json!({"rules": [rule(&long, TENANT)]}), "rules[0].prefix"),
        (json!({"rules": many}), "rules"),
        (json!({"rules": [{"prefix": "a"}]}), "rules[0]"),
        (json!({"other": 1}), "other"),
    ] {
        let replaced = office.ask("PUT", &format!("/upstreams/{UPSTREAM}"), more.clone()).await;
        replaced.is_problem(422, "invalid", Some(field));
        let mut whole = more;
        whole["account"] = "9900013".into();
        let made = office.ask("POST", "/upstreams", whole).await;
        made.is_problem(422, "invalid", Some(field));
    }
    for account in ["", "a/b", "a#b", "..", &"9".repeat(65)] {
        let made = office.ask("POST", "/upstreams", json!({"account": account})).await;
        made.is_problem(422, "invalid", Some("account"));
    }
    assert_eq!(office.get("/upstreams").await["items"].as_array().unwrap().len(), 1);
}

/// A way to Bandwidth's API that is taken.
fn access() -> Value {
    json!({
        "url": "https://Bandwidth.test/api/", "username": "relay", "password": "open-sesame",
        "gateway": true,
    })
}

#[tokio::test]
async fn the_way_to_bandwidths_api_is_put_kept_and_deleted() {
    let office = Office::new().await;
    let upstream = format!("/upstreams/{UPSTREAM}");
    let path = format!("{upstream}/api");
    let first = office.ask("GET", &upstream, Value::Null).await.header("etag").to_owned();
    let put = office.put(&path, &first, access()).await;
    let shown = json!({"url": "https://bandwidth.test/api", "username": "relay", "gateway": true});
    assert_eq!(put.is(200)["api"], shown);
    office.put(&path, &first, access()).await.is_problem(412, "changed", None);
    let (token, if_match) = (office.admin.token(), [("if-match", first.as_str())]);
    let gone = ask(&office.stage, &token, "DELETE", &path, Value::Null, &if_match);
    gone.await.is_problem(412, "changed", None);

    let kept = async || {
        let upstream = office.stage.world.store.refreshed_upstream(UPSTREAM).await.unwrap();
        upstream.unwrap().api.clone().unwrap()
    };
    let since = async || kept().await.gateway_since;
    // Every other change keeps it, and a new password does not switch anything.
    office.wait();
    office.ask("PUT", &upstream, json!({"default_tenant": TENANT})).await.is(200);
    office.ask("POST", &format!("{upstream}/credentials"), Value::Null).await.is(200);
    setup::upstream(&office.stage.world.store, UPSTREAM, None, vec![]).await.unwrap();
    office.ask("PUT", &path, access()).await.is(200);
    assert_eq!(office.get(&upstream).await["api"], shown);
    assert_eq!(since().await, Some(start()));
    // The password that is kept does, for whom it was given.
    let password = kept().await.sealed_password;
    let mut off = access();
    off["gateway"] = false.into();
    off.as_object_mut().unwrap().remove("password");
    office.ask("PUT", &path, off.clone()).await.is(200);
    assert_eq!(since().await, None);
    assert_eq!(kept().await.sealed_password, password);
    for (field, value) in [("url", "https://other.test/api"), ("username", "other")] {
        let mut other = off.clone();
        other[field] = value.into();
        let put = office.ask("PUT", &path, other).await;
        put.is_problem(422, "invalid", Some("password"));
    }
    office.ask("PUT", &path, access()).await.is(200);
    assert_eq!(since().await, Some(office.stage.world.relay_clock().now()));

    let dump = office.stage.items("UPSTREAMS").await;
    assert!(!format!("{dump:?}").contains("open-sesame"));
    for _ in 0..2 {
        office.ask("DELETE", &path, Value::Null).await.is(204);
        assert!(office.get(&upstream).await["api"].is_null());
    }
    office.ask("PUT", &path, off).await.is_problem(422, "invalid", Some("password"));
}

#[tokio::test]
async fn a_way_to_bandwidths_api_that_cannot_be_is_refused_by_the_field() {
    let office = Office::new().await;
    let path = format!("/upstreams/{UPSTREAM}/api");
    let long = "x".repeat(domain::limits::PASSWORD_CHARS_MAX + 1);
    for (field, value) in [
        ("url", "bandwidth.test"),
        ("url", "ftp://bandwidth.test"),
        ("url", "http://bandwidth.test"),
        ("url", "https://u:p@bandwidth.test"),
        ("url", "https://bandwidth.test/?a=b"),
        ("url", "https://bandwidth.test/#a"),
        ("url", "https://10.0.0.1"),
        ("username", ""),
        ("username", "a:b"),
        ("password", ""),
        ("password", &long),
    ] {
        let mut wrong = access();
        wrong[field] = value.into();
        office.ask("PUT", &path, wrong).await.is_problem(422, "invalid", Some(field));
    }
    let mut without = access();
    without.as_object_mut().unwrap().remove("password");
    office.ask("PUT", &path, without).await.is_problem(422, "invalid", Some("password"));
    office.ask("PUT", "/upstreams/1/api", access()).await.is_problem(404, "not_found", None);
    // Where an operator has allowed a network, its addresses may be plain.
    let mut near = access();
    near["url"] = "http://127.0.0.1:9999/".into();
    let near = office.ask("PUT", &path, near).await.is(200);
    assert_eq!(near["api"]["url"], "http://127.0.0.1:9999");
}

#[tokio::test]
async fn a_tenant_places_orders_at_an_upstream_that_there_is() {
    let office = Office::new().await;
    let wanted = json!({"id": OTHER_TENANT, "upstream": UPSTREAM});
    assert_eq!(office.ask("POST", "/tenants", wanted).await.is(201)["upstream"], UPSTREAM);
    let path = format!("/tenants/{OTHER_TENANT}");
    assert_eq!(office.get(&path).await["upstream"], UPSTREAM);
    for unknown in ["9", "", "a/b"] {
        let said = office.ask("PUT", &path, json!({"upstream": unknown})).await;
        said.is_problem(422, "invalid", Some("upstream"));
    }
    assert!(office.ask("PUT", &path, json!({})).await.is(200)["upstream"].is_null());
}

#[tokio::test]
async fn replaced_credentials_are_accepted_for_a_day_beside_the_new_ones() {
    let office = Office::new().await;
    let Login { username, password } = &office.stage.login;
    let first = json!({"username": username, "password": password});
    let path = format!("/upstreams/{UPSTREAM}/credentials");
    let fresh = office.ask("POST", &path, Value::Null).await.is(200);
    let second = fresh.clone();
    assert_eq!(fresh["previous_until"], (start() + SignedDuration::from_hours(24)).to_string());
    assert_eq!(office.notify(&first, state("A", 1)).await, 200);
    assert_eq!(office.notify(&second, state("B", 2)).await, 200);
    let shown = office.get(&format!("/upstreams/{UPSTREAM}")).await["credentials"].clone();
    let (newest, until) = (&fresh["username"], &fresh["previous_until"]);
    assert_eq!(shown, json!([{"username": newest}, {"username": username, "until": until}]));

    // Replacing them once more takes nothing from what was promised.
    office.stage.clock.advance(SignedDuration::from_hours(12));
    let fresh = office.ask("POST", &path, Value::Null).await.is(200);
    let third = fresh.clone();
    office.stage.clock.advance(SignedDuration::from_secs(12 * 3600 - 1));
    for (login, status) in [(&first, "C"), (&second, "D"), (&third, "E")] {
        assert_eq!(office.notify(login, state(status, 3)).await, 200, "{status}");
    }
    office.stage.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(office.notify(&first, state("F", 4)).await, 401);
    assert_eq!(office.notify(&second, state("F", 4)).await, 200);
    office.stage.clock.advance(SignedDuration::from_hours(12));
    assert_eq!(office.notify(&second, state("G", 5)).await, 401);
    assert_eq!(office.notify(&third, state("G", 5)).await, 200);
    let shown = office.get(&format!("/upstreams/{UPSTREAM}")).await["credentials"].clone();
    assert_eq!(shown, json!([{"username": third["username"]}]));

    // What is out of date goes, and of the rest the two newest stay.
    let mut logins = vec![third];
    for _ in 0..3 {
        let fresh = office.ask("POST", &path, Value::Null).await.is(200);
        logins.push(fresh);
    }
    office.wait();
    for (login, status) in logins.iter().zip([401, 200, 200, 200]) {
        assert_eq!(office.notify(login, state("H", 6)).await, status);
    }
}

#[tokio::test]
async fn a_tenant_is_made_read_listed_and_renamed() {
    let office = Office::new().await;
    let made = office.ask("POST", "/tenants", json!({"id": OTHER_TENANT, "name": "North"})).await;
    let body = made.is(201);
    let now = start().to_string();
    assert_eq!(body, json!({"id": OTHER_TENANT, "name": "North", "created_at": now}));
    assert_eq!(made.header("location"), format!("/relay/v1/tenants/{OTHER_TENANT}"));
    let again = office.ask("POST", "/tenants", json!({"id": OTHER_TENANT})).await;
    again.is_problem(409, "exists", None);
    let path = format!("/tenants/{OTHER_TENANT}");
    assert_eq!(office.get(&path).await, body);
    let all = office.get("/tenants").await;
    assert_eq!(all["items"], json!([{"id": TENANT, "created_at": now}, body]));

    let replaced = office.put(&path, made.header("etag"), json!({})).await;
    assert_eq!(replaced.is(200), json!({"id": OTHER_TENANT, "created_at": now}));
    let stale = office.put(&path, made.header("etag"), json!({"name": "South"})).await;
    stale.is_problem(412, "changed", None);
    for (body, field) in [
        (json!({"id": "a b"}), "id"),
        (json!({"id": "."}), "id"),
        (json!({"id": "5500003", "name": ""}), "name"),
        (json!({"id": "5500003", "name": "x".repeat(201)}), "name"),
        (json!({"id": "5500003", "role": "admin"}), "role"),
    ] {
        let refused = office.ask("POST", "/tenants", body).await;
        refused.is_problem(422, "invalid", Some(field));
    }
    for path in ["/tenants/5500003", "/tenants/a%20b"] {
        office.ask("GET", path, Value::Null).await.is_problem(404, "not_found", None);
        office.ask("PUT", path, json!({})).await.is_problem(404, "not_found", None);
    }
}

#[tokio::test]
async fn keys_are_made_listed_and_deleted_by_admins_alone() {
    let office = Office::new().await;
    let made = office.ask("POST", "/keys", json!({"tenant": TENANT, "role": "read"})).await.is(201);
    let (id, token) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    assert!(id.strip_prefix("key-").is_some_and(|hex| hex.len() == 16), "{id}");
    assert_eq!(token, format!("{id}.{}", made["secret"].as_str().unwrap()));
    let feed = format!("/tenants/{TENANT}/subscriptions");
    let stage = &office.stage;
    ask(stage, token, "GET", &feed, Value::Null, &[]).await.is(200);
    let refused =
        ask(stage, token, "POST", &feed, json!({"url": "http://127.0.0.1:1/"}), &[]).await;
    refused.is_problem(403, "forbidden", None);
    let another = format!("/tenants/{OTHER_TENANT}/subscriptions");
    ask(stage, token, "GET", &another, Value::Null, &[]).await.is_problem(403, "forbidden", None);

    let listed = office.get("/keys").await;
    let ids = listed["items"].as_array().unwrap().iter().map(|key| key["id"].as_str().unwrap());
    assert_eq!(ids.collect::<Vec<_>>(), [id, "operator", &format!("tenant-{TENANT}")]);
    assert_eq!(
        listed["items"][0],
        json!({"id": id, "tenant": TENANT, "role": "read", "created_at": start().to_string()})
    );

    let path = format!("/keys/{id}");
    office.ask("DELETE", &path, Value::Null).await.is(204);
    let gone = ask(stage, token, "GET", &feed, Value::Null, &[]).await;
    gone.is_problem(401, "unauthorized", None);
    for path in [&path, "/keys/%01", "/keys/other", &format!("/keys/{}", "k".repeat(2000))] {
        office.ask("DELETE", path, Value::Null).await.is_problem(404, "not_found", None);
    }
    office.ask("DELETE", "/keys/operator", Value::Null).await.is_problem(409, "own_key", None);
    for (body, field) in [
        (json!({"role": "read", "tenant": "nobody"}), Some("tenant")),
        (json!({"role": "owner"}), Some("role")),
        (json!({"role": "read", "name": "\n"}), Some("name")),
        (json!({"tenant": TENANT}), None),
    ] {
        office.ask("POST", "/keys", body).await.is_problem(422, "invalid", field);
    }
}

/// Every route of the operators, with a body that it would take.
fn routes() -> Vec<(&'static str, String, Value)> {
    let upstream = format!("/upstreams/{UPSTREAM}");
    vec![
        ("GET", "/upstreams".into(), Value::Null),
        ("POST", "/upstreams".into(), json!({"account": "9900013"})),
        ("GET", upstream.clone(), Value::Null),
        ("PUT", upstream.clone(), json!({})),
        ("POST", format!("{upstream}/credentials"), Value::Null),
        ("PUT", format!("{upstream}/api"), access()),
        ("DELETE", format!("{upstream}/api"), Value::Null),
        ("GET", format!("{upstream}/claims/x"), Value::Null),
        ("PUT", format!("{upstream}/claims/x"), json!({"tenant": TENANT})),
        ("DELETE", format!("{upstream}/claims/x"), Value::Null),
        ("GET", format!("{upstream}/unowned"), Value::Null),
        ("GET", format!("{upstream}/quarantine"), Value::Null),
        ("GET", format!("{upstream}/quarantine/eA"), Value::Null),
        ("DELETE", format!("{upstream}/quarantine/eA"), Value::Null),
        ("POST", format!("{upstream}/quarantine/eA/retry"), Value::Null),
        ("GET", "/tenants".into(), Value::Null),
        ("POST", "/tenants".into(), json!({"id": OTHER_TENANT})),
        ("GET", format!("/tenants/{TENANT}"), Value::Null),
        ("PUT", format!("/tenants/{TENANT}"), json!({})),
        ("GET", "/networks".into(), Value::Null),
        ("PUT", "/networks".into(), json!({"networks": []})),
        ("GET", "/keys".into(), Value::Null),
        ("POST", "/keys".into(), json!({"role": "admin"})),
        ("DELETE", "/keys/other".into(), Value::Null),
    ]
}

#[tokio::test]
async fn a_role_decides_what_an_operator_may_and_a_tenant_may_nothing() {
    let office = Office::new().await;
    let tenants = office.key(json!({"tenant": TENANT, "role": "admin"})).await;
    let read = office.key(json!({"role": "read"})).await;
    let write = office.key(json!({"role": "write"})).await;
    let admin = office.key(json!({"role": "admin", "name": "the second one"})).await;
    for (method, path, body) in routes() {
        let keys = path.starts_with("/keys");
        for (token, may) in
            [(&tenants, false), (&read, method == "GET" && !keys), (&write, !keys), (&admin, true)]
        {
            let said = ask(&office.stage, token, method, &path, body.clone(), &[]).await;
            match may {
                false => said.is_problem(403, "forbidden", None),
                true => assert!(![401, 403].contains(&said.status), "{method} {path}"),
            }
        }
        let nobody = ask(&office.stage, "a.b", method, &path, body, &[]).await;
        nobody.is_problem(401, "unauthorized", None);
    }
}

#[tokio::test]
async fn a_secret_is_shown_once_and_stands_nowhere() {
    let office = Office::new().await;
    let mut secrets = vec![office.admin.password.clone(), office.stage.login.password.clone()];
    let credentials = format!("/upstreams/{UPSTREAM}/credentials");
    for (path, body, field) in [
        ("/upstreams", json!({"account": "9900013"}), "password"),
        (credentials.as_str(), Value::Null, "password"),
        ("/keys", json!({"role": "read"}), "secret"),
    ] {
        // What is remembered for a repeat is not readable either.
        let headers = [("idempotency-key", path)];
        let token = office.admin.token();
        let made = ask(&office.stage, &token, "POST", path, body.clone(), &headers).await;
        let repeated = ask(&office.stage, &token, "POST", path, body, &headers).await;
        assert_eq!(made.body(), repeated.body());
        secrets.push(made.body()[field].as_str().unwrap().to_owned());
    }
    let mut shown = String::new();
    for (method, path, _) in routes() {
        if method == "GET" {
            let said = office.ask("GET", &path, Value::Null).await;
            shown.push_str(&String::from_utf8_lossy(&said.bytes));
        }
    }
    shown.push_str(&office.get("/upstreams/9900013").await.to_string());
    assert!(!shown.contains("sha256") && !shown.contains("password") && !shown.contains("secret"));
    let scan = office.stage.dynamodb().scan().table_name("hookline").send().await.unwrap();
    let dump = format!("{:?}", scan.items.unwrap());
    assert!(dump.contains("9900013"));
    for secret in &secrets {
        assert!(secret.len() > 40 && !shown.contains(secret) && !dump.contains(secret));
    }
}

#[tokio::test]
async fn what_nobody_owns_is_listed_and_a_claim_decides_who_gets_the_next_event() {
    let office = Office::new().await;
    let upstream = format!("/upstreams/{UPSTREAM}");
    office.second_tenant().await;
    office.ask("PUT", &upstream, json!({})).await.is(200);
    office.wait();
    for (status, second) in [("SUBMITTED", 1), ("FOC", 2)] {
        office.stage.post_accepted(&state(status, second)).await;
        office.stage.run_for(SignedDuration::from_secs(2)).await;
    }
    let unowned = office.get(&format!("{upstream}/unowned")).await;
    let items = unowned["items"].as_array().unwrap();
    let states: Vec<_> = items.iter().map(|item| item["status"].as_str().unwrap()).collect();
    assert_eq!(states, ["FOC", "SUBMITTED"]);
    assert_eq!(items[0]["order_id"], ORDER);
    let page = office.get(&format!("{upstream}/unowned?limit=1")).await;
    let next = page["next"].as_str().unwrap();
    let page = office.get(&format!("{upstream}/unowned?cursor={next}")).await;
    assert_eq!(page["items"], json!([items[1]]));

    // As Bandwidth writes it, or not.
    let claim = format!("{upstream}/claims/{}", ORDER.to_uppercase());
    office.ask("GET", &claim, Value::Null).await.is_problem(404, "not_found", None);
    office.ask("DELETE", &claim, Value::Null).await.is_problem(404, "not_found", None);
    for (tenant, status) in [(TENANT, "FOC2"), (OTHER_TENANT, "FOC3")] {
        let expected = json!({"order_id": ORDER, "tenant": tenant});
        let set = office.ask("PUT", &claim, json!({"tenant": tenant})).await;
        assert_eq!(set.is(200), expected);
        assert_eq!(office.get(&claim).await, expected);
        office.stage.post_accepted(&state(status, 3)).await;
        office.stage.run_for(SignedDuration::from_secs(2)).await;
    }
    assert_eq!(office.fed(TENANT).await, ["FOC2"]);
    assert_eq!(office.stage.told(), ["FOC2"]);
    assert_eq!(office.fed(OTHER_TENANT).await, ["FOC3"]);
    office.ask("DELETE", &claim, Value::Null).await.is(204);
    office.stage.post_accepted(&state("COMPLETE", 5)).await;
    office.stage.run_for(SignedDuration::from_secs(2)).await;
    let unowned = office.get(&format!("{upstream}/unowned")).await;
    assert_eq!(unowned["items"][0]["status"], "COMPLETE");

    let nobody = office.ask("PUT", &claim, json!({"tenant": "nobody"})).await;
    nobody.is_problem(422, "invalid", Some("tenant"));
    office.ask("PUT", &claim, json!({})).await.is_problem(422, "invalid", None);
    let claims = ["/upstreams/1/claims/x", &format!("{upstream}/claims/a%23b")].map(String::from);
    for path in claims {
        let missing = office.ask("PUT", &path, json!({"tenant": TENANT})).await;
        missing.is_problem(404, "not_found", None);
    }
    office.ask("GET", "/upstreams/1/unowned", Value::Null).await.is_problem(404, "not_found", None);
}

#[tokio::test]
async fn a_broken_body_is_listed_fetched_byte_for_byte_and_dropped() {
    let office = Office::new().await;
    let quarantine = format!("/upstreams/{UPSTREAM}/quarantine");
    assert_eq!(office.get(&quarantine).await, json!({"items": []}));
    let broken = b"<Notification>\xff\x00\r\n<script>".to_vec();
    assert_eq!(office.stage.post("first").await.0, 400);
    office.stage.clock.advance(SignedDuration::from_secs(1));
    let (status, reason) = office.stage.post(broken.clone()).await;
    assert_eq!(status, 400);

    let listed = office.get(&quarantine).await;
    let newest = &listed["items"][0];
    let id = newest["id"].as_str().unwrap();
    let received_at = (start() + SignedDuration::from_secs(1)).to_string();
    assert_eq!(
        *newest,
        json!({"id": id, "received_at": received_at, "reason": reason, "bytes": broken.len()})
    );
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    let page = office.get(&format!("{quarantine}?limit=1")).await;
    let next = page["next"].as_str().unwrap();
    let page = office.get(&format!("{quarantine}?cursor={next}")).await;
    assert_eq!(page["items"], json!([listed["items"][1]]));

    let path = format!("{quarantine}/{id}");
    let raw = office.ask("GET", &path, Value::Null).await;
    assert_eq!((raw.status, raw.bytes.as_ref()), (200, broken.as_slice()));
    assert_eq!(raw.header("content-type"), "application/octet-stream");
    assert_eq!(raw.header("content-disposition"), "attachment");
    assert_eq!(raw.header("x-content-type-options"), "nosniff");
    let retried = office.ask("POST", &format!("{path}/retry"), Value::Null).await;
    retried.is_problem(409, "unreadable", None);
    assert_eq!(retried.body()["detail"], reason.as_str());

    office.ask("DELETE", &path, Value::Null).await.is(204);
    let of_another = format!("/upstreams/1/quarantine/{id}");
    for path in [path, format!("{quarantine}/!"), format!("{quarantine}/eA"), of_another] {
        office.ask("GET", &path, Value::Null).await.is_problem(404, "not_found", None);
        office.ask("DELETE", &path, Value::Null).await.is_problem(404, "not_found", None);
        let retry = format!("{path}/retry");
        office.ask("POST", &retry, Value::Null).await.is_problem(404, "not_found", None);
    }
    let left = office.get(&quarantine).await;
    assert_eq!(left["items"], json!([listed["items"][1]]));
    office.ask("GET", "/upstreams/1/quarantine", Value::Null).await.is(404);
}

#[tokio::test]
async fn what_can_be_read_by_now_is_delivered_as_of_when_it_came_in() {
    let office = Office::new().await;
    let stage = &office.stage;
    // As a version that knew less would have kept it; and one that is whole but for too many blanks.
    let kept = Quarantined {
        received_at: start() - SignedDuration::from_hours(3),
        reason: "It was beyond me.".into(),
        raw: state("SUBMITTED", 1).into(),
    };
    stage.world.store.put_quarantined(UPSTREAM, &kept).await.unwrap();
    let blanks = " ".repeat(domain::limits::BODY_BYTES_MAX);
    assert_eq!(stage.post(state("FOC", 2) + &blanks).await.0, 413);

    let quarantine = format!("/upstreams/{UPSTREAM}/quarantine");
    let listed = office.get(&quarantine).await;
    for item in listed["items"].as_array().unwrap().iter().rev() {
        let path = format!("{quarantine}/{}", item["id"].as_str().unwrap());
        let read = office.ask("POST", &format!("{path}/retry"), Value::Null).await.is(200);
        assert_eq!(read["order_id"], ORDER);
        assert_eq!(read["received_at"], item["received_at"]);
        assert!(read["event"].as_str().unwrap().starts_with("2026-02-03T10:00:0"));
        office.ask("GET", &path, Value::Null).await.is(404);
        stage.run_for(SignedDuration::from_secs(2)).await;
    }
    assert_eq!(office.get(&quarantine).await, json!({"items": []}));
    assert_eq!(stage.told(), ["SUBMITTED", "FOC"]);
    let feed = office.get(&format!("/tenants/{TENANT}/notifications")).await;
    assert_eq!(feed["items"][1]["received_at"], kept.received_at.to_string());

    // What came in readable meanwhile is no second event.
    stage.world.store.put_quarantined(UPSTREAM, &kept).await.unwrap();
    let listed = office.get(&quarantine).await;
    let path = format!("{quarantine}/{}/retry", listed["items"][0]["id"].as_str().unwrap());
    office.ask("POST", &path, Value::Null).await.is(200);
    stage.run_for(SignedDuration::from_secs(2)).await;
    assert_eq!(stage.endpoint.received().len(), 2);
}

#[tokio::test]
async fn networks_are_replaced_by_version_and_never_hold_the_machine_itself() {
    let office = Office::new().await;
    let first = office.ask("GET", "/networks", Value::Null).await;
    assert_eq!(first.is(200), json!({"networks": []}));
    let wanted = json!({"networks": ["10.1.2.3/8", "fd00::/8"]});
    let put = office.put("/networks", first.header("etag"), wanted.clone()).await;
    assert_eq!(put.is(200), json!({"networks": ["10.0.0.0/8", "fd00::/8"]}));
    let read = office.ask("GET", "/networks", Value::Null).await;
    assert_eq!((read.is(200), read.header("etag")), (put.body(), put.header("etag")));
    let stale = office.put("/networks", first.header("etag"), wanted).await;
    stale.is_problem(412, "changed", None);
    office.ask("PUT", "/networks", json!({"networks": []})).await.is(200);

    for own in ["127.0.0.0/8", "127.0.0.1/32", "0.0.0.0/0", "169.254.169.254/32", "::/0", "::1/128"]
    {
        let body = json!({"networks": ["10.0.0.0/8", own]});
        let refused = office.ask("PUT", "/networks", body).await;
        refused.is_problem(422, "invalid", Some("networks[1]"));
    }
    let many = json!({"networks": vec!["10.0.0.0/8"; domain::limits::NETWORKS_MAX + 1]});
    for (body, field) in [
        (many, Some("networks")),
        (json!({"networks": ["moon"]}), Some("networks[0]")),
        (json!({"networks": ["10.0.0.0"]}), Some("networks[0]")),
        (json!({}), None),
    ] {
        office.ask("PUT", "/networks", body).await.is_problem(422, "invalid", field);
    }
    assert_eq!(office.get("/networks").await, json!({"networks": []}));
}

#[tokio::test]
async fn an_endpoint_is_taken_where_a_network_is_allowed_and_refused_where_not() {
    let mut office = Office::new().await;
    office.stage.world.api.egress = Egress::new(Policy::default()).unwrap();
    let path = format!("/tenants/{TENANT}/subscriptions");
    let wanted = json!({"url": "http://10.1.2.3/", "event_type": "MESSAGING_LOST"});
    let refused = office.ask("POST", &path, wanted.clone()).await;
    refused.is_problem(422, "invalid", Some("url"));
    office.ask("PUT", "/networks", json!({"networks": ["10.0.0.0/8"]})).await.is(200);
    office.ask("POST", &path, wanted.clone()).await.is(201);
    office.ask("PUT", "/networks", json!({"networks": []})).await.is(200);
    office.ask("POST", &path, wanted).await.is_problem(422, "invalid", Some("url"));
    let test = format!("{path}/{}/test", office.stage.subscription);
    assert_eq!(office.ask("POST", &test, Value::Null).await.is(200)["error"], "address");
}

#[tokio::test]
async fn deliveries_go_by_the_networks_of_a_moment_ago() {
    let mut office = Office::new().await;
    office.stage.world.deliver.egress = Egress::new(Policy::default()).unwrap();
    let stage = &office.stage;
    // Another function, which has a memory of its own, and past the API, which takes no loopback.
    let api = World::new(stage.aws.clone(), stage.clock.clone(), dice()).await.unwrap();
    let allow = async |networks: &[&str], revision: u64| {
        let networks = networks.iter().map(|network| network.parse().unwrap()).collect();
        assert_eq!(api.store.put_networks(networks, revision).await.unwrap(), Written::Done);
    };
    stage.post_accepted(&state("SUBMITTED", 1)).await;
    stage.run_for(SignedDuration::from_secs(1)).await;
    assert!(stage.endpoint.received().is_empty());
    let undelivered = format!("/tenants/{TENANT}/deliveries/undelivered");
    let failed = office.get(&undelivered).await;
    assert_eq!(failed["items"][0]["attempts"][0]["error"], "address");

    allow(&["127.0.0.0/8"], 1).await;
    stage.run_for(SignedDuration::from_hours(1)).await;
    assert_eq!(stage.told(), ["SUBMITTED"]);
    allow(&[], 2).await;
    stage.clock.advance(SignedDuration::from_secs(6));
    stage.post_accepted(&state("FOC", 2)).await;
    stage.run_for(SignedDuration::from_secs(1)).await;
    assert_eq!(stage.told(), ["SUBMITTED"]);
    assert_eq!(office.get(&undelivered).await["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn nothing_is_made_for_a_tenant_that_there_is_not() {
    let stage = Box::pin(Stage::new(0, None)).await;
    let operator = setup::operator(&stage.world.store, stage.world.relay_clock().now());
    let token = operator.await.unwrap().token();
    for tenant in ["5500009", &"x".repeat(200)] {
        let path = format!("/tenants/{tenant}/subscriptions");
        let body = json!({"url": "http://127.0.0.1:9999/"});
        let said = ask(&stage, &token, "POST", &path, body, &[]).await;
        said.is_problem(404, "not_found", None);
    }
}
