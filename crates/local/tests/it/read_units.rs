//! What each read of the API costs, counted and written down: docs/api.md has the same figures.

use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use jiff::SignedDuration;
use relay::setup::{self, Login};
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
];

#[tokio::test]
async fn no_read_costs_more_than_is_written_down() {
    let stage = Stage::new(0, None).await;
    for (status, second) in [("SUBMITTED", 1), ("FOC", 2), ("COMPLETE", 3)] {
        stage.post_accepted(&state(status, second)).await;
    }
    stage.run_for(SignedDuration::from_secs(2)).await;
    let now = stage.world.relay_clock().now();
    let operator = setup::operator(&stage.world.store, now).await.unwrap();

    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/api.md");
    let docs = std::fs::read_to_string(docs).unwrap();
    let mut found = Vec::new();
    for (route, expected) in ROUTES {
        let id = if route.contains("subscriptions") { &stage.subscription } else { ORDER };
        let account = if route.contains("upstreams") { UPSTREAM } else { TENANT };
        let path = route
            .replace("{account}", account)
            .replace("{tenant}", TENANT)
            .replace("{kind}", "portins")
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
        assert!(
            docs.contains(&format!("| `GET {route}` | {expected} |")),
            "{route} in docs/api.md"
        );
    }
    assert_eq!(found, ROUTES);
}

async fn get(stage: &Stage, login: &Login, path: &str) {
    let user = format!("{}:{}", login.username, login.password);
    let user = base64::engine::general_purpose::STANDARD.encode(user);
    let request = Request::get(path).header("authorization", format!("Basic {user}"));
    let request = request.body(Body::empty()).unwrap();
    let response = stage.world.router().oneshot(request).await.unwrap();
    assert!(response.status().is_success(), "{path}: {}", response.status());
}
