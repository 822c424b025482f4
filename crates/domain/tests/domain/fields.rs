//! Which elements make a notification, and what may be in them.

use domain::notification::Notification;

/// `expected` is the notification as JSON without the outer braces, or the text of the error.
/// Bandwidth's subscription is left out unless the message has one.
#[track_caller]
fn check(children: &str, expected: Result<&str, &str>) {
    let body = format!("<Notification>{children}</Notification>");
    let read = Notification::parse(body.as_bytes());
    let read = read.map(|n| {
        let json = n.to_json(n.subscription_id.as_deref().unwrap_or("-"), Default::default());
        json.replace(r#""subscriptionId":"-","#, "").trim_matches(['{', '}']).to_owned()
    });
    let read = read.map_err(|error| error.to_string());
    assert_eq!(read.as_deref().map_err(String::as_str), expected, "{children}");
}

/// An order with something more.
#[track_caller]
fn check_more(more: &str, expected: Result<&str, &str>) {
    let expected =
        expected.map(|json| json.replace("ORDER", r#""orderId":"a1","orderType":"orders""#));
    let expected = expected.as_deref().map_err(|error| *error);
    check(&format!("<OrderType>orders</OrderType><OrderId>a1</OrderId>{more}"), expected);
    check(&format!("{more}<OrderId>a1</OrderId><OrderType>orders</OrderType>"), expected);
}

#[test]
fn a_notification_is_about_an_order_or_an_event() {
    let nothing = "<OrderType> with <OrderId> is missing, and so is <EventType>";
    check_more("", Ok("ORDER"));
    check_more("<EventType>E</EventType>", Ok(r#"ORDER,"eventType":"E""#));
    check("", Err(nothing));
    check("<Status>FOC</Status>", Err(nothing));
    check("<OrderId/><OrderType> </OrderType><EventType></EventType>", Err(nothing));
    check("<OrderId>a1</OrderId>", Err("<OrderType> is missing"));
    check("<OrderId>a1</OrderId><OrderType/>", Err("<OrderType> is missing"));
    check("<OrderType>orders</OrderType>", Err("<OrderId> is missing"));
    check("<CustomerOrderId>c</CustomerOrderId>", Err(nothing));
    // Half an order beside an event.
    check("<EventType>E</EventType><OrderId>a1</OrderId>", Ok(r#""eventType":"E""#));
    check("<EventType>E</EventType><OrderType>t</OrderType>", Ok(r#""eventType":"E""#));
}

#[test]
fn an_order_id_can_stand_in_a_key() {
    let bad = Err("<OrderId> is not 1 to 64 ASCII letters, digits, hyphens, underscores and dots");
    let id = |id: &str, expected: Result<&str, &str>| {
        check(&format!("<OrderType>t</OrderType><OrderId>{id}</OrderId>"), expected);
    };
    id("A-b_9.", Ok(r#""orderId":"A-b_9.","orderType":"t""#));
    id(" \n a1\t", Ok(r#""orderId":"a1","orderType":"t""#));
    id(&"a".repeat(64), Ok(&format!(r#""orderId":"{}","orderType":"t""#, "a".repeat(64))));
    id(&"a".repeat(65), Err("<OrderId> is longer than 64 characters"));
    id("a b", bad);
    id("a/b", bad);
    id("a#b", bad);
    id("a&amp;b", bad);
    id("\u{e4}", bad);
    id("\u{661}", bad);
}

#[test]
fn empty_elements_are_absent_and_the_ends_of_text_are_trimmed() {
    check_more(
        "<Status/><Message></Message><Note> \n </Note><ActualFocDate> </ActualFocDate>",
        Ok("ORDER"),
    );
    check_more("<CompletedTelephoneNumbers/>", Ok("ORDER"));
    check_more(
        "<CompletedTelephoneNumbers> <TelephoneNumber/> </CompletedTelephoneNumbers>",
        Ok("ORDER"),
    );
    check_more("<Status> FOC </Status>", Ok(r#""status":"FOC",ORDER"#));
    check_more("<Message>\n a \n\t b  </Message>", Ok(r#""message":"a \n\t b",ORDER"#));
    check_more("<Note>a\r\nb\rc&#13;d</Note>", Ok(r#"ORDER,"note":"a\nb\nc\rd""#));
    check_more(
        "<LastModifiedDate> some day </LastModifiedDate>",
        Ok(r#"ORDER,"lastModifiedDate":"some day""#),
    );
}

#[test]
fn both_names_of_a_number_are_read_and_unknown_neighbours_are_not() {
    check_more(
        "<CompletedTelephoneNumbers>and<TelephoneNumber> +19195550100 </TelephoneNumber><Count>2</Count>\
         <TelephoneNumbers>9195550101</TelephoneNumbers></CompletedTelephoneNumbers>",
        Ok(r#"ORDER,"completedTelephoneNumbers":["9195550100","9195550101"]"#),
    );
    check_more(
        "<ImpactedTelephoneNumbers><TelephoneNumbers>+442079460100</TelephoneNumbers>\
         </ImpactedTelephoneNumbers>",
        Ok(r#"ORDER,"impactedTelephoneNumbers":["+442079460100"]"#),
    );
    // Only within a list.
    check_more("<TelephoneNumber>9195550100</TelephoneNumber>", Ok("ORDER"));
}

#[test]
fn unknown_elements_disturb_nothing() {
    check_more("<New/>", Ok("ORDER"));
    check_more("<New a=\"1\"><OrderId>b2</OrderId><Status>X</Status></New>", Ok("ORDER"));
    check_more("<Status>FOC</Status><N><N><Status/></N></N>", Ok(r#""status":"FOC",ORDER"#));
    check_more("stray<!-- <Status>X</Status> --><?pi <Status?>text", Ok("ORDER"));
    check_more("<status>X</status><STATUS>X</STATUS>", Ok("ORDER"));
    check_more(&"<N/>".repeat(5_000), Ok("ORDER"));
    check_more("<b:Status xmlns:b=\"urn:b\">FOC</b:Status>", Ok(r#""status":"FOC",ORDER"#));
}

#[test]
fn an_element_stands_once_and_holds_only_text() {
    check_more("<Status>FOC</Status><Status>FOC</Status>", Err("<Status> appears twice"));
    check_more("<Status/><Status>FOC</Status>", Err("<Status> appears twice"));
    check_more("<OrderId>a1</OrderId>", Err("<OrderId> appears twice"));
    check_more(
        "<CompletedTelephoneNumbers/><CompletedTelephoneNumbers/>",
        Err("<CompletedTelephoneNumbers> appears twice"),
    );
    check_more("<Message>a<b/>c</Message>", Err("<Message> contains elements where text belongs"));
    check_more(
        "<ImpactedTelephoneNumbers><TelephoneNumber><b>1</b></TelephoneNumber></ImpactedTelephoneNumbers>",
        Err("<TelephoneNumber> contains elements where text belongs"),
    );
}

#[test]
fn each_text_has_a_longest_length_in_characters() {
    for (element, chars_max) in [
        ("SubscriptionId", 128),
        ("CustomerOrderId", 256),
        ("EventType", 64),
        ("Status", 64),
        ("Message", 8_000),
        ("Note", 2_000),
        ("LastModifiedDate", 64),
        ("ActualFocDate", 64),
    ] {
        let more = |chars| {
            let text = "\u{fc}".repeat(chars);
            let order = "<OrderType>orders</OrderType><OrderId>a1</OrderId>";
            format!("<Notification>{order}<{element}> {text} </{element}></Notification>")
        };
        assert!(Notification::parse(more(chars_max).as_bytes()).is_ok(), "{element}");
        let error = Notification::parse(more(chars_max + 1).as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), format!("<{element}> is longer than {chars_max} characters"));
    }
    let long = "1".repeat(33);
    check_more(
        &format!(
            "<ImpactedTelephoneNumbers><TelephoneNumber>{long}</TelephoneNumber></ImpactedTelephoneNumbers>"
        ),
        Err("<TelephoneNumber> is longer than 32 characters"),
    );
    check(
        &format!("<OrderType>{}</OrderType>", "t".repeat(65)),
        Err("<OrderType> is longer than 64 characters"),
    );
}

#[test]
fn a_list_holds_as_many_numbers_as_a_body_of_bandwidths() {
    let body = |number: &str, count: usize| {
        let number = format!("<TelephoneNumber>{number}</TelephoneNumber>");
        format!(
            "<Notification><OrderType>disconnects</OrderType><OrderId>a1</OrderId>\
             <CompletedTelephoneNumbers>{}</CompletedTelephoneNumbers></Notification>",
            number.repeat(count)
        )
    };
    let read = |body: String| {
        Notification::parse(body.as_bytes()).map(|n| n.completed_telephone_numbers.len())
    };
    assert_eq!(read(body("9195550100", 1_450)), Ok(1_450));
    assert_eq!(read(body("1", 1_500)), Ok(1_500));
    assert_eq!(
        read(body("1", 1_501)).unwrap_err().to_string(),
        "<CompletedTelephoneNumbers> holds more than 1500 numbers"
    );
}
