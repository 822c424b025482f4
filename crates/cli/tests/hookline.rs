//! The binary itself, as users and scripts run it.

#![expect(clippy::unwrap_used, reason = "what a test cannot set up, it fails on")]

use std::path::Path;
use std::process::Stdio;

use domain::event::EventKey;
use jiff::SignedDuration;
use local::World;
use relay::Dice;
use relay::setup::{self, Wanted};
use relay::store::StoredEvent;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use simulator::Clock;
use simulator::aws::Aws;
use simulator::bandwidth::{Bandwidth, Message};
use simulator::endpoint::{Answer, Endpoint};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

fn hookline() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookline"));
    command.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    command
}

/// Starts `dev`; the process, and the line that says it is ready.
async fn dev(data: &Path, endpoint: &Endpoint) -> (Child, Value) {
    let mut child = hookline()
        .args(["dev", "--json", "--listen", "127.0.0.1:0", "--endpoint", &endpoint.url(), "--data"])
        .arg(data)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.next_line().await.unwrap().unwrap();
    (child, serde_json::from_str(&line).unwrap())
}

fn text<'a>(line: &'a Value, pointer: &str) -> &'a str {
    line.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn message(order: usize) -> String {
    let message = Message {
        status: Some("COMPLETE".into()),
        order_id: Some(format!("order-{order}")),
        order_type: Some("orders".into()),
        ..Message::default()
    };
    message.to_xml()
}

#[tokio::test]
async fn what_was_accepted_is_delivered_though_the_process_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = Endpoint::start(0, vec![], |_, nth| {
        // The first few are slow, so that the kill meets deliveries of every kind.
        let after = std::time::Duration::from_millis(if nth < 10 { 200 } else { 0 });
        Answer { after, ..Answer::status(200) }
    })
    .await
    .unwrap();

    let (mut child, ready) = dev(folder.path(), &endpoint).await;
    endpoint.set_secrets(vec![text(&ready, "/subscription/signing_secret").to_owned()]);
    let (username, password) =
        (text(&ready, "/upstream/username"), text(&ready, "/upstream/password"));
    let bandwidth = Bandwidth::new(text(&ready, "/notify_url"), username, password);
    for order in 0..20 {
        assert_eq!(bandwidth.notify(&message(order)).await.unwrap().status, 200);
    }
    child.kill().await.unwrap();

    let (mut child, again) = dev(folder.path(), &endpoint).await;
    assert_eq!(text(&again, "/upstream/account"), "9900012");
    assert!(again.pointer("/upstream/password").is_none(), "shown once");
    let bandwidth = Bandwidth::new(text(&again, "/notify_url"), username, password);
    assert_eq!(bandwidth.notify(&message(20)).await.unwrap().status, 200);
    let mut missing: std::collections::BTreeSet<_> =
        (0..=20).map(|n| format!("order-{n}")).collect();
    while !missing.is_empty() {
        let received = endpoint.next().await;
        assert_eq!(received.verified, Ok(()));
        missing.remove(received.headers["hookline-order"].to_str().unwrap());
        // A wake that the killed process held is hidden for six minutes of its queue's time; but
        // the queue starts anew with the process, and with it every wake is visible.
    }
    child.kill().await.unwrap();

    let audit = hookline().args(["audit", "--data"]).arg(folder.path()).output().await.unwrap();
    let text = String::from_utf8(audit.stdout).unwrap();
    assert!(audit.status.success(), "{text}");
    let sums: Vec<_> = text.lines().last().unwrap().split_whitespace().collect();
    assert_eq!((sums[..2].to_vec(), sums[8]), (vec!["5500001", "21"], "0"), "{text}");
}

#[tokio::test]
async fn audit_names_what_was_forgotten_and_recover_sends_it_on_its_way() {
    let now = Clock::system().now();
    let clock = Clock::manual(now - SignedDuration::from_hours(3));
    let aws = Aws::memory(clock.clone()).unwrap();
    let world = World::new(aws.clone(), clock.clone(), Dice::system()).await.unwrap();
    let endpoint = Endpoint::start(0, vec![], |_, _| Answer::status(200)).await.unwrap();
    endpoint.ignore_timestamps();
    let store = &world.store;
    setup::tenant(store, "5500001", clock.now()).await.unwrap();
    let wanted = Wanted::everything("5500001", &endpoint.url());
    let made = setup::subscription(&world.subscriptions, wanted, None, world.relay_clock()).await;
    endpoint.set_secrets(vec![made.unwrap().1.expose_secret().to_owned()]);
    setup::upstream(store, "9900012", Some("5500001"), vec![]).await.unwrap();
    for (order, is_fanned_out) in [(1, true), (2, false)] {
        let event = StoredEvent {
            upstream: "9900012".into(),
            subject: format!("order-{order}"),
            key: EventKey::new(clock.now(), &format!("{order:032}")),
            received_at: clock.now(),
            raw: message(order).into(),
            tenant: None,
            reconciled: false,
        };
        store.put_event(&event).await.unwrap();
        if is_fanned_out {
            world.fan_out_batch().await;
        }
        let last = aws.stream().batch(1).last().map(|record| record.sequence);
        aws.stream().finish(last.unwrap_or_default());
    }
    let wake = world.receive_wakes(local::WAKES, 1).remove(0);
    aws.queue(local::WAKES).delete(&wake.receipt);
    clock.advance_to(now);

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = aws.clone();
    tokio::spawn(async move { served.serve(listener).await });
    let run = async |arguments: &[&str]| {
        let done = hookline()
            .args(arguments)
            .args(["--table", "hookline"])
            .env("AWS_ENDPOINT_URL", &url)
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .output()
            .await
            .unwrap();
        (done.status.code(), String::from_utf8(done.stdout).unwrap())
    };
    let (code, text) = run(&["audit"]).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("broken: tenant 5500001, upstream 9900012, order order-1,"), "{text}");
    assert!(!text.contains("order-2"), "it has no record: {text}");

    let since = (now - SignedDuration::from_hours(4)).to_string();
    let queue = format!("{url}/000000000000/{}", local::WAKES);
    let (code, text) = run(&["recover", "--since", &since, "--wake-queue", &queue]).await;
    assert_eq!(code, Some(0), "{text}");
    assert!(text.starts_with("found 2, fanned out 1 that had not been"), "{text}");
    world.run_until(now + SignedDuration::from_secs(5)).await;
    assert_eq!(endpoint.received().len(), 2);
    let (code, text) = run(&["audit"]).await;
    assert_eq!(code, Some(0), "{text}");
}

#[tokio::test]
async fn setup_prepares_a_table_so_that_notifications_are_accepted_and_delivered() {
    let clock = Clock::system();
    let aws = Aws::memory(clock.clone()).unwrap();
    let world = World::new(aws.clone(), clock, Dice::system()).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { aws.serve(listener).await });
    let endpoint = Endpoint::start(0, vec![], |_, _| Answer::status(200)).await.unwrap();

    let setup = async |arguments: &[&str]| -> Value {
        let done = hookline()
            .args(["setup", "--table", "hookline"])
            .args(arguments)
            .env("AWS_ENDPOINT_URL", &url)
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .output()
            .await
            .unwrap();
        assert!(done.status.success());
        serde_json::from_slice(&done.stdout).unwrap()
    };
    setup(&["tenant", "--tenant", "5500001"]).await;
    let subscription = ["subscription", "--tenant", "5500001", "--url", &endpoint.url(), "--json"];
    let made = setup(&subscription).await;
    endpoint.set_secrets(vec![text(&made, "/signing_secret").to_owned()]);
    let upstream = ["upstream", "--account", "9900077", "--rule", "a-=5500001"];
    let login = setup(&upstream).await;

    let running = local::serve(world, ([127, 0, 0, 1], 0).into()).await.unwrap();
    let notify_url = format!("http://{}/notify/9900077", running.address);
    let bandwidth =
        Bandwidth::new(&notify_url, text(&login, "/username"), text(&login, "/password"));
    let message = Message {
        order_id: Some("o-1".into()),
        order_type: Some("orders".into()),
        customer_order_id: Some("a-1".into()),
        ..Message::default()
    };
    assert_eq!(bandwidth.notify(&message.to_xml()).await.unwrap().status, 200);
    let received = endpoint.next().await;
    assert_eq!(received.verified, Ok(()));
    let body: Value = serde_json::from_slice(&received.body).unwrap();
    assert_eq!(body["customerOrderId"], "a-1");
    running.stop().await;
}

#[tokio::test]
async fn the_demo_ends_well() {
    let done = hookline().arg("demo").output().await.unwrap();
    let text = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success(), "{text}");
    assert!(text.contains("failed (500)"), "{text}");
}

/// Whether a command succeeds, and what it prints and complains of.
async fn answered(command: &str, arguments: &[&str]) -> (bool, String, String) {
    let done = hookline().arg(command).args(arguments).stderr(Stdio::piped()).output();
    let done = done.await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (done.status.success(), text(done.stdout), text(done.stderr))
}

#[tokio::test]
async fn cost_prints_what_its_documentation_shows() {
    let cost = async |arguments: &[&str]| answered("cost", arguments).await;
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cost.md");
    let docs = std::fs::read_to_string(docs).unwrap();
    let asked = "--notifications 1e6 --subscribers 1.2 --failure-rate 0.02";
    assert!(docs.contains(&format!("cost {asked}\n")));
    let (_, bill, _) = cost(&asked.split(' ').collect::<Vec<_>>()).await;
    let (bill, _) = bill.split_once("\n\n").unwrap();
    assert!(docs.contains(bill), "docs/cost.md should have\n{bill}");
    let (_, idle, _) = cost(&["--notifications", "0"]).await;
    let total = idle.lines().find(|line| line.starts_with("total")).unwrap();
    let sum = format!("the sum is ${}.", total.split_whitespace().last().unwrap());
    assert!(docs.contains(&sum), "docs/cost.md should have: {sum}");

    for (flag, value) in [
        ("--notifications", "many"),
        ("--notifications", "-1"),
        ("--subscribers", "NaN"),
        ("--failure-rate", "1"),
        ("--per-order", "0"),
        ("--endpoint-ms", "15001"),
    ] {
        let count = ["--notifications", "1"];
        let count = if flag == count[0] { &[][..] } else { &count };
        let (is_good, out, error) = cost(&[count, &[flag, value]].concat()).await;
        assert!(!is_good && out.is_empty(), "{flag} {value}");
        assert!(error.contains(flag) && error.contains(value), "{error}");
    }
}

#[tokio::test]
async fn plan_prints_what_its_documentation_shows() {
    let plan = async |arguments: &[&str]| answered("plan", arguments).await;
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/plan.md");
    let docs = std::fs::read_to_string(docs).unwrap();
    let asked = "--rate 10000/s --fan-out 5";
    assert!(docs.contains(&format!("plan {asked}\n")));
    let (is_good, planned, _) = plan(&asked.split(' ').collect::<Vec<_>>()).await;
    assert!(is_good);
    assert!(docs.contains(&planned), "docs/plan.md should have\n{planned}");

    for (flag, value) in [
        ("--rate", "10000"),
        ("--rate", "10000/h"),
        ("--rate", "0/s"),
        ("--fan-out", "-1"),
        ("--failure-rate", "1"),
        ("--endpoints", "0"),
        ("--largest-tenant", "1.1"),
        ("--largest-account", "0"),
    ] {
        let rate = ["--rate", "1/s"];
        let rate = if flag == rate[0] { &[][..] } else { &rate };
        let (is_good, out, error) = plan(&[rate, &[flag, value]].concat()).await;
        assert!(!is_good && out.is_empty(), "{flag} {value}");
        assert!(error.contains(flag) && error.contains(value), "{error}");
    }
}

#[tokio::test]
async fn a_sandbox_plays_an_order_when_its_clock_is_moved() {
    let endpoint = Endpoint::start(0, vec![], |_, _| Answer::status(200)).await.unwrap();
    let scenario =
        r#"{ "orders": [{ "kind": "csrs", "steps": [{ "after": "2h", "state": "FAILED" }] }] }"#;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scenario.json");
    std::fs::write(&file, scenario).unwrap();
    let mut child = hookline()
        .args(["sandbox", "--json", "--port", "0", "--clock", "hand", "--scenario"])
        .arg(&file)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready: Value = serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap();
    let (url, api) = (text(&ready, "/url"), text(&ready, "/bandwidth_url"));
    // It is asked in the way in which Bandwidth notifies: with credentials after a challenge.
    let post = async |path: &str, body: &str| {
        let url = format!("{api}/accounts/{}/{path}", text(&ready, "/account"));
        let (username, password) = (text(&ready, "/username"), text(&ready, "/password"));
        let told = Bandwidth::new(&url, username, password).notify(body).await.unwrap();
        assert_eq!((told.first_status, told.status), (401, 201));
    };
    let callback =
        format!("<CallbackSubscription><URL>{}</URL></CallbackSubscription>", endpoint.url());
    let subscription =
        format!("<Subscription><OrderType>csrs</OrderType>{callback}</Subscription>");
    post("subscriptions", &subscription).await;
    post("csrs", "<Csr/>").await;
    let stepped = hookline().args(["sandbox", "step", "3h", "--url", url]).output().await.unwrap();
    let printed = String::from_utf8(stepped.stdout).unwrap();
    let endings: Vec<_> = printed.lines().map(|line| line.rsplit(' ').next().unwrap()).collect();
    assert_eq!(endings[..2], ["FAILED", "200"], "{printed}");
    let received = endpoint.next().await;
    assert!(String::from_utf8(received.body).unwrap().contains("<Status>FAILED</Status>"));
    child.kill().await.unwrap();
}
