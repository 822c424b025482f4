//! What each read of the API costs, counted and written down: docs/api.md has the same figures.

use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use jiff::SignedDuration;
use relay::setup::{self, Login};
use serde_json::Value;
use tower::ServiceExt as _;

use crate::stage::{ORDER, Stage, TENANT, UPSTREAM, state};

/// Each route that reads, and its billed read units, as docs/api.md states them. Everything is
/// there in small: one order with three events, two subscriptions, one delivery of each event.
const ROUTES: &[(&str, f64)] = &[
    ("/accounts/{account}/subscriptions", 0.5),
    ("/accounts/{account}/subscriptions/{id}", 1.0),
    ("/accounts/{account}/{kind}", 0.5),
    ("/accounts/{account}/{kind}/{id}", 1.5),
    ("/accounts/{account}/{kind}/{id}/history", 1.5),
    ("/accounts/{account}/{kind}/{id}/notes", 1.5),
    ("/accounts/{account}/{kind}/{id}/tns", 1.5),
    ("/accounts/{account}/{kind}/{id}/totals", 1.5),
    ("/accounts/{account}/{kind}/{id}/areaCodes", 1.5),
    ("/accounts/{account}/{kind}/{id}/npaNxx", 1.5),
    ("/relay/v1/tenants/{tenant}/subscriptions", 0.5),
    ("/relay/v1/tenants/{tenant}/subscriptions/{id}", 1.0),
    ("/relay/v1/tenants/{tenant}/notifications", 0.5),
    ("/relay/v1/tenants/{tenant}/notifications/{notification}", 1.5),
    ("/relay/v1/tenants/{tenant}/deliveries/undelivered", 0.5),
    ("/relay/v1/tenants/{tenant}/deliveries/dead", 0.5),
    ("/relay/v1/tenants/{tenant}/replays/{replay}", 1.0),
    ("/relay/v1/tenants/{tenant}/orders/portins", 0.5),
    ("/relay/v1/tenants/{tenant}/orders/portins/{id}", 4.5),
    ("/relay/v1/upstreams", 0.5),
    ("/relay/v1/upstreams/{account}", 1.0),
    ("/relay/v1/upstreams/{account}/claims/{id}", 1.5),
    ("/relay/v1/upstreams/{account}/unowned", 1.5),
    ("/relay/v1/upstreams/{account}/quarantine", 1.5),
    ("/relay/v1/upstreams/{account}/quarantine/{quarantined}", 2.0),
    ("/relay/v1/tenants", 0.5),
    ("/relay/v1/tenants/{tenant}", 1.0),
    ("/relay/v1/keys", 0.5),
    ("/relay/v1/networks", 1.0),
];

#[tokio::test]
async fn no_read_costs_more_than_is_written_down() {
    let stage = Stage::new(0, None).await;
    for (status, second) in [("SUBMITTED", 1), ("FOC", 2), ("COMPLETE", 3)] {
        stage.post_accepted(&state(status, second)).await;
    }
    assert_eq!(stage.post("this is no notification").await.0, 400);
    stage.run_for(SignedDuration::from_secs(2)).await;
    let now = stage.world.relay_clock().now();
    let operator = setup::operator(&stage.world.store, now).await.unwrap();

    let tenant = format!("/relay/v1/tenants/{TENANT}");
    let upstream = format!("/relay/v1/upstreams/{UPSTREAM}");
    let notifications = get(&stage, &operator, &format!("{tenant}/notifications")).await;
    let quarantine = get(&stage, &operator, &format!("{upstream}/quarantine")).await;
    let from = r#"{"from":"2026-01-01T00:00:00Z"}"#;
    let replay = ask(&stage, &operator, "POST", &format!("{tenant}/replays"), from).await;
    let claim = format!("{upstream}/claims/{ORDER}");
    ask(&stage, &operator, "PUT", &claim, &format!(r#"{{"tenant":"{TENANT}"}}"#)).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();

    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/api.md");
    let docs = std::fs::read_to_string(docs).unwrap();
    let (mut found, mut documented) = (Vec::new(), Vec::<bool>::new());
    for (route, expected) in ROUTES {
        let id = if route.contains("subscriptions") { &stage.subscription } else { ORDER };
        let account = if route.contains("upstreams") { UPSTREAM } else { TENANT };
        let path = route
            .replace("{account}", account)
            .replace("{tenant}", TENANT)
            .replace("{kind}", "portins")
            .replace("{notification}", &text(&notifications["items"][0]["id"]))
            .replace("{quarantined}", &text(&quarantine["items"][0]["id"]))
            .replace("{replay}", &text(&replay["id"]))
            .replace("{id}", id);
        // Who asks is known by then.
        get(&stage, &operator, &path).await;
        stage.aws.reset_calls();
        get(&stage, &operator, &path).await;
        let units = stage.aws.units();
        assert_eq!(units.write, 0.0, "{route}");
        let scans = stage.aws.calls().iter().filter(|call| call.operation == "Scan").count();
        assert_eq!(scans, 0, "{route}");
        found.push((*route, units.read));
        documented.push(docs.contains(&format!("| `GET {route}` | {expected} |")));
    }
    assert_eq!(found, ROUTES);
    for ((route, units), documented) in ROUTES.iter().zip(documented) {
        assert!(documented, "docs/api.md says otherwise of {route}, which takes {units}");
    }
}

async fn get(stage: &Stage, login: &Login, path: &str) -> Value {
    ask(stage, login, "GET", path, "").await
}

/// Asks, and gives what is answered in JSON.
async fn ask(stage: &Stage, login: &Login, method: &str, path: &str, body: &str) -> Value {
    let user = format!("{}:{}", login.username, login.password);
    let user = base64::engine::general_purpose::STANDARD.encode(user);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Basic {user}"))
        .header("content-type", "application/json")
        .body(Body::from(body.to_owned()))
        .unwrap();
    let response = stage.world.router().oneshot(request).await.unwrap();
    let status = response.status();
    let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
    assert!(status.is_success(), "{path}: {status} {body:?}");
    serde_json::from_slice(&body).unwrap_or_default()
}
