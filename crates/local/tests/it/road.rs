//! From the notification to the endpoint, by scenario.

use domain::notification::NumberFormat;
use domain::subscription::{Callback, Credentials, Format, Target, Topic};
use domain::upstream::Rule;
use jiff::SignedDuration;
use relay::setup::{self, Wanted};
use simulator::aws::{Fault, Units};
use simulator::endpoint::{Answer, Endpoint};

use crate::stage::{ORDER, Stage, TENANT, header, of, start, state, successes, text_of};

#[tokio::test]
async fn a_notification_arrives_signed_in_the_tenants_own_words() {
    let stage = Stage::new(0, None).await;
    let body = "<Notification><Status>COMPLETE</Status><SubscriptionId>up-1</SubscriptionId>\
                <OrderId>1B9A2C44-8a1b-4f0e-9a57-9b1b6d5e7c02</OrderId><OrderType>orders</OrderType>\
                <CompletedTelephoneNumbers><TelephoneNumber>+19195550100</TelephoneNumber>\
                </CompletedTelephoneNumbers><Unknown><Deep>x</Deep></Unknown>\
                <LastModifiedDate>2026-02-03T10:00:01.000Z</LastModifiedDate></Notification>";
    stage.post_accepted(body).await;
    stage.run_for(SignedDuration::from_secs(5)).await;

    let received = stage.endpoint.received();
    assert_eq!(received.len(), 1);
    let one = &received[0];
    assert_eq!(one.verified, Ok(()));
    assert_ne!(text_of(one, "SubscriptionId"), "up-1");
    assert_eq!(text_of(one, "TelephoneNumber"), "9195550100", "LEGACY by default");
    assert_eq!(
        text_of(one, "OrderId"),
        "1B9A2C44-8a1b-4f0e-9a57-9b1b6d5e7c02",
        "as Bandwidth wrote it"
    );
    assert_eq!(header(one, "content-type"), "application/xml; charset=utf-8");
    assert_eq!(header(one, "hookline-attempt"), "1");
    assert_eq!(header(one, "hookline-sequence"), "1");
    assert_eq!(header(one, "hookline-order"), "1B9A2C44-8a1b-4f0e-9a57-9b1b6d5e7c02");
    assert_eq!(header(one, "hookline-late"), "");
    assert_eq!(header(one, "webhook-timestamp"), start().as_second().to_string());
    assert!(header(one, "webhook-id").starts_with("msg_"));
    assert!(header(one, "user-agent").starts_with("Hookline/"));
}

#[tokio::test]
async fn a_subscription_gets_json_credentials_and_its_own_number_format() {
    let stage = Stage::new(0, None).await;
    let endpoint = Endpoint::start(0, vec![], |_, _| Answer::status(204)).await.unwrap();
    let credentials =
        Credentials { username: "hook".into(), password: "s3:cret".to_owned().into() };
    let wanted = Wanted {
        format: Format::Json,
        numbers: NumberFormat::E164,
        target: Target::Callback(Callback {
            url: endpoint.url(),
            basic: Some(credentials),
            public_key: None,
        }),
        topic: Topic::OrderType("ORDERS".into()),
        ..Wanted::everything(TENANT, &endpoint.url())
    };
    crate::stage::subscribe(&stage.world, wanted).await;
    stage.post_accepted(&state("FOC", 1)).await;
    stage
        .post_accepted(
            "<Notification><Status>COMPLETE</Status><OrderId>o-1</OrderId><OrderType>orders</OrderType>\
             <CompletedTelephoneNumbers><TelephoneNumber>9195550100</TelephoneNumber>\
             </CompletedTelephoneNumbers></Notification>",
        )
        .await;
    stage.run_for(SignedDuration::from_secs(5)).await;

    let received = endpoint.received();
    assert_eq!(received.len(), 1, "port-ins were not asked for");
    let body: serde_json::Value = serde_json::from_slice(&received[0].body).unwrap();
    assert_eq!(body["completedTelephoneNumbers"][0], "+19195550100");
    assert_eq!(body["status"], "COMPLETE");
    assert_eq!(header(&received[0], "content-type"), "application/json");
    assert_eq!(header(&received[0], "authorization"), "Basic aG9vazpzMzpjcmV0");
    assert_eq!(stage.endpoint.received().len(), 2, "whoever asked for everything gets both");
}

#[tokio::test]
async fn no_tenant_is_told_of_anothers_order() {
    let stage = Stage::new(0, None).await;
    let other = Endpoint::start(0, vec![], |_, _| Answer::status(200)).await.unwrap();
    let wanted = Wanted::everything("5500002", &other.url());
    crate::stage::subscribe(&stage.world, wanted).await;
    let rule = Rule { prefix: "two-".into(), tenant: "5500002".into() };
    let login =
        setup::upstream(&stage.world.store, "9900013", Some(TENANT), vec![rule]).await.unwrap();
    let of = |customer: &str| {
        format!(
            "<Notification><Status>{customer}</Status><OrderId>{customer}</OrderId><OrderType>orders</OrderType>\
             <CustomerOrderId>{customer}</CustomerOrderId></Notification>"
        )
    };
    let user = format!("{}:{}", login.username, login.password);
    for customer in ["one-1", "two-1", "one-2", "two-2"] {
        let answer =
            crate::stage::post(stage.world.router(), "9900013", Some(&user), of(customer)).await;
        assert_eq!(answer.0, 200);
    }
    stage.run_for(SignedDuration::from_secs(5)).await;
    let statuses = |endpoint: &Endpoint| {
        let mut all: Vec<_> =
            endpoint.received().iter().map(|one| text_of(one, "Status")).collect();
        all.sort();
        all
    };
    assert_eq!(statuses(&stage.endpoint), ["one-1", "one-2"]);
    assert_eq!(statuses(&other), ["two-1", "two-2"]);
}

#[tokio::test]
async fn an_order_stays_with_the_tenant_for_which_it_was_first_seen() {
    let stage = Stage::new(0, None).await;
    let other = Endpoint::start(0, vec![], |_, _| Answer::status(200)).await.unwrap();
    let wanted = Wanted::everything("5500002", &other.url());
    crate::stage::subscribe(&stage.world, wanted).await;
    let rule = Rule { prefix: "two-".into(), tenant: "5500002".into() };
    let login =
        setup::upstream(&stage.world.store, "9900013", Some(TENANT), vec![rule]).await.unwrap();
    let user = format!("{}:{}", login.username, login.password);
    let note = format!(
        "<Notification><OrderId>{ORDER}</OrderId><OrderType>portins</OrderType><Note>hello</Note></Notification>"
    );
    let first =
        state("FOC", 1).replace("</OrderId>", "</OrderId><CustomerOrderId>two-1</CustomerOrderId>");
    for body in [first, note] {
        let answer = crate::stage::post(stage.world.router(), "9900013", Some(&user), body).await;
        assert_eq!(answer.0, 200);
        stage.run_for(SignedDuration::from_secs(5)).await;
    }
    assert_eq!(
        other.received().len(),
        2,
        "the note names no CustomerOrderId, but it is the order's"
    );
    assert!(stage.endpoint.received().is_empty());
}

#[tokio::test]
async fn what_nobody_owns_is_kept_and_delivered_to_nobody() {
    let stage = Stage::new(0, None).await;
    let login = setup::upstream(&stage.world.store, "9900014", None, vec![]).await.unwrap();
    let user = format!("{}:{}", login.username, login.password);
    let answer =
        crate::stage::post(stage.world.router(), "9900014", Some(&user), state("FOC", 1)).await;
    assert_eq!(answer.0, 200);
    stage.run_for(SignedDuration::from_secs(5)).await;
    assert!(stage.endpoint.received().is_empty());
    let kept = stage.items("UPSTREAM#9900014#UNOWNED").await;
    assert_eq!(kept.len(), 1);
}

#[tokio::test]
async fn an_order_waits_behind_its_failed_event_and_others_do_not() {
    let stage = Stage::new(2, None).await;
    stage.post_accepted(&state("SUBMITTED", 1)).await;
    stage.run_for(SignedDuration::from_secs(2)).await;
    stage.post_accepted(&state("FOC", 2)).await;
    stage.post_accepted(&state("COMPLETE", 3)).await;
    let other = state("FOC", 4).replace(ORDER, "another-order");
    stage.run_for(SignedDuration::from_secs(1)).await;
    assert_eq!(stage.endpoint.received().len(), 1, "the order waits");
    stage.post_accepted(&other).await;
    stage.run_for(SignedDuration::from_secs(1)).await;
    assert_eq!(stage.endpoint.received().len(), 2, "the other order does not");
    stage.run_for(SignedDuration::from_mins(2)).await;

    let of_order = |one: &&simulator::endpoint::Received| text_of(one, "OrderId") == ORDER;
    let received = stage.endpoint.received();
    let seen: Vec<_> = received
        .iter()
        .filter(of_order)
        .map(|one| {
            let parts = ["hookline-attempt", "hookline-sequence"].map(|name| header(one, name));
            (text_of(one, "Status"), parts, one.answered)
        })
        .collect();
    let row = |status: &str, attempt: &str, sequence: &str, answered| {
        (status.to_owned(), [attempt.to_owned(), sequence.to_owned()], answered)
    };
    let expected = [
        row("SUBMITTED", "1", "1", 500),
        row("SUBMITTED", "2", "1", 200),
        row("FOC", "1", "2", 200),
        row("COMPLETE", "1", "3", 200),
    ];
    assert_eq!(seen, expected);
    assert!(stage.is_quiet());
}

#[tokio::test]
async fn retries_come_at_the_planned_times_short_ones_by_the_queue_long_ones_by_the_table() {
    let stage = Stage::new(6, None).await;
    stage.post_accepted(&state("FOC", 1)).await;
    stage.run_for(SignedDuration::from_hours(3)).await;
    let received = stage.endpoint.received();
    let at = |nth: usize| header(&received[nth], "webhook-timestamp").parse::<i64>().unwrap();
    let waits: Vec<i64> = (1..received.len()).map(|nth| at(nth) - at(nth - 1)).collect();
    assert_eq!(waits, [5, 30, 120, 600, 1800, 3600]);
    let ids: std::collections::BTreeSet<_> =
        received.iter().map(|one| header(one, "webhook-id")).collect();
    assert_eq!(ids.len(), 1, "the id is stable over retries");
    assert!(stage.is_quiet());
}

#[tokio::test]
async fn every_attempt_is_on_the_record_with_the_beginning_of_the_last_answer() {
    let stage = Stage::new(0, Some(vec![SignedDuration::from_secs(5)])).await;
    let endpoint = Endpoint::start(0, vec![], |_, nth| Answer {
        body: "x".repeat(5000).into_bytes(),
        ..Answer::status(if nth == 0 { 302 } else { 503 })
    })
    .await
    .unwrap();
    let wanted = Wanted {
        waits: Some(vec![SignedDuration::from_secs(5)]),
        ..Wanted::everything(TENANT, &endpoint.url())
    };
    let (id, _) = crate::stage::subscribe(&stage.world, wanted).await;
    stage.post_accepted(&state("FOC", 1)).await;
    stage.run_for(SignedDuration::from_mins(1)).await;

    let items = stage.items(&format!("LANE#{id}#{ORDER}")).await;
    assert_eq!(items.len(), 1);
    let item = &items[0];
    assert_eq!(item["state"].as_s().unwrap(), "dead");
    assert_eq!(item["standing"].as_s().unwrap(), &format!("DEAD#{TENANT}"));
    assert_eq!(item["answer"].as_s().unwrap().len(), 1024);
    let attempts = item["attempts"].as_l().unwrap();
    let of = |nth: usize, name: &str| attempts[nth].as_m().unwrap().get(name).cloned();
    assert_eq!(attempts.len(), 2);
    assert_eq!(of(0, "status").unwrap().as_n().unwrap(), "302");
    assert_eq!(of(0, "error").unwrap().as_s().unwrap(), "redirect");
    assert_eq!(of(1, "error").unwrap().as_s().unwrap(), "status");
    assert!(of(1, "at").is_some() && of(1, "duration_ms").is_some());
    assert_eq!(endpoint.received().len(), 2, "the schedule had one wait, so two attempts");
    assert!(stage.is_quiet());
}

#[tokio::test]
async fn an_exhausted_delivery_is_dead_and_its_order_goes_on() {
    let stage = Stage::new(2, Some(vec![SignedDuration::from_secs(5)])).await;
    stage.post_accepted(&state("SUBMITTED", 1)).await;
    stage.post_accepted(&state("FOC", 2)).await;
    stage.run_for(SignedDuration::from_mins(2)).await;
    assert_eq!(stage.told(), ["FOC"]);
    assert!(stage.is_quiet());
}

#[tokio::test]
async fn a_late_event_is_flagged_delivered_and_numbered_last() {
    let stage = Stage::new(0, None).await;
    stage.post_accepted(&state("COMPLETE", 3)).await;
    stage.run_for(SignedDuration::from_secs(5)).await;
    stage.post_accepted(&state("FOC", 2)).await;
    stage.run_for(SignedDuration::from_secs(5)).await;
    stage.post_accepted(&state("NEWER", 4)).await;
    stage.run_for(SignedDuration::from_secs(5)).await;
    let seen: Vec<_> = stage
        .endpoint
        .received()
        .iter()
        .map(|one| {
            (text_of(one, "Status"), header(one, "hookline-sequence"), header(one, "hookline-late"))
        })
        .collect();
    let row = |status: &str, sequence: &str, late: &str| {
        (status.to_owned(), sequence.to_owned(), late.to_owned())
    };
    assert_eq!(seen, [row("COMPLETE", "1", ""), row("FOC", "2", "true"), row("NEWER", "3", "")]);
}

#[tokio::test]
async fn an_event_fanned_out_twice_is_delivered_once() {
    let stage = Stage::new(0, None).await;
    stage.post_accepted(&state("FOC", 1)).await;
    let record = stage.aws.stream().batch(1).remove(0);
    stage.run_for(SignedDuration::from_secs(5)).await;
    let again = relay::fanout::Record {
        sequence: "1".into(),
        image: serde_json::from_value(record.image).unwrap(),
    };
    assert!(relay::fanout::batch(&stage.world.fanout, vec![again]).await.is_empty());
    stage.run_for(SignedDuration::from_mins(5)).await;
    assert!(successes(&stage.endpoint).into_values().all(|count| count == 1));
    assert_eq!(stage.endpoint.received().len(), 1);
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_a_failed_attempt_like_any_other() {
    let stage = Stage::new(0, None).await;
    let waits = Some(vec![]);
    let plain = stage.endpoint.url();
    let nobody = Endpoint::start(0, vec![], |_, _| Answer::status(200)).await.unwrap().url();
    for (url, class) in [
        (nobody.as_str(), "connect"),
        (&plain.replace("http:", "https:"), "tls"),
        ("https://10.0.0.1/", "address"),
        ("https://localhost.internal/", "address"),
    ] {
        let wanted = Wanted { waits: waits.clone(), ..Wanted::everything(TENANT, url) };
        let (id, _) = crate::stage::subscribe(&stage.world, wanted).await;
        stage.clock.advance(SignedDuration::from_secs(6));
        stage.post_accepted(&state(class, stage.clock.now().as_second() % 60)).await;
        stage.run_for(SignedDuration::from_secs(5)).await;
        let items = stage.items(&format!("LANE#{id}#{ORDER}")).await;
        let attempt = items[0]["attempts"].as_l().unwrap()[0].as_m().unwrap();
        assert_eq!(attempt["error"].as_s().unwrap(), class, "{url}");
    }
}

#[tokio::test]
async fn orders_that_are_fanned_out_side_by_side_keep_their_order() {
    let stage = Stage::new(0, None).await;
    let states = ["SUBMITTED", "FOC", "COMPLETE"];
    // So many that each state of an order has another place among four.
    let orders: Vec<String> = (1..=7).map(|nth| format!("order-{nth}")).collect();
    for (second, status) in (1..).zip(states) {
        for order in &orders {
            stage.post_accepted(&of(order, status, second)).await;
        }
    }
    // Some records fail amid the others, although the SDK repeats their calls.
    stage.aws.reset_calls();
    stage.aws.inject(|call| (20..60).contains(&call.number).then_some(Fault::Refuse));
    assert_eq!(stage.world.fan_out_batch().await, 21);
    assert!(stage.aws.stream().first().is_some(), "what failed is given again");
    stage.aws.heal();
    stage.run_for(SignedDuration::from_secs(5)).await;
    for order in &orders {
        assert_eq!(stage.told_where(|one| text_of(one, "OrderId") == *order), states, "{order}");
    }
    assert_eq!(successes(&stage.endpoint).into_values().collect::<Vec<_>>(), [1; 21]);
}

#[tokio::test]
async fn one_delivery_costs_what_is_promised() {
    let stage = Stage::new(0, None).await;
    // What is remembered between events is remembered before it is counted.
    stage.post_accepted(&state("SUBMITTED", 1)).await;
    stage.run_for(SignedDuration::from_secs(1)).await;
    stage.aws.reset_calls();
    stage.post_accepted(&state("FOC", 2).replace(ORDER, "another")).await;
    stage.world.fan_out_batch().await;
    for wake in stage.world.receive_wakes(local::WAKES, 10) {
        if wake.body.contains("another") {
            stage.world.handle_wake(local::WAKES, &wake).await;
        }
    }
    let calls: Vec<String> = stage.aws.calls().into_iter().map(|call| call.operation).collect();
    let expected = [
        "PutItem",          // ingest: the event
        "GetItem",          // fanout: the order's recorded owner
        "UpdateItem",       // fanout: the order as its tenant lists it
        "PutItem",          // fanout: the feed entry
        "Query",            // fanout: the end of the lane
        "PutItem",          // fanout: the delivery
        "SendMessageBatch", // fanout: the wakes
        "GetItem",          // deliver: the delivery
        "GetItem",          // deliver: the event
        "UpdateItem",       // deliver: the attempt, and that nothing stands behind
    ];
    assert_eq!(calls, expected);
    assert_eq!(stage.aws.units(), Units { read: 3.0, write: 5.0, queue: 3, key: 0 });
    assert_eq!(stage.endpoint.received().len(), 2);
}
