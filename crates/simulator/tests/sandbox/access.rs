//! Who may call, how often, by which paths; notes; and what only the sandbox has.

use serde_json::{Value, json};
use simulator::Clock;
use simulator::sandbox::Knobs;

use crate::account::Account;

#[tokio::test]
async fn only_the_user_of_the_account_is_let_in() {
    let account = Account::new().await;
    for (path, user, status, challenge) in [
        ("/api/accounts/9900012/subscriptions", Some("sandbox"), 200, false),
        ("/api/v1/accounts/9900012/subscriptions", Some("sandbox"), 200, false),
        ("/api/v2/accounts/9900012/subscriptions", Some("sandbox"), 200, false),
        ("/v1.0/accounts/9900012/subscriptions", Some("sandbox"), 200, false),
        ("/accounts/9900012/subscriptions", Some("sandbox"), 200, false),
        ("/v9/accounts/9900012/subscriptions", Some("sandbox"), 404, false),
        ("/api/accounts/9900012/faxes", Some("sandbox"), 404, false),
        ("/api/accounts/9900012/orders/1", Some("sandbox"), 404, false),
        ("/api/accounts/9900013/subscriptions", Some("sandbox"), 403, false),
        ("/api/accounts/9900012/subscriptions", Some("other"), 401, true),
        ("/api/accounts/9900012/subscriptions", None, 401, true),
        ("/sandbox/knobs", Some("sandbox"), 200, false),
        ("/sandbox/knobs", None, 401, true),
    ] {
        let answered = account.get_as(path, user).await;
        assert_eq!(answered.status, status, "{path} {user:?}");
        assert_eq!(answered.challenge == "Basic realm=\"Bandwidth\"", challenge);
    }
}

#[tokio::test]
async fn a_minute_has_room_for_so_many_requests() {
    let limited = Knobs { requests_per_minute: Some(2), ..Knobs::default() };
    let account = Account::with_knobs(limited).await;
    account.step("20s").await;
    for status in [200, 200, 429, 429] {
        let answered = account.ask("GET", "orders", "").await;
        assert_eq!(answered.status, status);
        let reset = if status == 429 { "1772445660" } else { "" };
        assert_eq!(answered.reset, reset);
        assert_eq!(answered.body.is_empty(), status == 429);
    }
    account.step("40s").await;
    assert_eq!(account.ask("GET", "orders", "").await.status, 200);
}

#[tokio::test]
async fn notes_are_added_told_and_changed() {
    let account = Account::new().await;
    account.subscribe("portins").await;
    let id = account.port_in().await;
    let notes = format!("portins/{id}/notes");
    assert_eq!(account.ask("GET", &notes, "").await.status, 204);
    let note = |user: &str, text: &str| {
        format!("<Note><UserId>{user}</UserId><Description>{text}</Description></Note>")
    };
    let long = "é".repeat(500);
    let added = account.ask("POST", &notes, &note("sandbox", &long)).await;
    assert_eq!((added.status, added.body.as_str()), (201, ""));
    assert_eq!(account.ask("PUT", &notes, &note("sandbox", "again")).await.status, 201);
    let path = format!("{notes}/{}", added.id());
    assert_eq!(account.ask("PUT", &path, &note("sandbox", "new")).await.status, 200);
    account.sandbox.run_due().await;
    assert_eq!(account.told("Note"), ["", long.as_str(), "again"]);
    assert_eq!(account.told("Status"), ["PENDING_DOCUMENTS", "", ""]);
    let dates = account.told("LastModifiedDate");
    assert!(dates.windows(2).all(|pair| pair[0] < pair[1]), "{dates:?}");

    let list = account.get(&notes).await;
    let texts: Vec<_> = list.children.iter().map(|one| one.value("Description")).collect();
    assert_eq!(texts, [Some("new"), Some("again")]);
    for (path, user, text, status, code) in [
        (notes.as_str(), "other", "x", 400, "12501"),
        (notes.as_str(), "sandbox", &"x".repeat(501), 400, "5041"),
        (&format!("{notes}/1"), "sandbox", "x", 404, "5040"),
    ] {
        let answered = account.ask("PUT", path, &note(user, text)).await;
        let code = format!("<ErrorCode>{code}</ErrorCode>");
        assert!(answered.status == status && answered.body.contains(&code), "{answered:?}");
    }
    let other = account.place("e911s", "<E911Order/>").await;
    assert_eq!(account.ask("GET", &format!("e911s/{other}/notes"), "").await.status, 404);
}

#[tokio::test]
async fn an_operator_moves_time_and_pushes_orders() {
    let account = Account::new().await;
    account.subscribe("portins").await;
    let id = account.port_in().await;
    let stepped = account.ask("POST", "/sandbox/step?by=2h", "").await;
    let stepped: Value = serde_json::from_str(&stepped.body).unwrap();
    assert_eq!(stepped["now"], "2026-03-02T12:00:00Z");
    let happened = |at: &str, state: &str, delivery: usize| {
        [
            json!({ "what": "changed", "at": at, "order_type": "portins", "order_id": id,
                "state": state }),
            json!({ "what": "posted", "at": at, "delivery": delivery, "order_id": id,
                "status": state, "answered": 200 }),
        ]
    };
    let all = [
        happened("2026-03-02T10:00:00Z", "PENDING_DOCUMENTS", 0),
        happened("2026-03-02T10:00:05Z", "SUBMITTED", 1),
    ];
    assert_eq!(stepped["happened"], json!(all.concat()));

    let push = async |state: &str| {
        let body = json!({ "state": state, "message": "by hand" }).to_string();
        account.ask("POST", &format!("/sandbox/orders/{id}/state"), &body).await.status
    };
    assert_eq!(push("COMPLETE").await, 409);
    assert_eq!(push("EXCEPTION").await, 204);
    account.step("200h").await;
    assert_eq!(account.told("Status")[2..], ["EXCEPTION"]);
    assert_eq!(account.told("Message")[2], "by hand");
    let sent = account.ask("GET", "/sandbox/sent", "").await;
    let sent: Value = serde_json::from_str(&sent.body).unwrap();
    assert_eq!(sent[2]["status"], "EXCEPTION");
    assert_eq!(sent[2]["posts"][0]["answered"], 200);
}

#[tokio::test]
async fn knobs_are_turned_and_checked() {
    let account = Account::new().await;
    let knobs = json!({ "drop": 5, "duplicate": 6, "delay_max": "10m", "disorder": 7 });
    let put = account.ask("PUT", "/sandbox/knobs", &knobs.to_string()).await;
    assert_eq!(put.status, 204);
    let shown: Value =
        serde_json::from_str(&account.ask("GET", "/sandbox/knobs", "").await.body).unwrap();
    assert_eq!((&shown["drop"], &shown["delay_max"]), (&json!(5), &json!("PT10M")));
    for wrong in [r#"{"drop":101}"#, r#"{"fax":1}"#, r#"{"delay_max":"-1s"}"#] {
        assert_eq!(account.ask("PUT", "/sandbox/knobs", wrong).await.status, 400, "{wrong}");
    }
    assert_eq!(account.ask("POST", "/sandbox/step?by=soon", "").await.status, 400);
    assert_eq!(account.ask("GET", "/sandbox/faxes", "").await.status, 404);
}

#[tokio::test]
async fn time_that_goes_by_itself_needs_nobody_to_move_it() {
    // An hour takes 3.6 ms.
    let account = Account::with(|settings| settings.clock = Clock::fast(1_000_000)).await;
    account.subscribe("portins").await;
    account.port_in().await;
    let last = async {
        loop {
            let received = account.endpoint.next().await;
            if String::from_utf8_lossy(&received.body).contains("<Status>COMPLETE</Status>") {
                return;
            }
        }
    };
    tokio::select! {
        () = account.sandbox.run() => {}
        () = last => {}
    }
    assert_eq!(account.told("Status"), ["PENDING_DOCUMENTS", "SUBMITTED", "FOC", "COMPLETE"]);
    assert_eq!(account.ask("POST", "/sandbox/step?by=2h", "").await.status, 409);
}
