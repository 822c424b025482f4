//! From an order that is placed to its first notification, which may come before its id.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use jiff::SignedDuration;
use relay::setup::Wanted;
use relay::store::PLACING_MAX;
use simulator::aws::{Aws, Fault};
use simulator::endpoint::{Answer, Endpoint};
use tokio::sync::Notify;

use super::fake::{Asked, Gate, OTHER};
use crate::stage::{TENANT, UPSTREAM, post, subscribe, text_of};

/// The order that Bandwidth makes; its first letter is a capital there.
const MADE: &str = "Abcdef44-8a1b-4f0e-9a57-9b1b6d5e7c02";

fn subject() -> String {
    MADE.to_lowercase()
}

fn made() -> Response {
    let location = format!("https://bandwidth.test/api/accounts/{UPSTREAM}/orders/{MADE}");
    (StatusCode::CREATED, [("location", location)]).into_response()
}

/// A state of the order, which a rule would give to the other tenant.
fn told(status: &str, second: u32) -> String {
    format!(
        "<Notification><Status>{status}</Status><OrderId>{MADE}</OrderId>\
         <OrderType>orders</OrderType><CustomerOrderId>other-7</CustomerOrderId>\
         <LastModifiedDate>2026-02-03T10:00:{second:02}.000Z</LastModifiedDate></Notification>"
    )
}

/// A gate whose Bandwidth says when it was asked to place an order, and answers when it is told to.
async fn slow() -> (Arc<Gate>, Arc<Notify>, Arc<Notify>) {
    let (arrived, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (says, waits) = (arrived.clone(), go_on.clone());
    let gate = Gate::new(move |_| {
        let (says, waits) = (says.clone(), waits.clone());
        async move {
            says.notify_one();
            waits.notified().await;
            made()
        }
    });
    (Arc::new(gate.await), arrived, go_on)
}

fn place(gate: &Arc<Gate>) -> tokio::task::JoinHandle<u16> {
    let gate = gate.clone();
    tokio::spawn(async move { gate.ask("POST", "/orders", "<Order/>").await.status })
}

async fn hears(gate: &Gate) -> Endpoint {
    let endpoint = Endpoint::start(0, vec![], |_, _| Answer::status(200)).await.unwrap();
    subscribe(&gate.stage.world, Wanted::everything(OTHER, &endpoint.url())).await;
    endpoint
}

fn states(endpoint: &Endpoint) -> Vec<String> {
    endpoint.received().iter().map(|one| text_of(one, "Status")).collect()
}

#[tokio::test]
async fn what_is_told_of_an_order_before_its_id_is_known_waits_for_the_claim() {
    // Bandwidth tells of the order before it answers who placed it.
    let ingest = Arc::new(OnceLock::<(axum::Router, String)>::new());
    let (place, tells) = (ingest.clone(), ingest);
    let gate = Gate::new(move |_: Asked| {
        let (router, user) = tells.get().unwrap().clone();
        async move {
            for (status, second) in [("RECEIVED", 1), ("COMPLETE", 2)] {
                let body = told(status, second);
                let taken = post(router.clone(), UPSTREAM, Some(&user), body).await;
                assert_eq!(taken.0, 200);
            }
            made()
        }
    })
    .await;
    let stage = &gate.stage;
    let user = format!("{}:{}", stage.login.username, stage.login.password);
    place.set((stage.world.router(), user)).unwrap();
    gate.give_to_other("other-").await;
    let other = hears(&gate).await;

    // fanout looks at every step of the way.
    let world = stage.world.clone();
    let looks = async {
        loop {
            world.fan_out_batch().await;
            tokio::task::yield_now().await;
        }
    };
    let said = tokio::select! {
        said = gate.ask("POST", "/orders", "<Order/>") => said,
        () = looks => unreachable!(),
    };
    assert_eq!(said.status, 201);
    stage.run_for(SignedDuration::from_secs(2)).await;
    assert_eq!(stage.told(), ["RECEIVED", "COMPLETE"]);
    assert!(states(&other).is_empty());
    assert_eq!(gate.owner(&subject()).await.as_deref(), Some(TENANT));
    assert!(stage.items(&format!("PLACING#{UPSTREAM}")).await.is_empty());
}

#[tokio::test]
async fn while_an_order_is_being_placed_an_unclaimed_one_waits_and_a_claimed_one_does_not() {
    let (gate, arrived, go_on) = slow().await;
    let stage = &gate.stage;
    gate.give_to_other("other-").await;
    let other = hears(&gate).await;
    let placed = place(&gate);
    arrived.notified().await;

    gate.claim("claimed-1", OTHER).await;
    stage.post_accepted(&told("COMPLETE", 1).replace(MADE, "claimed-1")).await;
    stage.post_accepted(&told("RECEIVED", 1)).await;
    for _ in 0..2 {
        // It stands at the head of the stream again.
        stage.world.fan_out_batch().await;
        assert_eq!(stage.items(&format!("TENANT#{OTHER}#FEED")).await.len(), 1);
        assert!(stage.items(&format!("TENANT#{TENANT}#FEED")).await.is_empty());
    }
    go_on.notify_one();
    assert_eq!(placed.await.unwrap(), 201);
    stage.run_for(SignedDuration::from_secs(2)).await;
    assert_eq!(stage.told(), ["RECEIVED"]);
    assert_eq!(states(&other), ["COMPLETE"]);
}

#[tokio::test]
async fn what_was_told_waits_no_longer_than_a_placing_lasts() {
    let (gate, arrived, _go_on) = slow().await;
    let stage = &gate.stage;
    gate.give_to_other("other-").await;
    let _placed = place(&gate);
    arrived.notified().await;
    stage.post_accepted(&told("RECEIVED", 1)).await;

    // A placing that begins later holds up nothing that came before.
    stage.clock.advance(SignedDuration::from_secs(30));
    let _later = place(&gate);
    arrived.notified().await;
    stage.world.fan_out_batch().await;
    assert!(stage.items(&format!("TENANT#{OTHER}#FEED")).await.is_empty());
    // The first one died, as far as anybody can tell.
    stage.clock.advance(PLACING_MAX - SignedDuration::from_secs(30));
    stage.clock.advance(SignedDuration::from_millis(1));
    stage.world.fan_out_batch().await;
    let fed = stage.items(&format!("TENANT#{OTHER}#FEED")).await;
    assert_eq!(fed.len(), 1, "the rules have decided");
}

#[tokio::test]
async fn a_gateway_that_is_closed_while_an_order_is_being_placed_shows_it_to_nobody_else() {
    let check = async |method: &str, body: &str| {
        let (gate, arrived, go_on) = Box::pin(slow()).await;
        let stage = &gate.stage;
        gate.give_to_other("other-").await;
        let placed = place(&gate);
        arrived.notified().await;
        assert!([200, 204].contains(&gate.operate(method, "/api", body).await), "{method}");
        stage.clock.advance(PLACING_MAX - SignedDuration::from_secs(1));
        stage.post_accepted(&told("RECEIVED", 1)).await;
        stage.world.fan_out_batch().await;
        assert!(stage.items(&format!("TENANT#{OTHER}#FEED")).await.is_empty(), "{method}");

        go_on.notify_one();
        assert_eq!(placed.await.unwrap(), 201);
        stage.run_for(SignedDuration::from_secs(1)).await;
        assert_eq!(stage.told(), ["RECEIVED"], "{method}");
        assert!(stage.items(&format!("TENANT#{OTHER}#FEED")).await.is_empty(), "{method}");
    };
    let off = r#"{"url":"https://bandwidth.test","username":"u","password":"p","gateway":false}"#;
    check("PUT", off).await;
    check("DELETE", "").await;
}

#[tokio::test]
async fn an_order_is_claimed_when_the_client_has_gone() {
    let (gate, arrived, go_on) = slow().await;
    let placed = place(&gate);
    arrived.notified().await;
    placed.abort();
    assert!(placed.await.unwrap_err().is_cancelled());
    go_on.notify_one();
    let ends = async {
        while !gate.stage.items(&format!("PLACING#{UPSTREAM}")).await.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), ends).await.unwrap();
    assert_eq!(gate.owner(&subject()).await.as_deref(), Some(TENANT));
}

#[tokio::test]
async fn an_order_that_takes_too_long_is_given_up_and_not_placed_again() {
    let (gate, arrived, _go_on) = slow().await;
    let placed = place(&gate);
    arrived.notified().await;
    // From here on time passes as soon as nobody has anything else to do.
    tokio::time::pause();
    let since = tokio::time::Instant::now();
    assert_eq!(placed.await.unwrap(), 504);
    let took = since.elapsed();
    assert!(took <= Duration::from_secs(26), "{took:?}");
    assert_eq!(gate.asked().len(), 1);
    // What is told of it now waits, for it may be in Bandwidth's books.
    gate.stage.post_accepted(&told("RECEIVED", 1)).await;
    gate.stage.world.fan_out_batch().await;
    assert!(gate.stage.items(&format!("TENANT#{TENANT}#FEED")).await.is_empty());
}

#[tokio::test]
async fn what_has_passed_before_bandwidth_is_asked_is_taken_from_its_time() {
    let (gate, arrived, _go_on) = slow().await;
    // A body that comes after 20 s.
    let (read, sent) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (reads, comes) = (read.clone(), sent.clone());
    let body = Body::from_stream(futures::stream::once(async move {
        reads.notify_one();
        comes.notified().await;
        Ok::<_, Infallible>(Bytes::from_static(b"<Order/>"))
    }));
    let asking = gate.clone();
    let placed = tokio::spawn(async move { asking.ask("POST", "/orders", body).await.status });
    read.notified().await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(20)).await;
    tokio::time::resume();
    sent.notify_one();
    arrived.notified().await;

    tokio::time::pause();
    let since = tokio::time::Instant::now();
    assert_eq!(placed.await.unwrap(), 504);
    let took = since.elapsed();
    assert!(took <= Duration::from_secs(6), "{took:?}");
}

#[tokio::test]
async fn an_order_that_cannot_be_claimed_is_named_to_who_placed_it() {
    // From the moment on at which Bandwidth answers, nothing is put.
    let table = Arc::new(OnceLock::<Aws>::new());
    let breaks = table.clone();
    let gate = Gate::new(move |_| {
        let aws = breaks.get().unwrap().clone();
        async move {
            aws.inject(|call| (call.operation == "PutItem").then_some(Fault::Refuse));
            made()
        }
    })
    .await;
    table.set(gate.stage.aws.clone()).unwrap();
    let said = gate.ask("POST", "/orders", "<Order/>").await;
    assert_eq!(said.status, 503);
    assert!(said.text().contains(&subject()), "{}", said.text());
    assert!(crate::logs::lines().contains("could not be claimed"));
    // Until there is a claim, or the time is over, no rule decides.
    assert_eq!(gate.stage.items(&format!("PLACING#{UPSTREAM}")).await.len(), 1);
    assert_eq!(gate.asked().len(), 1);

    gate.stage.aws.heal();
    let gate = Gate::new(|_| async { made() }).await;
    gate.claim(&subject(), OTHER).await;
    let said = gate.ask("POST", "/orders", "<Order/>").await;
    assert_eq!(said.status, 502);
    assert!(said.text().contains(&subject()), "{}", said.text());
    assert_eq!(gate.owner(&subject()).await.as_deref(), Some(OTHER));
    assert!(gate.stage.items(&format!("PLACING#{UPSTREAM}")).await.is_empty());
}

#[tokio::test]
async fn nothing_is_placed_that_could_not_be_noted_before() {
    let gate = Gate::new(|_| async { made() }).await;
    gate.stage.aws.inject(|call| (call.operation == "PutItem").then_some(Fault::Refuse));
    assert_eq!(gate.ask("POST", "/orders", "<Order/>").await.status, 503);
    assert!(gate.asked().is_empty());
}

#[tokio::test]
async fn the_id_of_an_order_is_in_its_location_or_in_the_body() {
    let check = async |location: &str, body: &'static str, status: u16, owned: &str| {
        let location = location.to_owned();
        let gate = Box::pin(Gate::new(move |_| {
            let head = [("location", location.clone())];
            std::future::ready((StatusCode::CREATED, head, body).into_response())
        }))
        .await;
        let said = gate.ask("POST", "/csrs", "<Csr/>").await;
        assert_eq!(said.status, status, "{body}");
        let owner = if owned.is_empty() { None } else { gate.owner(owned).await };
        assert_eq!(owner.is_some(), status == 201, "{body}");
    };
    check("/accounts/1/csrs/A-1?x=y", "", 201, "a-1").await;
    check("/accounts/1/csrs", "<CsrResponse><OrderId>B-2</OrderId></CsrResponse>", 201, "b-2")
        .await;
    check("", "<OrderResponse><Order><id> c-3 </id></Order></OrderResponse>", 201, "c-3").await;
    check("/accounts/1/csrs", "<CsrResponse/>", 502, "").await;
}
