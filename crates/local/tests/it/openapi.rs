//! The description of the API is made from its handlers, served, and committed.

use axum::body::Body;
use axum::http::Request;
use tower::ServiceExt as _;

use crate::stage::Stage;

#[tokio::test]
async fn the_description_that_is_committed_is_made_from_the_handlers_and_served() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    let committed = std::fs::read_to_string(path).unwrap();
    let made = relay::api::openapi().to_pretty_json().unwrap();
    let same = committed.trim_end() == made;
    assert!(same, "run `cargo run -- openapi > docs/openapi.json`, and look at what has changed");

    let stage = Stage::new(0, None).await;
    let request = Request::get("/relay/v1/openapi.json").body(Body::empty()).unwrap();
    let response = stage.world.router().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let served = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
    assert_eq!(String::from_utf8_lossy(&served), committed);
}

#[test]
fn every_operation_has_a_name_of_its_own() {
    let document = serde_json::to_value(relay::api::openapi()).unwrap();
    let mut names = std::collections::BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name.to_owned()), "{method} {path}: {name}");
            assert!(operation["responses"]["401"].is_object(), "{method} {path}");
        }
    }
}
