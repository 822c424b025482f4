//! Lists of orders: pages, filters, and what their dates are held against.

use crate::account::{Account, lnp_order, number_order};

/// The ids on a page, and where its links lead.
async fn page(account: &Account, path: &str) -> (Vec<String>, Vec<(String, String)>) {
    let list = account.get(path).await;
    let entries = list.children.iter().filter(|child| child.name.starts_with("lnpPortInfo"));
    let ids = entries.map(|entry| entry.value("OrderId").unwrap().to_owned()).collect();
    let links = list.child("Links").unwrap().children.iter();
    (ids, links.map(|link| (link.name.clone(), link.text.clone())).collect())
}

/// The path in a link.
fn target(link: &str) -> &str {
    let url = link.strip_prefix("Link=<").unwrap().split('>').next().unwrap();
    url.split("/accounts/9900012/").nth(1).unwrap()
}

async fn total(account: &Account, path: &str) -> usize {
    let body = account.ask("GET", path, "").await.body;
    let text = body.split("<TotalCount>").nth(1).unwrap().split('<').next().unwrap();
    text.parse().unwrap()
}

#[tokio::test]
async fn pages_lead_to_all_orders_the_newest_first() {
    let account = Account::new().await;
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(account.place("portins", &lnp_order(&format!("919555010{number}"))).await);
        account.step("1s").await;
    }
    ids.reverse();
    let mut path = "portins?page=1&size=2&customerOrderId=C-1".to_owned();
    let mut found = Vec::new();
    let mut pages = 0;
    loop {
        let (on_page, links) = page(&account, &path).await;
        found.extend(on_page);
        pages += 1;
        let rels: Vec<_> = links.iter().map(|(rel, _)| rel.as_str()).collect();
        match pages {
            1 => assert_eq!(rels, ["first", "next", "last"]),
            2 => assert_eq!(rels, ["first", "next", "previous", "last"]),
            _ => assert_eq!(rels, ["first", "previous", "last"]),
        }
        let Some((_, next)) = links.iter().find(|(rel, _)| rel == "next") else { break };
        assert!(next.ends_with(">;rel=\"next\";"), "{next}");
        path = target(next).to_owned();
    }
    assert_eq!((found, pages), (ids, 3));
    for (query, status) in [
        ("page=1&size=1001", 400),
        ("page=1&size=0", 400),
        ("page=00000000-0000-4000-8000-000000000000&size=1", 404),
    ] {
        assert_eq!(account.ask("GET", &format!("portins?{query}"), "").await.status, status);
    }
    assert_eq!(account.get("portins/totals?status=submitted").await.value("Count"), Some("1"));
    assert_eq!(account.get("portins/totals").await.value("Count"), Some("5"));
}

#[tokio::test]
async fn orders_are_listed_by_the_day_they_were_made_and_port_ins_by_their_last_change() {
    let account = Account::new().await;
    account.port_in().await;
    let flags = "<BackOrderRequested>true</BackOrderRequested>\
        <PartialAllowed>true</PartialAllowed>";
    account.place("orders", &number_order("919", 5000, flags)).await;
    account.step("24h").await;
    account.step("1m").await;
    let new = r#"{"telephone_numbers":["9199999999"]}"#;
    account.ask("POST", "/sandbox/stock", new).await;
    for (kind, first_day, second_day) in [("orders", 1, 0), ("portins", 0, 1)] {
        let on = async |from: &str, to: &str| {
            total(&account, &format!("{kind}?startdate={from}&enddate={to}")).await
        };
        assert_eq!(on("2026-03-02", "26-03-02").await, first_day, "{kind}");
        assert_eq!(on("26-03-03", "26-03-03").await, second_day, "{kind}");
        assert_eq!(on("26-03-01", "26-03-09").await, 1, "{kind}");
    }
}

#[tokio::test]
async fn a_list_without_dates_goes_back_two_years() {
    let account = Account::new().await;
    account.port_in().await;
    account.place("externalTns", "<ExternalTnsOrder/>").await;
    account.step("100h").await;
    assert_eq!(total(&account, "portins").await, 1);
    account.step("17600h").await;
    assert_eq!(total(&account, "portins").await, 0);
    assert_eq!(total(&account, "portins?startdate=26-03-01&enddate=26-03-31").await, 1);
    assert_eq!(account.ask("GET", "externalTns", "").await.status, 404);
}

#[tokio::test]
async fn each_type_has_its_own_filters_and_passes_over_others() {
    let account = Account::new().await;
    account.place("e911s", "<E911Order><CustomerOrderId>C-1</CustomerOrderId></E911Order>").await;
    account.step("1h").await;
    for (query, found) in [
        ("status=complete", 1),
        ("status=processing", 0),
        ("customerOrderId=C-1", 1),
        ("customerOrderId=C-2", 0),
        ("modifiedDateFrom=2026-03-02&modifiedDateTo=2026-03-02", 1),
        ("modifiedDateFrom=2026-03-03", 0),
        ("createdDateTo=2026-03-01", 0),
        ("lastModifiedAfter=2026-03-01", 1),
        ("lastModifiedAfter=2026-03-02", 0),
        ("startdate=2020-01-01", 1),
        ("lastModifiedBy=System", 1),
        ("lastModifiedBy=sandbox", 0),
        ("orderIdFragment=zz", 0),
        ("tn=9195550100", 0),
    ] {
        assert_eq!(total(&account, &format!("e911s?{query}")).await, found, "{query}");
    }
    for (path, status, code) in [
        ("e911s?status=foc", 404, "15518"),
        ("e911s?modifiedDateFrom=soon", 404, "15503"),
        ("orders?status=received", 400, "15518"),
        ("orders?startdate=26-03-02", 400, "15508"),
        ("portins?startdate=26-03-02&enddate=26-03-01", 400, "15509"),
    ] {
        let answered = account.ask("GET", path, "").await;
        let code = format!("<ErrorCode>{code}</ErrorCode>");
        assert!(answered.status == status && answered.body.contains(&code), "{answered:?}");
    }
}
