//! What the table says, read past the relay, and whether the ledger balances at the end of a run.

mod one_order;

use std::collections::{BTreeMap, BTreeSet};

use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use domain::delivery::ErrorClass;
use domain::event::sortable;
use domain::subscription::Mode;
use futures::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use relay::queue::Arrival;
use serde_json::{Value, json};
use simulator::aws::Aws;

use super::Model;
use super::bandwidth::{Event, TENANTS};
use super::tenants::Subscription;
use crate::world::INBOX;

/// A subscription is noticed by all functions within this time.
const NOTICED: SignedDuration = SignedDuration::from_secs(6);

/// schedule looks at a minute for the last time half an hour later.
const LAST_LOOK: SignedDuration = SignedDuration::from_mins(32);

/// The key under which an event stands in the table.
pub(super) fn key_of(aws: &Aws, event: &Event) -> Option<String> {
    let request = json!({
        "TableName": "hookline",
        "KeyConditionExpression": "pk = :pk AND begins_with(sk, :events)",
        "ExpressionAttributeValues": {
            ":pk": { "S": format!("ORDER#{}#{}", event.account, event.subject) },
            ":events": { "S": "EVENT#" },
        },
    });
    let found = call(aws, "Query", &request);
    let keys = found["Items"].as_array()?.iter().filter_map(|item| text(item, "sk"));
    keys.filter_map(|sk| sk.strip_prefix("EVENT#"))
        .find(|key| key.ends_with(&event.digest))
        .map(Into::into)
}

/// Whether an event is safe: in the table, or on its way there.
pub(super) fn holds(aws: &Aws, event: &Event) -> bool {
    let mark = event.mark();
    let in_inbox = || {
        aws.queue(INBOX)
            .bodies()
            .iter()
            .filter_map(|body| Arrival::parse(body).ok())
            .any(|arrival| String::from_utf8_lossy(&arrival.body).contains(&mark))
    };
    key_of(aws, event).is_some() || in_inbox()
}

/// The tenant for which an order is recorded.
pub(super) fn owner_of(aws: &Aws, account: &str, subject: &str) -> Option<String> {
    let key =
        json!({ "pk": { "S": format!("ORDER#{account}#{subject}") }, "sk": { "S": "CLAIM" } });
    let found = call(aws, "GetItem", &json!({ "TableName": "hookline", "Key": key }));
    text(&found["Item"], "tenant").map(Into::into)
}

/// How an event's delivery to a subscription stands.
pub(super) fn state_of(
    aws: &Aws,
    subscription: &Subscription,
    event: &Event,
    key: &str,
) -> Option<String> {
    let lane = format!("LANE#{}#{}", subscription.id, event.subject);
    let key = json!({ "pk": { "S": lane }, "sk": { "S": key } });
    let found = call(aws, "GetItem", &json!({ "TableName": "hookline", "Key": key }));
    text(&found["Item"], "state").map(Into::into)
}

pub(super) fn minute_of(at: Timestamp) -> Timestamp {
    let second = at.as_second();
    Timestamp::from_second(second - second.rem_euclid(60)).unwrap_or(at)
}

/// Everything in the table.
pub(super) struct Table(Vec<Value>);

impl Table {
    pub(super) fn read(aws: &Aws) -> Table {
        let mut items = Vec::new();
        let mut request = json!({ "TableName": "hookline" });
        loop {
            let mut page = call(aws, "Scan", &request);
            items.extend(page["Items"].as_array_mut().map(std::mem::take).unwrap_or_default());
            match page["LastEvaluatedKey"].take() {
                Value::Null => return Table(items),
                more => request["ExclusiveStartKey"] = more,
            }
        }
    }

    /// Whether schedule will do something yet.
    pub(super) fn waits(&self, now: Timestamp) -> bool {
        let due = |item: &&Value| {
            let at = text(item, "due_at").and_then(|at| at.parse::<Timestamp>().ok());
            let is_parked = text(item, "due").is_some_and(|due| due.starts_with("DUE#"));
            let is_pending = text(item, "state") == Some("pending");
            let look = if is_pending { LAST_LOOK } else { SignedDuration::ZERO };
            is_parked && at.is_some_and(|at| at + look > now)
        };
        // The id of a job begins with the time from which it is worked on. Those for the end of a
        // subscription are months away.
        let soon = sortable(now + SignedDuration::from_hours(24));
        let is_job = |item: &&Value| {
            text(item, "pk") == Some("JOBS")
                && text(item, "sk").is_some_and(|id| id < soon.as_str())
        };
        self.0.iter().any(|item| due(&item) || is_job(&item))
    }

    /// Whether schedule goes on probing endpoints.
    pub(super) fn has_breakers(&self) -> bool {
        self.0.iter().any(|item| text(item, "pk") == Some("BREAKERS"))
    }

    /// Whether the relay has disabled a subscription because its endpoint failed for long.
    pub(super) fn is_given_up(&self, one: &Subscription) -> bool {
        self.subscription(one).is_some_and(|item| text(item, "given_up") == Some("failing"))
    }

    fn subscription(&self, one: &Subscription) -> Option<&Value> {
        let (pk, sk) = (format!("TENANT#{}", one.tenant_id()), format!("SUBSCRIPTION#{}", one.id));
        self.0.iter().find(|item| {
            text(item, "pk") == Some(pk.as_str()) && text(item, "sk") == Some(sk.as_str())
        })
    }

    fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a Value> {
        self.0.iter().filter(move |item| text(item, "pk").is_some_and(|pk| pk.starts_with(prefix)))
    }
}

/// Events, and what became of them. Both sides of the equation are counted from the table.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Ledger {
    pub events: usize,
    pub unmatched: usize,
    pub delivered: usize,
    pub dead: usize,
    pub superseded: usize,
    /// Held for a disabled subscription, halted, or behind such.
    pub waiting: usize,
}

/// Holds the table against what happened.
pub(super) fn audit(table: &Table, model: &Model) -> Result<Ledger, String> {
    let mut ledger = Ledger::default();
    let lanes = lanes(table);
    let mut owed = BTreeSet::new();
    let stored: BTreeMap<&str, &Value> = table
        .below("ORDER#")
        .filter_map(|item| Some((text(item, "sk")?.strip_prefix("EVENT#")?, item)))
        .collect();
    let feed: Vec<&Value> = table
        .0
        .iter()
        .filter(|item| {
            text(item, "pk").is_some_and(|pk| pk.ends_with("#FEED") || pk.ends_with("#UNOWNED"))
        })
        .collect();
    if feed.len() != stored.len() {
        return Err(format!("{} events and {} feed entries", stored.len(), feed.len()));
    }
    for entry in feed {
        let key = text(entry, "key").unwrap_or_default();
        if !stored.contains_key(key) {
            return Err(format!("the feed names {key}, which is no event"));
        }
        let told: Vec<&str> = entry["subscriptions"]["L"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|id| id["S"].as_str())
            .collect();
        ledger.events += 1;
        ledger.unmatched += usize::from(told.is_empty());
        for id in told {
            owed.insert((format!("LANE#{id}#{}", text(entry, "subject").unwrap_or_default()), key));
        }
    }
    let stand: BTreeSet<(String, &str)> = lanes
        .iter()
        .flat_map(|(lane, all)| {
            all.iter().filter_map(|one| Some(((*lane).to_owned(), text(one, "sk")?)))
        })
        .collect();
    if let Some(odd) = owed.symmetric_difference(&stand).next() {
        let has = if stand.contains(odd) { "not owed" } else { "owed and not there" };
        return Err(format!("a delivery is {has}: {odd:?}"));
    }
    for (lane, deliveries) in &lanes {
        look_at_lane(lane, deliveries, model, &mut ledger)?;
    }
    for one in &model.subscriptions {
        if let Some(order) = &one.order {
            one_order::look(one, order, table, &lanes, model)?;
        }
    }
    for event in model.events().iter().filter(|event| event.accepted) {
        let key = stored.keys().find(|key| key.ends_with(&event.digest));
        let key = key.ok_or(format!("event {} was accepted and is lost", event.n))?;
        let feeds = table.below("").filter(|item| text(item, "key") == Some(key));
        let list = match event.owner {
            Some(tenant) => format!("TENANT#{}#FEED", TENANTS[tenant]),
            None => format!("{}#UNOWNED", event.account),
        };
        let mut feeds = feeds.filter_map(|item| text(item, "pk"));
        if !feeds.any(|pk| pk.ends_with(&list)) {
            return Err(format!("event {} is not in the list of its owner", event.n));
        }
        for (place, one) in model.subscriptions.iter().enumerate() {
            let lane = format!("LANE#{}#{}", one.id, event.subject);
            let was_noticed = one
                .made_at
                .zip(event.posted_at)
                .is_some_and(|(made, posted)| made + NOTICED <= posted);
            // Its order's end ends it, which may come before what was late.
            let stood = was_noticed && !one.delete_asked && (!one.may_end || event.ends_order);
            if stood && one.matches(event) && !stand.contains(&(lane, *key)) {
                return Err(format!("event {} was not delivered to {} ({place})", event.n, one.id));
            }
        }
    }
    Ok(ledger)
}

/// Deliveries by lane, each in the order of its keys.
fn lanes(table: &Table) -> BTreeMap<&str, Vec<&Value>> {
    let mut lanes: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for item in table.below("LANE#") {
        lanes.entry(text(item, "pk").unwrap_or_default()).or_default().push(item);
    }
    for lane in lanes.values_mut() {
        lane.sort_by_key(|item| text(item, "sk"));
    }
    lanes
}

fn look_at_lane(
    lane: &str,
    deliveries: &[&Value],
    model: &Model,
    ledger: &mut Ledger,
) -> Result<(), String> {
    let id = lane.split('#').nth(1).unwrap_or_default();
    let found = model.subscriptions.iter().position(|one| one.id == id);
    let place = found.ok_or(format!("a lane of nobody: {lane}"))?;
    let subscription = &model.subscriptions[place];
    let mut sequences: Vec<u64> = deliveries.iter().map(|one| number(one, "sequence")).collect();
    sequences.sort_unstable();
    if !sequences.iter().copied().eq(1..=deliveries.len() as u64) {
        return Err(format!("sequence numbers of {lane}: {sequences:?}"));
    }
    let mut one_waits = false;
    for one in deliveries {
        let key = text(one, "sk").unwrap_or_default();
        let event = model.events().iter().find(|event| key.ends_with(&event.digest));
        let event = event.ok_or(format!("a delivery of what never happened: {key}"))?;
        let is_waiting = text(one, "state") == Some("pending");
        judge(one, event, place, subscription, model, one_waits)
            .map_err(|what| format!("event {} to {id} {what}: {one}", event.n))?;
        one_waits |= is_waiting;
        *match text(one, "state") {
            Some("delivered") => &mut ledger.delivered,
            Some("dead") => &mut ledger.dead,
            Some("superseded") => &mut ledger.superseded,
            _ => &mut ledger.waiting,
        } += 1;
    }
    Ok(())
}

/// Whether a delivery has a reason to be as it is.
fn judge(
    one: &Value,
    event: &Event,
    place: usize,
    subscription: &Subscription,
    model: &Model,
    one_waits: bool,
) -> Result<(), &'static str> {
    let posts = posts(one);
    if posts > subscription.attempts_max() {
        return Err("was tried too often");
    }
    let taken = model.received.taken.contains(&(place, event.n));
    match text(one, "state").unwrap_or_default() {
        "delivered" if !taken => Err("is delivered, and its endpoint knows nothing of it"),
        "delivered" => Ok(()),
        "dead" if posts > subscription.waits.len() || subscription.may_be_gone() => Ok(()),
        "dead" => Err("is dead before its time"),
        "superseded" if subscription.mode == Mode::Latest => Ok(()),
        "superseded" => Err("is superseded without a reason"),
        "pending" => {
            let is_set = |name: &str| one[name]["BOOL"].as_bool() == Some(true);
            let held = text(one, "due").is_some_and(|due| due.starts_with("HELD#"));
            let is_off =
                subscription.enabled.is_none_or(|(on, _)| !on) || subscription.said_gone > 0;
            match () {
                () if subscription.deleted_at.is_some() => Err("waits for what is gone"),
                () if is_set("halted") || (held && is_off) => Ok(()),
                () if is_set("behind") && one_waits => Ok(()),
                () => Err("waits for nothing"),
            }
        }
        _ => Err("is in no known state"),
    }
}

/// The attempts that have been made. That there was nobody to tell any more is written as one, too.
fn posts(one: &Value) -> usize {
    let attempts = one["attempts"]["L"].as_array().into_iter().flatten();
    let gave_up = [ErrorClass::Unsubscribed, ErrorClass::Expired].map(|class| Some(class.name()));
    let notes = attempts.filter(|one| gave_up.contains(&text(&one["M"], "error"))).count();
    (number(one, "attempts_made") as usize).saturating_sub(notes)
}

fn text<'a>(item: &'a Value, name: &str) -> Option<&'a str> {
    item[name]["S"].as_str()
}

fn number(item: &Value, name: &str) -> u64 {
    item[name]["N"].as_str().and_then(|number| number.parse().ok()).unwrap_or_default()
}

/// Calls DynamoDB, past faults and journal.
fn call(aws: &Aws, operation: &str, request: &Value) -> Value {
    let mut http = HttpRequest::new(SdkBody::from(request.to_string()));
    http.headers_mut().insert("x-amz-target", format!("DynamoDB_20120810.{operation}"));
    let answer = aws.call(http).now_or_never().and_then(Result::ok);
    let body = answer.as_ref().and_then(|answer| answer.body().bytes()).unwrap_or_default();
    serde_json::from_slice(body).unwrap_or_default()
}
