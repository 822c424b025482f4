//! No tenant reaches anything of another's: every route that there is, asked with the wrong key.
//!
//! The routes are read off the router itself, so that one which is added without an entry in the
//! tables below fails this test.

use std::collections::{BTreeMap, BTreeSet};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use relay::setup::{self, Login, Wanted};
use tower::ServiceExt as _;

use crate::stage::{ORDER, Stage, TENANT, UPSTREAM, state};

/// The one who asks for what is not hers.
const STRANGER: &str = "5500002";

/// What no answer to a stranger may hold.
const MARK: &str = "markofthefirsttenant";

/// Who a route is for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum For {
    /// A tenant, named by `{tenant}` or `{account}` in the path.
    Tenant,
    Operators,
    /// Anybody: it holds nothing of anybody's.
    Anybody,
    /// An upstream with its own credentials.
    Upstream,
}

/// Below each base of Bandwidth's API.
const XML: &[(&str, &str)] = &[
    ("/subscriptions", "GET POST"),
    ("/subscriptions/{id}", "GET PUT DELETE"),
    ("/{kind}", "GET POST"),
    ("/{kind}/{id}", "GET POST PUT PATCH DELETE"),
    ("/{kind}/{id}/history", "GET"),
    ("/{kind}/{id}/notes", "GET POST PUT"),
    ("/{kind}/{id}/notes/{note}", "PUT"),
    ("/{kind}/{id}/tns", "GET"),
    ("/{kind}/{id}/areaCodes", "GET"),
    ("/{kind}/{id}/npaNxx", "GET"),
    ("/{kind}/{id}/totals", "GET"),
    ("/{kind}/{id}/{*rest}", "GET POST PUT PATCH DELETE"),
];

pub(crate) const BASES: [&str; 5] = ["", "/api", "/api/v1", "/api/v2", "/v1.0"];

/// Below `/relay/v1/tenants/{tenant}`.
const TENANTS: &[(&str, &str)] = &[
    ("/subscriptions", "GET POST"),
    ("/subscriptions/{id}", "GET PUT DELETE"),
    ("/subscriptions/{id}/secret", "POST"),
    ("/subscriptions/{id}/test", "POST"),
    ("/notifications", "GET"),
    ("/notifications/{id}", "GET"),
    ("/notifications/{id}/deliveries/{subscription}/retry", "POST"),
    ("/deliveries/undelivered", "GET"),
    ("/deliveries/dead", "GET"),
    ("/replays", "POST"),
    ("/replays/{id}", "GET"),
    ("/orders/{order_type}", "GET"),
    ("/orders/{order_type}/{order_id}", "GET"),
];

/// Below `/relay/v1`.
const OPERATORS: &[(&str, &str)] = &[
    ("/upstreams", "GET POST"),
    ("/upstreams/{account}", "GET PUT"),
    ("/upstreams/{account}/credentials", "POST"),
    ("/upstreams/{account}/api", "PUT DELETE"),
    ("/upstreams/{account}/claims/{order}", "GET PUT DELETE"),
    ("/upstreams/{account}/unowned", "GET"),
    ("/upstreams/{account}/quarantine", "GET"),
    ("/upstreams/{account}/quarantine/{id}", "GET DELETE"),
    ("/upstreams/{account}/quarantine/{id}/retry", "POST"),
    ("/tenants", "GET POST"),
    ("/tenants/{tenant}", "GET PUT"),
    ("/keys", "GET POST"),
    ("/keys/{id}", "DELETE"),
    ("/networks", "GET PUT"),
];

pub(crate) fn expected() -> BTreeMap<String, (For, &'static str)> {
    let mut all = BTreeMap::from([
        ("/notify/{account}".to_owned(), (For::Upstream, "POST")),
        ("/relay/v1/openapi.json".to_owned(), (For::Anybody, "GET")),
    ]);
    for base in BASES {
        let below = XML.iter().map(|(path, methods)| {
            (format!("{base}/accounts/{{account}}{path}"), (For::Tenant, *methods))
        });
        all.extend(below);
    }
    all.extend(TENANTS.iter().map(|(path, methods)| {
        (format!("/relay/v1/tenants/{{tenant}}{path}"), (For::Tenant, *methods))
    }));
    all.extend(
        OPERATORS
            .iter()
            .map(|(path, methods)| (format!("/relay/v1{path}"), (For::Operators, *methods))),
    );
    all
}

/// Where the routers' own answers for what is not there are kept.
const FALLBACKS: [&str; 2] = ["/", "/relay/v1"];

/// The paths of a router, as it prints itself.
fn paths(router: &Router) -> BTreeSet<String> {
    let printed = format!("{router:?}");
    let quoted = printed.split('"').skip(1).step_by(2);
    // Axum has marks of its own for what is nested.
    let paths = quoted.filter(|text| text.starts_with('/') && !text.contains("__private"));
    paths.filter(|path| !FALLBACKS.contains(path)).map(Into::into).collect()
}

pub(crate) async fn send(
    router: &Router,
    method: &str,
    path: &str,
    login: &Login,
    body: &str,
) -> (u16, Option<String>, String) {
    use base64::Engine as _;
    let user = format!("{}:{}", login.username, login.password);
    let user = base64::engine::general_purpose::STANDARD.encode(user);
    let content = if path.starts_with("/relay") { "application/json" } else { "application/xml" };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Basic {user}"))
        .header("content-type", content)
        .body(Body::from(body.to_owned()))
        .unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let allow = response.headers().get("allow").map(|allow| allow.to_str().unwrap().to_owned());
    let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
    (status, allow, String::from_utf8_lossy(&body).into_owned())
}

/// Bodies that each route would take, so that nothing is refused before it is known who asks.
pub(crate) fn body(method: &str, path: &str) -> &'static str {
    let xml = !path.starts_with("/relay");
    match (method, xml) {
        ("GET" | "DELETE", _) => "",
        _ if xml && path.contains("notes") => "<Note><Description>x</Description></Note>",
        (_, true) => {
            "<Subscription><OrderType>orders</OrderType><CallbackSubscription>\
             <URL>http://127.0.0.1:9999/</URL></CallbackSubscription></Subscription>"
        }
        _ if path.ends_with("/subscriptions") || path.contains("/subscriptions/") => {
            r#"{"url":"http://127.0.0.1:9999/"}"#
        }
        _ if path.ends_with("/replays") => r#"{"from":"2026-01-01T00:00:00Z"}"#,
        _ => "{}",
    }
}

/// Things of the first tenant's, by the name of their parameter.
pub(crate) struct Things(pub(crate) Vec<(&'static str, String)>);

impl Things {
    pub(crate) fn in_path(&self, path: &str, tenant: &str) -> String {
        let mut path = path.replace("{tenant}", tenant);
        // Below upstreams an account is an upstream's.
        let account = if path.contains("/upstreams/") { UPSTREAM } else { tenant };
        path = path.replace("{account}", account);
        let id = if path.contains("/notifications/") {
            "{notification}"
        } else if path.contains("/subscriptions/") {
            "{subscription}"
        } else if path.contains("/replays/") {
            "{replay}"
        } else if path.contains("/quarantine/") {
            "{quarantined}"
        } else if path.contains("{kind}") {
            "{order_id}"
        } else {
            "{other}"
        };
        path = path.replace("{id}", id);
        for (name, value) in &self.0 {
            path = path.replace(&format!("{{{name}}}"), value);
        }
        assert!(!path.contains('{'), "{path} has a parameter without a value");
        path
    }
}

#[tokio::test]
async fn a_route_is_for_its_own_tenant_alone() {
    let stage = Stage::new(0, None).await;
    let now = stage.world.relay_clock().now();
    let stranger = setup::tenant(&stage.world.store, STRANGER, now).await.unwrap();
    let operator = setup::operator(&stage.world.store, now).await.unwrap();
    let wanted = Wanted::everything(TENANT, &format!("http://127.0.0.1:9999/{MARK}"));
    let (subscription, _) = crate::stage::subscribe(&stage.world, wanted).await;
    stage.post_accepted(&state(MARK, 1)).await;
    stage.run_for(jiff::SignedDuration::from_secs(2)).await;
    let router = stage.world.router();

    let feed = format!("/relay/v1/tenants/{TENANT}/notifications");
    let (_, _, listed) = send(&router, "GET", &feed, &stage.tenant_login, "").await;
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let notification = listed["items"][0]["id"].as_str().unwrap().to_owned();
    let replays = format!("/relay/v1/tenants/{TENANT}/replays");
    let body_of_replay = body("POST", &replays);
    let (_, _, replay) = send(&router, "POST", &replays, &stage.tenant_login, body_of_replay).await;
    let replay: serde_json::Value = serde_json::from_str(&replay).unwrap();
    let things = Things(vec![
        ("notification", notification),
        ("subscription", subscription),
        ("replay", replay["id"].as_str().unwrap().to_owned()),
        ("order_id", ORDER.into()),
        ("order", ORDER.into()),
        ("order_type", "portins".into()),
        ("kind", "portins".into()),
        ("note", "1".into()),
        ("*rest", "loas".into()),
        ("quarantined", "other".into()),
        ("other", "other".into()),
    ]);

    for path in FALLBACKS {
        assert_eq!(send(&router, "GET", path, &operator, "").await.0, 404, "{path}");
    }
    let expected = expected();
    assert_eq!(paths(&router), expected.keys().cloned().collect(), "the routes that there are");
    for (path, (whose, methods)) in &expected {
        // What a path takes is asked with a method that none takes, by who may know.
        let own = things.in_path(path, TENANT);
        let (status, allow, _) = send(&router, "TRACE", &own, &operator, "").await;
        let allowed: BTreeSet<_> =
            allow.as_deref().unwrap_or_default().split(',').filter(|one| *one != "HEAD").collect();
        assert_eq!(status, 405, "{path}");
        assert_eq!(allowed, methods.split(' ').collect(), "the methods of {path}");

        for method in methods.split(' ') {
            let asked = format!("{method} {path}");
            match whose {
                For::Anybody | For::Upstream => continue,
                For::Operators => {
                    let (status, _, text) =
                        send(&router, method, &own, &stranger, body(method, &own)).await;
                    assert_eq!(status, 403, "{asked} {text}");
                    assert!(!text.contains(MARK), "{asked}");
                }
                For::Tenant => {
                    let (status, _, text) =
                        send(&router, method, &own, &stranger, body(method, &own)).await;
                    assert_eq!(status, 403, "{asked} {text}");
                    assert!(!text.contains(MARK), "{asked}");
                    // The same things, as if they were the stranger's.
                    let stolen = things.in_path(path, STRANGER);
                    let (status, _, text) =
                        send(&router, method, &stolen, &stranger, body(method, &stolen)).await;
                    assert!(!text.contains(MARK), "{asked}: {text}");
                    let of_one_thing = path.contains("{id}") || path.contains("{order_id}");
                    if of_one_thing {
                        assert!([403, 404].contains(&status), "{asked}: {status} {text}");
                    }
                }
            }
        }
    }

    // Nothing of the first tenant's has changed.
    let (_, _, subscriptions) = send(
        &router,
        "GET",
        &format!("/relay/v1/tenants/{TENANT}/subscriptions"),
        &stage.tenant_login,
        "",
    )
    .await;
    assert!(subscriptions.contains(MARK));
}

#[test]
fn every_route_of_the_relays_own_api_is_described() {
    let document = serde_json::to_value(relay::api::openapi()).unwrap();
    let described: BTreeMap<_, _> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(path, item)| {
            let methods = item.as_object().unwrap().keys().map(|name| name.to_uppercase());
            (path.clone(), methods.collect::<BTreeSet<_>>())
        })
        .collect();
    let routes: BTreeMap<_, _> = expected()
        .into_iter()
        .filter(|(path, (whose, _))| path.starts_with("/relay") && *whose != For::Anybody)
        .map(|(path, (_, methods))| (path, methods.split(' ').map(Into::into).collect()))
        .collect();
    assert_eq!(described, routes);
}
