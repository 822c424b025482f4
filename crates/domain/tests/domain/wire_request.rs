//! What the XML API takes, and with which of Bandwidth's codes it refuses the rest.

use domain::notification::NumberFormat;
use domain::subscription::{Callback, Digest, Target, Topic};
use domain::wire::{self, SubscriptionRequest};
use jiff::SignedDuration;
use secrecy::ExposeSecret;

const CALLBACK: &str =
    "<CallbackSubscription><URL>https://t1.example.com/bw</URL></CallbackSubscription>";
const ORDER: &str = "98939562-90b0-40e9-8335-5526432d9741";

fn read(children: &str) -> SubscriptionRequest {
    wire::subscription(format!("<Subscription>{children}</Subscription>").as_bytes()).unwrap()
}

fn callback(request: SubscriptionRequest) -> Callback {
    match request.target {
        Target::Callback(callback) => callback,
        Target::Email(email) => panic!("{email:?}"),
    }
}

/// Refused with this code and a description that has `part`.
#[track_caller]
fn check_body(body: &str, code: u16, part: &str) {
    let refused = wire::subscription(body.as_bytes()).unwrap_err();
    assert!(refused.code == code && refused.description.contains(part), "{refused}: {body}");
}

#[track_caller]
fn check(children: &str, code: u16, part: &str) {
    check_body(&format!("<Subscription>{children}</Subscription>"), code, part);
}

/// The same for the children of a callback with a URL.
#[track_caller]
fn check_callback(children: &str, code: u16, part: &str) {
    check(
        &format!(
            "<OrderType>orders</OrderType><CallbackSubscription><URL>https://a</URL>{children}\
             </CallbackSubscription>"
        ),
        code,
        part,
    );
}

fn with_callback(children: &str) -> SubscriptionRequest {
    read(&format!(
        "<CallbackSubscription>{children}<URL>https://a</URL></CallbackSubscription>\
         <OrderType>orders</OrderType>"
    ))
}

fn basic(username: &str, password: &str) -> String {
    format!(
        "<CallbackCredentials><BasicAuthentication><Username>{username}</Username>\
         <Password>{password}</Password></BasicAuthentication></CallbackCredentials>"
    )
}

fn key(key: &str) -> String {
    format!("<CallbackCredentials><PublicKey>{key}</PublicKey></CallbackCredentials>")
}

#[test]
fn the_documented_request_is_read() {
    let request = read(&format!(
        "<OrderType>portins</OrderType><OrderId>{ORDER}</OrderId><CallbackSubscription>\
         <URL>https://t1.example.com/bw</URL><Expiry>604800</Expiry>\
         <NumberFormat>E164</NumberFormat>{}</CallbackSubscription>",
        basic("hook", "s3")
    ));
    let topic = Topic::Order { order_type: "portins".into(), order_id: ORDER.into() };
    assert_eq!(request.topic, topic);
    assert_eq!(request.expiry, Some(SignedDuration::from_secs(604_800)));
    assert_eq!(request.numbers, Some(NumberFormat::E164));
    assert!(!request.snapshot);
    let callback = callback(request);
    assert_eq!(callback.url, "https://t1.example.com/bw");
    let basic = callback.basic.unwrap();
    assert_eq!((&*basic.username, basic.password.expose_secret()), ("hook", "s3"));
}

#[test]
fn what_is_left_out_is_absent() {
    let request = read(&format!("<OrderType>LIDBs</OrderType>{CALLBACK}"));
    assert_eq!(request.topic, Topic::OrderType("LIDBs".into()), "as the client wrote it");
    assert_eq!((request.expiry, request.numbers, request.snapshot), (None, None, false));
    let callback = callback(request);
    assert!(callback.basic.is_none() && callback.public_key.is_none());
}

#[test]
fn a_mail_is_sent_at_once_or_daily() {
    let digest = |digest: &str, expected| {
        let request = read(&format!(
            "<OrderType>orders</OrderType><EmailSubscription><Email> ops@example.com </Email>\
             <DigestRequested>{digest}</DigestRequested></EmailSubscription>"
        ));
        let Target::Email(email) = request.target else { panic!("no mail") };
        assert_eq!((&*email.address, email.digest), ("ops@example.com", expected));
    };
    digest("NONE", Digest::None);
    digest("daily", Digest::Daily);
}

#[test]
fn an_event_is_a_topic() {
    let request = read(&format!("<EventType>Messaging_Lost</EventType>{CALLBACK}"));
    assert_eq!(request.topic, Topic::EventType("Messaging_Lost".into()));
}

/// Each from what a client sent, shortened.
#[test]
fn what_the_known_clients_send_is_read() {
    for body in [
        // Children by name, single quotes, and what an answer had.
        "<?xml version='1.0' encoding='UTF-8'?>\n<Subscription><CallbackSubscription>\
         <Expiry>3600</Expiry><Status>READY</Status><URL>https://a/b</URL><User>u</User>\
         </CallbackSubscription><OrderType>orders</OrderType><SubscriptionId>7</SubscriptionId>\
         </Subscription>",
        // First letters raised, however the rest was written.
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<Subscription>\n  \
         <OrderType>orders</OrderType>\n  <CallbackSubscription>\n    <Url>https://a/b</Url>\n    \
         <Expiry>3600</Expiry>\n  </CallbackSubscription>\n</Subscription>",
        // A trailing line feed, and unknown elements of any depth, twice.
        "<?xml version=\"1.0\"?>\n<Subscription><New/><New><A><B>c</B></A></New>\
         <OrderType>orders</OrderType><EventType/><CallbackSubscription><uRL>https://a/b</uRL>\
         <Expiry> 3600 </Expiry></CallbackSubscription></Subscription>\n",
        "<n:Subscription xmlns:n=\"urn:n\"><n:orderType>orders</n:orderType>\
         <n:callbackSubscription><n:url>https://a/b</n:url><n:expiry>3600</n:expiry>\
         </n:callbackSubscription></n:Subscription>",
    ] {
        let request = wire::subscription(body.as_bytes()).unwrap();
        assert_eq!(request.topic, Topic::OrderType("orders".into()));
        assert_eq!(request.expiry, Some(SignedDuration::from_secs(3_600)));
        assert_eq!(callback(request).url, "https://a/b");
    }
}

#[test]
fn the_topic_is_one_known_type() {
    check(CALLBACK, 14508, "neither <OrderType> nor <EventType>");
    check(&format!("<OrderType> </OrderType>{CALLBACK}"), 14508, "neither");
    check(&format!("<OrderId>{ORDER}</OrderId>{CALLBACK}"), 14508, "neither");
    check(&format!("<OrderType>order</OrderType>{CALLBACK}"), 14500, "portins, orders, portouts");
    check(&format!("<OrderType>all</OrderType>{CALLBACK}"), 14500, "valid are");
    check(&format!("<EventType>LOST</EventType>{CALLBACK}"), 14507, "valid is MESSAGING_LOST");
    let event = "<EventType>MESSAGING_LOST</EventType>";
    check(&format!("<OrderType>orders</OrderType>{event}{CALLBACK}"), 14501, "both there");
    check(&format!("{event}<OrderId>{ORDER}</OrderId>{CALLBACK}"), 14501, "<OrderId> goes with");
}

#[test]
fn an_order_id_is_a_uuid() {
    let order =
        |id: &str| format!("<OrderType>orders</OrderType><OrderId>{id}</OrderId>{CALLBACK}");
    let upper = ORDER.to_uppercase();
    let topic = Topic::Order { order_type: "orders".into(), order_id: upper.clone() };
    assert_eq!(read(&order(&upper)).topic, topic);
    for id in
        ["", "a1", "98939562-90b0-40e9-8335-5526432d974", "98939562090b0-40e9-8335-5526432d9741"]
    {
        check(&order(id), 1008, "<OrderId> is not a valid UUID");
    }
    check(&order("98939562-90b0-40e9-8335-5526432d97\u{e4}"), 1008, "UUID");
}

#[test]
fn there_is_one_target() {
    let email = "<EmailSubscription><Email>a@b</Email><DigestRequested>NONE</DigestRequested>\
                 </EmailSubscription>";
    let orders = "<OrderType>orders</OrderType>";
    check(orders, 14501, "neither <CallbackSubscription> nor <EmailSubscription>");
    check(&format!("{orders}{email}{CALLBACK}"), 14501, "are both there");
    check(&format!("{orders}{CALLBACK}{CALLBACK}"), 14501, "<CallbackSubscription> appears twice");
    check(&format!("{orders}{email}{}", basic("a", "b")), 14501, "go with <CallbackSubscription>");
}

#[test]
fn a_mail_has_one_address_and_a_digest() {
    let email = |address: &str, digest: &str| {
        format!(
            "<OrderType>orders</OrderType><EmailSubscription><Email>{address}</Email>{digest}\
             </EmailSubscription>"
        )
    };
    let none = "<DigestRequested>NONE</DigestRequested>";
    let long = format!("{}@example.com", "a".repeat(243));
    for bad in [
        "",
        "a",
        "@",
        "a@",
        "@b",
        "a@b@c",
        "a b@c",
        "a@b,c@d",
        "a@b;c",
        "&lt;a@b&gt;",
        "a@b&#10;c",
        &long,
    ] {
        check(&email(bad, none), 14501, "<Email> is not one e-mail address");
    }
    read(&email(&long[1..], none));
    check(&email("a@b", ""), 14502, "must be NONE or DAILY");
    check(&email("a@b", "<DigestRequested/>"), 14502, "must be NONE or DAILY");
    check(&email("a@b", "<DigestRequested>WEEKLY</DigestRequested>"), 14502, "NONE or DAILY");
}

#[test]
fn a_callback_has_a_url() {
    let url = |url: &str| {
        format!("<OrderType>orders</OrderType><CallbackSubscription>{url}</CallbackSubscription>")
    };
    check(&url(""), 14503, "<URL> is required");
    check(&url("<URL> </URL>"), 14503, "<URL> is required");
    check(&url("<URL>a</URL><Url>a</Url>"), 14501, "<URL> appears twice");
    check(&url("<URL><a/></URL>"), 14501, "<URL> contains elements");
    check(&url(&format!("<URL>https://{}</URL>", "a".repeat(2_041))), 14501, "longer than 2048");
}

#[test]
fn an_expiry_is_between_a_second_and_200_years() {
    for bad in ["", "0", "-1", "1.5", "1h", "6307200001", "99999999999999999999"] {
        check_callback(&format!("<Expiry>{bad}</Expiry>"), 14501, "from 1 to 6307200000");
    }
    for good in [1, 3_153_600_000, 6_307_200_000] {
        let request = with_callback(&format!("<Expiry>{good}</Expiry>"));
        assert_eq!(request.expiry, Some(SignedDuration::from_secs(good)));
    }
}

#[test]
fn number_format_and_snapshot_are_one_of_two_words() {
    check_callback("<NumberFormat>e164a</NumberFormat>", 14501, "must be LEGACY or E164");
    check_callback("<NumberFormat/>", 14501, "must be LEGACY or E164");
    let request = with_callback("<NumberFormat>legacy</NumberFormat>");
    assert_eq!(request.numbers, Some(NumberFormat::Legacy));
    let snapshot =
        |word: &str| format!("<Snapshot>{word}</Snapshot><OrderType>orders</OrderType>{CALLBACK}");
    assert!(read(&snapshot("TRUE")).snapshot && !read(&snapshot("false")).snapshot);
    check(&snapshot("1"), 14501, "<Snapshot> must be true or false");
}

#[test]
fn basic_credentials_fit_into_a_header() {
    for (username, password) in [("", "b"), ("a", ""), (" ", "b"), ("a", "\n")] {
        check_callback(&basic(username, password), 14505, "not blank");
    }
    check_callback(
        "<CallbackCredentials><BasicAuthentication><Username>a</Username></BasicAuthentication>\
         </CallbackCredentials>",
        14505,
        "not blank",
    );
    check_callback(&basic("a:b", "c"), 14505, "<Username> contains a colon");
    check_callback(&basic("a", "b&#13;c"), 14505, "control character");
    check_callback(&basic("a\u{85}", "b"), 14505, "control character");
    check_callback(&basic(&"a".repeat(101), "b"), 14505, "longer than 100 characters");
    check_callback(&basic("a", &"b".repeat(257)), 14505, "longer than 256 characters");
    let request =
        with_callback(&basic("UserName", " p:\u{e4}&amp; ").replace("Username", "UserName"));
    let read = callback(request).basic.unwrap();
    assert_eq!(read.password.expose_secret(), " p:\u{e4}& ", "spaces belong to a password");
}

#[test]
fn a_public_key_is_base64_of_der() {
    let read = callback(with_callback(&key("\n  MIIB\n  AAA=\n")));
    assert_eq!(read.public_key.as_deref(), Some("MIIBAAA="));
    for bad in ["", "MII", "AAAA", "MA==", "-----BEGIN CERTIFICATE-----", "MIIB\u{e4}AA="] {
        check_callback(&key(bad), 14504, "certificate in DER");
    }
    let long = format!("MIII{}", "AAAA".repeat(5_461));
    check_callback(&key(&long), 14504, "more than 16384 bytes");
    check_callback("<CallbackCredentials/>", 14501, "neither <BasicAuthentication> nor");
}

#[test]
fn credentials_beside_a_callback_are_its_own() {
    let beside = |inside: &str, beside: &str| {
        format!(
            "<OrderType>orders</OrderType><CallbackSubscription><URL>https://a</URL>{inside}\
             </CallbackSubscription>{beside}"
        )
    };
    let username = |children: &str| callback(read(children)).basic.unwrap().username;
    let (ab, ac) = (basic("a", "b"), basic("a", "c"));
    assert_eq!(username(&beside("", &ab)), "a");
    assert_eq!(username(&beside(&ab, &ab)), "a");
    check(&beside(&ab, &ac), 14501, "differ from those beside it");
    check(&beside(&ab, &key("MIIB")), 14501, "differ from those beside it");
    check(&beside("", &basic("", "c")), 14505, "not blank");
}

/// Passed over, they would leave a subscription that calls without credentials.
#[test]
fn credentials_under_other_names_are_refused() {
    let creds = "<CallbackCreds><UserId>a</UserId><Password>b</Password></CallbackCreds>";
    check_callback(creds, 14501, "<CallbackCreds> does not belong here");
    check_callback("<Username>a</Username>", 14501, "<Username> does not belong here");
    check(
        &format!("<OrderType>orders</OrderType>{CALLBACK}{creds}"),
        14501,
        "<CallbackCreds> does not belong here",
    );
}

#[test]
fn a_body_is_a_subscription_in_xml() {
    check_body("", 14501, "the body is empty");
    check_body(" ", 14501, "the root element is not <Subscription>");
    check_body("{}", 14501, "text outside of the root element");
    check_body("<Order/>", 14501, "the root element is not <Subscription>");
    check_body("<Subscription><a></Subscription>", 14501, "the XML is broken at byte 17");
    check_body(&format!("<Subscription/>{}", " ".repeat(65_536)), 14501, "longer than 65536 bytes");
    check_body(&"<Subscription>".repeat(40), 14501, "nested more than 32 deep");
    check(&format!("<OrderType>a</OrderType><orderType>b</orderType>{CALLBACK}"), 14501, "twice");
}

#[test]
fn no_refusal_quotes_the_body() {
    let secret = basic("mxyz", "ptlk&#10;");
    let refused = wire::subscription(
        format!("<Subscription><OrderType>orders</OrderType><CallbackSubscription><URL>xyzp</URL>{secret}</CallbackSubscription></Subscription>").as_bytes(),
    );
    let text = format!("{:?}", refused.unwrap_err());
    assert!(!["mxyz", "ptlk", "xyzp"].iter().any(|part| text.contains(part)), "{text}");
}

#[test]
fn a_request_does_not_show_its_password() {
    let request = with_callback(&basic("a", "mxyzptlk"));
    assert!(!format!("{request:?}").contains("mxyzptlk"));
}

#[test]
fn a_note_has_a_description() {
    let note = |body: &str| wire::note(body.as_bytes());
    let read =
        note("<Note><UserId>jo</UserId><Description> a &lt; b </Description></Note>").unwrap();
    assert_eq!((read.user.as_deref(), &*read.text), (Some("jo"), "a < b"));
    let read = note("<note><description>a</description><UserId/><Id>7</Id></note>").unwrap();
    assert_eq!((read.user, &*read.text), (None, "a"));
    let text =
        |chars| format!("<Note><Description>{}</Description></Note>", "\u{e4}".repeat(chars));
    assert_eq!(note(&text(500)).unwrap().text.chars().count(), 500);
    for (body, part) in [
        (text(501), "<Description> is longer than 500 characters"),
        (text(0), "<Description> is required"),
        ("<Note/>".into(), "<Description> is required"),
        ("<Subscription/>".into(), "the root element is not <Note>"),
        (String::new(), "the body is empty"),
    ] {
        let refused = note(&body).unwrap_err();
        assert!(refused.code == 1003 && refused.description.contains(part), "{refused}");
    }
}
