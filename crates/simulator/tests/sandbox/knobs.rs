//! What goes wrong on purpose, and the truth about it.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use simulator::sandbox::{Delivery, Knobs};

use crate::account::{Account, lnp_order};

const ORDERS: usize = 30;

/// Has many port-ins go their way under these knobs, to an endpoint that knows of all.
async fn played(knobs: Knobs) -> Account {
    let account = Account::with_knobs(knobs).await;
    account.subscribe("portins").await;
    for number in 0..ORDERS {
        account.place("portins", &lnp_order(&format!("91955501{number:02}"))).await;
        account.step("10m").await;
    }
    account.step("100h").await;
    account
}

fn count(deliveries: &[Delivery], fate: impl Fn(&Delivery) -> bool) -> usize {
    deliveries.iter().filter(|delivery| fate(delivery)).count()
}

/// How often each body arrived.
fn arrived(account: &Account) -> BTreeMap<String, usize> {
    let mut bodies = BTreeMap::new();
    for received in account.endpoint.received() {
        *bodies.entry(String::from_utf8(received.body).unwrap()).or_insert(0) += 1;
    }
    bodies
}

/// The dates of an order's notifications, as they arrived.
fn dates(account: &Account, order: &str) -> Vec<String> {
    let (ids, dates) = (account.told("OrderId"), account.told("LastModifiedDate"));
    let told = ids.into_iter().zip(dates).filter(|(id, _)| id == order);
    told.map(|(_, date)| date).collect()
}

#[tokio::test]
async fn what_is_dropped_never_arrives_and_what_is_duplicated_arrives_twice() {
    let account = played(Knobs { drop: 20, duplicate: 20, ..Knobs::default() }).await;
    let deliveries = account.sandbox.deliveries();
    assert_eq!(deliveries.len(), 4 * ORDERS);
    let arrived = arrived(&account);
    for delivery in &deliveries {
        let posts = match (delivery.dropped, delivery.duplicated) {
            (true, _) => 0,
            (false, false) => 1,
            (false, true) => 2,
        };
        assert_eq!(arrived.get(&delivery.body).copied().unwrap_or_default(), posts);
        assert_eq!(delivery.posts.len(), posts);
        assert!(delivery.posts.iter().all(|post| post.answered == Some(200)));
    }
    assert!((10..40).contains(&count(&deliveries, |one| one.dropped)));
    assert!((8..40).contains(&count(&deliveries, |one| one.duplicated)));
}

#[tokio::test]
async fn a_delay_keeps_the_order_of_an_orders_notifications() {
    let delay_max = SignedDuration::from_hours(60);
    let account = played(Knobs { delay_max, ..Knobs::default() }).await;
    account.step("100h").await;
    for order in account.sandbox.orders() {
        let dates = dates(&account, &order.id);
        assert_eq!(dates.len(), 4);
        assert!(dates.is_sorted(), "{dates:?}");
    }
    let deliveries = account.sandbox.deliveries();
    assert!(deliveries.iter().all(|one| one.posts[0].at <= one.made + delay_max));
    assert!(count(&deliveries, |one| one.posts[0].at > one.made) > 3 * ORDERS);
}

#[tokio::test]
async fn what_is_overtaken_arrives_after_a_later_one() {
    let account = played(Knobs { disorder: 30, ..Knobs::default() }).await;
    let deliveries = account.sandbox.deliveries();
    assert_eq!(account.endpoint.received().len(), deliveries.len());
    for order in account.sandbox.orders() {
        let overtaken =
            |one: &&Delivery| one.overtaken && one.order_id.as_deref() == Some(&order.id);
        let disordered = deliveries.iter().any(|one| overtaken(&one));
        assert_eq!(dates(&account, &order.id).is_sorted(), !disordered);
    }
    assert!(count(&deliveries, |one| one.overtaken) > 3);
}

#[tokio::test]
async fn the_same_seed_does_the_same() {
    let all = Knobs {
        drop: 10,
        duplicate: 10,
        delay_max: SignedDuration::from_mins(5),
        disorder: 10,
        ..Knobs::default()
    };
    let (one, two) = (played(all.clone()).await, played(all).await);
    assert_eq!(one.sandbox.orders(), two.sandbox.orders());
    let fates = |account: &Account| {
        let deliveries = account.sandbox.deliveries().into_iter();
        let fates = deliveries.map(|one| (one.body, one.dropped, one.duplicated, one.posts));
        fates.collect::<Vec<_>>()
    };
    assert_eq!(fates(&one), fates(&two));
    assert_eq!(one.told("LastModifiedDate"), two.told("LastModifiedDate"));
}

#[tokio::test]
async fn a_duplicate_may_arrive_after_later_states() {
    let delay_max = SignedDuration::from_hours(60);
    let account = played(Knobs { duplicate: 50, delay_max, ..Knobs::default() }).await;
    account.step("200h").await;
    let deliveries = account.sandbox.deliveries();
    let again: Vec<_> = deliveries.iter().filter(|one| one.duplicated).collect();
    assert!(again.iter().all(|one| one.posts[1].at <= one.posts[0].at + delay_max));
    let is_late = |one: &&&Delivery| {
        let later = |other: &Delivery| other.order_id == one.order_id && other.made > one.made;
        let mut later = deliveries.iter().filter(|other| later(other));
        later.any(|other| other.posts[0].at < one.posts[1].at)
    };
    assert!(again.iter().filter(is_late).count() > ORDERS / 2);
    // What is first POSTed keeps its order all the same.
    for order in account.sandbox.orders() {
        let of_order = deliveries.iter().filter(|one| one.order_id.as_deref() == Some(&order.id));
        assert!(of_order.map(|one| one.posts[0].at).is_sorted());
    }
}
