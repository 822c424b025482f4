//! What each request to the API reads, counted and written down: docs/api.md has the same figures.
//!
//! The routes are those of `isolation`, which reads them off the router: one that is added without a
//! figure fails here.

use jiff::SignedDuration;
use relay::setup::{self, Login, Wanted};
use serde_json::Value;
use simulator::aws::Units;

use crate::isolation::{self, Things};
use crate::stage::{ORDER, Stage, TENANT, UPSTREAM, state};

#[tokio::test]
async fn no_request_reads_more_than_is_written_down() {
    let stage = Stage::new(0, None).await;
    for (status, second) in [("SUBMITTED", 1), ("FOC", 2), ("COMPLETE", 3)] {
        stage.post_accepted(&state(status, second)).await;
    }
    assert_eq!(stage.post("this is no notification").await.0, 400);
    stage.run_for(SignedDuration::from_secs(2)).await;
    let now = stage.world.relay_clock().now();
    let operator = setup::operator(&stage.world.store, now).await.unwrap();
    let things = things(&stage, &operator).await;
    let spare = Wanted::everything(TENANT, "http://127.0.0.1:9997/");
    let (spare, _) = crate::stage::subscribe(&stage.world, spare).await;

    let mut found = Vec::new();
    for (asked, method, path) in requests(&things) {
        // Two routes delete a subscription.
        let path = match asked.as_str() {
            "DELETE /accounts/{account}/subscriptions/{id}" => {
                path.replace(&stage.subscription, &spare)
            }
            _ => path,
        };
        // Who asks is known by then.
        send(&stage, &operator, "GET", "/relay/v1/networks", "").await;
        stage.aws.reset_calls();
        let (status, text) = send(&stage, &operator, &method, &path, body(&asked)).await;
        // Orders are not placed here; and what is quarantined is still no notification.
        let is_refused = (asked.contains("/{kind}") && status == 403)
            || (asked.ends_with("/quarantine/{id}/retry") && status == 409);
        assert!((200..300).contains(&status) || is_refused, "{asked}: {status} {text}");
        let Units { read, write, .. } = stage.aws.units();
        assert!(write == 0.0 || method != "GET", "{asked}");
        assert!(stage.aws.calls().iter().all(|call| call.operation != "Scan"), "{asked}");
        found.push((asked, read));
    }
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/api.md");
    let docs = std::fs::read_to_string(docs).unwrap();
    let table: String =
        found.iter().map(|(asked, read)| format!("| `{asked}` | {read} |\n")).collect();
    assert!(docs.contains(&table), "docs/api.md should have\n{table}");
}

/// Each request once, what deletes last: what it is called, its method, its path.
fn requests(things: &Things) -> Vec<(String, String, String)> {
    let mut all = Vec::new();
    for (path, (whose, methods)) in isolation::expected() {
        let of_another_base = isolation::BASES[1..].iter().any(|base| {
            path.strip_prefix(base).is_some_and(|below| below.starts_with("/accounts"))
        });
        let is_ours = matches!(whose, isolation::For::Tenant | isolation::For::Operators);
        if !is_ours || of_another_base {
            continue;
        }
        for method in methods.split(' ') {
            let asked = format!("{method} {path}");
            all.push((asked, method.to_owned(), things.in_path(&path, TENANT)));
        }
    }
    let rank = |method: &str| {
        ["GET", "POST", "PUT", "PATCH", "DELETE"].iter().position(|one| *one == method)
    };
    all.sort_by_key(|(asked, method, _)| (rank(method), asked.clone()));
    all
}

/// A body that each request is content with.
fn body(asked: &str) -> &'static str {
    match asked {
        "POST /relay/v1/upstreams" => r#"{"account":"9900099","rules":[]}"#,
        "PUT /relay/v1/upstreams/{account}" => r#"{"rules":[]}"#,
        "PUT /relay/v1/upstreams/{account}/api" => {
            r#"{"url":"https://bandwidth.test/api","username":"u","password":"p","gateway":false}"#
        }
        "PUT /relay/v1/upstreams/{account}/claims/{order}" => r#"{"tenant":"5500001"}"#,
        "POST /relay/v1/tenants" => r#"{"id":"5500077"}"#,
        "PUT /relay/v1/tenants/{tenant}" => r#"{"name":"one"}"#,
        "POST /relay/v1/keys" => r#"{"role":"read","tenant":"5500001"}"#,
        "PUT /relay/v1/networks" => r#"{"networks":["10.0.0.0/8"]}"#,
        "POST /relay/v1/tenants/{tenant}/subscriptions" => r#"{"url":"http://127.0.0.1:9998/"}"#,
        "PUT /accounts/{account}/subscriptions/{id}" => {
            "<Subscription><OrderType>csrs</OrderType><CallbackSubscription>\
             <URL>http://127.0.0.1:9999/</URL></CallbackSubscription></Subscription>"
        }
        other => {
            let (method, path) = other.split_once(' ').unwrap();
            isolation::body(method, path)
        }
    }
}

async fn things(stage: &Stage, operator: &Login) -> Things {
    let ask = async |method: &str, path: &str, body: &str| -> Value {
        let (status, text) = send(stage, operator, method, path, body).await;
        assert!((200..300).contains(&status), "{method} {path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    };
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let tenant = format!("/relay/v1/tenants/{TENANT}");
    let upstream = format!("/relay/v1/upstreams/{UPSTREAM}");
    let notifications = ask("GET", &format!("{tenant}/notifications"), "").await;
    let from = r#"{"from":"2026-01-01T00:00:00Z"}"#;
    let replay = ask("POST", &format!("{tenant}/replays"), from).await;
    let claim = format!("{upstream}/claims/{ORDER}");
    ask("PUT", &claim, &format!(r#"{{"tenant":"{TENANT}"}}"#)).await;
    let quarantine = ask("GET", &format!("{upstream}/quarantine"), "").await;
    let notes = format!("/accounts/{TENANT}/portins/{ORDER}/notes");
    ask("POST", &notes, isolation::body("POST", &notes)).await;
    let noted = send(stage, operator, "GET", &notes, "").await.1;
    let note = noted.split_once("<Id>").unwrap().1.split_once('<').unwrap().0.to_owned();
    Things(vec![
        ("notification", text(&notifications["items"][0]["id"])),
        ("subscription", stage.subscription.clone()),
        ("replay", text(&replay["id"])),
        ("order_id", ORDER.into()),
        ("order", ORDER.into()),
        ("order_type", "portins".into()),
        ("kind", "portins".into()),
        ("note", note),
        ("*rest", "loas".into()),
        ("quarantined", text(&quarantine["items"][0]["id"])),
        ("other", stage.tenant_login.username.clone()),
    ])
}

async fn send(stage: &Stage, login: &Login, method: &str, path: &str, body: &str) -> (u16, String) {
    let (status, _, text) = isolation::send(&stage.world.router(), method, path, login, body).await;
    (status, text)
}
