//! What Bandwidth did not send is found by asking.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use domain::upstream::{ApiAccess, Rule, Upstream};
use jiff::{SignedDuration, Timestamp};
use relay::bandwidth;
use relay::reconcile::{self, ASKS_A_MINUTE};
use relay::setup::{self, Wanted};
use relay::store::StoreError;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::stage::{ORDER, Stage, TENANT, UPSTREAM, header, start, state, subscribe, text_of};

/// What Bandwidth knows of an order: kind, id, CustomerOrderId, and each state with its second.
type Known = (&'static str, String, &'static str, Vec<(&'static str, i64)>);

/// Bandwidth's API, as far as it is asked here.
#[derive(Clone, Default)]
struct Fake {
    orders: Arc<Mutex<Vec<Known>>>,
    asked: Arc<Mutex<Vec<String>>>,
    /// Answers 429, and when to come back.
    limited: Arc<Mutex<Option<Timestamp>>>,
    /// Paths that are answered with this status.
    broken: Arc<Mutex<Option<(&'static str, u16)>>>,
}

/// Orders of one page: fewer than are asked for.
const PAGE: usize = 40;

impl Fake {
    /// Runs, and is what the stage's upstream is asked at.
    async fn of(stage: &Stage, orders: Vec<Known>) -> Fake {
        let fake = Fake { orders: Arc::new(Mutex::new(orders)), ..Fake::default() };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}/api", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(fake.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        make_askable(stage, url).await;
        fake
    }

    /// Paths that were asked for since the last time, without their beginning.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    fn list(&self, kind: &str, page: &str) -> String {
        let orders = self.orders.lock().unwrap();
        let of_kind: Vec<_> = orders.iter().filter(|order| order.0 == kind).collect();
        let first = of_kind.iter().position(|order| order.1 == page).unwrap_or(0);
        let row = |(_, id, _, states): &&Known| {
            let last = date(states.last().unwrap().1);
            format!("<Row><OrderId>{id}</OrderId><lastModifiedDate>{last}</lastModifiedDate></Row>")
        };
        let rows: String = of_kind[first..].iter().take(PAGE).map(row).collect();
        let next = of_kind.get(first + PAGE).map_or(String::new(), |next| {
            format!("<Links><next>Link=&lt;http://x/?page={}&gt;;</next></Links>", next.1)
        });
        format!("<List>{next}{rows}</List>")
    }

    fn about(&self, id: &str, history: bool) -> Option<String> {
        let orders = self.orders.lock().unwrap();
        let (_, id, customer_order_id, states) = orders.iter().find(|order| order.1 == id)?;
        if !history {
            let (status, second) = states.last()?;
            return Some(format!(
                "<Order><OrderId>{id}</OrderId><CustomerOrderId>{customer_order_id}\
                 </CustomerOrderId><OrderStatus>{status}</OrderStatus><LastModifiedDate>{}\
                 </LastModifiedDate></Order>",
                date(*second)
            ));
        }
        let line = |(status, second): &(&str, i64)| {
            let at = date(*second);
            format!("<L><OrderDate>{at}</OrderDate><Note>n</Note><Status>{status}</Status></L>")
        };
        Some(format!("<W>{}</W>", states.iter().map(line).collect::<String>()))
    }
}

/// Gives the stage's upstream credentials for Bandwidth's API.
pub(crate) async fn make_askable(stage: &Stage, url: String) {
    let password = "p".to_owned().into();
    let api = ApiAccess {
        url,
        username: "relay".into(),
        sealed_password: bandwidth::seal(&stage.world.vault, UPSTREAM, &password).await.unwrap(),
        gateway_since: None,
    };
    let store = &stage.world.store;
    let old = store.refreshed_upstream(UPSTREAM).await.unwrap().unwrap();
    let new = Upstream { api: Some(api), revision: old.revision + 1, ..Upstream::clone(&old) };
    store.put_upstream(&new).await.unwrap();
    // By then all know it.
    stage.clock.advance(SignedDuration::from_secs(6));
}

fn date(second: i64) -> String {
    format!("{:.3}", start() + SignedDuration::from_secs(second))
}

async fn answer(State(fake): State<Fake>, request: Request) -> Response {
    let asked = request.uri().to_string();
    let below = asked.strip_prefix(&format!("/api/accounts/{UPSTREAM}/")).unwrap().to_owned();
    fake.asked.lock().unwrap().push(below.clone());
    if let Some(reset) = *fake.limited.lock().unwrap() {
        let reset = [("X-RateLimit-Reset", reset.as_second().to_string())];
        return (StatusCode::TOO_MANY_REQUESTS, reset).into_response();
    }
    if let Some((_, status)) = fake.broken.lock().unwrap().filter(|(path, _)| {
        below.ends_with(path) || (path.ends_with("?") && below.starts_with(path))
    }) {
        return StatusCode::from_u16(status).unwrap().into_response();
    }
    let (path, query) = below.split_once('?').unwrap_or((&below, ""));
    let segments: Vec<_> = path.split('/').collect();
    let found = match segments[..] {
        [kind] => {
            let page = query.split('&').find_map(|pair| pair.strip_prefix("page=")).unwrap();
            Some(fake.list(kind, page))
        }
        [_, id] => fake.about(id, false),
        [_, id, "history"] => fake.about(id, true),
        _ => None,
    };
    found.map_or(StatusCode::NOT_FOUND.into_response(), |body| body.into_response())
}

fn port(id: &str, states: &[(&'static str, i64)]) -> Known {
    ("portins", id.into(), "c-1", states.to_vec())
}

fn minutes(count: i64) -> SignedDuration {
    SignedDuration::from_mins(count)
}

/// The states that the endpoint was told, as they arrived, repeats and all.
fn arrived(stage: &Stage) -> Vec<String> {
    stage.endpoint.received().iter().map(|one| text_of(one, "Status")).collect()
}

#[tokio::test]
async fn a_state_that_no_notification_told_is_delivered_and_its_late_original_is_known() {
    let stage = Stage::new(0, None).await;
    let states = [("SUBMITTED", 10), ("FOC", 20), ("COMPLETE", 30)];
    let fake = Fake::of(&stage, vec![port(ORDER, &states)]).await;
    stage.post_accepted(&state("SUBMITTED", 10)).await;
    stage.post_accepted(&state("COMPLETE", 30)).await;
    stage.run_for(minutes(8)).await;
    assert_eq!(arrived(&stage), ["SUBMITTED", "COMPLETE"], "the rest may be on its way");

    stage.run_for(minutes(20)).await;
    assert_eq!(arrived(&stage), ["SUBMITTED", "COMPLETE", "FOC"]);
    let listed = stage.api("GET", "/notifications?status=FOC", Value::Null).await;
    assert_eq!(listed["items"][0]["reconciled"], true);
    let listed = stage.api("GET", "/notifications?status=COMPLETE", Value::Null).await;
    assert_eq!(listed["items"][0]["reconciled"], Value::Null);
    let foc = &stage.endpoint.received()[2];
    assert_eq!(header(foc, "hookline-reconciled"), "true");
    assert_eq!(text_of(foc, "CustomerOrderId"), "c-1");

    let late = state("FOC", 20).replace("<OrderId>", "<Message>other</Message><OrderId>");
    stage.post_accepted(&late).await;
    stage.run_for(minutes(60)).await;
    assert_eq!(arrived(&stage).len(), 3);
    let asked = fake.asked().into_iter().filter(|path| path.contains(ORDER));
    let history = format!("portins/{ORDER}/history");
    // The next sweep begins a little before the end of the last.
    let expected = [history.clone(), format!("portins/{ORDER}"), history];
    assert_eq!(asked.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn an_order_that_was_never_heard_of_goes_to_its_owner() {
    let stage = Stage::new(0, None).await;
    let rules = vec![Rule { prefix: "c-".into(), tenant: TENANT.into() }];
    setup::upstream(&stage.world.store, UPSTREAM, None, rules).await.unwrap();
    let order = |id: &str, customer_order_id| {
        ("orders", id.to_owned(), customer_order_id, vec![("RECEIVED", 0), ("COMPLETE", 1)])
    };
    Fake::of(&stage, vec![order("a-1", "c-7"), order("a-2", "d-7")]).await;
    stage.run_for(minutes(30)).await;
    let received = stage.endpoint.received();
    assert_eq!(received.len(), 1);
    assert_eq!(header(&received[0], "hookline-order"), "a-1");
    assert_eq!(arrived(&stage), ["COMPLETE"], "of RECEIVED Bandwidth tells nobody");
}

#[tokio::test]
async fn an_order_without_a_history_is_known_by_its_state_of_now() {
    let stage = Stage::new(0, None).await;
    let states = vec![("PARTIAL", 5)];
    let fake = Fake::of(&stage, vec![("disconnects", "a-1".into(), "", states)]).await;
    stage.run_for(minutes(30)).await;
    assert_eq!(arrived(&stage), ["PARTIAL"]);
    assert!(!fake.asked().iter().any(|path| path.contains("history")));
}

/// The stage's upstream is asked once.
async fn ask(stage: &Stage) {
    run(stage).await.unwrap();
}

async fn run(stage: &Stage) -> Result<u64, StoreError> {
    let ends_at = stage.clock.now() + minutes(1);
    reconcile::run(&stage.world.schedule.reconcile, ends_at).await
}

#[tokio::test]
async fn no_more_is_asked_in_a_minute_than_may_be_and_the_next_goes_on() {
    let stage = Stage::new(0, None).await;
    let orders = (0..100).map(|n| port(&format!("a-{n:03}"), &[("SUBMITTED", n)])).collect();
    let fake = Fake::of(&stage, orders).await;
    stage.clock.advance(minutes(20));
    let mut about = Vec::new();
    let mut runs = 0;
    while about.len() < 200 {
        ask(&stage).await;
        let asked = fake.asked();
        assert!(!asked.is_empty() && asked.len() <= ASKS_A_MINUTE as usize, "{}", asked.len());
        about.extend(asked.into_iter().filter(|path| path.contains("/a-")));
        runs += 1;
    }
    assert_eq!(runs, 4, "a history and an order for each, and the lists");
    about.sort();
    about.dedup();
    assert_eq!(about.len(), 200, "none twice");
}

#[tokio::test]
async fn whoever_asked_too_often_comes_back_when_it_may() {
    let stage = Stage::new(0, None).await;
    let fake = Fake::of(&stage, vec![port(ORDER, &[("SUBMITTED", 0)])]).await;
    stage.clock.advance(minutes(20));
    let reset = stage.clock.now() + minutes(7);
    *fake.limited.lock().unwrap() = Some(reset);
    ask(&stage).await;
    assert_eq!(fake.asked().len(), 1);
    *fake.limited.lock().unwrap() = None;
    stage.clock.advance(minutes(6));
    ask(&stage).await;
    assert_eq!(fake.asked(), Vec::<String>::new());
    stage.clock.advance(minutes(1));
    ask(&stage).await;
    assert!(fake.asked().iter().any(|path| path.contains(ORDER)));
}

#[tokio::test]
async fn an_open_order_of_which_nothing_is_heard_is_asked_about_before_all_else() {
    let stage = Stage::new(0, None).await;
    let other = port("a-1", &[("SUBMITTED", 0)]);
    let fake = Fake::of(&stage, vec![other, port(ORDER, &[("SUBMITTED", 0), ("FOC", 60)])]).await;
    stage.post_accepted(&state("SUBMITTED", 0)).await;
    stage.world.fan_out_batch().await;
    stage.clock.advance(SignedDuration::from_hours(50));
    ask(&stage).await;
    let asked = fake.asked();
    assert_eq!(asked[0], format!("portins/{ORDER}/history"));
    stage.world.fan_out_batch().await;
    stage.clock.advance(SignedDuration::from_hours(1));
    ask(&stage).await;
    assert!(!fake.asked().iter().any(|path| path.contains(ORDER)), "it has its time");

    // With its end there is nothing more to ask.
    stage.post_accepted(&state("COMPLETE", 7_200)).await;
    while stage.world.fan_out_batch().await > 0 {}
    stage.clock.advance(SignedDuration::from_hours(90));
    ask(&stage).await;
    assert!(!fake.asked()[0].contains(ORDER));
}

#[tokio::test]
async fn a_tenant_is_told_once_when_orders_change_and_no_notification_comes() {
    let stage = Stage::new(0, None).await;
    let silent = domain::subscription::Topic::EventType("upstream.silent".into());
    let wanted = Wanted { topic: silent, ..Wanted::everything(TENANT, &stage.endpoint.url()) };
    subscribe(&stage.world, wanted).await;
    // The newest first, as lists have it.
    let order = |n| port(&format!("a-{n:03}"), &[("SUBMITTED", n)]);
    Fake::of(&stage, (0..20).rev().map(order).collect()).await;
    stage.run_for(minutes(40)).await;
    let told = stage.endpoint.received();
    let events: Vec<_> = told.iter().filter(|one| !text_of(one, "EventType").is_empty()).collect();
    assert_eq!(events.len(), 1);
    assert_eq!(text_of(events[0], "EventType"), "upstream.silent");
    assert!(text_of(events[0], "Message").contains(UPSTREAM));
}

#[tokio::test]
async fn a_table_that_fails_in_between_leaves_nothing_out() {
    let stage = Stage::new(0, None).await;
    let orders = (0..10).map(|n| port(&format!("a-{n:03}"), &[("SUBMITTED", n)])).collect();
    Fake::of(&stage, orders).await;
    stage.clock.advance(minutes(20));
    for call in [7, 13, 29] {
        stage
            .aws
            .inject(move |made| (made.number >= call).then_some(simulator::aws::Fault::Refuse));
        assert!(run(&stage).await.is_err());
        stage.aws.heal();
    }
    ask(&stage).await;
    stage.run_for(minutes(5)).await;
    let told = arrived(&stage).into_iter().filter(|status| status == "SUBMITTED");
    assert_eq!(told.count(), 10);
}

#[tokio::test]
async fn an_order_without_a_history_that_only_gets_a_note_is_told_nothing_again() {
    let stage = Stage::new(0, None).await;
    let order = |second| ("disconnects", ORDER.to_owned(), "", vec![("COMPLETE", second)]);
    let fake = Fake::of(&stage, vec![order(5)]).await;
    stage.post_accepted(&state("COMPLETE", 5).replace("portins", "disconnects")).await;
    stage.run_for(minutes(30)).await;
    *fake.orders.lock().unwrap() = vec![order(3_600)];
    stage.run_for(minutes(90)).await;
    assert_eq!(arrived(&stage), ["COMPLETE"]);
}

#[tokio::test]
async fn what_is_older_than_the_record_is_not_told_again() {
    let stage = Stage::new(0, None).await;
    let day = 24 * 3_600;
    let states = [("SUBMITTED", -95 * day), ("FOC", -day / 2)];
    Fake::of(&stage, vec![port(ORDER, &states)]).await;
    stage.run_for(minutes(5)).await;
    assert_eq!(arrived(&stage), ["FOC"]);
}

#[tokio::test]
async fn a_question_without_an_answer_holds_up_neither_other_orders_nor_other_types() {
    for broken in ["a-1/history", "portins/a-1", "portins?"] {
        let stage = Stage::new(0, None).await;
        let last = ("csrs", "a-3".to_owned(), "", vec![("COMPLETE", 9)]);
        let orders = vec![port("a-1", &[("FOC", 5)]), port("a-2", &[("EXCEPTION", 7)]), last];
        let fake = Fake::of(&stage, orders).await;
        *fake.broken.lock().unwrap() = Some((broken, 500));
        stage.run_for(SignedDuration::from_hours(4)).await;
        let expected: &[_] = match broken {
            "portins?" => &["COMPLETE"],
            _ => &["EXCEPTION", "COMPLETE"],
        };
        assert_eq!(arrived(&stage), expected, "{broken}");
    }
}

#[tokio::test]
async fn an_order_that_cannot_be_read_is_nobodys_until_it_can() {
    let stage = Stage::new(0, None).await;
    let rules = vec![Rule { prefix: "c-".into(), tenant: TENANT.into() }];
    setup::upstream(&stage.world.store, UPSTREAM, Some("5500009"), rules).await.unwrap();
    let fake = Fake::of(&stage, vec![port(ORDER, &[("FOC", 5)])]).await;
    let itself = "portins/1b9a2c44-8a1b-4f0e-9a57-9b1b6d5e7c02";
    *fake.broken.lock().unwrap() = Some((itself, 404));
    stage.run_for(minutes(18)).await;
    assert!(fake.asked().iter().any(|path| path.ends_with(ORDER)));
    *fake.broken.lock().unwrap() = None;
    stage.run_for(minutes(30)).await;
    assert_eq!(arrived(&stage), ["FOC"], "and not the default tenant");
}
