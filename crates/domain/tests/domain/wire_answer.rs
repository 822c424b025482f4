//! What the XML API answers, as Bandwidth's clients want it.

use domain::event::EventKey;
use domain::notification::NumberFormat::{E164, Legacy};
use domain::record::{HistoryEntry, OrderDetail, OrderNote, OrderRecord};
use domain::subscription::{
    Callback, Credentials, Digest, Email, Format, Mode, Policy, Subscription, Target, Topic,
};
use domain::wire::{self, ErrorRoot, Kind, Page, Refused, Report};
use jiff::{SignedDuration, Timestamp};

const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>"#;

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-02-03T10:00:00Z")
}

#[track_caller]
fn check(answer: &str, expected: &str) {
    assert_eq!(answer, format!("{HEAD}{expected}"));
}

pub(crate) fn subscription(topic: Topic, target: Target) -> Subscription {
    Subscription {
        id: "s1".into(),
        tenant: "t1".into(),
        topic,
        target,
        format: Format::Xml,
        numbers: Legacy,
        mode: Mode::Every,
        policy: Policy::Skip,
        states: Vec::new(),
        secrets: Vec::new(),
        waits: None,
        headers: Vec::new(),
        enabled: true,
        given_up: None,
        rate: None,
        health: Default::default(),
        created_at: now(),
        expires_at: None,
        status: None,
        revision: 1,
    }
}

fn callback() -> Target {
    Target::Callback(Callback { url: "https://a/?b&c".into(), basic: None, public_key: None })
}

fn detail(order_type: &str, status: &str) -> OrderDetail {
    let time = at("2026-02-03T10:11:12.3456789Z");
    OrderDetail {
        record: OrderRecord {
            upstream: "9900012".into(),
            order_type: order_type.into(),
            order_id: "o-1".into(),
            customer_order_id: Some("A<1".into()),
            status: Some(status.into()),
            first_at: now(),
            last_at: time,
            last_key: EventKey::new(time, &"0".repeat(32)),
            number_count: 2,
            actual_foc_date: None,
        },
        message: Some("5005: none & nil".into()),
        numbers: vec!["+19195550100".into(), "9195550101".into()],
    }
}

#[track_caller]
fn check_order(kind: &str, status: &str, expected: &str) {
    let answer = wire::order(Kind::of(kind).unwrap(), &detail(kind, status), "9900012", Legacy);
    check(&answer, expected);
}

#[test]
fn one_subscription_stands_in_both_places() {
    let mut one = subscription(Topic::OrderType("orders".into()), callback());
    one.expires_at = Some(now() + SignedDuration::from_secs(3_593));
    let flat = "<Subscription><SubscriptionId>s1</SubscriptionId><OrderType>orders</OrderType>\
                <CallbackSubscription><URL>https://a/?b&amp;c</URL><Expiry>3593</Expiry>\
                <Status>READY</Status><NumberFormat>LEGACY</NumberFormat></CallbackSubscription>\
                </Subscription>";
    check(
        &wire::subscription_one(&one, now()),
        &format!(
            "<SubscriptionsResponse>{flat}<Subscriptions>{flat}</Subscriptions>\
             </SubscriptionsResponse>"
        ),
    );
    check(
        &wire::subscriptions(&[one.clone(), one], now()),
        &format!(
            "<SubscriptionsResponse><Subscriptions>{flat}{flat}</Subscriptions>\
             </SubscriptionsResponse>"
        ),
    );
}

#[test]
fn an_empty_list_is_still_a_list() {
    check(
        &wire::subscriptions(&[], now()),
        "<SubscriptionsResponse><Subscriptions></Subscriptions></SubscriptionsResponse>",
    );
}

#[test]
fn the_password_is_never_told() {
    let target = Target::Callback(Callback {
        url: "https://a".into(),
        basic: Some(Credentials {
            username: "hook".into(),
            password: "mxyzptlk".to_owned().into(),
        }),
        public_key: Some("MIIB".into()),
    });
    let mut one = subscription(Topic::OrderType("orders".into()), target);
    one.status = Some("200 <OK>".into());
    let answer = wire::subscription_one(&one, now());
    assert!(!answer.contains("mxyzptlk") && !answer.contains("Password"));
    assert!(answer.contains(
        "<Status>200 &lt;OK&gt;</Status><NumberFormat>LEGACY</NumberFormat><CallbackCredentials>\
         <BasicAuthentication><Username>hook</Username></BasicAuthentication>\
         <PublicKey>MIIB</PublicKey></CallbackCredentials>"
    ));
}

#[test]
fn the_expiry_is_what_remains() {
    let remains = |expires_at| {
        let mut one = subscription(Topic::All, callback());
        one.expires_at = expires_at;
        let answer = wire::subscriptions(&[one], now());
        let (_, after) = answer.split_once("<Expiry>").unwrap();
        after.split_once("</Expiry>").unwrap().0.to_owned()
    };
    assert_eq!(remains(None), "3153600000");
    assert_eq!(remains(Some(now())), "0");
    assert_eq!(remains(Some(now() - SignedDuration::from_hours(1))), "0");
    assert_eq!(remains(Some(now() + SignedDuration::from_millis(1_999))), "1");
    assert_eq!(wire::EXPIRY_ENDLESS.as_secs(), 3_153_600_000);
}

#[test]
fn every_topic_and_target_has_a_form() {
    let email = |digest| Target::Email(Email { address: "a@b".into(), digest });
    let one = |topic, target| wire::subscriptions(&[subscription(topic, target)], now());
    let order = Topic::Order { order_type: "portins".into(), order_id: "o-1".into() };
    assert!(one(order, email(Digest::Daily)).contains(
        "<OrderType>portins</OrderType><OrderId>o-1</OrderId><EmailSubscription><Email>a@b</Email>\
         <DigestRequested>DAILY</DigestRequested></EmailSubscription></Subscription>"
    ));
    let event = Topic::EventType("MESSAGING_LOST".into());
    assert!(one(event, email(Digest::None)).contains(
        "<EventType>MESSAGING_LOST</EventType><EmailSubscription><Email>a@b</Email>\
         <DigestRequested>NONE</DigestRequested>"
    ));
    assert!(one(Topic::All, callback()).contains("<OrderType>all</OrderType><CallbackSub"));
}

#[test]
fn an_order_of_numbers_has_an_order_within() {
    let order = "<Order><CustomerOrderId>A&lt;1</CustomerOrderId><id>o-1</id>\
                 <OrderCreateDate>2026-02-03T10:00:00.000Z</OrderCreateDate></Order>\
                 <LastModifiedDate>2026-02-03T10:11:12.345Z</LastModifiedDate>";
    let done = "<OrderCompleteDate>2026-02-03T10:11:12.345Z</OrderCompleteDate>";
    let summary = "<Summary>5005: none &amp; nil</Summary>";
    let completed = "<CompletedNumbers><TelephoneNumber><FullNumber>9195550100</FullNumber>\
                     </TelephoneNumber><TelephoneNumber><FullNumber>9195550101</FullNumber>\
                     </TelephoneNumber></CompletedNumbers>";
    check_order(
        "orders",
        "COMPLETE",
        &format!(
            "<OrderResponse>{order}<OrderStatus>COMPLETE</OrderStatus>{done}\
             <CompletedQuantity>2</CompletedQuantity><FailedQuantity>0</FailedQuantity>\
             <PendingQuantity>0</PendingQuantity>{completed}{summary}</OrderResponse>"
        ),
    );
    check_order(
        "orders",
        "PARTIAL",
        &format!(
            "<OrderResponse>{order}<OrderStatus>PARTIAL</OrderStatus>{done}\
             <CompletedQuantity>2</CompletedQuantity><PendingQuantity>0</PendingQuantity>\
             {completed}{summary}</OrderResponse>"
        ),
    );
    check_order(
        "orders",
        "BACKORDERED",
        &format!(
            "<OrderResponse>{order}<OrderStatus>BACKORDERED</OrderStatus>{completed}{summary}\
             </OrderResponse>"
        ),
    );
    check_order(
        "orders",
        "FAILED",
        &format!(
            "<OrderResponse>{order}<OrderStatus>FAILED</OrderStatus>{done}\
             <CompletedQuantity>0</CompletedQuantity><FailedQuantity>2</FailedQuantity>\
             <PendingQuantity>0</PendingQuantity><FailedNumbers><FullNumber>9195550100</FullNumber>\
             <FullNumber>9195550101</FullNumber></FailedNumbers>{summary}</OrderResponse>"
        ),
    );
}

#[test]
fn each_kind_has_the_names_of_its_own() {
    let facts = |id: &str, status: &str| {
        format!(
            "<CustomerOrderId>A&lt;1</CustomerOrderId><{id}>o-1</{id}>\
             <OrderCreateDate>2026-02-03T10:00:00.000Z</OrderCreateDate>\
             <AccountId>9900012</AccountId>\
             <LastModifiedDate>2026-02-03T10:11:12.345Z</LastModifiedDate>\
             <{status}>NEW</{status}>"
        )
    };
    let numbers = |all: &str, each: &str| {
        format!(
            "<{all}><{each}>9195550100</{each}><{each}>9195550101</{each}></{all}>\
             <Summary>5005: none &amp; nil</Summary>"
        )
    };
    let phones = numbers("ListOfPhoneNumbers", "PhoneNumber");
    let facts_in = |status| facts("OrderId", status);
    let plain = numbers("TelephoneNumbers", "TelephoneNumber");
    let check = |kind, root: &str, facts: String, numbers: &str| {
        check_order(kind, "NEW", &format!("<{root}>{facts}{numbers}</{root}>"));
    };
    check("portins", "LnpOrderResponse", facts_in("ProcessingStatus"), &phones);
    check("portouts", "LnpOrderResponse", facts_in("PortOutStatus"), &phones);
    check("importTnOrders", "ImportTnOrder", facts_in("ProcessingStatus"), &plain);
    check("removeImportedTnOrders", "RemoveImportedTnOrder", facts_in("ProcessingStatus"), &plain);
    check("e911s", "E911Order", facts_in("ProcessingStatus"), &plain);
    check("csrs", "CsrResponse", facts_in("Status"), &plain);
    check("externalTns", "OrderResponse", facts_in("OrderStatus"), &plain);
    check(
        "lsrorders",
        "LsrOrder",
        facts_in("OrderStatus"),
        &numbers("ListOfTelephoneNumbers", "TelephoneNumber"),
    );
    check_order(
        "bulkPortins",
        "NEW",
        &format!(
            "<BulkPortinResponse><BulkPortin>{}{plain}</BulkPortin></BulkPortinResponse>",
            facts_in("ProcessingStatus")
        ),
    );
    check_order(
        "lidbs",
        "NEW",
        &format!(
            "<LidbOrderResponse><LidbOrder>{}<LidbTnGroups><LidbTnGroup>{}</LidbOrder>\
             </LidbOrderResponse>",
            facts("orderId", "ProcessingStatus"),
            plain.replace("<Summary>", "</LidbTnGroup></LidbTnGroups><Summary>")
        ),
    );
}

#[test]
fn a_disconnect_has_its_request_in_lower_case() {
    check_order(
        "disconnects",
        "COMPLETE",
        "<DisconnectTelephoneNumberOrderResponse><orderRequest>\
         <CustomerOrderId>A&lt;1</CustomerOrderId><id>o-1</id>\
         <OrderCreateDate>2026-02-03T10:00:00.000Z</OrderCreateDate></orderRequest>\
         <LastModifiedDate>2026-02-03T10:11:12.345Z</LastModifiedDate>\
         <OrderStatus>COMPLETE</OrderStatus>\
         <OrderCompleteDate>2026-02-03T10:11:12.345Z</OrderCompleteDate>\
         <DisconnectedTelephoneNumberList><TelephoneNumber>9195550100</TelephoneNumber>\
         <TelephoneNumber>9195550101</TelephoneNumber></DisconnectedTelephoneNumberList>\
         <Summary>5005: none &amp; nil</Summary></DisconnectTelephoneNumberOrderResponse>",
    );
}

#[test]
fn what_is_not_known_is_left_out() {
    let mut detail = detail("portins", "FOC");
    detail.record.actual_foc_date = Some("2026-02-10T16:30:00Z".into());
    let kind = Kind::of("portins").unwrap();
    let foc = wire::order(kind, &detail, "1", E164);
    assert!(foc.contains("<ActualFocDate>2026-02-10T16:30:00Z</ActualFocDate>"));
    assert!(foc.contains("<PhoneNumber>+19195550101</PhoneNumber>"));
    (detail.message, detail.numbers) = (None, Vec::new());
    detail.record = OrderRecord {
        customer_order_id: None,
        status: None,
        actual_foc_date: None,
        ..detail.record
    };
    check(
        &wire::order(kind, &detail, "1", E164),
        "<LnpOrderResponse><OrderId>o-1</OrderId>\
         <OrderCreateDate>2026-02-03T10:00:00.000Z</OrderCreateDate><AccountId>1</AccountId>\
         <LastModifiedDate>2026-02-03T10:11:12.345Z</LastModifiedDate></LnpOrderResponse>",
    );
}

/// One of Bandwidth's clients looks into the group without asking whether it is there.
#[test]
fn an_order_of_options_has_a_group_even_without_numbers() {
    let detail = OrderDetail { numbers: Vec::new(), ..detail("tnoptions", "PROCESSING") };
    let answer = wire::order(Kind::of("tnoptions").unwrap(), &detail, "1", Legacy);
    assert!(answer.contains(
        "<TnOptionGroups><TnOptionGroup><TelephoneNumbers></TelephoneNumbers></TnOptionGroup>\
         </TnOptionGroups>"
    ));
}

#[track_caller]
fn check_list(kind: &str, expected: &str) {
    let record = detail(kind, "COMPLETE").record;
    let page = Page {
        account: "9900012",
        orders: &[record],
        total: Some(7),
        first: "https://a/orders?page=1&size=1",
        next: Some("https://a/orders?page=o-2&size=1"),
    };
    check(&wire::orders(Kind::of(kind).unwrap(), &page), expected);
}

const LINKS: &str = "<TotalCount>7</TotalCount><Links>\
    <first>Link=&lt;https://a/orders?page=1&amp;size=1&gt;;rel=\"first\";</first>\
    <next>Link=&lt;https://a/orders?page=o-2&amp;size=1&gt;;rel=\"next\";</next></Links>";

const SUMMARY: &str = "<accountId>9900012</accountId><CountOfTNs>2</CountOfTNs>\
    <CustomerOrderId>A&lt;1</CustomerOrderId>\
    <lastModifiedDate>2026-02-03T10:11:12.345Z</lastModifiedDate>\
    <OrderDate>2026-02-03T10:00:00.000Z</OrderDate>";

#[test]
fn a_list_has_the_names_of_its_kind() {
    let selected = |id: &str, word: &str| {
        format!(
            "<ResponseSelectWrapper><ListOrderIdUserIdDate>{LINKS}<OrderIdUserIdDate>{SUMMARY}\
             <{id}>o-1</{id}><OrderType>{word}</OrderType><OrderStatus>COMPLETE</OrderStatus>\
             </OrderIdUserIdDate></ListOrderIdUserIdDate></ResponseSelectWrapper>"
        )
    };
    check_list("orders", &selected("orderId", "new_number"));
    check_list("disconnects", &selected("OrderId", "disconnect"));
    check_list("lidbs", &selected("orderId", "lidb"));
    check_list("externalTns", &selected("orderId", "externalTns"));
    for (kind, word) in [("portins", "port_in"), ("portouts", "port_out")] {
        check_list(
            kind,
            &format!(
                "<LNPResponseWrapper>{LINKS}<lnpPortInfoForGivenStatus>{SUMMARY}\
                 <OrderId>o-1</OrderId><OrderType>{word}</OrderType>\
                 <ProcessingStatus>COMPLETE</ProcessingStatus></lnpPortInfoForGivenStatus>\
                 </LNPResponseWrapper>"
            ),
        );
    }
    check_list(
        "tnOptions",
        &format!(
            "<TnOptionOrders>{LINKS}<TnOptionOrderSummary>{SUMMARY}<OrderId>o-1</OrderId>\
             <OrderType>tn_option</OrderType><OrderStatus>COMPLETE</OrderStatus>\
             </TnOptionOrderSummary></TnOptionOrders>"
        ),
    );
    let whole = |created: &str, done: &str| {
        format!(
            "<CustomerOrderId>A&lt;1</CustomerOrderId><OrderId>o-1</OrderId>\
             <{created}>2026-02-03T10:00:00.000Z</{created}><AccountId>9900012</AccountId>\
             <LastModifiedDate>2026-02-03T10:11:12.345Z</LastModifiedDate>\
             <ProcessingStatus>COMPLETE</ProcessingStatus>{done}"
        )
    };
    let done = "<OrderCompleteDate>2026-02-03T10:11:12.345Z</OrderCompleteDate>";
    check_list(
        "bulkPortins",
        &format!(
            "<BulkPortinResponses>{LINKS}<BulkPortinResponse><BulkPortin>{}</BulkPortin>\
             </BulkPortinResponse></BulkPortinResponses>",
            whole("OrderCreateDate", done)
        ),
    );
    check_list(
        "emergencyNotificationGroup",
        &format!(
            "<EmergencyNotificationGroupOrderResponse>{LINKS}<EmergencyNotificationGroupOrders>\
             <EmergencyNotificationGroupOrder>{}</EmergencyNotificationGroupOrder>\
             </EmergencyNotificationGroupOrders></EmergencyNotificationGroupOrderResponse>",
            whole("OrderCreatedDate", done)
        ),
    );
}

#[test]
fn a_list_may_be_empty() {
    let orders = Kind::of("orders").unwrap();
    let page = Page { account: "1", orders: &[], total: None, first: "https://a", next: None };
    check(
        &wire::orders(orders, &page),
        "<ResponseSelectWrapper><ListOrderIdUserIdDate><Links>\
         <first>Link=&lt;https://a&gt;;rel=\"first\";</first></Links></ListOrderIdUserIdDate>\
         </ResponseSelectWrapper>",
    );
}

#[test]
fn a_history_has_states_and_notes() {
    let entry = |status: Option<&str>, note: Option<&str>| HistoryEntry {
        at: now(),
        status: status.map(Into::into),
        note: note.map(Into::into),
        author: "jo".into(),
    };
    check(
        &wire::history(&[entry(Some("RECEIVED"), None), entry(None, Some("a > b"))]),
        "<OrderHistoryWrapper><OrderHistory><OrderDate>2026-02-03T10:00:00.000Z</OrderDate>\
         <Author>jo</Author><Status>RECEIVED</Status></OrderHistory><OrderHistory>\
         <OrderDate>2026-02-03T10:00:00.000Z</OrderDate><Note>a &gt; b</Note><Author>jo</Author>\
         </OrderHistory></OrderHistoryWrapper>",
    );
    check(&wire::history(&[]), "<OrderHistoryWrapper></OrderHistoryWrapper>");
}

#[test]
fn a_note_has_the_misspelt_date() {
    let note = OrderNote { id: 11_299, user: "jo".into(), text: "a & b".into(), at: now() };
    check(
        &wire::notes(&[note]),
        "<Notes><Note><Id>11299</Id><UserId>jo</UserId><Description>a &amp; b</Description>\
         <LastDateModifier>2026-02-03T10:00:00.000Z</LastDateModifier></Note></Notes>",
    );
    check(&wire::notes(&[]), "<Notes></Notes>");
}

#[test]
fn numbers_are_listed_and_counted_by_their_first_digits() {
    let numbers =
        ["+19195550100", "9195560101", "18885550100", "+442079460100", "+4420794601", "919555010x"];
    let numbers = numbers.map(String::from);
    check(
        &wire::telephone_numbers(&numbers[..2], E164),
        "<TelephoneNumbers><Count>2</Count><TelephoneNumber>+19195550100</TelephoneNumber>\
         <TelephoneNumber>+19195560101</TelephoneNumber></TelephoneNumbers>",
    );
    let report = |part: &str, count| {
        format!("<TelephoneDetailsReport>{part}<Count>{count}</Count></TelephoneDetailsReport>")
    };
    let reports = |all: &str| format!("<TelephoneDetailsReports>{all}</TelephoneDetailsReports>");
    let area = |code, count| report(&format!("<AreaCode>{code}</AreaCode>"), count);
    let npa = |code, count| report(&format!("<NPA-NXX>{code}</NPA-NXX>"), count);
    check(
        &wire::reports(Report::AreaCode, &numbers),
        &reports(&format!("{}{}", area("888", 1), area("919", 2))),
    );
    check(
        &wire::reports(Report::NpaNxx, &numbers),
        &reports(&format!("{}{}{}", npa("888555", 1), npa("919555", 1), npa("919556", 1))),
    );
    check(&wire::reports(Report::NpaNxx, &[]), &reports(""));
}

#[test]
fn an_error_names_what_it_is_about() {
    let refused = Refused::new(14_503, "<URL> is required");
    for (root, name) in [
        (ErrorRoot::Subscriptions, "SubscriptionsResponse"),
        (ErrorRoot::Note, "NoteResponse"),
        (ErrorRoot::Order, "OrderResponse"),
        (ErrorRoot::Error, "ErrorResponse"),
    ] {
        check(
            &wire::error(root, &refused),
            &format!(
                "<{name}><ResponseStatus><ErrorCode>14503</ErrorCode>\
                 <Description>&lt;URL&gt; is required</Description></ResponseStatus></{name}>"
            ),
        );
    }
}
