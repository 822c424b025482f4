//! What comes in from outside: Bandwidth's notifications and tenants' requests, with no socket.

use axum::Router;
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Method, Request};
use http_body_util::BodyExt as _;
use relay::setup;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use tower::ServiceExt as _;

use super::bandwidth::{PASSWORD, USER};
use super::tenants::{Subscription, Wish};
use crate::World;

/// Posts as Bandwidth does once it was asked for credentials; answers the status.
pub(super) async fn notify(router: Router, account: &str, body: String) -> u16 {
    let basic = STANDARD.encode(format!("{USER}:{PASSWORD}"));
    let request = Request::post(format!("/notify/{account}"))
        .header("authorization", format!("Basic {basic}"))
        .body(Body::from(body));
    let Ok(request) = request else { return 0 };
    let Ok(response) = router.oneshot(request).await;
    response.status().as_u16()
}

/// What a tenant heard.
pub(super) enum Heard {
    Done,
    Secret(String),
    NotFound,
    Nothing,
}

/// Asks for something; `token` is the tenant's.
pub(super) fn ask(
    world: &World,
    router: Router,
    token: &str,
    one: &Subscription,
    wish: Wish,
) -> impl Future<Output = Heard> + 'static {
    let world = world.clone();
    let wanted = one.wanted();
    let path = format!("/relay/v1/tenants/{}/subscriptions/{}", one.tenant_id(), one.id);
    let (method, path, body) = match wish {
        Wish::Make | Wish::Delete => (Method::DELETE, path, None),
        Wish::Enable(enabled) => (Method::PUT, path, Some(one.request(enabled))),
        Wish::Rotate => (Method::POST, format!("{path}/secret"), None),
    };
    let authorization = format!("Bearer {token}");
    async move {
        if wish == Wish::Make {
            // With an id that is not by chance, which the API does not take.
            let clock = world.relay_clock();
            return match setup::subscription(&world.subscriptions, wanted, None, clock).await {
                Ok((_, secret)) => Heard::Secret(secret.expose_secret().to_owned()),
                Err(_) => Heard::Nothing,
            };
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", authorization)
            .header("content-type", "application/json")
            .body(body);
        let Ok(request) = request else { return Heard::Nothing };
        let Ok(response) = router.oneshot(request).await;
        let status = response.status().as_u16();
        let Ok(body) = response.into_body().collect().await else { return Heard::Nothing };
        let body: Value = serde_json::from_slice(&body.to_bytes()).unwrap_or_default();
        match (status, body["signing_secret"].as_str()) {
            (200, Some(secret)) => Heard::Secret(secret.to_owned()),
            (200 | 204, _) => Heard::Done,
            (404, _) => Heard::NotFound,
            _ => Heard::Nothing,
        }
    }
}
