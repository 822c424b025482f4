//! An account at Bandwidth is connected to the relay, and what it did not send is asked for by hand.

use domain::connect::{Change, is_settled};
use jiff::SignedDuration;
use relay::connect::{ConnectError, Connection};
use relay::reconcile::{Backfill, BackfillError, Reconcile, Step, Sum};
use reqwest::Method;
use simulator::sandbox::Knobs;

use crate::stage::UPSTREAM;
use crate::upstream::Ground;

async fn look(ground: &Ground) -> Connection {
    let bandwidth = ground.stage.world.bandwidth().clone();
    Connection::look(bandwidth, UPSTREAM, &ground.relay_url).await.unwrap()
}

/// Does what there is to do, unless Bandwidth breaks it off after so many changes.
async fn connect(ground: &Ground, changes_max: usize) {
    let mut connection = look(ground).await;
    let login = connection.renew(ground.stage.clock.now()).await.unwrap();
    for change in connection.plan.iter().take(changes_max) {
        connection.make(change, &login).await.unwrap().unwrap();
    }
}

async fn order(ground: &Ground) {
    let body = "<Order><SiteId>743</SiteId><StateSearchAndOrderType><State>NC</State>\
        <Quantity>1</Quantity></StateSearchAndOrderType></Order>";
    ground.post("/orders", body).await;
}

/// Twice the turn that the sandbox and the relay take.
const TURNS: SignedDuration = SignedDuration::from_mins(10);

#[tokio::test]
async fn an_account_is_connected_and_its_notifications_come() {
    let ground = Box::pin(Ground::new(|_| {})).await;
    let connection = look(&ground).await;
    assert!(connection.plan.iter().all(|change| matches!(change, Change::Create(_))));
    connect(&ground, usize::MAX).await;
    assert!(is_settled(&look(&ground).await.plan));
    order(&ground).await;
    ground.run_for(TURNS).await;
    assert_eq!(ground.stage.told(), ["COMPLETE"]);
}

#[tokio::test]
async fn what_is_wrong_is_repaired_and_what_is_somebody_elses_stays() {
    let ground = Box::pin(Ground::new(|_| {})).await;
    let foreign = "<Subscription><OrderType>orders</OrderType><CallbackSubscription>\
        <URL>http://127.0.0.1:9000/other</URL></CallbackSubscription></Subscription>";
    ground.post("/subscriptions", foreign).await;
    // It breaks off: some present credentials that will not be accepted for long.
    connect(&ground, usize::MAX).await;
    connect(&ground, 5).await;
    let plan = look(&ground).await.plan;
    let repairs = plan.iter().filter(|change| matches!(change, Change::Repair { .. })).count();
    assert_eq!((plan.len() - repairs, is_settled(&plan)), (5, false));

    let Some(Change::Repair { id, .. }) = plan.last().cloned() else { panic!("{plan:?}") };
    ground.ask(Method::DELETE, &format!("/subscriptions/{id}"), None).await;
    connect(&ground, usize::MAX).await;
    assert!(is_settled(&look(&ground).await.plan));
    let all = ground.ask(Method::GET, "/subscriptions", None).await;
    assert!(String::from_utf8(all.body).unwrap().contains("127.0.0.1:9000/other"));

    ground.run_for(SignedDuration::from_hours(25)).await;
    order(&ground).await;
    ground.run_for(TURNS).await;
    assert_eq!(ground.stage.told(), ["COMPLETE"], "with the newest credentials");
}

#[tokio::test]
async fn what_is_no_upstream_or_has_no_api_cannot_be_connected() {
    let ground = Box::pin(Ground::new(|_| {})).await;
    let bandwidth = ground.stage.world.bandwidth().clone();
    let unknown = Connection::look(bandwidth.clone(), "1", &ground.relay_url).await;
    assert!(matches!(unknown, Err(ConnectError::NoUpstream(_))));
    let reconcile = Reconcile { bandwidth, clock: ground.stage.world.relay_clock().clone() };
    let unknown = Backfill::new(reconcile, "1", ground.stage.clock.now()).await;
    assert!(matches!(unknown, Err(BackfillError::NoUpstream(_))));
}

#[tokio::test]
async fn a_backfill_finds_what_was_never_sent_and_goes_on_where_it_was_left() {
    let ground = Box::pin(Ground::new(|_| {})).await;
    let since = ground.stage.clock.now();
    ground.sandbox.set_knobs(Knobs { drop: 100, ..Knobs::default() });
    for _ in 0..8 {
        order(&ground).await;
    }
    // Two days later, what happens in a day is not asked for by itself.
    ground.stage.clock.advance(SignedDuration::from_hours(48));
    ground.sandbox.run_due().await;
    ground.run_for(TURNS * 2).await;
    assert_eq!(ground.stage.told(), [""; 0]);

    let world = &ground.stage.world;
    let begin = async || {
        let clock = world.relay_clock().clone();
        let reconcile = Reconcile { bandwidth: world.bandwidth().clone(), clock };
        Backfill::new(reconcile, UPSTREAM, since).await.unwrap()
    };
    let mut first = begin().await;
    for _ in 0..30 {
        first.step().await.unwrap();
    }
    let mut second = begin().await;
    assert_eq!(first.sum(), second.sum());
    assert!(second.sum().asked > 0);
    ground.sandbox.set_knobs(Knobs { requests_per_minute: Some(5), ..Knobs::default() });
    let mut waits = 0;
    loop {
        let Step { is_done, wait, .. } = second.step().await.unwrap();
        if is_done {
            break;
        }
        if let Some((until, _)) = wait {
            waits += 1;
            ground.stage.clock.advance_to(until);
        }
    }
    assert!(waits > 0, "it was asked too often");
    assert_eq!(second.sum(), Sum { listed: 8, asked: 8, found: 8 });
    ground.run_for(TURNS).await;
    assert_eq!(ground.stage.told(), ["COMPLETE"]);
    assert_eq!(ground.stage.endpoint.received().len(), 8);
}
