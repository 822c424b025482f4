//! `hookline demo`: two tenants, a number order, a port-in with notes and an event, from the
//! simulated Bandwidth through the relay to two endpoints, one of which fails twice.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use domain::upstream::Rule;
use jiff::{SignedDuration, Timestamp};
use local::World;
use relay::Dice;
use relay::setup::{self, Wanted};
use secrecy::ExposeSecret as _;
use simulator::Clock;
use simulator::aws::Aws;
use simulator::bandwidth::{Bandwidth, Message};
use simulator::endpoint::{Answer, Endpoint, Received};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::output::say;
use crate::timeline::Timeline;

const UPSTREAM: &str = "9900012";
const NORTH: &str = "5500001";
const SOUTH: &str = "5500002";

/// How often the second tenant's endpoint fails before it recovers.
const FAILURES: usize = 2;

/// Waits of the demo, in place of 5 s, 30 s and so on: nobody should have to wait for it.
const WAITS: [SignedDuration; 3] =
    [SignedDuration::from_secs(1), SignedDuration::from_secs(2), SignedDuration::from_secs(4)];

/// By then all has been delivered, or never will be.
const PATIENCE: Duration = Duration::from_secs(60);

/// One tenant of the demo and its endpoint.
struct Customer {
    name: &'static str,
    tenant: &'static str,
    endpoint: Endpoint,
    subscription: String,
}

pub(crate) async fn run() -> anyhow::Result<()> {
    let clock = Clock::system();
    let world = World::new(Aws::memory(clock.clone())?, clock, Dice::system()).await?;
    let north = customer(&world, "North", NORTH, 0).await?;
    let south = customer(&world, "South", SOUTH, FAILURES).await?;
    let rule = Rule { prefix: "south-".into(), tenant: SOUTH.into() };
    let login = setup::upstream(&world.store, UPSTREAM, Some(NORTH), vec![rule]).await?;
    let orders = Orders::new()?;
    show_timeline(&orders, [&north, &south]);

    let running = local::serve(world, ([127, 0, 0, 1], 0).into()).await?;
    let url = format!("http://{}/notify/{UPSTREAM}", running.address);
    say(format!(
        "The relay listens on {url}.\n\
         Two tenants: {}, the default owner, and {}, who owns orders whose CustomerOrderId starts\n\
         with south-. {}'s endpoint fails {FAILURES} times with 500, then recovers. The waits before a\n\
         retry are shortened for the demo: 1 s, 2 s, 4 s instead of 5 s, 30 s, 2 min.\n",
        north.name, south.name, south.name
    ));
    let bandwidth = Bandwidth::new(&url, &login.username, &login.password);
    let mut expected: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (tenant, message) in orders.messages() {
        let told = bandwidth.notify(&message.to_xml()).await?;
        ensure!(
            (told.first_status, told.status) == (401, 200),
            "Bandwidth was answered {} and {}",
            told.first_status,
            told.status
        );
        expected.entry(tenant).or_default().push(mark_of(&message));
    }
    let results = [north, south].map(|customer| {
        let expected = expected.remove(customer.tenant).unwrap_or_default();
        (customer, expected)
    });
    let mut rows = Vec::new();
    for (customer, expected) in &results {
        rows.push(outcome(customer, expected).await);
    }
    running.stop().await;
    report(&rows)
}

async fn customer(
    world: &World,
    name: &'static str,
    tenant: &'static str,
    failures: usize,
) -> anyhow::Result<Customer> {
    let clock = world.relay_clock();
    setup::tenant(&world.store, tenant, clock.now()).await?;
    // The endpoint is told its secret after the subscription has been made with its URL.
    let endpoint = Endpoint::start(0, Vec::new(), move |_, nth| {
        Answer::status(if nth < failures { 500 } else { 200 })
    })
    .await?;
    let wanted =
        Wanted { waits: Some(WAITS.to_vec()), ..Wanted::everything(tenant, &endpoint.url()) };
    let (subscription, secret) =
        setup::subscription(&world.subscriptions, wanted, None, clock).await?;
    endpoint.set_secrets(vec![secret.expose_secret().to_owned()]);
    Ok(Customer { name, tenant, endpoint, subscription: subscription.id })
}

fn show_timeline(orders: &Orders, customers: [&Customer; 2]) {
    let ids = customers.map(|customer| (customer.subscription.clone(), customer.name.to_owned()));
    let names = ids.into_iter().chain(orders.names());
    tracing_subscriber::registry().with(Timeline::new(names.collect())).init();
}

/// The orders that the demo plays.
struct Orders {
    number_order: String,
    port_in: String,
    second_order: String,
    started: Timestamp,
}

impl Orders {
    #[expect(
        clippy::disallowed_methods,
        reason = "stands in for Bandwidth, whose clock is its own"
    )]
    fn new() -> anyhow::Result<Orders> {
        Ok(Orders {
            number_order: crate::send::uuid()?,
            port_in: crate::send::uuid()?,
            second_order: crate::send::uuid()?,
            started: Timestamp::now(),
        })
    }

    fn names(&self) -> [(String, String); 3] {
        [
            (self.number_order.clone(), "number order 1".into()),
            (self.second_order.clone(), "number order 2".into()),
            (self.port_in.clone(), "port-in".into()),
        ]
    }

    /// What Bandwidth says, in the order in which it happens, and whose it is.
    fn messages(&self) -> Vec<(&'static str, Message)> {
        let of = |order_id: &str, order_type: &str, customer_order_id: &str| Message {
            order_id: Some(order_id.into()),
            order_type: Some(order_type.into()),
            customer_order_id: Some(customer_order_id.into()),
            ..Message::default()
        };
        let order = || of(&self.number_order, "orders", "north-17");
        let port_in = || of(&self.port_in, "portins", "south-4");
        let second = || of(&self.second_order, "orders", "south-5");
        let state =
            |message: Message, status: &str| Message { status: Some(status.into()), ..message };
        let note = |message: Message, note: &str| Message { note: Some(note.into()), ..message };
        let numbers = |message: Message, numbers: &[&str]| Message {
            completed_telephone_numbers: numbers.iter().map(|number| (*number).into()).collect(),
            ..message
        };
        let lost = Message {
            event_type: Some("MESSAGING_LOST".into()),
            impacted_telephone_numbers: vec!["9195550117".into()],
            ..Message::default()
        };
        let messages = [
            (NORTH, state(order(), "BACKORDERED")),
            (SOUTH, state(port_in(), "SUBMITTED")),
            (SOUTH, note(port_in(), "The losing carrier asks for the account's PIN")),
            (NORTH, numbers(state(order(), "COMPLETE"), &["9195550100", "9195550101"])),
            (SOUTH, state(second(), "COMPLETE")),
            (SOUTH, state(port_in(), "FOC")),
            (NORTH, lost),
            (SOUTH, note(port_in(), "Confirmed for tomorrow morning")),
            (SOUTH, numbers(state(port_in(), "COMPLETE"), &["9195550142"])),
        ];
        let dated = messages.into_iter().zip(0..).map(|((tenant, message), nth)| {
            let at = self.started + SignedDuration::from_millis(nth);
            let dated = Message {
                subscription_id: Some("5f7d7a0e-6b1e-4c55-8a0a-0c7e6a1d1a01".into()),
                last_modified_date: Some(format!("{at:.3}")),
                ..message
            };
            (tenant, dated)
        });
        dated.collect()
    }
}

/// What tells one event of an order from another: its date.
fn mark_of(message: &Message) -> String {
    let order = message.order_id.clone().unwrap_or_default();
    format!("{order} {}", message.last_modified_date.clone().unwrap_or_default())
}

/// One line of the closing table.
struct Row {
    name: &'static str,
    accepted: usize,
    delivered: usize,
    retried: usize,
    verified: bool,
    in_order: bool,
}

/// Waits until the customer has been told everything, and looks at what arrived.
async fn outcome(customer: &Customer, expected: &[String]) -> Row {
    let all_there = async {
        while delivered(&customer.endpoint.received()).len() < expected.len() {
            customer.endpoint.next().await;
        }
    };
    // When time is up, the table says what is missing.
    let _ = tokio::time::timeout(PATIENCE, all_there).await;
    let received = customer.endpoint.received();
    let delivered = delivered(&received);
    Row {
        name: customer.name,
        accepted: expected.len(),
        delivered: expected.iter().filter(|mark| delivered.contains(mark)).count(),
        retried: received.len().saturating_sub(delivered.len()),
        verified: received.iter().all(|one| one.verified.is_ok()),
        in_order: in_order(&delivered, expected),
    }
}

/// Marks of what was answered with success, in the order of arrival.
fn delivered(received: &[Received]) -> Vec<String> {
    received.iter().filter(|one| one.answered == 200).map(mark_in).collect()
}

fn mark_in(received: &Received) -> String {
    let body = String::from_utf8_lossy(&received.body);
    let between = |open: &str, close: &str| {
        let rest = body.split_once(open).map_or("", |(_, rest)| rest);
        rest.split_once(close).map_or("", |(text, _)| text).to_owned()
    };
    let order = between("<OrderId>", "</OrderId>");
    format!("{order} {}", between("<LastModifiedDate>", "</LastModifiedDate>"))
}

/// Each order's events arrived in the order in which they happened.
fn in_order(delivered: &[String], expected: &[String]) -> bool {
    let order_of = |mark: &String| mark.split(' ').next().unwrap_or_default().to_owned();
    expected.iter().map(order_of).all(|order| {
        let of_order = |marks: &[String]| -> Vec<String> {
            marks.iter().filter(|mark| order_of(mark) == order).cloned().collect()
        };
        of_order(delivered) == of_order(expected)
    })
}

fn report(rows: &[Row]) -> anyhow::Result<()> {
    say("\ntenant  accepted  delivered  retried  signatures  order");
    for row in rows {
        say(format!(
            "{:<6}  {:>8}  {:>9}  {:>7}  {:<10}  {}",
            row.name,
            row.accepted,
            row.delivered,
            row.retried,
            if row.verified { "good" } else { "BAD" },
            if row.in_order { "kept" } else { "BROKEN" },
        ));
    }
    let good = |row: &Row| row.delivered == row.accepted && row.verified && row.in_order;
    let bad = rows.iter().find(|row| !good(row)).map(|row| row.name);
    match bad {
        Some(name) => bail!("{name} was not told everything, once verified and in order"),
        None => rows.iter().map(|row| row.retried).max().filter(|retried| *retried >= FAILURES),
    }
    .map(drop)
    .context("no delivery had to be retried, which the demo is to show")
}
