//! Subscriptions over HTTP, and what they are told.

use simulator::endpoint::{Answer, Endpoint};

use crate::account::{Account, Answered};

fn callback(topic: &str, url: &str, rest: &str) -> String {
    format!(
        "<Subscription>{topic}<CallbackSubscription><URL>{url}</URL>{rest}</CallbackSubscription>\
         </Subscription>"
    )
}

const PORTINS: &str = "<OrderType>portins</OrderType>";
const URL: &str = "http://127.0.0.1:9000/";

/// What one field of a subscription's callback says.
async fn shown(account: &Account, id: &str, name: &str) -> Option<String> {
    let answer = account.get(&format!("subscriptions/{id}")).await;
    let one = answer.child("Subscriptions").unwrap().child("Subscription").unwrap();
    one.child("CallbackSubscription").unwrap().value(name).map(str::to_owned)
}

async fn count(account: &Account, query: &str) -> usize {
    let list = account.get(&format!("subscriptions{query}")).await;
    list.child("Subscriptions").unwrap().children.len()
}

#[tokio::test]
async fn one_is_made_shown_replaced_and_deleted() {
    let account = Account::new().await;
    let basic = "<CallbackCredentials><BasicAuthentication><Username>u</Username>\
        <Password>p</Password></BasicAuthentication></CallbackCredentials>";
    let created = account.ask("POST", "subscriptions", &callback(PORTINS, URL, basic)).await;
    assert_eq!((created.status, created.body.as_str()), (201, ""));
    let id = created.id();
    assert!(created.location.starts_with("http://127.0.0.1:"), "{}", created.location);
    assert!(created.location.ends_with(&format!("/api/accounts/9900012/subscriptions/{id}")));
    account.step("1h").await;
    assert_eq!(shown(&account, &id, "Expiry").await.as_deref(), Some("82800"));
    assert_eq!(shown(&account, &id, "Status").await.as_deref(), Some("READY"));
    let before = account.ask("GET", &format!("subscriptions/{id}"), "").await.body;
    assert!(before.contains("<Username>u</Username>") && !before.contains("Password"), "{before}");

    let path = format!("subscriptions/{id}");
    let put = account.ask("PUT", &path, &callback(PORTINS, URL, "<Expiry>7200</Expiry>")).await;
    assert_eq!((put.status, put.body.as_str()), (200, ""));
    let after = account.ask("GET", &path, "").await.body;
    assert!(!after.contains("CallbackCredentials"), "{after}");
    account.step("2h").await;
    assert_eq!(account.ask("GET", &path, "").await.status, 404);

    let id = account.place("subscriptions", &callback(PORTINS, URL, "")).await;
    let deleted = account.ask("DELETE", &format!("subscriptions/{id}"), "").await;
    assert_eq!((deleted.status, deleted.body.as_str()), (200, ""));
    let gone = account.ask("DELETE", &format!("subscriptions/{id}"), "").await;
    assert!(gone.status == 404 && gone.body.contains("<ErrorCode>16000</ErrorCode>"));
    let list = account.ask("GET", "subscriptions", "").await.body;
    assert!(list.ends_with("<SubscriptionsResponse><Subscriptions/></SubscriptionsResponse>"));
}

#[tokio::test]
async fn what_is_wrong_is_said_by_its_number() {
    let account = Account::new().await;
    let order = account.port_in().await;
    account.place("subscriptions", &callback(PORTINS, URL, "")).await;
    let check = |answered: Answered, status: u16, code: u32| {
        let code = format!("<ErrorCode>{code}</ErrorCode>");
        assert!(answered.status == status && answered.body.contains(&code), "{answered:?}");
    };
    let post = async |topic: &str, url: &str| {
        account.ask("POST", "subscriptions", &callback(topic, url, "")).await
    };
    check(post(PORTINS, URL).await, 409, 16008);
    check(post(PORTINS, "nowhere").await, 404, 14506);
    check(post("<OrderType>faxes</OrderType>", URL).await, 404, 14500);
    check(account.ask("POST", "subscriptions", "<Subscription>").await, 404, 14501);
    let bound =
        |kind: &str, id: &str| format!("<OrderType>{kind}</OrderType><OrderId>{id}</OrderId>");
    check(post(&bound("portins", &"0".repeat(36)), URL).await, 404, 16005);
    check(post(&bound("orders", &order), URL).await, 404, 16004);
    assert_eq!(post(&bound("portins", &order), URL).await.status, 201);
    let other = callback(PORTINS, "http://127.0.0.1:9001/", "");
    let path = format!("subscriptions/{}", account.place("subscriptions", &other).await);
    let put = async |url: &str| account.ask("PUT", &path, &callback(PORTINS, url, "")).await;
    check(put("http://127.0.0.1:1023/").await, 400, 14506);
    check(put(URL).await, 400, 16008);
    assert_eq!(put("http://127.0.0.1:1024/").await.status, 200);

    for port in 2000..2048 {
        let url = format!("http://127.0.0.1:{port}/");
        assert_eq!(post(PORTINS, &url).await.status, 201);
    }
    check(post(PORTINS, "http://127.0.0.1:3000/").await, 409, 16006);
}

#[tokio::test]
async fn a_list_is_of_one_type_or_of_one_order() {
    let account = Account::new().await;
    let order = account.port_in().await;
    account.subscribe("portins").await;
    account.subscribe("orders").await;
    let bound = format!("{PORTINS}<OrderId>{order}</OrderId>");
    account.subscribe_to(&bound).await;
    account.subscribe_to("<EventType>MESSAGING_LOST</EventType>").await;
    assert_eq!(count(&account, "").await, 4);
    assert_eq!(count(&account, "?orderType=PortIns").await, 2);
    assert_eq!(count(&account, &format!("?orderType=portins&orderId={order}")).await, 1);
    assert_eq!(count(&account, "?orderType=csrs").await, 0);
}

#[tokio::test]
async fn one_for_an_order_goes_with_its_final_state() {
    let account = Account::new().await;
    let (one, _two) = (account.port_in().await, account.other_port_in().await);
    account.subscribe_to(&format!("{PORTINS}<OrderId>{one}</OrderId>")).await;
    account.step("200h").await;
    // The first state was before it.
    assert_eq!(account.told("Status"), ["SUBMITTED", "FOC", "COMPLETE"]);
    assert!(account.told("OrderId").iter().all(|told| *told == one));
    assert_eq!(count(&account, "").await, 0);
}

#[tokio::test]
async fn the_last_answer_is_shown_and_nothing_is_tried_again() {
    let account = Account::new().await;
    let texts = ["thanks", "", "no"];
    let picky = Endpoint::start(0, vec![], move |_, nth| Answer {
        body: texts[nth].into(),
        ..Answer::status([200, 200, 503][nth])
    });
    let picky = picky.await.unwrap();
    let id = account.place("subscriptions", &callback(PORTINS, &picky.url(), "")).await;
    account.port_in().await;
    for (by, status) in [("0s", "200 thanks"), ("5s", "200 OK"), ("24h", "503 no")] {
        // It would be over after a day.
        let day = callback(PORTINS, &picky.url(), "<Expiry>172800</Expiry>");
        account.ask("PUT", &format!("subscriptions/{id}"), &day).await;
        account.step(by).await;
        assert_eq!(shown(&account, &id, "Status").await.as_deref(), Some(status));
    }
    picky.stop().await;
    account.other_port_in().await;
    account.sandbox.run_due().await;
    assert_eq!(shown(&account, &id, "Status").await.as_deref(), Some("no answer"));
    let deliveries = account.sandbox.deliveries();
    assert!(deliveries.iter().all(|one| one.posts.len() == 1));
    assert_eq!(deliveries.last().unwrap().posts[0].answered, None);
}

#[tokio::test]
async fn credentials_meet_a_challenge_and_numbers_have_a_format() {
    let account = Account::new().await;
    let rest = "<NumberFormat>E164</NumberFormat><CallbackCredentials><BasicAuthentication>\
        <Username>u</Username><Password>p</Password></BasicAuthentication></CallbackCredentials>\
        <Expiry>999999</Expiry>";
    account.endpoint.require_basic("u", "p");
    let url = account.endpoint.url();
    account.place("subscriptions", &callback(PORTINS, &url, rest)).await;
    account.port_in().await;
    account.step("100h").await;
    // Each of the four twice: without credentials, and with them.
    assert_eq!(account.endpoint.received().len(), 8);
    let answered = account.sandbox.deliveries().into_iter().map(|one| one.posts[0].answered);
    assert_eq!(answered.collect::<Vec<_>>(), [Some(200); 4]);
    assert_eq!(account.told_numbers("CompletedTelephoneNumbers")[7], ["+19195550100"]);
}

#[tokio::test]
async fn mails_go_out_at_once_or_once_a_day() {
    let account = Account::new().await;
    let email = |address: &str, digest: &str| {
        format!(
            "<Subscription>{PORTINS}<EmailSubscription><Email>{address}</Email><DigestRequested>\
             {digest}</DigestRequested></EmailSubscription></Subscription>"
        )
    };
    account.place("subscriptions", &email("now@example.com", "NONE")).await;
    account.place("subscriptions", &email("daily@example.com", "DAILY")).await;
    account.port_in().await;
    account.step("200h").await;
    let mails = account.sandbox.mails();
    let to = |address: &str| {
        let mails = mails.iter().filter(|mail| mail.to == address);
        mails.map(|mail| (mail.at.to_string(), mail.lines.len())).collect::<Vec<_>>()
    };
    let midnight = |day: &str, lines| (format!("2026-03-{day}T00:00:00Z"), lines);
    let days = [midnight("03", 2), midnight("04", 1), midnight("06", 1)];
    assert_eq!(to("daily@example.com"), days);
    assert_eq!(to("now@example.com").len(), 4);
    let shown = account.ask("GET", "/sandbox/mails", "").await;
    assert!(shown.status == 200 && shown.body.contains("now@example.com"));
}

#[tokio::test]
async fn an_event_is_told_to_those_who_asked_for_events() {
    let account = Account::new().await;
    account.subscribe("portins").await;
    let id = account.subscribe_to("<EventType>MESSAGING_LOST</EventType>").await;
    let event = r#"{"telephone_numbers":["9195550100","9195550101"]}"#;
    assert_eq!(account.ask("POST", "/sandbox/events", event).await.status, 204);
    account.sandbox.run_due().await;
    assert_eq!(account.told("EventType"), ["MESSAGING_LOST"]);
    assert_eq!(account.told("SubscriptionId"), [id]);
    let numbers = account.told_numbers("ImpactedTelephoneNumbers");
    assert_eq!(numbers, [["9195550100", "9195550101"]]);
}

#[tokio::test]
async fn a_step_stops_at_each_time_at_which_something_is_due() {
    let account = Account::new().await;
    account.subscribe("portins").await;
    account.port_in().await;
    let made = account.sandbox.deliveries()[0].made;
    account.step("100h").await;
    let deliveries = account.sandbox.deliveries();
    let spans: Vec<_> =
        deliveries.iter().map(|one| made.duration_until(one.posts[0].at).as_secs()).collect();
    assert_eq!(spans, [0, 5, 86_405, 259_205]);
}
