//! Bandwidth's own API, as its clients use it.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::subscription::Topic;
use jiff::SignedDuration;
use relay::setup::{self, Login, Wanted};
use relay::subscriptions::Bound;
use simulator::endpoint::{Answer, Endpoint};
use tower::ServiceExt as _;

use crate::stage::{ORDER, Stage, TENANT, state, text_of};

struct Said {
    status: u16,
    headers: HeaderMap,
    body: String,
}

async fn ask(router: Router, login: Option<&Login>, method: &str, path: &str, body: &str) -> Said {
    let mut request = Request::builder().method(method).uri(path).header("host", "relay.test");
    if let Some(Login { username, password }) = login {
        let user = STANDARD.encode(format!("{username}:{password}"));
        request = request.header("authorization", format!("Basic {user}"));
    }
    let request = request.body(Body::from(body.to_owned())).unwrap();
    let response = router.oneshot(request).await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
    Said { status, headers, body: String::from_utf8(body.to_vec()).unwrap() }
}

impl Stage {
    /// Asks as the tenant, below `/api/accounts/{tenant}`.
    async fn ask(&self, method: &str, path: &str, body: &str) -> Said {
        let path = format!("/api/accounts/{TENANT}{path}");
        ask(self.world.router(), Some(&self.tenant_login), method, &path, body).await
    }

    /// Makes a subscription; answers its id.
    async fn subscribe(&self, what: &str, callback: &str) -> String {
        let body = subscription(what, callback);
        let made = self.ask("POST", "/subscriptions", &body).await;
        assert_eq!((made.status, made.body.as_str()), (201, ""), "{body}");
        let location = made.headers["location"].to_str().unwrap();
        let (all, id) = location.rsplit_once('/').unwrap();
        assert_eq!(all, format!("http://relay.test/api/accounts/{TENANT}/subscriptions"));
        id.to_owned()
    }

    async fn listed(&self, query: &str) -> Vec<String> {
        let said = self.ask("GET", &format!("/subscriptions{query}"), "").await;
        assert_eq!(said.status, 200);
        assert!(said.body.contains("<Subscriptions>"), "even an empty list has it");
        texts(&said.body, "SubscriptionId")
    }
}

fn subscription(what: &str, callback: &str) -> String {
    format!(
        "<Subscription>{what}<CallbackSubscription>{callback}</CallbackSubscription></Subscription>"
    )
}

/// The texts of all elements of this name.
fn texts(xml: &str, element: &str) -> Vec<String> {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    let rest = xml.split(open.as_str()).skip(1);
    rest.map(|rest| rest.split(close.as_str()).next().unwrap().to_owned()).collect()
}

const ORDERS: &str = "<OrderType>orders</OrderType>";
const URL: &str = "<URL>http://127.0.0.1:9999/a</URL>";

#[tokio::test]
async fn a_subscription_is_made_read_replaced_and_deleted() {
    let stage = Stage::new(0, None).await;
    let credentials = "<CallbackCredentials><BasicAuthentication><Username>hook</Username>\
                       <Password>s3cret</Password></BasicAuthentication></CallbackCredentials>";
    let callback =
        format!("<Expiry>604800</Expiry>{URL}{credentials}<NumberFormat>E164</NumberFormat>");
    let id = stage.subscribe(ORDERS, &callback).await;

    stage.clock.advance(SignedDuration::from_secs(800));
    let one = stage.ask("GET", &format!("/subscriptions/{id}"), "").await;
    assert_eq!(one.status, 200);
    assert_eq!(texts(&one.body, "SubscriptionId"), [id.clone(), id.clone()], "flat and nested");
    assert_eq!(texts(&one.body, "Expiry")[0], "604000", "what remains");
    assert_eq!(texts(&one.body, "Status")[0], "READY");
    assert_eq!(texts(&one.body, "NumberFormat")[0], "E164");
    assert_eq!(texts(&one.body, "Username")[0], "hook");
    assert!(!one.body.contains("s3cret") && !one.body.contains("Password"));

    // What is left out goes back to its default.
    let body = format!(
        "<Subscription><SubscriptionId>{id}</SubscriptionId>{ORDERS}<CallbackSubscription>\
         <Status>200 OK</Status><URL>http://127.0.0.1:9999/b</URL></CallbackSubscription></Subscription>"
    );
    let replaced = stage.ask("PUT", &format!("/subscriptions/{id}"), &body).await;
    assert_eq!((replaced.status, replaced.body.as_str()), (200, ""));
    let one = stage.ask("GET", &format!("/subscriptions/{id}"), "").await;
    assert_eq!(texts(&one.body, "URL")[0], "http://127.0.0.1:9999/b");
    assert_eq!(texts(&one.body, "Expiry")[0], "86400");
    assert!(!one.body.contains("Username"));
    assert_eq!(texts(&one.body, "Status")[0], "READY", "it is the relay that says this");

    let gone = stage.ask("DELETE", &format!("/subscriptions/{id}"), "").await;
    assert_eq!((gone.status, gone.body.as_str()), (200, ""));
    for (method, body) in [("GET", ""), ("PUT", body.as_str()), ("DELETE", "")] {
        let said = stage.ask(method, &format!("/subscriptions/{id}"), body).await;
        assert_eq!((said.status, texts(&said.body, "ErrorCode")), (404, vec!["16000".into()]));
    }
}

#[tokio::test]
async fn a_public_key_is_the_certificate_of_an_https_endpoint() {
    let stage = Stage::new(0, None).await;
    let identity = rcgen::generate_simple_self_signed(["endpoint.example".to_owned()]).unwrap();
    let key = STANDARD.encode(identity.cert.der());
    let pinned = |url: &str| {
        format!(
            "<URL>{url}</URL>\
             <CallbackCredentials><PublicKey>{key}</PublicKey></CallbackCredentials>"
        )
    };
    let id = stage.subscribe(ORDERS, &pinned("https://127.0.0.1:9999/")).await;
    let said = stage.ask("GET", &format!("/subscriptions/{id}"), "").await;
    assert_eq!(texts(&said.body, "PublicKey")[0], key);
    let plain = subscription(ORDERS, &pinned("http://127.0.0.1:9999/"));
    let said = stage.ask("POST", "/subscriptions", &plain).await;
    assert_eq!((said.status, texts(&said.body, "ErrorCode")), (404, vec!["14506".into()]));
}

#[tokio::test]
async fn mistakes_have_bandwidths_codes() {
    let stage = Stage::new(0, None).await;
    let mail = |digest: &str| {
        format!(
            "<Subscription>{ORDERS}<EmailSubscription><Email>a@b.example</Email>\
             <DigestRequested>{digest}</DigestRequested></EmailSubscription></Subscription>"
        )
    };
    let key = |key: &str| {
        subscription(
            ORDERS,
            &format!(
                "{URL}<CallbackCredentials><PublicKey>{key}</PublicKey></CallbackCredentials>"
            ),
        )
    };
    let no_order =
        "<OrderType>portins</OrderType><OrderId>98939562-90b0-40e9-8335-5526432d9741</OrderId>";
    for (body, status, code) in [
        (subscription("<OrderType>nonsense</OrderType>", URL), 404, "14500"),
        ("<Subscription>".into(), 404, "14501"),
        (String::new(), 404, "14501"),
        (subscription(ORDERS, &format!("{URL}<Expiry>soon</Expiry>")), 404, "14501"),
        (mail("WEEKLY"), 404, "14502"),
        (subscription(ORDERS, "<URL></URL>"), 404, "14503"),
        (key("bm9uc2Vuc2U="), 404, "14504"),
        (key("MIIB"), 404, "14504"),
        (
            subscription(
                ORDERS,
                &format!(
                    "{URL}<CallbackCredentials><BasicAuthentication><Username></Username>\
                     <Password>x</Password></BasicAuthentication></CallbackCredentials>"
                ),
            ),
            404,
            "14505",
        ),
        (subscription(ORDERS, "<URL>nonsense</URL>"), 404, "14506"),
        (subscription(ORDERS, "<URL>http://10.0.0.1/</URL>"), 404, "14506"),
        (subscription("<EventType>OTHER</EventType>", URL), 404, "14507"),
        (subscription("", URL), 404, "14508"),
        (subscription(no_order, URL), 404, "16004"),
        (subscription("<OrderType>portins</OrderType><OrderId>7</OrderId>", URL), 400, "1008"),
    ] {
        let said = stage.ask("POST", "/subscriptions", &body).await;
        let codes = texts(&said.body, "ErrorCode");
        assert_eq!((said.status, codes[0].as_str()), (status, code), "{body}: {}", said.body);
        assert!(said.body.contains("<SubscriptionsResponse><ResponseStatus>"), "{}", said.body);
        assert!(!texts(&said.body, "Description")[0].is_empty());
    }
    stage.subscribe(ORDERS, URL).await;
    let twice = stage.ask("POST", "/subscriptions", &subscription(ORDERS, URL)).await;
    assert_eq!((twice.status, texts(&twice.body, "ErrorCode")), (409, vec!["16008".into()]));
    assert_eq!(stage.listed("").await.len(), 2, "with the first one, to everything");
}

#[tokio::test]
async fn credentials_beside_the_callback_are_presented_and_the_rest_of_the_body_may_stand_anyhow() {
    let stage = Stage::new(0, None).await;
    let endpoint = Endpoint::start(0, vec![], |_, _| Answer::status(200)).await.unwrap();
    let body = format!(
        "<?xml version='1.0' encoding='UTF-8'?>\n<Subscription>\
         <CallbackCredentials><BasicAuthentication><Username>hook</Username><Password>s3</Password>\
         </BasicAuthentication></CallbackCredentials>\
         <CallbackSubscription><Expiry>3122064000</Expiry><Url>{}</Url></CallbackSubscription>\
         <User>somebody</User><OrderType>PortIns</OrderType></Subscription>",
        endpoint.url()
    );
    assert_eq!(stage.ask("POST", "/subscriptions", &body).await.status, 201);
    stage.post_accepted(&state("FOC", 1)).await;
    stage.run_for(SignedDuration::from_secs(2)).await;
    let received = endpoint.received();
    assert_eq!(crate::stage::header(&received[0], "authorization"), "Basic aG9vazpzMw==");
    let list = stage.ask("GET", "/subscriptions?orderType=portins", "").await;
    assert_eq!(texts(&list.body, "Status"), ["200 OK"], "what the endpoint said");
    assert_eq!(texts(&list.body, "Expiry"), ["3122063998"]);
}

#[tokio::test]
async fn lists_are_filtered_by_type_and_order() {
    let stage = Stage::new(0, None).await;
    stage.post_accepted(&state("SUBMITTED", 1)).await;
    stage.run_for(SignedDuration::from_secs(1)).await;
    let orders = stage.subscribe(ORDERS, URL).await;
    let bound =
        format!("<OrderType>portins</OrderType><OrderId>{}</OrderId>", ORDER.to_uppercase());
    let bound = stage.subscribe(&bound, URL).await;
    stage.subscribe("<EventType>MESSAGING_LOST</EventType>", URL).await;
    assert_eq!(stage.listed("").await.len(), 4);
    assert_eq!(stage.listed("?orderType=ORDERS").await, [orders]);
    assert_eq!(stage.listed("?orderType=portins").await, std::slice::from_ref(&bound));
    assert_eq!(stage.listed(&format!("?orderType=portins&orderId={ORDER}")).await, [bound]);
    assert_eq!(stage.listed("?orderType=csrs").await, [""; 0]);
}

#[tokio::test]
async fn a_subscription_that_cannot_hear_of_the_final_state_ends_with_it_too() {
    let stage = Stage::new(0, None).await;
    stage.post_accepted(&state("SUBMITTED", 1)).await;
    stage.run_for(SignedDuration::from_secs(1)).await;
    let order = format!("<OrderType>portins</OrderType><OrderId>{ORDER}</OrderId>");
    let mail = format!(
        "<Subscription>{order}<EmailSubscription><Email>a@b.example</Email>\
         <DigestRequested>NONE</DigestRequested></EmailSubscription></Subscription>"
    );
    assert_eq!(stage.ask("POST", "/subscriptions", &mail).await.status, 201);
    let failing = Endpoint::start(0, vec![], |_, _| Answer::status(500)).await.unwrap();
    let record = stage.world.store.order_record(TENANT, "portins", ORDER).await.unwrap().unwrap();
    let topic = Topic::Order { order_type: "portins".into(), order_id: ORDER.into() };
    let wanted = Wanted {
        topic,
        waits: Some(vec![SignedDuration::from_secs(60)]),
        ..Wanted::everything(TENANT, &failing.url())
    };
    let (world, bound) = (&stage.world, Bound::to(record, false));
    setup::subscription(&world.subscriptions, wanted, Some(&bound), world.relay_clock())
        .await
        .unwrap();
    let of_order = format!("?orderType=portins&orderId={ORDER}");
    assert_eq!(stage.listed(&of_order).await.len(), 2);
    stage.post_accepted(&state("COMPLETE", 2)).await;
    stage.run_for(SignedDuration::from_secs(1)).await;
    assert_eq!(stage.listed(&of_order).await.len(), 1, "the mail; the other is still being told");
    stage.run_for(SignedDuration::from_secs(120)).await;
    assert_eq!(stage.listed(&of_order).await, [""; 0], "its last delivery was given up");

    let lasting = "<URL>http://127.0.0.1:9999/</URL><Expiry>3153600000</Expiry>";
    let late = stage.subscribe(&order, lasting).await;
    let one = stage.ask("GET", &format!("/subscriptions/{late}"), "").await;
    assert_eq!(texts(&one.body, "Expiry")[0], "86400", "the order is finished already");
}

#[tokio::test]
async fn expired_subscriptions_to_one_order_make_room() {
    let stage = Stage::new(0, None).await;
    stage.post_accepted(&state("SUBMITTED", 1)).await;
    stage.run_for(SignedDuration::from_secs(1)).await;
    let order = format!("<OrderType>portins</OrderType><OrderId>{ORDER}</OrderId>");
    let at = |port: u16| format!("<URL>http://127.0.0.1:{port}/</URL><Expiry>60</Expiry>");
    for port in 2001..=2010 {
        stage.subscribe(&order, &at(port)).await;
    }
    let full = stage.ask("POST", "/subscriptions", &subscription(&order, &at(2011))).await;
    assert_eq!((full.status, texts(&full.body, "ErrorCode")), (400, vec!["16006".into()]));
    stage.clock.advance(SignedDuration::from_secs(61));
    stage.subscribe(&order, &at(2011)).await;
}

#[tokio::test]
async fn what_waits_for_a_callback_that_became_a_mail_is_given_up() {
    let stage = Stage::new(0, None).await;
    let failing = Endpoint::start(0, vec![], |_, _| Answer::status(500)).await.unwrap();
    let callback = format!("<URL>{}</URL>", failing.url());
    let id = stage.subscribe("<OrderType>portins</OrderType>", &callback).await;
    stage.post_accepted(&state("SUBMITTED", 1)).await;
    stage.post_accepted(&state("FOC", 2)).await;
    stage.run_for(SignedDuration::from_secs(1)).await;
    let mail = "<Subscription><OrderType>portins</OrderType><EmailSubscription>\
                <Email>a@b.example</Email><DigestRequested>NONE</DigestRequested>\
                </EmailSubscription></Subscription>";
    assert_eq!(stage.ask("PUT", &format!("/subscriptions/{id}"), mail).await.status, 200);
    stage.run_for(SignedDuration::from_secs(30)).await;
    assert!(stage.is_quiet());
    let states = stage.items(&format!("LANE#{id}#{ORDER}")).await;
    let states: Vec<_> = states.iter().map(|item| item["state"].as_s().unwrap().as_str()).collect();
    assert_eq!(states, ["dead", "dead"]);
}

#[tokio::test]
async fn a_subscription_to_one_order_moves_to_another_endpoint() {
    let stage = Stage::new(0, None).await;
    let old = Endpoint::start(0, vec![], |_, _| Answer::status(200)).await.unwrap();
    let new = Endpoint::start(0, vec![], |_, _| Answer::status(200)).await.unwrap();
    stage.post_accepted(&state("SUBMITTED", 1)).await;
    stage.run_for(SignedDuration::from_secs(1)).await;
    let what = format!("<OrderType>portins</OrderType><OrderId>{ORDER}</OrderId>");
    let at = |endpoint: &Endpoint| format!("<URL>{}</URL>", endpoint.url());
    let id = stage.subscribe(&what, &at(&old)).await;
    let other = stage.subscribe(&what, URL).await;

    let path = format!("/subscriptions/{id}");
    let taken = stage.ask("PUT", &path, &subscription(&what, URL)).await;
    assert_eq!((taken.status, texts(&taken.body, "ErrorCode")), (409, vec!["16008".into()]));
    let moved = stage.ask("PUT", &path, &subscription(&what, &at(&new))).await;
    assert_eq!(moved.status, 200, "{}", moved.body);
    assert_eq!(stage.listed(&format!("?orderType=portins&orderId={ORDER}")).await.len(), 2);

    stage.post_accepted(&state("FOC", 2)).await;
    stage.run_for(SignedDuration::from_secs(1)).await;
    assert_eq!((old.received().len(), new.received().len()), (0, 1));
    for id in [&id, &other] {
        let gone = stage.ask("DELETE", &format!("/subscriptions/{id}"), "").await;
        assert_eq!(gone.status, 200);
    }
    // Where it was before, and where it was last, are free.
    stage.subscribe(&what, &at(&old)).await;
    stage.subscribe(&what, &at(&new)).await;
}

#[tokio::test]
async fn a_subscription_to_one_order_ends_with_its_final_state() {
    let stage = Stage::new(0, None).await;
    let endpoint =
        Endpoint::start(0, vec![], |_, nth| Answer::status(if nth == 1 { 500 } else { 200 }))
            .await
            .unwrap();
    stage.post_accepted(&state("SUBMITTED", 1)).await;
    stage.run_for(SignedDuration::from_secs(1)).await;
    let what = format!("<OrderType>portins</OrderType><OrderId>{ORDER}</OrderId>");
    let id = stage
        .subscribe(&what, &format!("<URL>{}</URL><Expiry>3153600000</Expiry>", endpoint.url()))
        .await;
    stage.post_accepted(&state("FOC", 2)).await;
    stage.post_accepted(&state("FOC", 3).replace(ORDER, "another-order")).await;
    stage.run_for(SignedDuration::from_secs(1)).await;
    stage.post_accepted(&state("COMPLETE", 4)).await;
    stage.run_for(SignedDuration::from_secs(1)).await;
    assert!(stage.listed("").await.contains(&id), "its final state has not been delivered yet");
    stage.run_for(SignedDuration::from_secs(10)).await;
    assert!(!stage.listed("").await.contains(&id));
    let told: Vec<_> = endpoint.received().iter().map(|one| text_of(one, "Status")).collect();
    assert_eq!(told, ["FOC", "COMPLETE", "COMPLETE"], "another try, and no other order");
    let record = stage.items(&format!("TENANT#{TENANT}#ORDERS#portins")).await.pop().unwrap();
    let left = !record["asked"].as_m().unwrap().is_empty();
    assert!(!left, "fan-out finds nothing of it either");
}

#[tokio::test]
async fn an_expired_subscription_is_gone_and_another_may_take_its_place() {
    let stage = Stage::new(0, None).await;
    let endpoint = Endpoint::start(0, vec![], |_, _| Answer::status(200)).await.unwrap();
    let callback = format!("<URL>{}</URL><Expiry>60</Expiry>", endpoint.url());
    let id = stage.subscribe("<OrderType>portins</OrderType>", &callback).await;
    stage.clock.advance(SignedDuration::from_secs(61));
    stage.post_accepted(&state("FOC", 1)).await;
    stage.run_for(SignedDuration::from_secs(1)).await;
    assert!(endpoint.received().is_empty());
    assert!(!stage.listed("").await.contains(&id));
    let gone = stage.ask("GET", &format!("/subscriptions/{id}"), "").await;
    assert_eq!(gone.status, 404);
    stage.subscribe("<OrderType>portins</OrderType>", &callback).await;
}

#[tokio::test]
async fn a_snapshot_comes_first_and_what_follows_comes_once() {
    let stage = Stage::new(0, None).await;
    let endpoint = Endpoint::start(0, vec![], |_, _| Answer::status(200)).await.unwrap();
    stage.post_accepted(&state("SUBMITTED", 1)).await;
    stage.post_accepted(&state("FOC", 2)).await;
    stage.run_for(SignedDuration::from_secs(1)).await;
    let url = format!("<URL>{}</URL>", endpoint.url());
    let what = format!(
        "<OrderType>portins</OrderType><OrderId>{ORDER}</OrderId><Snapshot>true</Snapshot>"
    );
    // It has been accepted and not fanned out when the subscription is made.
    stage.post_accepted(&state("EXCEPTION", 3)).await;
    stage.subscribe(&what, &url).await;
    stage.post_accepted(&state("REQUESTED_SUPP", 4)).await;
    stage.run_for(SignedDuration::from_mins(1)).await;
    let told: Vec<_> = endpoint.received().iter().map(|one| text_of(one, "Status")).collect();
    assert_eq!(told, ["EXCEPTION", "REQUESTED_SUPP"]);
}

#[tokio::test]
async fn every_base_is_served_and_each_401_asks_for_basic_credentials() {
    let stage = Stage::new(0, None).await;
    let numbers = "<CompletedTelephoneNumbers><TelephoneNumber>9195550100</TelephoneNumber>\
                   </CompletedTelephoneNumbers></Notification>";
    stage.post_accepted(&state("COMPLETE", 1).replace("</Notification>", numbers)).await;
    stage.run_for(SignedDuration::from_secs(1)).await;
    let wrong = Login { username: stage.tenant_login.username.clone(), password: "x".into() };
    for base in ["", "/api", "/api/v1", "/api/v2", "/v1.0"] {
        let path = format!("{base}/accounts/{TENANT}/portins/{ORDER}");
        let one = ask(stage.world.router(), Some(&stage.tenant_login), "GET", &path, "").await;
        let number = if base == "/api/v2" { "+19195550100" } else { "9195550100" };
        assert_eq!(texts(&one.body, "PhoneNumber"), [number], "{base}");
        for login in [None, Some(&wrong)] {
            let said = ask(stage.world.router(), login, "GET", &path, "").await;
            assert_eq!(said.status, 401);
            let challenge = said.headers["www-authenticate"].to_str().unwrap();
            assert!(challenge.starts_with("Basic "));
            assert!(said.body.contains("<ErrorResponse>"));
        }
    }
}

#[tokio::test]
async fn an_order_is_what_its_notifications_told() {
    let stage = Stage::new(0, None).await;
    let note = "<Notification><Note>please resend the LOA</Note><OrderType>portins</OrderType>\
                <LastModifiedDate>2026-02-03T10:00:02.500Z</LastModifiedDate>";
    for body in [
        state("SUBMITTED", 1),
        state("FOC", 2),
        format!("{note}<OrderId>{ORDER}</OrderId></Notification>"),
        state("COMPLETE", 3),
        // Late: it changes nothing.
        state("EXCEPTION", 0),
        state("FAILED", 9)
            .replace(ORDER, "0b9a2c44-8a1b-4f0e-9a57-9b1b6d5e7c02")
            .replace("portins", "orders"),
    ] {
        stage.post_accepted(&body).await;
    }
    stage.run_for(SignedDuration::from_secs(2)).await;

    let one = stage.ask("GET", &format!("/portins/{}", ORDER.to_uppercase()), "").await;
    assert_eq!(texts(&one.body, "ProcessingStatus"), ["COMPLETE"]);
    let history = stage.ask("GET", &format!("/portins/{ORDER}/history"), "").await;
    let states = texts(&history.body, "Status");
    assert_eq!(states, ["EXCEPTION", "SUBMITTED", "FOC", "COMPLETE"]);
    assert_eq!(texts(&history.body, "OrderDate")[1], "2026-02-03T10:00:01.000Z");
    assert_eq!(texts(&history.body, "Author")[0], "bandwidth");

    let notes = stage.ask("GET", &format!("/portins/{ORDER}/notes"), "").await;
    assert_eq!(texts(&notes.body, "Description"), ["please resend the LOA"]);
    let user = stage.tenant_login.username.as_str();
    for (method, text) in [("POST", "one"), ("PUT", "two")] {
        let body = format!("<Note><UserId>{user}</UserId><Description>{text}</Description></Note>");
        let made = stage.ask(method, &format!("/portins/{ORDER}/notes"), &body).await;
        assert_eq!((made.status, made.body.as_str()), (201, ""));
        let location = made.headers["location"].to_str().unwrap().to_owned();
        let id = location.rsplit_once('/').unwrap().1.to_owned();
        let body = format!("<Note><Description>{text} more</Description></Note>");
        let path = format!("/portins/{ORDER}/notes/{id}");
        assert_eq!(stage.ask("PUT", &path, &body).await.status, 200);
        stage.clock.advance(SignedDuration::from_secs(1));
    }
    let notes = stage.ask("GET", &format!("/portins/{ORDER}/notes"), "").await;
    let found = texts(&notes.body, "Description");
    assert_eq!(found, ["one more", "please resend the LOA", "two more"], "by time");
    assert_eq!(texts(&notes.body, "UserId"), [user, "bandwidth", user]);
    let missing = stage
        .ask(
            "PUT",
            &format!("/portins/{ORDER}/notes/7"),
            "<Note><Description>x</Description></Note>",
        )
        .await;
    assert_eq!((missing.status, texts(&missing.body, "ErrorCode")), (404, vec!["5040".into()]));
    let empty = stage.ask("POST", &format!("/portins/{ORDER}/notes"), "<Note></Note>").await;
    assert_eq!(empty.status, 400);
    assert!(empty.body.contains("<NoteResponse>"));

    let none = stage.ask("GET", "/orders/0b9a2c44-8a1b-4f0e-9a57-9b1b6d5e7c02/notes", "").await;
    assert_eq!((none.status, none.body.as_str()), (204, ""));
    for path in [format!("/orders/{ORDER}"), "/portins/x/history".into(), "/cars".into()] {
        assert_eq!(stage.ask("GET", &path, "").await.status, 404, "{path}");
    }
    let placed = stage.ask("POST", "/orders", "<Order/>").await;
    assert_eq!((placed.status, texts(&placed.body, "ErrorCode")), (403, vec!["1001".into()]));
}

#[tokio::test]
async fn lists_of_orders_have_pages_and_filters() {
    let stage = Stage::new(0, None).await;
    for n in 1..=5 {
        let id = format!("{n}b9a2c44-8a1b-4f0e-9a57-9b1b6d5e7c02");
        let status = if n % 2 == 0 { "FAILED" } else { "COMPLETE" };
        let body = state(status, n).replace(ORDER, &id).replace("portins", "orders");
        let customer = format!("<CustomerOrderId>c-{n}</CustomerOrderId></Notification>");
        stage.post_accepted(&body.replace("</Notification>", &customer)).await;
    }
    stage.run_for(SignedDuration::from_secs(1)).await;
    let ids = |said: &Said| -> Vec<String> {
        texts(&said.body, "orderId").iter().map(|id| id[..1].to_owned()).collect()
    };
    let all = stage.ask("GET", "/orders", "").await;
    assert_eq!(ids(&all), ["1", "2", "3", "4", "5"]);
    assert_eq!(texts(&all.body, "TotalCount"), ["5"]);

    let mut path = "/orders?size=2".to_owned();
    let mut pages = Vec::new();
    loop {
        let page = stage.ask("GET", &path, "").await;
        pages.push(ids(&page));
        let Some(next) = texts(&page.body, "next").pop() else { break };
        let next = next.replace("&amp;", "&");
        let query = next.split_once("/orders").unwrap().1.split_once("&gt;").unwrap().0.to_owned();
        path = format!("/orders{query}");
    }
    assert_eq!(pages, [vec!["1", "2"], vec!["3", "4"], vec!["5"]]);

    for (query, found) in [
        ("?status=failed", vec!["2", "4"]),
        ("?customerOrderId=c-3", vec!["3"]),
        ("?startdate=2026-02-03&enddate=2026-02-03", vec!["1", "2", "3", "4", "5"]),
        ("?startdate=26-02-04&enddate=26-02-05", vec![]),
        ("?page=3b9a2c44-8a1b-4f0e-9a57-9b1b6d5e7c02", vec!["3", "4", "5"]),
    ] {
        assert_eq!(ids(&stage.ask("GET", &format!("/orders{query}"), "").await), found, "{query}");
    }
    for query in ["?size=0", "?size=1001", "?startdate=2026-02-03", "?tn=9195550100", "?size=x"] {
        let said = stage.ask("GET", &format!("/orders{query}"), "").await;
        assert_eq!(said.status, 400, "{query}: {}", said.body);
        assert!(said.body.contains("<ErrorResponse>"), "{query}");
    }
}

#[tokio::test]
async fn a_state_that_comes_after_a_newer_note_still_counts() {
    let stage = Stage::new(0, None).await;
    let note = state("x", 5).replace("<Status>x</Status>", "<Note>call us</Note>");
    for body in [state("SUBMITTED", 1), note, state("FOC", 3), state("SUBMITTED", 2)] {
        stage.post_accepted(&body).await;
        stage.run_for(SignedDuration::from_secs(1)).await;
    }
    let one = stage.ask("GET", &format!("/portins/{ORDER}"), "").await;
    assert_eq!(texts(&one.body, "ProcessingStatus"), ["FOC"]);
}

#[tokio::test]
async fn nobody_signs_a_note_as_somebody_else() {
    let stage = Stage::new(0, None).await;
    stage.post_accepted(&state("SUBMITTED", 1)).await;
    stage.run_for(SignedDuration::from_secs(1)).await;
    let forged = "<Note><UserId>bandwidth</UserId><Description>x</Description></Note>";
    for method in ["POST", "PUT"] {
        let said = stage.ask(method, &format!("/portins/{ORDER}/notes"), forged).await;
        assert_eq!((said.status, texts(&said.body, "ErrorCode")), (400, vec!["12501".into()]));
    }
    let notes = stage.ask("GET", &format!("/portins/{ORDER}/notes"), "").await;
    assert_eq!(notes.status, 204);
}

#[tokio::test]
async fn the_links_of_a_list_ask_for_the_same() {
    let stage = Stage::new(0, None).await;
    for order in ["a-1", "a-2", "a-3"] {
        stage.post_accepted(&state("FOC", 1).replace(ORDER, order)).await;
    }
    stage.run_for(SignedDuration::from_secs(1)).await;
    let days = "startdate=2026-02-03&enddate=2026-02-03";
    let first = stage.ask("GET", &format!("/portins?size=2&status=foc&{days}"), "").await;
    let links: Vec<_> = first
        .body
        .split("&lt;http")
        .skip(1)
        .map(|rest| rest.split("&gt;").next().unwrap())
        .collect();
    let query = format!("size=2&amp;status=foc&amp;{}", days.replace('&', "&amp;"));
    assert!(links[0].ends_with(&format!("/portins?page=1&amp;{query}")), "{links:?}");
    assert!(links[1].ends_with(&format!("/portins?page=a-2%7E&amp;{query}")), "{links:?}");
    let next =
        stage.ask("GET", &format!("/portins?page=a-2%7E&size=2&status=foc&{days}"), "").await;
    assert_eq!(texts(&next.body, "OrderId"), ["a-3"]);
    let by_number = stage.ask("GET", "/portins?page=2", "").await;
    assert_eq!(by_number.status, 400, "{}", by_number.body);
    let twice = stage.ask("GET", "/subscriptions?orderType=a&orderType=b", "").await;
    assert_eq!(twice.status, 400);
    assert!(twice.body.contains("<ErrorResponse>"), "{}", twice.body);
}

#[tokio::test]
async fn an_order_that_went_to_another_shows_nothing_of_after() {
    let stage = Stage::new(0, None).await;
    stage.post_accepted(&state("SUBMITTED", 1)).await;
    stage.run_for(SignedDuration::from_secs(1)).await;
    stage.world.store.set_claim("9900012", ORDER, "5500002").await.unwrap();
    let numbers = "<CompletedTelephoneNumbers><TelephoneNumber>9195550199</TelephoneNumber>\
                   </CompletedTelephoneNumbers><Message>theirs</Message>";
    let theirs = state("FOC", 2).replace("<OrderType>", &format!("{numbers}<OrderType>"));
    stage.post_accepted(&theirs).await;
    stage.run_for(SignedDuration::from_secs(1)).await;
    let back = state("COMPLETE", 3);
    for is_back in [false, true] {
        if is_back {
            stage.world.store.set_claim("9900012", ORDER, crate::stage::TENANT).await.unwrap();
            stage.post_accepted(&back).await;
            stage.run_for(SignedDuration::from_secs(1)).await;
        }
        for below in ["", "/history", "/notes", "/tns", "/totals", "/areaCodes", "/npaNxx"] {
            let said = stage.ask("GET", &format!("/portins/{ORDER}{below}"), "").await;
            for mark in ["theirs", "9195550199", "919", "FOC"] {
                assert!(!said.body.contains(mark), "{below}: {}", said.body);
            }
        }
        let history = stage.ask("GET", &format!("/portins/{ORDER}/history"), "").await;
        let states = if is_back { vec!["SUBMITTED", "COMPLETE"] } else { vec!["SUBMITTED"] };
        assert_eq!(texts(&history.body, "Status"), states);
    }
}

#[tokio::test]
async fn an_order_that_changes_hands_shows_nothing_of_before() {
    let stage = Stage::new(0, None).await;
    let world = &stage.world;
    stage.post_accepted(&state("SUBMITTED", 1)).await;
    stage.run_for(SignedDuration::from_secs(1)).await;
    let note = "<Note><Description>between us</Description></Note>";
    let path = format!("/portins/{ORDER}/notes");
    assert_eq!(stage.ask("POST", &path, note).await.status, 201);

    let heir = "5500002";
    let login = setup::tenant(&world.store, heir, world.relay_clock().now()).await.unwrap();
    world.store.set_claim("9900012", ORDER, heir).await.unwrap();
    stage.post_accepted(&state("FOC", 2)).await;
    stage.run_for(SignedDuration::from_secs(1)).await;
    let order = format!("/api/accounts/{heir}/portins/{ORDER}");
    let history = ask(world.router(), Some(&login), "GET", &format!("{order}/history"), "").await;
    assert_eq!(texts(&history.body, "Status"), ["FOC"]);
    assert!(!history.body.contains("between us"));
    let notes = ask(world.router(), Some(&login), "GET", &format!("{order}/notes"), "").await;
    assert_eq!(notes.status, 204);
}
