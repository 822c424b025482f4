//! What Bandwidth is answered, and what is kept.

use axum::body::Body;
use axum::http::{Request, header};
use jiff::SignedDuration;
use simulator::aws::{Fault, Service};
use simulator::bandwidth::Bandwidth;
use tower::ServiceExt as _;

use crate::stage::{Item, ORDER, Stage, UPSTREAM, post, start, state};

/// The table's calls fail in one way, the queue's go on.
fn break_table(stage: &Stage, fault: Fault) {
    stage.aws.inject(move |call| (call.service == Service::Table).then_some(fault));
}

#[tokio::test]
async fn without_credentials_the_answer_is_a_challenge_without_which_bandwidth_would_not_return() {
    let stage = Stage::new(0, None).await;
    let request = Request::post(format!("/notify/{UPSTREAM}")).body(Body::from("x")).unwrap();
    let response = stage.world.router().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Basic realm=\"hookline\"");
}

#[tokio::test]
async fn an_unknown_account_looks_exactly_like_a_wrong_password() {
    let stage = Stage::new(0, None).await;
    let look = async |account: &str, user: &str| {
        use base64::Engine as _;
        let user = base64::engine::general_purpose::STANDARD.encode(user);
        let request = Request::post(format!("/notify/{account}"))
            .header(header::AUTHORIZATION, format!("Basic {user}"))
            .body(Body::from(state("FOC", 1)))
            .unwrap();
        let response = stage.world.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
        (parts.status, parts.headers, body)
    };
    let wrong_password = look(UPSTREAM, &format!("{}:no", stage.login.username)).await;
    assert_eq!(wrong_password.0, 401);
    assert_eq!(wrong_password.1[header::WWW_AUTHENTICATE], "Basic realm=\"hookline\"");
    let right = format!("{}:{}", stage.login.username, stage.login.password);
    assert_eq!(look("1234567", &right).await, wrong_password);
    assert_eq!(look(UPSTREAM, &format!("no:{}", stage.login.password)).await, wrong_password);
    assert_eq!(look(&"9".repeat(65), &right).await, wrong_password);
    assert!(stage.aws.stream().batch(1).is_empty());
}

#[tokio::test]
async fn new_credentials_are_accepted_at_once() {
    let stage = Stage::new(0, None).await;
    stage.post_accepted(&state("FOC", 1)).await;
    let fresh = relay::setup::upstream(&stage.world.store, UPSTREAM, None, vec![]).await.unwrap();
    let user = format!("{}:{}", fresh.username, fresh.password);
    let answer = post(stage.world.router(), UPSTREAM, Some(&user), state("FOC", 2)).await;
    assert_eq!(answer.0, 200, "although the earlier ones are remembered");
}

/// How many events stand in the order's partition.
async fn events(stage: &Stage) -> usize {
    let items = stage.items(&format!("ORDER#{UPSTREAM}#{ORDER}")).await;
    items.iter().filter(|item| item["sk"].as_s().unwrap().starts_with("EVENT#")).count()
}

#[tokio::test]
async fn what_is_told_twice_is_one_event_and_what_is_told_otherwise_is_another() {
    let stage = Stage::new(0, None).await;
    let said = |message: &str| {
        let message = format!("<Message>{message}</Message><OrderId>");
        state("EXCEPTION", 1).replace("<OrderId>", &message)
    };
    for (message, expected) in [("one", 1), ("one", 1), ("other", 2), ("one", 2), ("other", 2)] {
        stage.post_accepted(&said(message)).await;
        assert_eq!(events(&stage).await, expected, "{message}");
    }
    stage.run_for(SignedDuration::from_mins(1)).await;
    assert_eq!(stage.endpoint.received().len(), 2);
}

#[tokio::test]
async fn malformed_credentials_are_challenged() {
    let stage = Stage::new(0, None).await;
    for value in ["Basic", "Basic !", "Basic bm8tY29sb24=", "Bearer x", "basic"] {
        let request = Request::post(format!("/notify/{UPSTREAM}"))
            .header(header::AUTHORIZATION, value)
            .body(Body::from(state("FOC", 1)))
            .unwrap();
        let response = stage.world.router().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 401, "{value}");
    }
}

#[tokio::test]
async fn bandwidth_is_challenged_and_then_accepted() {
    let stage = Stage::new(0, None).await;
    let running = local::serve(stage.world.clone(), ([127, 0, 0, 1], 0).into()).await.unwrap();
    let url = format!("http://{}/notify/{UPSTREAM}", running.address);
    let bandwidth = Bandwidth::new(&url, &stage.login.username, &stage.login.password);
    let told = bandwidth.notify(&state("FOC", 1)).await.unwrap();
    assert_eq!((told.first_status, told.status, told.body.as_str()), (401, 200, ""));
    running.stop().await;
}

#[tokio::test]
async fn the_same_change_reported_twice_is_one_event() {
    let stage = Stage::new(0, None).await;
    stage.post_accepted(&state("FOC", 1)).await;
    stage.post_accepted(&state("FOC", 1).replace("up-1", "up-2")).await;
    assert_eq!(stage.aws.stream().batch(9).len(), 1);
    stage.post_accepted(&state("FOC", 2)).await;
    assert_eq!(stage.aws.stream().batch(9).len(), 2);
}

#[tokio::test]
async fn equal_content_without_a_date_is_one_event_for_ten_minutes() {
    let stage = Stage::new(0, None).await;
    let body = format!(
        "<Notification><OrderId>{ORDER}</OrderId><OrderType>portins</OrderType><Note>hello</Note></Notification>"
    );
    stage.post_accepted(&body).await;
    stage.clock.advance(SignedDuration::from_secs(599));
    stage.post_accepted(&body).await;
    assert_eq!(stage.aws.stream().batch(9).len(), 1);
    stage.clock.advance(SignedDuration::from_secs(2));
    stage.post_accepted(&body).await;
    assert_eq!(stage.aws.stream().batch(9).len(), 2);
}

#[tokio::test]
async fn what_is_no_notification_is_named_and_kept_for_thirty_days() {
    let stage = Stage::new(0, None).await;
    let (status, sentence) =
        stage.post("<Notification><OrderType>x</OrderType></Notification>").await;
    assert_eq!(
        (status, sentence.as_str()),
        (400, "This is no notification: <OrderId> is missing.")
    );
    let kept = quarantined(&stage).await;
    assert_eq!(kept.len(), 1);
    let item = &kept[0];
    assert_eq!(
        item["raw"].as_b().unwrap().as_ref(),
        b"<Notification><OrderType>x</OrderType></Notification>"
    );
    assert_eq!(item["reason"].as_s().unwrap(), &sentence);
    let thirty_days = start().as_second() + 30 * 24 * 3600;
    assert_eq!(item["expires"].as_n().unwrap(), &thirty_days.to_string());
    assert!(stage.aws.stream().batch(1).is_empty());
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_by_413_and_its_beginning_kept() {
    let stage = Stage::new(0, None).await;
    let limit = domain::limits::BODY_BYTES_MAX;
    let whole = format!("{}{}", state("FOC", 1), " ".repeat(limit - state("FOC", 1).len()));
    assert_eq!(stage.post(whole.clone()).await.0, 200);
    let (status, sentence) = stage.post(format!("{whole} ")).await;
    assert_eq!((status, sentence.as_str()), (413, "The body is longer than 65536 bytes."));
    assert_eq!(quarantined(&stage).await[0]["raw"].as_b().unwrap().as_ref().len(), limit);
}

#[tokio::test]
async fn what_the_table_refuses_goes_by_way_of_the_inbox() {
    for fault in [Fault::Refuse, Fault::Throttle, Fault::LoseAnswer] {
        let mut stage = Stage::new(0, None).await;
        break_table(&stage, fault);
        stage.post_accepted(&state("FOC", 1)).await;
        assert_eq!(stage.post("nonsense").await.0, 400, "kept, and named at once");
        assert_eq!(stage.aws.queue(local::INBOX).len(), 2, "{fault:?}");
        for body in stage.aws.queue(local::INBOX).bodies() {
            assert!(!body.contains(&stage.login.password), "no password stands in a queue");
        }
        stage.aws.heal();
        stage.redeploy().await;
        stage.run_for(SignedDuration::from_mins(10)).await;
        assert_eq!(stage.told(), ["FOC"], "{fault:?}");
        assert_eq!(quarantined(&stage).await.len(), 1);
        assert!(stage.is_quiet());
    }
}

/// Real time would be two seconds; the clock of tokio jumps there, as nothing else goes on.
#[tokio::test(start_paused = true)]
async fn a_table_that_is_silent_for_two_seconds_is_left_for_the_inbox() {
    let stage = Stage::new(0, None).await;
    break_table(&stage, Fault::Silence);
    let before = tokio::time::Instant::now();
    stage.post_accepted(&state("FOC", 1)).await;
    let waited = before.elapsed().as_millis();
    assert!((2000..2100).contains(&waited), "{waited} ms");
    assert_eq!(stage.aws.queue(local::INBOX).len(), 1);
}

#[tokio::test]
async fn a_stranger_who_comes_while_the_table_is_down_gets_no_event_stored() {
    let mut stage = Stage::new(0, None).await;
    break_table(&stage, Fault::Refuse);
    // A function that has just started remembers no upstream.
    let answer = post(stage.world.router(), UPSTREAM, Some("eve:guess"), state("FOC", 1)).await;
    assert_eq!(answer.0, 200, "who it is cannot be known yet");
    stage.aws.heal();
    stage.redeploy().await;
    stage.run_for(SignedDuration::from_mins(10)).await;
    assert!(stage.endpoint.received().is_empty());
    assert!(stage.is_quiet());
}

#[tokio::test]
async fn with_table_and_queue_down_the_answer_is_503() {
    let stage = Stage::new(0, None).await;
    stage.aws.inject(|_| Some(Fault::Refuse));
    assert_eq!(stage.post(state("FOC", 1)).await.0, 503);
    stage.aws.heal();
    assert_eq!(stage.post(state("FOC", 1)).await.0, 200);
}

#[tokio::test]
async fn other_paths_and_verbs_are_not_there() {
    let stage = Stage::new(0, None).await;
    let status = async |request: Request<Body>| {
        stage.world.router().oneshot(request).await.unwrap().status().as_u16()
    };
    assert_eq!(status(Request::get("/notify/1").body(Body::empty()).unwrap()).await, 405);
    assert_eq!(status(Request::post("/").body(Body::empty()).unwrap()).await, 404);
}

/// The quarantined items, read past the relay.
async fn quarantined(stage: &Stage) -> Vec<Item> {
    stage.items(&format!("UPSTREAM#{UPSTREAM}#QUARANTINE")).await
}
