//! One step of a notification's way, so many times over, for a profiler to count.
//!
//! `steps STEP TIMES`; `infra/bench/counts.py` runs it twice, so that what a start takes cancels out.
//! `steps` alone names the steps.

use std::hint::black_box;
use std::process::ExitCode;

use domain::event::EventKey;
use domain::notification::{Notification, NumberFormat};
use domain::sign::{Key, Scheme};
use domain::subscription::{Filter, Topic};
use jiff::Timestamp;

/// A usual one of 1 KB.
const BODY: &str = include_str!("../../../infra/bench/notification.xml");

const SUBSCRIPTION: &str = "9f0c6f0e-0b5e-4a53-9d0f-6f8f3a1c7b21";
const WEBHOOK: &str = "msg_0123456789abcdef0123456789abcdef";
const SEED: [u8; 32] = [7; 32];

/// How many subscriptions a fan-out looks at.
const SUBSCRIPTIONS: usize = 5;

/// What the steps start from.
struct Given {
    notification: Notification,
    filters: Vec<Filter>,
    now: Timestamp,
    shared: String,
    pair: String,
}

/// What it is called, and what it does.
type Step = (&'static str, fn(&Given));

const STEPS: [Step; 7] = [
    ("parse", |_| drop(black_box(Notification::parse(black_box(BODY.as_bytes()))))),
    ("key", |given| drop(black_box(EventKey::stated(black_box(&given.notification))))),
    ("match", matching),
    ("render XML", |given| {
        let notification = black_box(&given.notification);
        drop(black_box(notification.to_xml(SUBSCRIPTION, NumberFormat::E164)));
    }),
    ("render JSON", |given| {
        let notification = black_box(&given.notification);
        drop(black_box(notification.to_json(SUBSCRIPTION, NumberFormat::E164)));
    }),
    ("sign v1", |given| sign(&given.shared)),
    ("sign v1a", |given| sign(&given.pair)),
];

/// The names under which subscriptions are looked up, and a choice among what is found.
fn matching(given: &Given) {
    let notification = black_box(&given.notification);
    black_box(Topic::keys_of(notification));
    let passes = |filter: &&Filter| filter.passes(notification, given.now);
    black_box(black_box(&given.filters).iter().filter(passes).count());
}

/// From the secret on, as before each attempt.
fn sign(secret: &str) {
    let key = Key::of(black_box(secret)).expect("the secret is good");
    let at = Timestamp::UNIX_EPOCH.as_second();
    black_box(key.sign(WEBHOOK, at, black_box(BODY.as_bytes())));
}

fn given() -> Given {
    let states = ["FOC", "COMPLETE", "FAILED"].map(String::from).to_vec();
    Given {
        notification: Notification::parse(BODY.as_bytes()).expect("it is a notification"),
        filters: vec![Filter { states, ..Filter::default() }; SUBSCRIPTIONS],
        now: Timestamp::UNIX_EPOCH,
        shared: Scheme::V1.secret_of(&SEED),
        pair: Scheme::V1a.secret_of(&SEED),
    }
}

#[expect(clippy::print_stdout, reason = "its output is for a program")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [step, times] = &arguments[..] else {
        STEPS.iter().for_each(|(name, _)| println!("{name}"));
        return ExitCode::SUCCESS;
    };
    let found = STEPS.iter().find(|(name, _)| name == step);
    let (Some((_, run)), Ok(times)) = (found, times.parse::<u32>()) else {
        return ExitCode::FAILURE;
    };
    let given = given();
    (0..times).for_each(|_| run(&given));
    ExitCode::SUCCESS
}
