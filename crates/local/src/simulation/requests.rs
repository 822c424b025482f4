//! What comes in from outside: Bandwidth's notifications and tenants' requests, with no socket.

use axum::Router;
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::subscription::Topic;
use http::{Method, Request};
use http_body_util::BodyExt as _;
use jiff::{SignedDuration, Timestamp};
use relay::setup::{self, Wanted};
use relay::subscriptions::Bound;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::scene::Scene;
use super::tenants::{Subscription, Wish};
use crate::World;

/// A replay goes back for this long.
const REPLAYED: SignedDuration = SignedDuration::from_mins(5);

/// Posts as Bandwidth does once it was asked for credentials; answers the status.
pub(super) async fn notify(router: Router, account: &str, login: String, body: String) -> u16 {
    let basic = STANDARD.encode(login);
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

/// Somebody with a key to the relay's own API.
pub(super) struct Caller {
    router: Router,
    authorization: String,
}

impl Caller {
    pub(super) fn new(router: Router, token: &str) -> Caller {
        Caller { router, authorization: format!("Bearer {token}") }
    }

    /// Asks below `/relay/v1`; answers status and body, or 0 where there was none.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let request = Request::builder()
            .method(method)
            .uri(format!("/relay/v1{path}"))
            .header("authorization", &self.authorization)
            .header("content-type", "application/json")
            .body(body);
        let Ok(request) = request else { return (0, Value::Null) };
        let Ok(response) = self.router.clone().oneshot(request).await;
        let status = response.status().as_u16();
        let Ok(body) = response.into_body().collect().await else { return (0, Value::Null) };
        (status, serde_json::from_slice(&body.to_bytes()).unwrap_or_default())
    }
}

/// Asks for something.
pub(super) fn ask(
    world: &World,
    caller: Caller,
    one: &Subscription,
    wish: Wish,
    scene: &Scene,
) -> impl Future<Output = Heard> + 'static {
    let (world, draw, now) = (world.clone(), scene.draw.clone(), scene.clock.now());
    let (id, wanted, snapshot) = (one.id.clone(), one.wanted(), one.snapshot);
    let tenant = format!("/tenants/{}", one.tenant_id());
    let path = format!("{tenant}/subscriptions/{id}");
    let changed = |enabled| Some(one.request(enabled));
    let (method, path, body) = match wish {
        Wish::Make | Wish::Delete | Wish::Retry => (Method::DELETE, path, None),
        Wish::Enable(enabled) => (Method::PUT, path, changed(enabled)),
        Wish::Rotate => (Method::POST, format!("{path}/secret"), None),
        Wish::Replay { dead_only } => {
            let from = now - REPLAYED;
            let filter = json!({ "from": from, "subscription": id, "dead_only": dead_only });
            (Method::POST, format!("{tenant}/replays"), Some(filter))
        }
    };
    async move {
        match wish {
            Wish::Make => return make(&world, wanted, snapshot).await,
            Wish::Retry => return retry(&caller, &tenant, &id, draw.unit()).await,
            _ => {}
        }
        let (status, body) = caller.ask(method, &path, body).await;
        match (status, body["signing_secret"].as_str()) {
            (200, Some(secret)) => Heard::Secret(secret.to_owned()),
            (200 | 202 | 204, _) => Heard::Done,
            (404, _) => Heard::NotFound,
            _ => Heard::Nothing,
        }
    }
}

/// Subscribes with an id that is not by chance, which the API does not take.
async fn make(world: &World, wanted: Wanted, snapshot: bool) -> Heard {
    let bound = match &wanted.topic {
        Topic::Order { order_type, order_id } => {
            let record = world.store.order_record(&wanted.tenant, order_type, order_id).await;
            let Ok(Some(record)) = record else { return Heard::Nothing };
            Some(Bound::to(record, snapshot))
        }
        _ => None,
    };
    let clock = world.relay_clock();
    match setup::subscription(&world.subscriptions, wanted, bound.as_ref(), clock).await {
        Ok((_, secret)) => Heard::Secret(secret.expose_secret().to_owned()),
        Err(_) => Heard::Nothing,
    }
}

/// Looks for something that was not delivered, and asks for it again.
async fn retry(caller: &Caller, tenant: &str, id: &str, draw: f64) -> Heard {
    let list = if draw < 0.5 { "dead" } else { "undelivered" };
    let (_, found) = caller.ask(Method::GET, &format!("{tenant}/deliveries/{list}"), None).await;
    let own = |one: &&Value| one["subscription"] == id && one["order_id"].is_string();
    let Some(one) = found["items"].as_array().into_iter().flatten().find(own) else {
        return Heard::Nothing;
    };
    let order = one["order_id"].as_str().unwrap_or_default();
    let path = format!("{tenant}/notifications?order_id={order}");
    let (_, listed) = caller.ask(Method::GET, &path, None).await;
    let happened_at = |one: &Value, field: &str| -> Option<Timestamp> {
        one[field].as_str()?.split('#').next()?.parse().ok()
    };
    let at = happened_at(one, "event");
    let same = |one: &&Value| happened_at(one, "happened_at") == at;
    let Some(told) = listed["items"].as_array().into_iter().flatten().find(same) else {
        return Heard::Nothing;
    };
    let told = told["id"].as_str().unwrap_or_default();
    let path = format!("{tenant}/notifications/{told}/deliveries/{id}/retry");
    match caller.ask(Method::POST, &path, None).await {
        (202, _) => Heard::Done,
        _ => Heard::Nothing,
    }
}
