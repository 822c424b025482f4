//! Orders that are placed at Bandwidth through the relay.

mod fake;
mod placing;

use axum::body::{Body, Bytes};
use domain::limits::{BODY_BYTES_MAX, LOA_BYTES_MAX, ORDER_BYTES_MAX};
use jiff::SignedDuration;
use relay::setup::{self, Login};
use tokio::net::TcpListener;

use crate::stage::{ORDER, TENANT, UPSTREAM, state};
use fake::{Gate, OTHER, PASSWORD, USERNAME, ask};

#[tokio::test]
async fn only_the_name_of_the_account_changes_on_the_way() {
    let said = b"<?xml version='1.0'?>\n<OrderResponse>\xff<AccountId>9900012</AccountId>\
                 <Order><SiteId>9900012</SiteId><id>1b9a2c44</id></Order></OrderResponse>";
    let location = "https://elsewhere.test:443/v1.0/accounts/9900012/orders/1B9a2c44";
    let headers = [
        ("content-type", "application/xml; charset=utf-8"),
        ("location", location),
        ("set-cookie", "a=b"),
        ("www-authenticate", "Basic realm=\"theirs\""),
        ("x-ratelimit-remaining", "7"),
        ("x-other", "x"),
    ];
    let gate = Gate::answering(201, &headers, said).await;
    let order = b"<Order>\xfe <accountId>5500001</accountId><SiteId>5500001</SiteId></Order>\r\n";
    let path = format!("/v1.0/accounts/{TENANT}/orders?x=%2F&y=z");
    let headers = [("content-type", "application/xml"), ("cookie", "c=d")];
    let (router, login) = (gate.stage.world.router(), &gate.stage.tenant_login);
    let answer = ask(router, login, "POST", &path, &headers, order.as_slice()).await;

    let asked = gate.asked();
    assert_eq!(asked[0].line, "POST /api/accounts/9900012/orders?x=%2F&y=z");
    assert_eq!(asked[0].headers["authorization"], "Basic b3BlcmF0b3IgJiBjbzpvcGVuLXNlc2FtZQ==");
    assert_eq!(asked[0].headers["content-type"], "application/xml");
    assert!(asked[0].headers.get("cookie").is_none());
    assert_eq!(asked[0].headers["connection"], "close", "none that was kept and may be dead");
    let passed = b"<Order>\xfe <accountId>9900012</accountId><SiteId>5500001</SiteId></Order>\r\n";
    assert_eq!(asked[0].body, passed);
    assert_eq!(asked.len(), 1);

    let told = b"<?xml version='1.0'?>\n<OrderResponse>\xff<AccountId>5500001</AccountId>\
                 <Order><SiteId>9900012</SiteId><id>1b9a2c44</id></Order></OrderResponse>";
    assert_eq!((answer.status, answer.body.as_slice()), (201, told.as_slice()));
    let here = format!("http://relay.test/v1.0/accounts/{TENANT}/orders/1B9a2c44");
    assert_eq!(answer.header("location"), here);
    assert_eq!(answer.header("content-type"), "application/xml; charset=utf-8");
    assert_eq!(answer.header("x-ratelimit-remaining"), "7");
    for dropped in ["set-cookie", "www-authenticate", "x-other"] {
        assert_eq!(answer.header(dropped), "", "{dropped}");
    }
    assert_eq!(gate.owner("1b9a2c44").await.as_deref(), Some(TENANT));
}

#[tokio::test]
async fn what_is_of_an_own_order_is_passed_on_and_nothing_of_anothers() {
    let gate = Gate::answering(200, &[("content-type", "application/xml")], b"<a/>").await;
    gate.claim("a-1", TENANT).await;
    let all = [
        ("GET", "/orders/A-1?tndetail=true"),
        ("PUT", "/orders/a-1"),
        ("POST", "/portins/a-1"),
        ("PATCH", "/bulkPortins/a-1"),
        ("DELETE", "/portins/a-1"),
        ("GET", "/orders/a-1/history"),
        ("GET", "/orders/a-1/notes"),
        ("GET", "/orders/a-1/tns"),
        ("GET", "/orders/a-1/areaCodes"),
        ("GET", "/orders/a-1/npaNxx"),
        ("GET", "/orders/a-1/totals"),
        ("GET", "/portins/a-1/loas"),
        ("POST", "/portins/a-1/loas"),
        ("PUT", "/portins/a-1/loas/scan_1.pdf/metadata"),
        ("PUT", "/portins/a-1/activationStatus"),
    ];
    for (method, path) in all {
        let said = gate.ask(method, path, "").await;
        assert_eq!((said.status, said.text().as_str()), (200, "<a/>"), "{method} {path}");
        let asked: Vec<_> = gate.asked().into_iter().map(|asked| asked.line).collect();
        assert_eq!(asked, [format!("{method} /api/accounts/{UPSTREAM}{path}")]);

        let said = gate.ask_as_other(method, path).await;
        assert_eq!(said.status, 404, "{method} {path}");
        assert!(said.text().contains("<ErrorCode>1016</ErrorCode>"));
        let unknown = gate.ask(method, &path.to_lowercase().replace("a-1", "a-2"), "").await;
        assert_eq!((unknown.status, unknown.text()), (404, said.text()), "{method} {path}");
        assert!(gate.asked().is_empty(), "{method} {path}");
    }
    // Lists are of what the relay was told.
    let list = gate.ask("GET", "/orders", "").await;
    assert!(list.text().contains("<ResponseSelectWrapper>"));
    assert!(gate.asked().is_empty());
}

#[tokio::test]
async fn an_order_that_the_tenant_was_told_of_is_its_own_until_a_claim_says_otherwise() {
    let gate = Gate::answering(200, &[], b"<a/>").await;
    gate.stage.post_accepted(&state("SUBMITTED", 1)).await;
    gate.stage.run_for(SignedDuration::from_secs(1)).await;
    let path = format!("/portins/{}", ORDER.to_uppercase());
    assert_eq!(gate.ask("DELETE", &path, "").await.status, 200);
    assert_eq!(gate.ask_as_other("DELETE", &path).await.status, 404);
    // There is none of that kind.
    assert_eq!(gate.ask("DELETE", &format!("/orders/{ORDER}"), "").await.status, 404);
    // `schedule` has asked for lists meanwhile.
    let asked: Vec<_> = gate.asked().into_iter().map(|asked| asked.line).collect();
    let asked: Vec<_> = asked.iter().filter(|line| line.contains(&path)).collect();
    assert_eq!(asked, [&format!("DELETE /api/accounts/{UPSTREAM}{path}")]);

    gate.claim(ORDER, OTHER).await;
    assert_eq!(gate.ask("DELETE", &path, "").await.status, 404);
    assert_eq!(gate.ask_as_other("DELETE", &path).await.status, 200);
    assert_eq!(gate.asked().len(), 1);

    // At another upstream it is the relay that answers, with what it knows.
    setup::upstream(&gate.stage.world.store, "9900013", Some(TENANT), vec![]).await.unwrap();
    gate.place_at(TENANT, Some("9900013")).await;
    gate.open_as_well("9900013").await;
    let said = gate.ask("GET", &path, "").await;
    assert!(said.text().contains("<ProcessingStatus>SUBMITTED<"), "{}", said.text());
    assert_eq!(gate.ask("DELETE", &path, "").await.status, 403);
    assert!(gate.asked().is_empty());
}

#[tokio::test]
async fn nobody_climbs_out_of_an_account() {
    let gate = Gate::answering(200, &[], b"<a/>").await;
    gate.claim("a-1", TENANT).await;
    // What is answered to GET, POST, PUT and DELETE.
    let refused = [403; 4];
    for (below, expected) in [
        ("/orders/a-1/../../../9900099/orders/b", refused),
        ("/orders/../orders/a-1", refused),
        ("/orders/a-1/..", refused),
        ("/orders/a-1/%2e%2e/b", refused),
        ("/orders/a-1/%2E%2E%2Fb", refused),
        ("/orders/a-1%2F..%2Fb", [404, 403, 403, 403]),
        ("/orders/a-1;x=y", [404, 403, 403, 403]),
        ("/orders/a-1/notes;x", refused),
        ("/orders/a-1/notes/1%3b", [405, 405, 400, 405]),
        ("/orders/a-1%00", [404, 403, 403, 403]),
        ("/orders/a-1/x\\y", refused),
        ("/orders/a-1//notes", refused),
        ("/sites/a-1", [404; 4]),
        ("/applications", [404, 404, 405, 405]),
        ("/inServiceTns", [404, 404, 405, 405]),
    ] {
        for (method, status) in ["GET", "POST", "PUT", "DELETE"].into_iter().zip(expected) {
            let said = gate.ask(method, below, "<Note/>").await;
            assert_eq!(said.status, status, "{method} {below}: {}", said.text());
        }
    }
    let long = "x".repeat(1_100);
    assert_eq!(gate.ask("GET", &format!("/orders/a-1?{long}"), "").await.status, 400);
    assert!(gate.asked().is_empty());
}

#[tokio::test]
async fn a_closed_gateway_says_what_is_closed() {
    let gate = Gate::answering(201, &[("location", "/orders/a-1")], b"").await;
    let now = gate.stage.world.relay_clock().now();
    let check = async |why: &str| {
        for (method, path) in
            [("POST", "/orders"), ("PUT", "/orders/a-1"), ("GET", "/portins/a/loas")]
        {
            let said = gate.ask(method, path, "<Order/>").await;
            assert_eq!(said.status, 403, "{why}");
            assert!(said.text().contains("<ErrorCode>1001</ErrorCode>"));
            assert!(said.text().contains(why), "{why}: {}", said.text());
        }
        assert!(gate.asked().is_empty(), "{why}");
    };
    gate.open_since(None).await;
    check("is closed").await;
    gate.open_since(Some(now)).await;
    check("opens in some seconds").await;
    gate.stage.clock.advance(SignedDuration::from_millis(9_999));
    check("opens in some seconds").await;
    gate.place_at(TENANT, None).await;
    check("has no upstream").await;
    gate.place_at(TENANT, Some(UPSTREAM)).await;
    gate.stage.clock.advance(SignedDuration::from_millis(1));
    assert_eq!(gate.ask("POST", "/orders", "<Order/>").await.status, 201);
}

#[tokio::test]
async fn what_bandwidth_refuses_is_passed_on_and_its_401_is_not_the_tenants() {
    let errors =
        b"<OrderResponse><ErrorList><Error><Code>5016</Code></Error></ErrorList></OrderResponse>";
    // A placing stays where the order may have been placed nevertheless.
    for (status, placings) in [(400, 0), (403, 0), (404, 0), (409, 0), (429, 0), (500, 1), (503, 1)]
    {
        let headers = [("x-ratelimit-reset", "123"), ("retry-after", "9")];
        let gate = Gate::answering(status, &headers, errors).await;
        let said = gate.ask("POST", "/orders", "<Order/>").await;
        assert_eq!((said.status, said.body.as_slice()), (status, errors.as_slice()));
        assert_eq!((said.header("retry-after"), said.header("x-ratelimit-reset")), ("9", "123"));
        assert_eq!(gate.asked().len(), 1, "{status} is not asked again");
        let left = gate.stage.items(&format!("PLACING#{UPSTREAM}")).await;
        assert_eq!(left.len(), placings, "{status}");
    }
    let gate = Gate::answering(401, &[("www-authenticate", "Basic")], b"theirs").await;
    gate.claim("a-1", TENANT).await;
    for (method, path) in [("POST", "/orders"), ("GET", "/orders/a-1")] {
        let said = gate.ask(method, path, "<Order/>").await;
        assert_eq!((said.status, said.header("www-authenticate")), (502, ""));
        assert!(said.text().contains("refuses the credentials"), "{}", said.text());
        assert_eq!(gate.asked().len(), 1);
    }
    assert!(gate.stage.items(&format!("PLACING#{UPSTREAM}")).await.is_empty());
    assert!(crate::logs::lines().contains("Bandwidth refuses the upstream's credentials"));
}

#[tokio::test]
async fn where_nobody_answers_a_request_is_made_once_and_given_up() {
    // A connection that takes the request and closes.
    let gate = Gate::answering(200, &[], b"").await;
    gate.claim("a-1", TENANT).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let now = gate.stage.world.relay_clock().now();
    gate.reach(&url, Some(now - SignedDuration::from_mins(1))).await;
    let closes = tokio::spawn(async move {
        let mut count = 0;
        while count < 2 {
            let (stream, _) = listener.accept().await.unwrap();
            stream.readable().await.unwrap();
            drop(stream);
            count += 1;
        }
        // Nobody is left to connect to.
        drop(listener);
    });
    for (method, path) in [("POST", "/orders"), ("GET", "/orders/a-1")] {
        let said = gate.ask(method, path, "<Order/>").await;
        assert_eq!(said.status, 502, "{method}");
        assert!(said.text().contains("may have been done"), "{}", said.text());
    }
    // Each of the two came once.
    closes.await.unwrap();
    let said = gate.ask("POST", "/orders", "<Order/>").await;
    assert_eq!(said.status, 502);
    assert!(said.text().contains("nothing was done"), "{}", said.text());
    // Of the two that were placed the first may have been.
    assert_eq!(gate.stage.items(&format!("PLACING#{UPSTREAM}")).await.len(), 1);
}

#[tokio::test]
async fn a_note_is_signed_by_the_upstreams_user_there_and_by_the_tenants_key_here() {
    let notes = "<Notes><Note><UserId>operator &amp; co</UserId></Note>\
                 <Note><UserId>somebody</UserId></Note></Notes>";
    let gate = Gate::answering(200, &[("content-type", "text/xml")], notes.as_bytes()).await;
    gate.claim("a-1", TENANT).await;
    let key = &gate.stage.tenant_login.username;
    let note = |user: &str| {
        format!("<Note><UserId>{user}</UserId><Description>\u{e9}</Description></Note>")
    };
    for (method, path) in [("POST", "/orders/a-1/notes"), ("PUT", "/orders/a-1/notes/7")] {
        assert_eq!(gate.ask(method, path, note(key)).await.status, 200);
        let asked = gate.asked();
        assert_eq!(String::from_utf8_lossy(&asked[0].body), note("operator &amp; co"));

        let forged = gate.ask(method, path, note(USERNAME.split(' ').next().unwrap())).await;
        assert_eq!(forged.status, 400);
        assert!(forged.text().contains("<ErrorCode>12501</ErrorCode>"));
        assert!(gate.asked().is_empty());
    }
    let said = gate.ask("GET", "/orders/a-1/notes", "").await;
    assert_eq!(said.text(), notes.replace("operator &amp; co", key));
}

#[tokio::test]
async fn a_document_goes_through_untouched_up_to_its_limit() {
    let scan = b"\x00\xff<accountId>9900012</accountId><accountId>5500001</accountId>".to_vec();
    let gate = Gate::answering(200, &[("content-type", "application/xml")], &scan).await;
    gate.claim("a-1", TENANT).await;
    let path = format!("/api/accounts/{TENANT}/portins/a-1/loas");
    let headers = [
        ("content-type", "application/pdf"),
        ("content-disposition", "attachment; filename=\"scan.pdf\""),
        ("documentType", "LOA"),
    ];
    let upload = async |body: Body| {
        let (router, login) = (gate.stage.world.router(), &gate.stage.tenant_login);
        ask(router, login, "POST", &path, &headers, body).await
    };
    // As a whole, and in pieces of which nobody says how many come.
    let whole = scan.repeat(10 * BODY_BYTES_MAX / scan.len());
    let said = upload(Body::from(whole.clone())).await;
    assert_eq!(said.status, 200);
    let asked = gate.asked();
    assert!(asked[0].body == whole, "{} bytes came", asked[0].body.len());
    assert_eq!(asked[0].headers["content-length"], whole.len().to_string());
    for (name, value) in headers {
        assert_eq!(asked[0].headers[name], value);
    }
    assert_eq!(upload(pieces(whole.len(), 10_000)).await.status, 200);
    assert_eq!(gate.asked()[0].body.len(), whole.len());
    // One more byte than there may be.
    assert_eq!(upload(vec![0; LOA_BYTES_MAX].into()).await.status, 200);
    assert_eq!(gate.asked().len(), 1);
    assert_eq!(upload(vec![0; LOA_BYTES_MAX + 1].into()).await.status, 413);
    assert_eq!(upload(pieces(LOA_BYTES_MAX + 1, 1_000_000)).await.status, 413);
    assert!(gate.asked().is_empty());

    // What comes back is a file too.
    assert_eq!(gate.ask("GET", "/portins/a-1/loas/scan.xml", "").await.body, scan);
    gate.asked();
    // Any other body is read, and has a limit of its own.
    assert_eq!(gate.ask("PUT", "/portins/a-1", vec![b' '; ORDER_BYTES_MAX]).await.status, 200);
    assert_eq!(gate.asked()[0].body.len(), ORDER_BYTES_MAX);
    let long = gate.ask("PUT", "/portins/a-1", vec![b' '; ORDER_BYTES_MAX + 1]).await;
    assert_eq!(long.status, 413);
    assert!(gate.asked().is_empty());
}

#[tokio::test]
async fn why_there_is_no_document_is_said_in_the_tenants_name() {
    let error = b"<LnpResponse><accountId>9900012</accountId></LnpResponse>";
    let gate = Gate::answering(404, &[("content-type", "application/xml")], error).await;
    gate.claim("a-1", TENANT).await;
    let said = gate.ask("GET", "/portins/a-1/loas/scan.xml", "").await;
    let told = format!("<LnpResponse><accountId>{TENANT}</accountId></LnpResponse>");
    assert_eq!((said.status, said.text()), (404, told));
}

/// A body of so many bytes, in pieces.
fn pieces(bytes: usize, of: usize) -> Body {
    let lengths = (0..bytes).step_by(of).map(move |at| of.min(bytes - at));
    let pieces = lengths.map(|length| Ok::<_, std::io::Error>(Bytes::from(vec![7; length])));
    Body::from_stream(futures::stream::iter(pieces.collect::<Vec<_>>()))
}

#[tokio::test]
async fn no_secret_and_no_number_is_logged() {
    let gate = Gate::answering(400, &[], b"<a>9195550177</a>").await;
    let query = "/orders?tn=9195550177";
    gate.ask("POST", query, "<Order><TelephoneNumber>9195550177</TelephoneNumber></Order>").await;
    gate.reach("http://127.0.0.1:9", Some(gate.stage.world.relay_clock().now())).await;
    gate.stage.clock.advance(SignedDuration::from_mins(1));
    assert_eq!(gate.ask("POST", query, "<Order/>").await.status, 502);
    let lines = crate::logs::lines();
    assert!(lines.contains("passed a request on") && lines.contains("gave no answer"));
    assert!(!lines.contains("5550177") && !lines.contains(PASSWORD));
}

#[tokio::test]
async fn a_key_that_may_only_read_places_nothing() {
    let gate = Gate::answering(201, &[("location", "/orders/a-1")], b"").await;
    let now = gate.stage.world.relay_clock().now();
    let operator = setup::operator(&gate.stage.world.store, now).await.unwrap();
    let path = format!("/accounts/{TENANT}/orders");
    let wanted = format!(r#"{{"tenant":"{TENANT}","role":"read"}}"#);
    let router = gate.stage.world.router();
    let made = crate::isolation::send(&router, "POST", "/relay/v1/keys", &operator, &wanted);
    let made: serde_json::Value = serde_json::from_str(&made.await.2).unwrap();
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    let reader = Login { username: text("id"), password: text("secret") };
    for (login, status) in [(&reader, 403), (&gate.other, 403), (&operator, 201)] {
        let said = ask(gate.stage.world.router(), login, "POST", &path, &[], "<Order/>").await;
        assert_eq!(said.status, status);
    }
    assert_eq!(gate.asked().len(), 1);
}
