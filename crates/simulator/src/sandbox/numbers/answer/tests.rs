use super::{
    Record, area_codes, created, list_entry, npa_nxx, order, rejected, tns, totals, updated,
};
use crate::sandbox::numbers::inventory::Inventory;
use crate::sandbox::numbers::order::{NumberOrder, State};
use crate::sandbox::numbers::request::Request;
use crate::sandbox::xml::Element;

const GIVEN: &str = "<ExistingTelephoneNumberOrderType><TelephoneNumberList>\
    <TelephoneNumber>9194670001</TelephoneNumber><TelephoneNumber>9194670002</TelephoneNumber>\
    </TelephoneNumberList></ExistingTelephoneNumberOrderType>";

const SEARCHED: &str = "<AreaCodeSearchAndOrderType><AreaCode>919</AreaCode>\
    <Quantity>2</Quantity></AreaCodeSearchAndOrderType>";

fn record() -> Record<'static> {
    Record {
        id: "1b9a2c44-8a1b-4f0e-9a57-9b1b6d5e7c02",
        account_id: "9900012",
        user: "user",
        created: "2026-02-03T10:11:12.345678Z".parse().unwrap(),
        last_modified: "2026-02-03T10:11:13Z".parse().unwrap(),
        completed: None,
    }
}

fn completed() -> Record<'static> {
    Record { completed: Some(record().last_modified), ..record() }
}

fn received(elements: &str) -> NumberOrder {
    let body = format!("<Order>{elements}<SiteId>743</SiteId></Order>");
    NumberOrder::new(Request::read(body.as_bytes(), &["743"]).unwrap())
}

fn processed(elements: &str, stock: &[&str]) -> NumberOrder {
    let mut inventory = Inventory::default();
    inventory.add(stock.iter().copied());
    let mut order = received(elements);
    order.process(&mut inventory).unwrap();
    order
}

#[track_caller]
fn check(answer: &Element, expected: &str) {
    let mut xml = String::new();
    answer.write(&mut xml);
    assert_eq!(xml, expected);
}

/// What `Order` says, with this in the middle.
fn echo(backorder: bool, kind: &str, partial: bool) -> String {
    format!(
        "<Order><id>1b9a2c44-8a1b-4f0e-9a57-9b1b6d5e7c02</id>\
         <OrderCreateDate>2026-02-03T10:11:12.345Z</OrderCreateDate>\
         <BackOrderRequested>{backorder}</BackOrderRequested>{kind}\
         <PartialAllowed>{partial}</PartialAllowed><SiteId>743</SiteId></Order>"
    )
}

#[test]
fn a_new_order_is_received() {
    let attributes = "<TnAttributes><TnAttribute>Imported</TnAttribute></TnAttributes>";
    let order = received(&format!(
        "{attributes}<CustomerOrderId>C-1</CustomerOrderId><Name>A &amp; B</Name>{SEARCHED}\
         <PeerId>500</PeerId><PartialAllowed>true</PartialAllowed>"
    ));
    let expected = format!(
        "<OrderResponse><Order><CustomerOrderId>C-1</CustomerOrderId>\
         <id>1b9a2c44-8a1b-4f0e-9a57-9b1b6d5e7c02</id><Name>A &amp; B</Name>\
         <OrderCreateDate>2026-02-03T10:11:12.345Z</OrderCreateDate><PeerId>500</PeerId>\
         <BackOrderRequested>false</BackOrderRequested>{SEARCHED}{attributes}\
         <PartialAllowed>true</PartialAllowed><SiteId>743</SiteId></Order>\
         <OrderStatus>RECEIVED</OrderStatus></OrderResponse>"
    );
    check(&created(&order, &record()), &expected);
}

#[test]
fn a_rejected_order_is_sent_back_with_its_errors() {
    let body = b"<Order><Name>n</Name><Color>red</Color><SiteId>1</SiteId>\
        <ExistingTelephoneNumberOrderType><TelephoneNumberList><TelephoneNumber>1</TelephoneNumber>\
        <TelephoneNumber>9194670001</TelephoneNumber></TelephoneNumberList>\
        </ExistingTelephoneNumberOrderType></Order>";
    let answer = rejected(&Request::read(body, &["743"]).unwrap_err());
    let expected = "<OrderResponse><ErrorList><Error><Code>5016</Code>\
        <Description>The account has no site of this SiteId</Description></Error>\
        <Error><Code>5070</Code><Description>A telephone number has ten digits</Description>\
        <TelephoneNumber>1</TelephoneNumber></Error></ErrorList>\
        <Order><Name>n</Name><SiteId>1</SiteId><ExistingTelephoneNumberOrderType>\
        <TelephoneNumberList><TelephoneNumber>1</TelephoneNumber>\
        <TelephoneNumber>9194670001</TelephoneNumber></TelephoneNumberList>\
        </ExistingTelephoneNumberOrderType></Order></OrderResponse>";
    check(&answer, expected);

    let answer = rejected(&Request::read(b"", &["743"]).unwrap_err());
    assert_eq!(answer.children.len(), 1, "there is nothing to send back");
}

#[test]
fn a_complete_order_has_its_numbers_and_no_error() {
    let complete = processed(GIVEN, &["9194670001", "9194670002"]);
    let expected = format!(
        "<OrderResponse><CompletedQuantity>2</CompletedQuantity>\
         <CreatedByUser>user</CreatedByUser>\
         <LastModifiedDate>2026-02-03T10:11:13.000Z</LastModifiedDate>\
         <OrderCompleteDate>2026-02-03T10:11:13.000Z</OrderCompleteDate>{}\
         <OrderStatus>COMPLETE</OrderStatus><CompletedNumbers>\
         <TelephoneNumber><FullNumber>9194670001</FullNumber></TelephoneNumber>\
         <TelephoneNumber><FullNumber>9194670002</FullNumber></TelephoneNumber>\
         </CompletedNumbers><Summary>2 numbers ordered in (919)</Summary>\
         <FailedQuantity>0</FailedQuantity><PendingQuantity>0</PendingQuantity></OrderResponse>",
        echo(false, GIVEN, false)
    );
    check(&order(&complete, &completed(), false), &expected);
}

#[test]
fn details_are_given_when_they_are_asked_for() {
    let complete = processed(GIVEN, &["9194670001", "9194670002"]);
    let answer = order(&complete, &completed(), true);
    let number = &answer.child("CompletedNumbers").unwrap().children[0];
    let expected = "<TelephoneNumber><City>CARY</City><LATA>426</LATA>\
        <RateCenter>CARY</RateCenter><State>NC</State><FullNumber>9194670001</FullNumber>\
        </TelephoneNumber>";
    check(number, expected);
}

#[test]
fn a_partial_order_names_what_it_did_not_get() {
    let kind = format!("<PartialAllowed>true</PartialAllowed>{GIVEN}");
    let partial = processed(&kind, &["9194670002"]);
    let expected = format!(
        "<OrderResponse><CompletedQuantity>1</CompletedQuantity>\
         <CreatedByUser>user</CreatedByUser><ErrorList><Error><Code>5005</Code>\
         <Description>This telephone number cannot be ordered</Description>\
         <TelephoneNumber>9194670001</TelephoneNumber></Error></ErrorList>\
         <FailedNumbers><FullNumber>9194670001</FullNumber></FailedNumbers>\
         <LastModifiedDate>2026-02-03T10:11:13.000Z</LastModifiedDate>\
         <OrderCompleteDate>2026-02-03T10:11:13.000Z</OrderCompleteDate>{}\
         <OrderStatus>PARTIAL</OrderStatus><CompletedNumbers>\
         <TelephoneNumber><FullNumber>9194670002</FullNumber></TelephoneNumber>\
         </CompletedNumbers><Summary>1 out of 2 numbers ordered in (919)</Summary>\
         <FailedQuantity>1</FailedQuantity><PendingQuantity>0</PendingQuantity></OrderResponse>",
        echo(false, GIVEN, true)
    );
    check(&order(&partial, &completed(), false), &expected);
}

#[test]
fn a_failed_order_has_empty_completed_numbers() {
    let failed = processed(SEARCHED, &["9194670001"]);
    assert_eq!(failed.state(), State::Failed);
    let expected = format!(
        "<OrderResponse><CompletedQuantity>0</CompletedQuantity>\
         <CreatedByUser>user</CreatedByUser><ErrorList><Error><Code>5017</Code>\
         <Description>Only 1 of 2 numbers are there</Description></Error></ErrorList>\
         <LastModifiedDate>2026-02-03T10:11:13.000Z</LastModifiedDate>\
         <OrderCompleteDate>2026-02-03T10:11:13.000Z</OrderCompleteDate>{}\
         <OrderStatus>FAILED</OrderStatus><CompletedNumbers/>\
         <Summary>2 numbers requested</Summary>\
         <FailedQuantity>2</FailedQuantity><PendingQuantity>0</PendingQuantity></OrderResponse>",
        echo(false, SEARCHED, false)
    );
    check(&order(&failed, &completed(), false), &expected);
}

#[test]
fn a_backordered_order_is_pending() {
    let kind = format!(
        "<BackOrderRequested>true</BackOrderRequested><PartialAllowed>true</PartialAllowed>{SEARCHED}"
    );
    let backordered = processed(&kind, &["9194670001"]);
    let expected = format!(
        "<OrderResponse><CompletedQuantity>1</CompletedQuantity>\
         <CreatedByUser>user</CreatedByUser>\
         <LastModifiedDate>2026-02-03T10:11:13.000Z</LastModifiedDate>{}\
         <OrderStatus>BACKORDERED</OrderStatus><CompletedNumbers>\
         <TelephoneNumber><FullNumber>9194670001</FullNumber></TelephoneNumber>\
         </CompletedNumbers><Summary>1 out of 2 numbers ordered in (919)</Summary>\
         <FailedQuantity>0</FailedQuantity><PendingQuantity>1</PendingQuantity></OrderResponse>",
        echo(true, SEARCHED, true)
    );
    check(&order(&backordered, &record(), false), &expected);
}

#[test]
fn a_list_counts_where_the_numbers_are() {
    let complete = processed(GIVEN, &["9194670001", "9194670002"]);
    let expected = "<OrderIdUserIdDate><accountId>9900012</accountId><CountOfTNs>2</CountOfTNs>\
        <lastModifiedDate>2026-02-03T10:11:13.000Z</lastModifiedDate>\
        <OrderDate>2026-02-03T10:11:12.345Z</OrderDate>\
        <orderId>1b9a2c44-8a1b-4f0e-9a57-9b1b6d5e7c02</orderId><OrderType>new_number</OrderType>\
        <OrderStatus>COMPLETE</OrderStatus><userId>user</userId><TelephoneNumberDetails>\
        <States><StateWithCount><State>NC</State><Count>2</Count></StateWithCount></States>\
        <RateCenters><RateCenterWithCount><RateCenter>CARY</RateCenter><Count>2</Count>\
        </RateCenterWithCount></RateCenters>\
        <Cities><CityWithCount><City>CARY</City><Count>2</Count></CityWithCount></Cities>\
        </TelephoneNumberDetails></OrderIdUserIdDate>";
    check(&list_entry(&complete, &completed()), expected);

    let failed = processed(&format!("<CustomerOrderId>c</CustomerOrderId>{SEARCHED}"), &[]);
    let entry = list_entry(&failed, &completed());
    assert_eq!(entry.value("CustomerOrderId"), Some("c"));
    assert_eq!(entry.child("TelephoneNumberDetails"), None);
}

#[test]
fn numbers_are_listed_and_counted() {
    let numbers = ["9194390001", "9194670001", "8005550100"].map(str::to_owned);
    check(
        &tns(&numbers),
        "<TelephoneNumbers><Count>3</Count><TelephoneNumber>9194390001</TelephoneNumber>\
         <TelephoneNumber>9194670001</TelephoneNumber><TelephoneNumber>8005550100</TelephoneNumber>\
         </TelephoneNumbers>",
    );
    let check_reports = |answer: Element, reports: &[(&str, &str)]| {
        let reports: String = reports
            .iter()
            .map(|(what, count)| {
                format!(
                    "<TelephoneDetailsReport>{what}<Count>{count}</Count></TelephoneDetailsReport>"
                )
            })
            .collect();
        check(&answer, &format!("<TelephoneDetailsReports>{reports}</TelephoneDetailsReports>"));
    };
    let expected = [("<AreaCode>800</AreaCode>", "1"), ("<AreaCode>919</AreaCode>", "2")];
    check_reports(area_codes(&numbers), &expected);
    let expected =
        ["800555", "919439", "919467"].map(|npa_nxx| format!("<NPA-NXX>{npa_nxx}</NPA-NXX>"));
    let expected: Vec<_> = expected.iter().map(|npa_nxx| (npa_nxx.as_str(), "1")).collect();
    check_reports(npa_nxx(&numbers), &expected);
    check_reports(totals(&numbers), &[("", "3")]);
}

#[test]
fn an_update_is_answered_with_nothing() {
    check(&updated(), "<OrderResponse/>");
}
