//! What holds for every request and every answer of the XML API.

use domain::event::EventKey;
use domain::notification::NumberFormat;
use domain::order::ORDER_TYPES;
use domain::record::{HistoryEntry, OrderDetail, OrderNote, OrderRecord};
use domain::subscription::{Callback, Credentials, Digest, Email, Target, Topic};
use domain::wire::{self, Kind, Page, Report};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use quick_xml::{Reader, events::Event};

use super::wire_answer::subscription;

fn now() -> Timestamp {
    "2026-02-03T10:00:00Z".parse().unwrap()
}

/// Any text, with what must be escaped more often than chance would have it.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-zA-Z0-9<>&'\"\r\n\t;#/ ]{0,20}", any::<String>()]
}

fn type_name() -> impl Strategy<Value = &'static str> + Clone {
    (0..ORDER_TYPES.len()).prop_map(|n| ORDER_TYPES[n].name)
}

fn topic() -> impl Strategy<Value = Topic> {
    let order_type = type_name().prop_map(str::to_owned);
    let order_id = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}";
    prop_oneof![
        order_type.clone().prop_map(Topic::OrderType),
        (order_type, order_id)
            .prop_map(|(order_type, order_id)| Topic::Order { order_type, order_id }),
        Just(Topic::EventType("MESSAGING_LOST".into())),
    ]
}

fn target() -> impl Strategy<Value = Target> {
    let basic = proptest::option::of("[!-9;-~]{1,100}");
    let callback =
        ("https://[!-~]{1,40}", basic, proptest::option::of(Just("MIIBAAA=".to_owned()))).prop_map(
            |(url, username, public_key)| {
                let basic = username
                    .map(|username| Credentials { username, password: "p".to_owned().into() });
                Target::Callback(Callback { url, basic, public_key })
            },
        );
    let email = ("[a-z&']{1,20}@[a-z.]{1,20}", any::<bool>()).prop_map(|(address, daily)| {
        let digest = if daily { Digest::Daily } else { Digest::None };
        Target::Email(Email { address, digest })
    });
    prop_oneof![callback, email]
}

fn detail() -> impl Strategy<Value = OrderDetail> {
    let status = prop_oneof![
        Just(None),
        proptest::sample::select(&["FAILED", "COMPLETE", "FOC", "partial"][..])
            .prop_map(|status| Some(status.to_owned())),
        text().prop_map(Some),
    ];
    let texts = (text(), proptest::option::of(text()), proptest::option::of(text()));
    (texts, status, proptest::collection::vec(text(), 0..4)).prop_map(|(texts, status, numbers)| {
        let (order_id, customer_order_id, message) = texts;
        OrderDetail {
            record: OrderRecord {
                upstream: "1".into(),
                order_type: "any".into(),
                order_id,
                customer_order_id,
                status,
                first_at: now(),
                last_at: now(),
                last_key: EventKey::new(now(), &"0".repeat(32)),
                number_count: numbers.len() as u32,
                actual_foc_date: message.clone(),
            },
            message,
            numbers,
        }
    })
}

/// The names of all elements of a document that is well-formed.
fn names(answer: &str) -> Vec<String> {
    let mut reader = Reader::from_str(answer);
    let mut names = Vec::new();
    let mut depth = 0;
    loop {
        match reader.read_event().unwrap() {
            Event::Start(tag) => {
                depth += 1;
                names.push(tag.name().as_ref().to_owned());
            }
            Event::End(_) => depth -= 1,
            Event::Empty(_) => panic!("an element without an end tag: {answer}"),
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(depth, 0, "{answer}");
    names
}

/// Names by which a client of Bandwidth's knows an error, its own first letter lowered.
#[track_caller]
fn check_no_error(answer: &str) {
    for name in names(answer) {
        let name = name.to_ascii_lowercase();
        assert!(
            !["errorcode", "error", "errors", "errorlist", "resultcode"].contains(&&*name),
            "{answer}"
        );
    }
}

/// A body that is nearly right: pieces of requests and of trouble in any order.
fn pieces() -> impl Strategy<Value = String> {
    let piece = proptest::sample::select(vec![
        "<Subscription>",
        "</Subscription>",
        "<OrderType>orders</OrderType>",
        "<EventType>MESSAGING_LOST</EventType>",
        "<CallbackSubscription>",
        "</CallbackSubscription>",
        "<URL>https://a</URL>",
        "<EmailSubscription>",
        "</EmailSubscription>",
        "<Email>a@b</Email>",
        "<DigestRequested>NONE</DigestRequested>",
        "<CallbackCredentials>",
        "</CallbackCredentials>",
        "<PublicKey>",
        "</PublicKey>",
        "<BasicAuthentication>",
        "</BasicAuthentication>",
        "<Username>u</Username>",
        "<Password>",
        "</Password>",
        "<Expiry>9</Expiry>",
        "<Note>",
        "</Note>",
        "<Description>",
        "</Description>",
        "MIIB",
        "&amp;",
        "&#",
        "<![CDATA[",
        "]]>",
        "<!--",
        "-->",
        "<",
        ">",
        "/>",
        "\u{e4}",
        "\0",
    ]);
    proptest::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_answered_can_be_sent_back(topic in topic(), target in target(), seconds in 1..6_307_200_000_i64, e164: bool) {
        let mut one = subscription(topic, target);
        one.expires_at = Some(now() + SignedDuration::from_secs(seconds));
        one.numbers = if e164 { NumberFormat::E164 } else { NumberFormat::Legacy };
        let answer = wire::subscription_one(&one, now());
        let (_, body) = answer.split_once("<SubscriptionsResponse>").unwrap();
        let (body, _) = body.split_once("<Subscriptions>").unwrap();
        // The only thing that an answer keeps to itself.
        let body = body.replace("</Username>", "</Username><Password>p</Password>");
        let read = wire::subscription(body.as_bytes()).unwrap();
        prop_assert_eq!(&read.topic, &one.topic);
        match (&read.target, &one.target) {
            (Target::Callback(read_back), Target::Callback(callback)) => {
                prop_assert_eq!(&read_back.url, &callback.url);
                prop_assert_eq!(&read_back.public_key, &callback.public_key);
                let username = |callback: &Callback| callback.basic.as_ref().map(|b| b.username.clone());
                prop_assert_eq!(username(read_back), username(callback));
                prop_assert_eq!(read.expiry, Some(SignedDuration::from_secs(seconds)));
                prop_assert_eq!(read.numbers, Some(one.numbers));
            }
            (Target::Email(read_back), Target::Email(email)) => prop_assert_eq!(read_back, email),
            (read, written) => panic!("{read:?} {written:?}"),
        }
    }

    #[test]
    fn no_answer_looks_like_an_error(detail in detail(), kind in type_name(), text in text()) {
        let kind = Kind::of(kind).unwrap();
        let answer = wire::order(kind, &detail, &text, NumberFormat::E164);
        prop_assert!(["<id>", "<orderId>", "<OrderId>"].iter().any(|id| answer.contains(id)));
        check_no_error(&answer);
        let page = Page { account: &text, orders: std::slice::from_ref(&detail.record), total: Some(1), first: &text, next: Some(&text) };
        check_no_error(&wire::orders(kind, &page));
        check_no_error(&wire::telephone_numbers(&detail.numbers, NumberFormat::Legacy));
        check_no_error(&wire::reports(Report::AreaCode, &detail.numbers));
        let entry = HistoryEntry { at: now(), status: Some(text.clone()), note: Some(text.clone()), author: text.clone() };
        check_no_error(&wire::history(&[entry]));
        check_no_error(&wire::notes(&[OrderNote { id: 1, user: text.clone(), text: text.clone(), at: now() }]));
        let mut one = subscription(Topic::OrderType(text.clone()), Target::Callback(Callback { url: text.clone(), basic: None, public_key: None }));
        one.status = Some(text);
        check_no_error(&wire::subscription_one(&one, now()));
    }

    #[test]
    fn no_bytes_make_a_reader_panic(body: Vec<u8>) {
        let _ = wire::subscription(&body);
        let _ = wire::note(&body);
    }

    #[test]
    fn no_markup_makes_a_reader_panic(body in pieces()) {
        for root in ["Subscription", "Note"] {
            let whole = format!("<{root}>{body}</{root}>");
            let _ = (wire::subscription(whole.as_bytes()), wire::note(whole.as_bytes()));
        }
        let _ = (wire::subscription(body.as_bytes()), wire::note(body.as_bytes()));
    }
}
