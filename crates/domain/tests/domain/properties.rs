//! What holds for every notification and for every body.

use domain::event::{EventKey, sortable};
use domain::notification::{Notification, NumberFormat, Order};
use jiff::Timestamp;
use proptest::prelude::*;

/// Any text that XML can hold, with what must be escaped more often than chance would have it.
fn text() -> impl Strategy<Value = Option<String>> {
    let text = proptest::string::string_regex(
        "([a-zA-Z0-9<>&'\"\r\n\t ;#]|[ -\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]){0,40}",
    );
    text.unwrap().prop_map(|text| Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
}

fn numbers() -> impl Strategy<Value = Vec<String>> {
    let number = prop_oneof![
        "[0-9]{10}",
        "1[0-9]{10}",
        "\\+1[0-9]{10}",
        "\\+[1-9][0-9]{6,14}",
        "[0-9 ()+.-]{1,20}"
    ];
    let number = number.prop_map(|number| number.trim().to_owned());
    proptest::collection::vec(number.prop_filter("not empty", |n| !n.is_empty()), 0..6)
}

fn order() -> impl Strategy<Value = Order> {
    ("[a-zA-Z0-9]{1,20}", "[a-zA-Z0-9._-]{1,64}", text()).prop_map(
        |(order_type, order_id, customer_order_id)| Order {
            order_type,
            order_id,
            customer_order_id,
        },
    )
}

fn notification() -> impl Strategy<Value = Notification> {
    let texts = (text(), text(), text(), text(), text());
    let subject = (proptest::option::of(order()), "[A-Z_]{1,20}", any::<bool>());
    (texts, subject, numbers(), numbers()).prop_map(|(texts, subject, completed, impacted)| {
        let (order, event_type, both) = subject;
        Notification {
            subscription_id: Some("s1".into()),
            event_type: (order.is_none() || both).then_some(event_type),
            order,
            status: texts.0,
            message: texts.1,
            note: texts.2,
            completed_telephone_numbers: completed,
            impacted_telephone_numbers: impacted,
            last_modified_date: texts.3,
            actual_foc_date: texts.4,
        }
    })
}

fn with_numbers(n: &Notification, format: NumberFormat) -> Notification {
    let write = |list: &[String]| list.iter().map(|n| format.write(n).into_owned()).collect();
    Notification {
        completed_telephone_numbers: write(&n.completed_telephone_numbers),
        impacted_telephone_numbers: write(&n.impacted_telephone_numbers),
        ..n.clone()
    }
}

/// A body that is nearly right: pieces of notifications and of trouble in any order.
fn pieces() -> impl Strategy<Value = String> {
    let piece = proptest::sample::select(vec![
        "<Notification>",
        "</Notification>",
        "<OrderId>",
        "</OrderId>",
        "<OrderType>",
        "</OrderType>",
        "<Status/>",
        "<CompletedTelephoneNumbers>",
        "</CompletedTelephoneNumbers>",
        "<TelephoneNumber>",
        "</TelephoneNumber>",
        "a1",
        " ",
        "&amp;",
        "&#",
        "&#x",
        ";",
        "&",
        "<![CDATA[",
        "]]>",
        "<!--",
        "-->",
        "<?",
        "<?xml",
        "?>",
        "<!DOCTYPE",
        "[",
        "<!",
        "version=\"1.0\"",
        "encoding=\"utf-16\"",
        "<",
        ">",
        "/>",
        "=",
        "\"",
        "\u{feff}",
        "\u{e4}",
        "\0",
    ]);
    proptest::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_back(n in notification()) {
        for format in [NumberFormat::Legacy, NumberFormat::E164] {
            let written = with_numbers(&n, format);
            let read = Notification::parse(n.to_xml("s1", format).as_bytes());
            prop_assert_eq!(read.as_ref(), Ok(&written));
            prop_assert_eq!(written.digest(), n.digest());
            prop_assert_eq!(written.subject(), n.subject());
        }
    }

    #[test]
    fn json_says_what_the_notification_says(n in notification()) {
        let json: serde_json::Value =
            serde_json::from_str(&n.to_json("s1", NumberFormat::E164)).unwrap();
        let n = with_numbers(&n, NumberFormat::E164);
        prop_assert_eq!(json["message"].as_str(), n.message.as_deref());
        prop_assert_eq!(json["note"].as_str(), n.note.as_deref());
        prop_assert_eq!(json["orderId"].as_str(), n.order.as_ref().map(|o| o.order_id.as_str()));
        let listed = json["completedTelephoneNumbers"].as_array().map_or(0, Vec::len);
        prop_assert_eq!(listed, n.completed_telephone_numbers.len());
        prop_assert!(json.as_object().unwrap().values().all(|value| !value.is_null()));
    }

    #[test]
    fn no_bytes_make_the_parser_panic(body: Vec<u8>) {
        let _ = Notification::parse(&body);
    }

    #[test]
    fn no_markup_makes_the_parser_panic(body in pieces()) {
        let _ = Notification::parse(body.as_bytes());
        let _ = Notification::parse(&body.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>());
    }

    #[test]
    fn a_broken_notification_is_refused_without_quoting_it(n in notification(), at in any::<proptest::sample::Index>()) {
        let n = Notification { message: Some("Mxyzptlk 9195550100".into()), ..n };
        let mut body = n.to_xml("s1", NumberFormat::Legacy).into_bytes();
        let at = at.index(body.len());
        body[at] = b'<';
        if let Err(error) = Notification::parse(&body) {
            let text = format!("{error} {error:?}");
            prop_assert!(!text.contains("xyzp") && !text.contains("55501"), "{}", text);
        }
    }

    #[test]
    fn keys_sort_as_their_times_do(a in 946_684_800_000_i64..32_503_680_000_000, b in 946_684_800_000_i64..32_503_680_000_000) {
        let [x, y] = [a, b].map(|ms| Timestamp::from_millisecond(ms).unwrap());
        prop_assert_eq!(sortable(x).cmp(&sortable(y)), a.cmp(&b));
        let key = EventKey::new(x, &"0".repeat(32));
        prop_assert_eq!(EventKey::parse(key.as_str()), Ok(key));
    }
}
