//! The checks, in the order of the road: what one function leaves, the next one takes up.

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::delivery::{Attempt, Delivery, ErrorClass, State};
use domain::lane::Seen;
use jiff::{SignedDuration, Timestamp};
use relay::queue::{Arrival, Wake};
use relay::store::{Lane, Settled, StoredEvent};
use serde_json::{Value, json};
use simulator::aws::{Call, Fault, Service};

use crate::Report;
use crate::emulator::{Answer, Emulator};
use crate::stage::{
    FAILING_POST, FUNCTIONS, Stage, TENANT, UPSTREAM, sqs_body, sqs_event, stream_event,
};

pub(crate) async fn walk(stage: &Stage, report: &mut Report) -> anyhow::Result<()> {
    ingest(stage, report).await?;
    inbox(stage, report).await?;
    fanout(stage, report).await?;
    deliver(stage, report).await?;
    schedule(stage, report).await?;
    api(stage, report).await?;
    for function in FUNCTIONS {
        let name = format!("{function}: does not start without TABLE, and says so");
        report.check(&name, refuses_to_start(stage, function)).await;
    }
    Ok(())
}

// ---- ingest

async fn ingest(stage: &Stage, report: &mut Report) -> anyhow::Result<()> {
    let lambda = stage.start("ingest").await?;
    let sample = &stage.samples.ingest;
    let aws = &stage.world.aws;

    report
        .check("ingest: takes its sample event, which fanout's sample is the record of", async {
            ensure!(status(&lambda.done(sample).await?) == 200);
            let records = aws.stream().batch(10);
            ensure!(records.len() == 1);
            let image = &stage.samples.fanout["Records"][0]["dynamodb"]["NewImage"];
            ensure!(without_arrival(&records[0].image) == without_arrival(image));
            aws.stream().finish(records[0].sequence);
            Ok(())
        })
        .await;
    report
        .check("ingest: knows the same event again, as base64 too", async {
            ensure!(status(&lambda.done(sample).await?) == 200);
            let mut encoded = sample.clone();
            encoded["body"] = STANDARD.encode(stage.samples.notification()?).into();
            encoded["isBase64Encoded"] = true.into();
            ensure!(status(&lambda.done(&encoded).await?) == 200);
            ensure!(aws.stream().batch(10).is_empty());
            Ok(())
        })
        .await;
    report
        .check("ingest: asks for credentials where there are none", async {
            let mut event = sample.clone();
            event["headers"].as_object_mut().context("no headers")?.remove("authorization");
            challenged(&lambda.done(&event).await?)
        })
        .await;
    report
        .check("ingest: answers an unknown account as a wrong password", async {
            let mut wrong = sample.clone();
            let encoded = STANDARD.encode("bandwidth-9900012:another");
            wrong["headers"]["authorization"] = format!("Basic {encoded}").into();
            let wrong = lambda.done(&wrong).await?;
            challenged(&wrong)?;
            let unknown = sample.to_string().replace(UPSTREAM, "9900013");
            ensure!(lambda.done(&serde_json::from_str(&unknown)?).await? == wrong);
            Ok(())
        })
        .await;
    report
        .check("ingest: answers 400 to what is no notification", async {
            let answer = lambda.done(&with_body(sample, "<Notification>")).await?;
            ensure!(status(&answer) == 400, "{answer}");
            let text = answer["body"].as_str().unwrap_or_default();
            ensure!(text.starts_with("This is no notification"), "{text}");
            Ok(())
        })
        .await;
    let other = with_body(sample, &another_order(stage)?);
    aws.inject(refuse_table);
    report
        .check("ingest: takes an event while the table refuses, and the inbox has it", async {
            ensure!(status(&lambda.done(&other).await?) == 200);
            let arrivals = aws.queue(local::INBOX).bodies();
            ensure!(arrivals.len() == 1);
            ensure!(Arrival::parse(&arrivals[0])?.body == another_order(stage)?.as_bytes());
            Ok(())
        })
        .await;
    aws.inject(|_| Some(Fault::Refuse));
    report
        .check("ingest: answers 503 while table and queue refuse", async {
            ensure!(status(&lambda.done(&other).await?) == 503);
            Ok(())
        })
        .await;
    aws.heal();
    leave(stage, report, "ingest", &lambda).await
}

fn status(answer: &Value) -> u64 {
    answer["statusCode"].as_u64().unwrap_or_default()
}

fn challenged(answer: &Value) -> anyhow::Result<()> {
    ensure!(status(answer) == 401, "{answer}");
    // HTTP APIs look at `headers`, and nowhere else.
    ensure!(answer["headers"]["www-authenticate"] == "Basic realm=\"hookline\"", "{answer}");
    Ok(())
}

/// An event item but for what depends on the time of its arrival.
fn without_arrival(image: &Value) -> Value {
    let mut image = image.clone();
    if let Some(attributes) = image.as_object_mut() {
        attributes.retain(|name, _| name != "received_at" && name != "expires");
    }
    image
}

pub(crate) fn with_body(sample: &Value, body: &str) -> Value {
    let mut event = sample.clone();
    event["headers"]["content-length"] = body.len().to_string().into();
    event["body"] = body.into();
    event
}

/// The sample's notification, of an order of its own.
fn another_order(stage: &Stage) -> anyhow::Result<String> {
    let subject = stage.samples.wake()?.lane.subject;
    let other = stage.samples.notification()?.replace(&subject, &subject.replace('1', "2"));
    Ok(other)
}

fn refuse_table(call: &Call) -> Option<Fault> {
    (call.service == Service::Table).then_some(Fault::Refuse)
}

// ---- inbox

async fn inbox(stage: &Stage, report: &mut Report) -> anyhow::Result<()> {
    let lambda = stage.start("inbox").await?;
    let sample = &stage.samples.inbox;
    let arrival = Arrival::parse(sqs_body(sample)?).context("infra/events/inbox.json")?;

    report
        .check("inbox: stores the event of its sample", async {
            ensure!(failures(&lambda.done(sample).await?)?.is_empty());
            let events = new_events(stage)?;
            ensure!(events.len() == 1);
            ensure!(events[0].upstream == arrival.account && events[0].raw == arrival.body);
            ensure!(events[0].received_at == arrival.received_at);
            Ok(())
        })
        .await;
    report
        .check("inbox: knows the same event again", async {
            ensure!(failures(&lambda.done(sample).await?)?.is_empty());
            ensure!(new_events(stage)?.len() == 1);
            Ok(())
        })
        .await;
    report
        .check("inbox: gives back what is no arrival, and stores what ingest sent", async {
            let queue = stage.world.aws.queue(local::INBOX);
            let sent = queue.receive(1).pop().context("the inbox queue is empty")?;
            let batch = sqs_event(sample, &["{}", &sent.body])?;
            ensure!(failures(&lambda.done(&batch).await?)? == ["id-0"]);
            queue.delete(&sent.receipt);
            let events = new_events(stage)?;
            ensure!(events.len() == 2 && events[1].raw == another_order(stage)?.as_bytes());
            Ok(())
        })
        .await;
    report
        .check("inbox: drops what has wrong credentials", async {
            let mut forged = arrival.clone();
            forged.body = String::from_utf8(forged.body)?.replace("FOC", "FORGED").into();
            forged.proof.verified = false;
            forged.proof.password_sha256 = [0; 32];
            let batch = sqs_event(sample, &[&serde_json::to_string(&forged)?])?;
            ensure!(failures(&lambda.done(&batch).await?)?.is_empty());
            ensure!(new_events(stage)?.len() == 2);
            Ok(())
        })
        .await;
    leave(stage, report, "inbox", &lambda).await
}

/// What a batch answers: which of its records are to come again.
fn failures(answer: &Value) -> anyhow::Result<Vec<String>> {
    let failures = answer["batchItemFailures"].as_array().context("no batchItemFailures")?;
    let ids = failures.iter().map(|one| one["itemIdentifier"].as_str().map(str::to_owned));
    ids.collect::<Option<_>>().context("a failure without itemIdentifier")
}

/// The events on the stream that fanout has not had.
fn new_events(stage: &Stage) -> anyhow::Result<Vec<StoredEvent>> {
    let records = stage.world.aws.stream().batch(10).into_iter();
    let events =
        records.map(|record| Ok(StoredEvent::from_stream(serde_json::from_value(record.image)?)?));
    events.collect()
}

// ---- fanout

async fn fanout(stage: &Stage, report: &mut Report) -> anyhow::Result<()> {
    let lambda = stage.start("fanout").await?;
    let sample = &stage.samples.fanout;
    let wake = stage.samples.wake()?;

    report
        .check("fanout: puts a delivery, and sends the wake that deliver's sample holds", async {
            ensure!(failures(&lambda.done(sample).await?)?.is_empty());
            let delivery = delivery(stage, &wake).await?;
            ensure!(delivery.state == State::Pending && delivery.tenant == TENANT);
            ensure!(delivery.sequence == 1);
            let wakes = stage.world.aws.queue(local::WAKES).bodies();
            ensure!(wakes == [sqs_body(&stage.samples.deliver)?]);
            Ok(())
        })
        .await;
    report
        .check("fanout: puts nothing for the same event again", async {
            let before = delivery(stage, &wake).await?;
            ensure!(failures(&lambda.done(sample).await?)?.is_empty());
            ensure!(delivery(stage, &wake).await? == before);
            Ok(())
        })
        .await;
    report
        .check("fanout: gives back what is no event, and does the others of its batch", async {
            let broken = json!({ "pk": { "S": "ORDER#9900012#x" }, "sk": { "S": "EVENT#x" } });
            let stored = stage.world.aws.stream().batch(10).into_iter().map(|record| record.image);
            let images: Vec<Value> = [broken].into_iter().chain(stored).collect();
            ensure!(images.len() == 3);
            let batch = stream_event(sample, &images)?;
            ensure!(failures(&lambda.done(&batch).await?)? == ["1"]);
            let wakes = wakes(stage)?;
            for event in new_events(stage)? {
                let wake = wake_of(stage, &event, 0)?;
                ensure!(delivery(stage, &wake).await?.state == State::Pending);
                ensure!(wakes.contains(&wake));
            }
            Ok(())
        })
        .await;
    leave(stage, report, "fanout", &lambda).await
}

/// The wake for an event's delivery to the one subscription.
fn wake_of(stage: &Stage, event: &StoredEvent, attempt: u32) -> anyhow::Result<Wake> {
    let subscription = stage.samples.wake()?.lane.subscription;
    let lane = Lane { subscription, subject: event.subject.clone() };
    let seen = Seen { attempts_made: attempt, ..Seen::default() };
    Ok(Wake::new(lane, event.key.clone(), seen))
}

/// The delivery that a wake names.
async fn delivery(stage: &Stage, wake: &Wake) -> anyhow::Result<Delivery> {
    stage.world.store.delivery(&wake.lane, &wake.key).await?.context("there is no delivery")
}

fn wakes(stage: &Stage) -> anyhow::Result<Vec<Wake>> {
    let bodies = stage.world.aws.queue(local::WAKES).bodies();
    Ok(bodies.iter().map(|body| Wake::parse(body)).collect::<Result<_, _>>()?)
}

// ---- deliver

async fn deliver(stage: &Stage, report: &mut Report) -> anyhow::Result<()> {
    let lambda = stage.start("deliver").await?;
    let sample = &stage.samples.deliver;
    let events = new_events(stage)?;
    let [second, third] = events.as_slice() else {
        anyhow::bail!("{} events wait for deliver, not 2", events.len());
    };

    report
        .check("deliver: makes the POST of its sample, whose signature is good", async {
            ensure!(failures(&lambda.done(sample).await?)?.is_empty());
            delivered(stage, 1, &stage.samples.wake()?).await?;
            let body = String::from_utf8(stage.endpoint.received()[0].body.clone())?;
            let subscription = stage.samples.wake()?.lane.subscription;
            ensure!(body.contains(&format!("<SubscriptionId>{subscription}</SubscriptionId>")));
            ensure!(body.contains("<TelephoneNumber>9195550100</TelephoneNumber>"));
            Ok(())
        })
        .await;
    report
        .check("deliver: makes no second POST for the same wake", async {
            ensure!(failures(&lambda.done(sample).await?)?.is_empty());
            ensure!(stage.endpoint.received().len() == 1);
            Ok(())
        })
        .await;
    report
        .check("deliver: gives back what is no wake, and does the others of its batch", async {
            let wake = wake_of(stage, second, 0)?;
            let malformed = r#"{"subscription":"7c1d2b5e"}"#;
            let batch = sqs_event(sample, &[malformed, &serde_json::to_string(&wake)?])?;
            ensure!(failures(&lambda.done(&batch).await?)? == ["id-0"]);
            delivered(stage, 2, &wake).await
        })
        .await;
    report
        .check("deliver: sends a wake for the retry where the endpoint fails", async {
            let wake = wake_of(stage, third, 0)?;
            let batch = sqs_event(sample, &[&serde_json::to_string(&wake)?])?;
            ensure!(failures(&lambda.done(&batch).await?)?.is_empty());
            ensure!(stage.endpoint.received().len() == FAILING_POST + 1);
            let delivery = delivery(stage, &wake).await?;
            ensure!(delivery.state == State::Pending && delivery.attempts_made == 1);
            ensure!(delivery.next_at.is_some());
            let aside = stage.world.aws.queue(local::ASIDE).bodies();
            let wake = Wake { aside: true, ..wake_of(stage, third, 1)? };
            ensure!(aside == [serde_json::to_string(&wake)?]);
            Ok(())
        })
        .await;
    leave(stage, report, "deliver", &lambda).await
}

/// The endpoint has had so many POSTs, the last of them for this wake, and all of them good.
async fn delivered(stage: &Stage, posts: usize, wake: &Wake) -> anyhow::Result<()> {
    let received = stage.endpoint.received();
    ensure!(received.len() == posts);
    for one in &received {
        ensure!(one.verified == Ok(()) && one.answered == 200);
    }
    let last = received.last().context("no POST")?;
    let order = last.headers.get("hookline-order").and_then(|order| order.to_str().ok());
    ensure!(order == Some(wake.lane.subject.as_str()));
    ensure!(delivery(stage, wake).await?.state == State::Delivered);
    Ok(())
}

// ---- schedule

async fn schedule(stage: &Stage, report: &mut Report) -> anyhow::Result<()> {
    let lambda = stage.start("schedule").await?;
    let sample = &stage.samples.schedule;
    let events = new_events(stage)?;
    let event = events.last().context("no event is left for schedule")?;
    let wake = wake_of(stage, event, 2)?;
    let woken = || -> anyhow::Result<usize> {
        let sent = wakes(stage)?.into_iter();
        Ok(sent.filter(|one| (&one.key, one.attempt) == (&wake.key, wake.attempt)).count())
    };

    report
        .check(
            "schedule: wakes what is due in the coming minute, and writes how far it is",
            Box::pin(async {
                let now = stage.world.clock.now();
                park(stage, &wake, now + SignedDuration::from_secs(30)).await?;
                ensure!(lambda.done(sample).await? == Value::Null);
                ensure!(woken()? == 1);
                let through = stage.world.store.woken_through().await?.context("no cursor")?;
                ensure!(through > now && through <= now + SignedDuration::from_mins(2));
                Ok(())
            }),
        )
        .await;
    report
        .check("schedule: wakes nothing twice", async {
            ensure!(lambda.done(sample).await? == Value::Null);
            ensure!(woken()? == 1);
            Ok(())
        })
        .await;
    stage.world.aws.inject(refuse_table);
    report
        .check("schedule: fails while the table refuses", async {
            let answer = lambda.invoke(sample).await?;
            let failed = matches!(&answer, Answer::Failed(why) if why.starts_with("cannot"));
            ensure!(failed, "{answer:?}");
            Ok(())
        })
        .await;
    stage.world.aws.heal();
    report
        .check("schedule: goes on after that", async {
            ensure!(lambda.done(sample).await? == Value::Null);
            Ok(())
        })
        .await;
    leave(stage, report, "schedule", &lambda).await
}

/// Writes one more failed attempt of the delivery, and parks it.
async fn park(stage: &Stage, wake: &Wake, at: Timestamp) -> anyhow::Result<()> {
    let delivery = delivery(stage, wake).await?;
    let attempt = Attempt {
        at: stage.world.clock.now(),
        duration_ms: 1,
        status: Some(500),
        error: Some(ErrorClass::Status),
    };
    let settled = stage.world.store.put_off(&wake.lane, &delivery, &attempt, "", at, true).await?;
    ensure!(settled != Settled::Changed);
    Ok(())
}

// ---- api

async fn api(stage: &Stage, report: &mut Report) -> anyhow::Result<()> {
    let lambda = stage.start("api").await?;
    let sample = &stage.samples.api;
    report
        .check("api: lists the tenant's subscriptions, as the sample asks", async {
            let answer = lambda.done(sample).await?;
            ensure!(status(&answer) == 200, "{answer}");
            let listed: Value = serde_json::from_str(answer["body"].as_str().unwrap_or_default())?;
            let id = stage.samples.wake()?.lane.subscription;
            ensure!(listed["items"][0]["id"] == id.as_str(), "{listed}");
            Ok(())
        })
        .await;
    report
        .check("api: makes a subscription for a client of Bandwidth's", async {
            let body = "<Subscription><OrderType>orders</OrderType><CallbackSubscription>\
                        <URL>https://127.0.0.1:9999/</URL></CallbackSubscription></Subscription>";
            let path = format!("/api/accounts/{TENANT}/subscriptions");
            let made = lambda.done(&request(sample, "POST", &path, body)).await?;
            ensure!(status(&made) == 201, "{made}");
            let location = made["headers"]["location"].as_str().context("no Location")?;
            let host = sample["headers"]["host"].as_str().unwrap_or_default();
            ensure!(location.starts_with(&format!("https://{host}{path}/")), "{location}");
            Ok(())
        })
        .await;
    report
        .check("api: asks for credentials where there are none", async {
            let mut event = sample.clone();
            event["headers"].as_object_mut().context("no headers")?.remove("authorization");
            challenged(&lambda.done(&event).await?)
        })
        .await;
    stage.world.aws.inject(refuse_table);
    report
        .check("api: answers 503 while the table refuses", async {
            let answer = lambda.done(sample).await?;
            ensure!(status(&answer) == 503, "{answer}");
            Ok(())
        })
        .await;
    stage.world.aws.heal();
    leave(stage, report, "api", &lambda).await
}

/// The sample as another request of the same caller.
fn request(sample: &Value, method: &str, path: &str, body: &str) -> Value {
    let mut event = with_body(sample, body);
    event["requestContext"]["http"]["method"] = method.into();
    event["requestContext"]["http"]["path"] = path.into();
    event["rawPath"] = path.into();
    event["isBase64Encoded"] = false.into();
    event
}

// ---- All of them

async fn refuses_to_start(stage: &Stage, function: &str) -> anyhow::Result<()> {
    let lambda = stage.start_without_table(function).await?;
    let answer = lambda.invoke(&json!({})).await?;
    ensure!(matches!(answer, Answer::Broken), "{answer:?}");
    let output = lambda.output();
    ensure!(output.contains("TABLE is missing"), "{output}");
    ensure!(output.matches("is missing").count() == 1, "{output}");
    Ok(())
}

/// The last look at a function: what it took, and what it wrote meanwhile.
async fn leave(
    stage: &Stage,
    report: &mut Report,
    function: &'static str,
    lambda: &Emulator,
) -> anyhow::Result<()> {
    let name = format!("{function}: logs no secret, no number, no body");
    let quiet = async {
        let output = lambda.output();
        let numbers_and_bodies = ["9195550", "<Notification", "PE5vdGlmaWNhdGlvb"].into_iter();
        for word in stage.secrets.iter().map(String::as_str).chain(numbers_and_bodies) {
            ensure!(!output.contains(word), "{output}");
        }
        Ok(())
    };
    report.check(&name, quiet).await;
    report.note(function, lambda)
}
