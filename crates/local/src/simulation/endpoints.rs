//! The endpoints of tenants: what they answer, and what must be true of every POST.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::delivery::ErrorClass;
use domain::subscription::Mode;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use relay::egress::{Answer, EgressError, Post};
use simulator::endpoint;

use super::Model;
use super::bandwidth::event_in;
use super::ledger;
use super::scene::Scene;
use super::tenants::{Mood, NOTICED};

/// What endpoints were sent.
#[derive(Default)]
pub(super) struct Received {
    /// Events by subscription and order, in the order of their first attempts.
    firsts: BTreeMap<(usize, String), Vec<String>>,
    /// By subscription and event, the `webhook-id`.
    ids: BTreeMap<(usize, usize), String>,
    /// Subscription and event, of what was answered with success.
    pub(super) taken: BTreeSet<(usize, usize)>,
}

/// Answers one POST.
pub(super) fn answer(
    scene: &Scene,
    model: &Arc<Mutex<Model>>,
    post: &Post<'_>,
) -> BoxFuture<'static, Result<Answer, EgressError>> {
    if scene.draw.chance(scene.weather().exhausted) {
        scene.count("POSTs that could not be made");
        return async { Err(EgressError::Exhausted(std::io::Error::other("no socket"))) }.boxed();
    }
    let model = &mut *super::lock(model);
    let headers = headers(post);
    let place = model.subscriptions.iter().position(|one| one.url == post.url);
    let event = event_in(&post.body).filter(|event| *event < model.events().len());
    let (Some(place), Some(event)) = (place, event) else {
        scene.break_with(format!("a POST that nobody can have asked for, to {}", post.url));
        return async { Ok(Answer::of(404, "")) }.boxed();
    };
    if let Err(what) = judge(scene, model, place, event, &headers, &post.body) {
        let id = &model.subscriptions[place].id;
        scene.break_with(format!("{what}: event {event} to {id}"));
    }
    let subscription = &mut model.subscriptions[place];
    let mood = subscription.mood(&scene.draw, scene.clock.now());
    let status = match mood {
        Mood::Well => Some(204),
        Mood::Failing => Some(500),
        Mood::Odd => Some(*scene.draw.pick(&[200, 202, 302, 404, 429, 503])),
        Mood::Gone => Some(410),
        Mood::Hanging | Mood::Refusing => None,
    };
    let succeeded = status.is_some_and(|status| status < 300);
    if succeeded && subscription.order.is_some() && model.bandwidth.events[event].ends_order {
        scene.count("subscriptions that ended with their order");
    }
    subscription.note_answer(succeeded, scene.clock.now());
    subscription.said_gone += usize::from(status == Some(410));
    let line = format!("  POST of event {event} to {}: {mood:?} {status:?}", subscription.id);
    let same_each_time = post.headers.iter().filter(|(name, _)| name != "webhook-signature");
    let headers: String =
        same_each_time.map(|(name, value)| format!("{name}: {value}\n")).collect();
    scene.note_whole(line, &format!("{headers}{}", post.body));
    scene.count("POSTs");
    if status.is_some_and(|status| status < 300) && !model.received.taken.insert((place, event)) {
        scene.count("repeats");
    }
    let takes = scene.draw.within(0..1500);
    async move {
        pause(takes).await;
        match (mood, status) {
            (_, Some(status)) => Ok(Answer::of(status, "said the endpoint")),
            (Mood::Refusing, None) => Ok(Answer::none(ErrorClass::Connect)),
            (_, None) => std::future::pending().await,
        }
    }
    .boxed()
}

/// Goes by the runtime's time, which stands still but for what the run lets pass.
#[expect(clippy::disallowed_methods, reason = "endpoints take their time")]
async fn pause(millis: usize) {
    tokio::time::sleep(Duration::from_millis(millis as u64)).await;
}

/// Whether a POST is as it must be.
fn judge(
    scene: &Scene,
    model: &mut Model,
    place: usize,
    n: usize,
    headers: &HeaderMap,
    body: &str,
) -> Result<(), String> {
    let now = scene.clock.now();
    if model.bandwidth.events[n].owner.is_none() {
        scene.aside(|| model.learn_owners(&scene.aws))?;
    }
    let subscription = &model.subscriptions[place];
    let event = &model.bandwidth.events[n];
    if event.owner != Some(subscription.tenant) {
        return Err("a POST to the wrong tenant".into());
    }
    if !subscription.matches(event) {
        return Err("a POST that was not asked for".into());
    }
    if subscription.deleted_at.is_some_and(|at| at + NOTICED < now) {
        return Err("a POST to a subscription that is gone".into());
    }
    if subscription.enabled.is_some_and(|(on, since)| !on && since + NOTICED < now)
        && !subscription.is_busy
    {
        return Err("a POST to a subscription that is disabled".into());
    }
    verify(scene, model, place, headers, body)?;
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let attempt: usize = header("hookline-attempt").and_then(|n| n.parse().ok()).unwrap_or(0);
    if !(1..=model.subscriptions[place].attempts_max()).contains(&attempt) {
        return Err(format!("attempt {attempt} is not within limits"));
    }
    let id = header("webhook-id").unwrap_or_default();
    if model.received.ids.entry((place, n)).or_insert(id.into()) != id {
        return Err("the webhook-id changed".into());
    }
    let Some(key) = scene.aside(|| ledger::key_of(&scene.aws, event)) else {
        return Err("a POST of an event that is not in the table".into());
    };
    let firsts = model.received.firsts.entry((place, event.subject.clone())).or_default();
    if firsts.contains(&key) {
        return Ok(());
    }
    let overtook = firsts.iter().any(|before| *before > key);
    firsts.push(key.clone());
    if !overtook || ["hookline-late", "hookline-replay"].iter().any(|name| header(name).is_some()) {
        return Ok(());
    }
    // Two handlers had met it. There is no lock on a lane: the other one has superseded it after this
    // one had read it.
    let subscription = &model.subscriptions[place];
    let state = scene.aside(|| ledger::state_of(&scene.aws, subscription, event, &key));
    if subscription.mode == Mode::Latest && state.as_deref() == Some("superseded") {
        scene.count("POSTs of what was superseded meanwhile");
        return Ok(());
    }
    Err("first attempts are out of order".into())
}

/// The newest secret signs, or one that was the newest until just now.
fn verify(
    scene: &Scene,
    model: &Model,
    place: usize,
    headers: &HeaderMap,
    body: &str,
) -> Result<(), String> {
    let subscription = &model.subscriptions[place];
    let now = scene.clock.now();
    // The second rotation without an answer puts an end to the last secret that the tenant knows.
    let is_blind = subscription.rotations_unknown > 1 || now < subscription.blind_until;
    if subscription.secrets.is_empty() || is_blind {
        return Ok(());
    }
    let next_at = subscription.secrets.iter().skip(1).map(|(_, told_at)| *told_at + NOTICED);
    let until = next_at.chain([Timestamp::MAX]);
    let current = subscription.secrets.iter().zip(until).filter(|(_, until)| *until > now);
    let mut verified =
        current.map(|((secret, _), _)| endpoint::verify(secret, headers, body.as_bytes()));
    match verified.any(|verified| verified.is_ok()) {
        true => Ok(()),
        false => Err("the signature is not that of a secret of then".into()),
    }
}

fn headers(post: &Post<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in &post.headers {
        if let (Ok(name), Ok(value)) =
            (HeaderName::try_from(name), HeaderValue::try_from(value.as_str()))
        {
            headers.insert(name, value);
        }
    }
    headers
}
