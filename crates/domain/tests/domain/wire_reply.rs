//! Reading what Bandwidth answers.

use domain::limits::REPLY_BYTES_MAX;
use domain::notification::Malformed;
use domain::wire::{self, Described, Held, Kind, Listed, Listing, Stated};

fn listed(order_id: &str, last_modified: &str) -> Listed {
    Listed { order_id: order_id.into(), last_modified: last_modified.parse().ok() }
}

#[test]
fn lists_are_read_in_each_of_their_forms() {
    let numbers = "<ResponseSelectWrapper><ListOrderIdUserIdDate><TotalCount>2</TotalCount><Links>\
        <first>Link=&lt;https://api.example/v1/accounts/1/orders?page=1&amp;size=1&gt;;rel=\"first\";</first>\
        <next>Link=&lt;https://api.example/v1/accounts/1/orders?size=1&amp;page=b-2&gt;;rel=\"next\";</next>\
        </Links><OrderIdUserIdDate><accountId>1</accountId><OrderType>new_number</OrderType>\
        <lastModifiedDate>2026-02-03T10:00:00.123Z</lastModifiedDate><orderId>a-1</orderId>\
        <TelephoneNumberDetails><States/></TelephoneNumberDetails></OrderIdUserIdDate>\
        </ListOrderIdUserIdDate></ResponseSelectWrapper>";
    let expected = Listing {
        orders: vec![listed("a-1", "2026-02-03T10:00:00.123Z")],
        next: Some("b-2".into()),
        total: Some(2),
    };
    assert_eq!(wire::listing(numbers.as_bytes()), Ok(expected));

    let ports = "<LNPResponseWrapper><TotalCount>1</TotalCount><Links/><lnpPortInfoForGivenStatus>\
        <OrderId>c-3</OrderId><lastModifiedDate>soon</lastModifiedDate>\
        </lnpPortInfoForGivenStatus></LNPResponseWrapper>";
    let expected = Listing { orders: vec![listed("c-3", "")], next: None, total: Some(1) };
    assert_eq!(wire::listing(ports.as_bytes()), Ok(expected));

    let none = b"<ResponseSelectWrapper><ListOrderIdUserIdDate/></ResponseSelectWrapper>";
    assert_eq!(wire::listing(none), Ok(Listing::default()));
}

#[test]
fn a_history_is_sorted_and_white_space_around_its_values_is_not_theirs() {
    let body = "<OrderHistoryWrapper>\
        <OrderHistory><OrderDate> 2026-02-03T10:02:00Z\n</OrderDate><Note>done</Note>\
        <Author>System</Author><Status>\n COMPLETE </Status></OrderHistory>\
        <OrderHistory><OrderDate>2026-02-03T10:00:00.937Z</OrderDate><Status>RECEIVED</Status>\
        <Difference>a : \"\" --&gt; b</Difference></OrderHistory>\
        <OrderHistory><OrderDate>never</OrderDate><Status>LOST</Status></OrderHistory>\
        </OrderHistoryWrapper>";
    let line = |status: &str, at: &str, note: Option<&str>| Stated {
        status: status.into(),
        at: at.parse().unwrap(),
        note: note.map(Into::into),
    };
    let expected = vec![
        line("RECEIVED", "2026-02-03T10:00:00.937Z", None),
        line("COMPLETE", "2026-02-03T10:02:00Z", Some("done")),
    ];
    assert_eq!(wire::stated(body.as_bytes()), Ok(expected));
    // Of a draft.
    let draft =
        b"<OrderHistoryWrapper><IrisStatus><Code>7710</Code></IrisStatus></OrderHistoryWrapper>";
    assert_eq!(wire::stated(draft), Ok(vec![]));
}

#[track_caller]
fn check(kind: &str, body: &str, status: &str, numbers: &[&str]) {
    let Described { status: found, numbers: found_numbers, .. } =
        wire::described(Kind::of(kind).unwrap(), body.as_bytes()).unwrap();
    assert_eq!(
        (found.as_deref(), found_numbers),
        (Some(status), numbers.iter().map(|n| (*n).to_owned()).collect())
    );
}

#[test]
fn an_order_is_read_whatever_its_type() {
    let order = "<OrderResponse><CompletedQuantity>1</CompletedQuantity>\
        <LastModifiedDate>2026-02-03T10:00:00Z</LastModifiedDate>\
        <Order><CustomerOrderId>c-1</CustomerOrderId><ExistingTelephoneNumberOrderType>\
        <TelephoneNumberList><TelephoneNumber>9195550199</TelephoneNumber></TelephoneNumberList>\
        </ExistingTelephoneNumberOrderType></Order><OrderStatus>COMPLETE</OrderStatus>\
        <CompletedNumbers><TelephoneNumber><FullNumber>9195550100</FullNumber></TelephoneNumber>\
        </CompletedNumbers></OrderResponse>";
    check("orders", order, "COMPLETE", &["9195550100"]);
    let read = wire::described(Kind::of("orders").unwrap(), order.as_bytes()).unwrap();
    assert_eq!(read.customer_order_id.as_deref(), Some("c-1"));
    assert_eq!(read.last_modified, "2026-02-03T10:00:00Z".parse().ok());

    let port = "<LnpOrderResponse><Status><Code>200</Code></Status>\
        <ProcessingStatus>FOC</ProcessingStatus><ListOfPhoneNumbers>\
        <PhoneNumber>9195550100</PhoneNumber></ListOfPhoneNumbers></LnpOrderResponse>";
    check("portins", port, "FOC", &["9195550100"]);
    check("csrs", "<CsrResponse><Status>FAILED</Status></CsrResponse>", "FAILED", &[]);
    check("externalTns", "<A><ProcessingStatus>PARTIAL</ProcessingStatus></A>", "PARTIAL", &[]);
}

#[test]
fn subscriptions_are_read_with_what_can_be_compared() {
    let body = "<SubscriptionsResponse><Subscriptions><Subscription>\
        <SubscriptionId>s-1</SubscriptionId><OrderType>orders</OrderType><CallbackSubscription>\
        <URL>https://relay.example/notify/1</URL><Expiry>3593</Expiry><Status>200 OK</Status>\
        <CallbackCredentials><BasicAuthentication><Username>u</Username></BasicAuthentication>\
        </CallbackCredentials></CallbackSubscription></Subscription>\
        <Subscription><SubscriptionId>s-2</SubscriptionId><EventType>MESSAGING_LOST</EventType>\
        <EmailSubscription><Email>a@b.example</Email></EmailSubscription></Subscription>\
        </Subscriptions></SubscriptionsResponse>";
    let callback = Held {
        id: "s-1".into(),
        order_type: Some("orders".into()),
        url: Some("https://relay.example/notify/1".into()),
        username: Some("u".into()),
        expiry: Some(3593),
        status: Some("200 OK".into()),
        ..Held::default()
    };
    let mail =
        Held { id: "s-2".into(), event_type: Some("MESSAGING_LOST".into()), ..Held::default() };
    assert_eq!(wire::held(body.as_bytes()), Ok(vec![callback, mail]));
    assert_eq!(wire::held(b"<SubscriptionsResponse/>"), Ok(vec![]));
}

#[test]
fn what_is_no_xml_or_too_long_is_refused() {
    assert!(wire::listing(b"<html").is_err());
    assert_eq!(wire::listing(b""), Err(Malformed::Empty));
    let long = vec![b' '; REPLY_BYTES_MAX + 1];
    assert_eq!(wire::listing(&long), Err(Malformed::TooLong));
}
