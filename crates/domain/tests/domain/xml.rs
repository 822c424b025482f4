//! Which bytes are XML, in which encodings. What is not is refused without a word out of it.

use domain::notification::Notification;

const ORDER: &str = "<OrderType>t</OrderType><OrderId>a1</OrderId>";

/// `expected` is the message of the notification, or a part of the error.
#[track_caller]
fn check_bytes(body: &[u8], expected: Result<&str, &str>) {
    let shown = String::from_utf8_lossy(body);
    match (Notification::parse(body), expected) {
        (Ok(read), Ok(message)) => {
            assert_eq!(read.message.unwrap_or_default(), message, "{shown}");
        }
        (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}: {shown}"),
        (read, _) => panic!("{read:?}: {shown}"),
    }
}

#[track_caller]
fn check(body: &str, expected: Result<&str, &str>) {
    check_bytes(body.as_bytes(), expected);
}

#[track_caller]
fn check_message(message: &str, expected: Result<&str, &str>) {
    check(&format!("<Notification>{ORDER}<Message>{message}</Message></Notification>"), expected);
}

/// Refused also where nobody reads the text.
#[track_caller]
fn check_refused(markup: &str, problem: &str) {
    check_message(markup, Err(problem));
    check(&format!("<Notification>{ORDER}<New>{markup}</New></Notification>"), Err(problem));
    check(&format!("<Notification>{ORDER}{markup}</Notification>"), Err(problem));
}

#[test]
fn references_to_characters_are_resolved() {
    check_message("&lt;&gt;&amp;&apos;&quot;", Ok("<>&'\""));
    check_message("a&#65;&#x42;&#x1F600;b", Ok("aAB\u{1F600}b"));
    check_message("&#228;\u{e4}", Ok("\u{e4}\u{e4}"));
    check_message("&amp;lt;", Ok("&lt;"));
    check_message("&#32;a&#32;", Ok("a"));
}

#[test]
fn other_references_are_refused() {
    for reference in [
        "&nbsp;",
        "&x;",
        "&#0;",
        "&#8;",
        "&#x1B;",
        "&#xD800;",
        "&#xFFFE;",
        "&#x110000;",
        "&#;",
        "&#x;",
        "&#X41;",
        "&#-1;",
        "&#+65;",
        "&#99999999999;",
        "&LT;",
        "&;",
        "&# 65;",
    ] {
        check_refused(reference, "a reference that is not allowed");
    }
    check_refused("a & b", "broken at byte");
    check_refused("AT&T", "broken at byte");
}

#[test]
fn cdata_comments_and_instructions_are_understood() {
    check_message("<![CDATA[a<b>&amp;]]>", Ok("a<b>&amp;"));
    check_message("a<![CDATA[]]>b<![CDATA[ c ]]>", Ok("ab c"));
    check_message("a<!-- b - c -->d<?e f?>g", Ok("adg"));
    check_message("a ]] b > c", Ok("a ]] b > c"));
    check_refused("<!-- a -- b -->", "-- in a comment");
    check_refused("<![cdata[a]]>", "broken at byte");
    check_refused("<?xml version=\"1.0\"?>", "a declaration after the start");
    check_refused("<?XML a?>", "a processing instruction");
    check_refused("<? a?>", "a processing instruction");
    check_refused("a ]]> b", "]]> in text");
    check_refused("<![CDATA[a", "broken at byte");
    check_refused("<!-- a", "broken at byte");
    check_refused("<?a", "broken at byte");
}

#[test]
fn a_document_type_is_refused() {
    let notification = format!("<Notification>{ORDER}</Notification>");
    let problem = Err("a document type declaration is not allowed");
    check(&format!("<!DOCTYPE Notification>{notification}"), problem);
    check(&format!("<!doctype Notification>{notification}"), problem);
    check(&format!("<!DOCTYPE n SYSTEM \"file:///etc/passwd\">{notification}"), problem);
    check(
        &format!(
            "<?xml version=\"1.0\"?><!DOCTYPE n [<!ENTITY a \"b\"><!ENTITY c \"&a;&a;\">]>{notification}"
        ),
        problem,
    );
    check_refused("<!DOCTYPE n>", "a document type declaration is not allowed");
}

#[test]
fn markup_must_be_well_formed() {
    for markup in [
        "<a>",
        "</a>",
        "<a></b>",
        "<a><b></a></b>",
        "<a",
        "<a b",
        "<a b=\"c",
        "<>",
        "</>",
        "< a></ a>",
        "<1></1>",
        "<a%></a%>",
        "<a/ >",
        "<a></a b=\"c\">",
        "<!a>",
        "<",
        "<a b></a>",
        "<a b=c></a>",
        "<a b='c\"></a>",
        "<a b=\"1\" b=\"2\"/>",
        "<a b=\"<\"/>",
        "<a b=\"&x;\"/>",
        "<a b=\"&\"/>",
        "<a b=\"&#0;\"/>",
        "<a =\"1\"/>",
        "<a 1=\"1\"/>",
        "<a b=\"1\"c=\"2\"/>",
        "<a b = />",
        "<a \"1\"/>",
        "<a,b/>",
        "<a b!=\"1\"/>",
    ] {
        check(&format!("<Notification>{ORDER}{markup}</Notification>"), Err("broken at byte"));
        check(
            &format!("<Notification>{ORDER}<N>{markup}</N></Notification>"),
            Err("broken at byte"),
        );
    }
    for sound in [
        "<a b=\"1\" c = '2'\n/>",
        "<a\n></a\n>",
        "<\u{e4} b=\"&lt;&#65;>\"/>",
        "<a:b xmlns:a=\"c\"/>",
    ] {
        check(&format!("<Notification>{ORDER}{sound}</Notification>"), Ok(""));
    }
    check("<Notification a=\"1\" a=\"2\"></Notification>", Err("a broken attribute"));
}

#[test]
fn there_is_one_root_and_nothing_around_it() {
    let root = format!("<Notification>{ORDER}</Notification>");
    check(&format!("\n{root} \n<!-- a --><?b?>"), Ok(""));
    check(&format!("<n:Notification xmlns:n=\"urn:n\">{ORDER}</n:Notification>"), Ok(""));
    check(&format!("{root}garbage"), Err("text outside of the root element"));
    check(&format!("{root}&amp;"), Err("text outside of the root element"));
    check(&format!("{root}<![CDATA[]]>"), Err("text outside of the root element"));
    check(&format!("garbage{root}"), Err("text outside of the root element"));
    check(&format!("{root}\0"), Err("an illegal character"));
    check(&format!("{root}{root}"), Err("a second root element"));
    check(&format!("{root}<a/>"), Err("a second root element"));
    check(&format!("{root}</Notification>"), Err("an end tag without a start"));
    check(&format!(" <?xml version=\"1.0\"?>{root}"), Err("a declaration after the start"));
    check(
        &format!("<Notifications>{ORDER}</Notifications>"),
        Err("the root element is not <Notification>"),
    );
    check(
        &format!("<notification>{ORDER}</notification>"),
        Err("the root element is not <Notification>"),
    );
    check(&format!("<a>{root}</a>"), Err("the root element is not <Notification>"));
    check("<!-- a -->", Err("the root element is not <Notification>"));
    check(" \n", Err("the root element is not <Notification>"));
    check("{\"orderId\":\"a1\"}", Err("text outside of the root element"));
    check("", Err("the body is empty"));
    check(&root[..root.len() - 1], Err("broken at byte"));
    check(&root[..root.len() - 15], Err("an element is not closed"));
}

#[test]
fn a_declaration_says_version_encoding_standalone() {
    let declared = |declaration: &str, expected| {
        check(&format!("<?xml {declaration}?><Notification>{ORDER}</Notification>"), expected);
    };
    declared("version='1.0' encoding='utf-8'", Ok(""));
    declared("version=\"1.1\" standalone=\"no\"", Ok(""));
    declared("version=\"2.0\"", Err("a broken declaration"));
    declared("encoding=\"UTF-8\"", Err("a broken declaration"));
    declared("version=\"1.0\" standalone=\"maybe\"", Err("a broken declaration"));
    declared("version=\"1.0\" encoding=\"klingon\"", Err("an encoding that is unknown"));
    declared("version=\"1.0\" encoding=\"\"", Err("an encoding that is unknown"));
}

#[test]
fn nesting_attributes_and_size_are_bounded() {
    let attributes = |count: usize| {
        let attributes: String = (0..count).map(|n| format!(" a{n}=''")).collect();
        format!("<Notification{attributes}>{ORDER}</Notification>")
    };
    check(&attributes(64), Ok(""));
    check(&attributes(65), Err("a broken attribute or too many"));
    let nested = |deep: usize| {
        format!("<Notification>{ORDER}{}{}</Notification>", "<a>".repeat(deep), "</a>".repeat(deep))
    };
    check(&nested(31), Ok(""));
    check(&nested(32), Err("elements are nested more than 32 deep"));
    check(&"<Notification>".repeat(4_000), Err("elements are nested more than 32 deep"));
    let root = format!("<Notification>{ORDER}</Notification>");
    check(&format!("{root}{}", " ".repeat(65_536 - root.len())), Ok(""));
    check(&format!("{root}{}", " ".repeat(65_537 - root.len())), Err("longer than 65536 bytes"));
}

/// A body with the message `ä€` and a declaration of `label`, unless it is empty.
fn text(label: &str) -> String {
    let declaration = match label {
        "" => String::new(),
        label => format!("<?xml version=\"1.0\" encoding=\"{label}\"?>"),
    };
    format!("{declaration}<Notification>{ORDER}<Message>\u{e4}\u{20ac}</Message></Notification>")
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

#[test]
fn the_encoding_that_the_bytes_are_in_is_read() {
    for label in ["", "UTF-8", "utf8"] {
        check(&text(label), Ok("\u{e4}\u{20ac}"));
        check(&format!("\u{feff}{}", text(label)), Ok("\u{e4}\u{20ac}"));
    }
    for (label, mark) in [("", "\u{feff}"), ("UTF-16", "\u{feff}"), ("utf-16", ""), ("", "")] {
        let text = format!("{mark}{}", text(label));
        check_bytes(&utf16(&text, u16::to_be_bytes), Ok("\u{e4}\u{20ac}"));
        check_bytes(&utf16(&text, u16::to_le_bytes), Ok("\u{e4}\u{20ac}"));
    }
    check_bytes(&utf16(&text("UTF-16BE"), u16::to_be_bytes), Ok("\u{e4}\u{20ac}"));
    for label in ["ISO-8859-1", "windows-1252", "us-ascii"] {
        let body = text(label).replace('\u{e4}', "AE").replace('\u{20ac}', "EURO");
        let body = body.replace("AE", "\u{1}").replace("EURO", "\u{2}").into_bytes();
        let body: Vec<u8> = body
            .iter()
            .map(|b| match b {
                1 => 0xE4,
                2 => 0x80,
                b => *b,
            })
            .collect();
        check_bytes(&body, Ok("\u{e4}\u{20ac}"));
    }
}

#[test]
fn bytes_that_are_not_in_their_encoding_are_refused() {
    check(&text("UTF-16"), Err("the body is not valid UTF-16LE"));
    check(&text("UTF-16BE"), Err("the body is not valid UTF-16BE"));
    check(&text("ISO-10646-UCS-2"), Err("the body is not valid UTF-16LE"));
    check(&text("ISO-2022-KR"), Err("an encoding that is unknown"));
    check(
        &format!("\u{feff}{}", text("ISO-8859-1")),
        Err("declares an encoding but is written in UTF-8"),
    );
    check(
        &format!("\u{feff}{}", text("UTF-16")),
        Err("declares an encoding but is written in UTF-8"),
    );
    check_bytes(&utf16(&text("UTF-8"), u16::to_be_bytes), Err("is written in UTF-16BE"));
    check_bytes(&utf16(&text("UTF-16LE"), u16::to_be_bytes), Err("is written in UTF-16BE"));
    check_bytes(b"<Notification>\xE4</Notification>", Err("the body is not valid UTF-8"));
    check_bytes(b"<Notification>\xC0\xBC</Notification>", Err("the body is not valid UTF-8"));
    check_bytes(b"<Notification>\xED\xA0\x80</Notification>", Err("the body is not valid UTF-8"));
    check_bytes(b"\xFF\xFE<\0a", Err("the body is not valid UTF-16LE"));
    check_bytes(b"\xFE\xFF\xD8\x00", Err("the body is not valid UTF-16BE"));
    check_bytes(b"\xFF\xFE\0\0<\0\0\0", Err("an illegal character"));
    check_bytes(b"\xFF", Err("the body is not valid UTF-8"));
    check_message("\u{1}", Err("an illegal character"));
    check_message("\u{ffff}", Err("an illegal character"));
    check_message("\u{85}\u{2028}x", Ok("x"));
}

#[test]
fn an_error_tells_the_place_and_nothing_of_the_content() {
    let body = format!("<Notification>{ORDER}<Message>secret</Secret9195550100></Notification>");
    let error = Notification::parse(body.as_bytes()).unwrap_err().to_string();
    assert_eq!(error, "the XML is broken at byte 74: an end tag that does not match its start tag");
}
