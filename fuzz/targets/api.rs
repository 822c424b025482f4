//! Requests to everything that listens, through its router: bodies, queries, cursors, ids, headers.
//!
//! Input: one letter that chooses the request, the rest of its line for the path or the query, and
//! then the body. Nothing delivers here, so no request leaves the process.

#![no_main]

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use local::World;
use relay::Dice;
use relay::setup::{self, Wanted};
use simulator::Clock;
use simulator::aws::Aws;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt as _;

/// What the requests of the tenant are below.
const TENANT: &str = "/relay/v1/tenants/5500001";
const ACCOUNT: &str = "/accounts/5500001";

/// In a path, `%` stands for the text of the input as it is and `*` for the same as a cursor.
const REQUESTS: [(char, &str, &str); 34] = [
    ('a', "POST", "{T}/subscriptions"),
    ('b', "PUT", "{T}/subscriptions/0f3d9a52-6c1e-4b7a-9d84-52e1c7a0b6f1"),
    ('c', "GET", "{T}/subscriptions/%"),
    ('d', "GET", "{T}/subscriptions?cursor=*"),
    ('e', "POST", "{T}/subscriptions/%/secret"),
    ('f', "GET", "{T}/notifications?cursor=*"),
    ('g', "GET", "{T}/notifications?%"),
    ('h', "GET", "{T}/notifications/*"),
    ('i', "GET", "{T}/deliveries/dead?cursor=*"),
    ('j', "GET", "{T}/deliveries/undelivered?cursor=*"),
    ('k', "POST", "{T}/notifications/*/deliveries/0f3d9a52-6c1e-4b7a-9d84-52e1c7a0b6f1/retry"),
    ('l', "POST", "{T}/replays"),
    ('m', "GET", "{T}/replays/%"),
    ('n', "GET", "{T}/orders/orders?cursor=*"),
    ('o', "GET", "{T}/orders/orders/%?cursor=*"),
    ('p', "PUT", "{T}"),
    ('q', "POST", "/relay/v1/tenants"),
    ('r', "POST", "/relay/v1/keys"),
    ('s', "GET", "/relay/v1/keys?cursor=*"),
    ('t', "POST", "/relay/v1/upstreams"),
    ('u', "PUT", "/relay/v1/upstreams/9900012"),
    ('v', "PUT", "/relay/v1/upstreams/9900012/claims/%"),
    ('w', "GET", "/relay/v1/upstreams/9900012/quarantine?cursor=*"),
    ('x', "GET", "/relay/v1/upstreams/9900012/quarantine/*"),
    ('y', "GET", "/relay/v1/upstreams/9900012/unowned?cursor=*"),
    ('z', "PUT", "/relay/v1/networks"),
    ('A', "POST", "{A}/subscriptions"),
    ('B', "PUT", "{A}/subscriptions/0f3d9a52-6c1e-4b7a-9d84-52e1c7a0b6f1"),
    ('C', "GET", "{A}/subscriptions?%"),
    ('D', "GET", "{A}/orders?%"),
    ('E', "GET", "{A}/%"),
    ('F', "POST", "{A}/orders/1b9a2c44-8a1b-4f0e-9a57-9b1b6d5e7c02/notes"),
    ('G', "POST", "/notify/9900012"),
    ('H', "GET", "{A}/subscriptions"),
];

struct Stage {
    runtime: Runtime,
    router: Router,
    operator: String,
    upstream: String,
}

static STAGE: LazyLock<Stage> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_time().build().expect("there is a runtime");
    let (router, operator, upstream) = runtime.block_on(stage());
    Stage { runtime, router, operator, upstream }
});

/// A relay with a tenant, a subscription and an order, and the credentials of whoever may do all.
async fn stage() -> (Router, String, String) {
    let clock = Clock::manual("2026-02-03T10:00:00Z".parse().expect("a time"));
    let aws = Aws::memory(clock.clone()).expect("there is a table");
    let world = World::new(aws, clock, Dice::system()).await.expect("there is a world");
    let (store, clock) = (&world.store, world.relay_clock());
    setup::tenant(store, "5500001", clock.now()).await.expect("a tenant");
    let id = Some("0f3d9a52-6c1e-4b7a-9d84-52e1c7a0b6f1".into());
    let wanted = Wanted { id, ..Wanted::everything("5500001", "http://127.0.0.1:9/") };
    setup::subscription(&world.subscriptions, wanted, None, clock).await.expect("a subscription");
    let operator = setup::operator(store, clock.now()).await.expect("an operator");
    let upstream = setup::upstream(store, "9900012", Some("5500001"), Vec::new());
    let upstream = upstream.await.expect("an upstream");
    let basic = |login: setup::Login| {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", login.username, login.password)))
    };
    let (operator, upstream) = (basic(operator), basic(upstream));
    let order = "<Notification><Status>BACKORDERED</Status><OrderType>orders</OrderType>\
                 <OrderId>1b9a2c44-8a1b-4f0e-9a57-9b1b6d5e7c02</OrderId></Notification>";
    let router = world.router();
    let told = Request::post("/notify/9900012").header("authorization", &upstream);
    let told = told.body(Body::from(order)).expect("a request");
    let answered = router.clone().oneshot(told).await.expect("an answer");
    assert_eq!(answered.status(), 200);
    while world.fan_out_batch().await > 0 {}
    (router, operator, upstream)
}

/// In a form that a URI takes.
fn escaped(text: &[u8]) -> String {
    text.iter().fold(String::new(), |mut all, byte| {
        match byte {
            b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b'-'
            | b'.'
            | b'_'
            | b'~'
            | b'/'
            | b'='
            | b'&'
            | b'+' => all.push(char::from(*byte)),
            _ => _ = write!(all, "%{byte:02X}"),
        }
        all
    })
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((letter, rest)) = input.split_first() else { return };
    let Some((_, method, path)) = REQUESTS.iter().find(|(known, ..)| *known == char::from(*letter))
    else {
        return;
    };
    let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    let (text, body) = (&rest[..end], rest.get(end + 1..).unwrap_or_default());
    let path = path.replace("{T}", TENANT).replace("{A}", ACCOUNT);
    let path = path.replace('%', &escaped(text)).replace('*', &URL_SAFE_NO_PAD.encode(text));
    let is_json = path.starts_with("/relay");
    let stage = &*STAGE;
    let who = if path.starts_with("/notify") { &stage.upstream } else { &stage.operator };
    let request = Request::builder()
        .method(*method)
        .uri(&path)
        .header("authorization", who)
        .header("content-type", if is_json { "application/json" } else { "application/xml" })
        .body(Body::from(Bytes::copy_from_slice(body)));
    // Longer than a URI may be.
    let Ok(request) = request else { return };
    let answered = stage.runtime.block_on(stage.router.clone().oneshot(request));
    let status = answered.expect("the router always answers").status();
    assert!(!status.is_server_error() && status != 401, "{method} {path}: {status}");
});
