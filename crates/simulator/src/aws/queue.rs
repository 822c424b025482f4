//! SQS: standard queues with delays, visibility and dead letters, on the injected clock.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::Reply;
use super::journal::Journal;
use crate::Clock;

const URL_START: &str = "https://sqs.us-east-1.amazonaws.com/000000000000/";

/// AWS's quotas for a message: 900 s of delay, 1 MiB.
const DELAY_SECONDS_MAX: i64 = 900;
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// The journal starts anew when it has this many lines, and most of them are of the past.
const JOURNAL_LINES_MAX: usize = 20_000;

#[derive(Debug, Clone)]
pub struct QueueSettings {
    /// For how long a message that was received is hidden.
    pub visibility_timeout: SignedDuration,
    /// After so many receives a message goes to the queue of that name.
    pub max_receive_count: Option<(u32, String)>,
}

/// A message, as its receiver sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub id: String,
    pub receipt: String,
    pub body: String,
    pub receive_count: u32,
}

/// All queues of an account.
pub(super) struct Queues {
    clock: Clock,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    settings: HashMap<String, QueueSettings>,
    queues: HashMap<String, Contents>,
    next_id: u64,
    journal: Option<Journal>,
}

#[derive(Default)]
struct Contents {
    messages: BTreeMap<u64, Held>,
    /// By the time at which they can be received.
    by_time: BTreeSet<(Timestamp, u64)>,
}

struct Held {
    body: String,
    visible_at: Timestamp,
    receive_count: u32,
}

/// A queue, as its poller sees it: what Lambda does with it.
pub struct Queue<'a> {
    queues: &'a Queues,
    name: String,
}

impl<'a> Queue<'a> {
    pub(super) fn new(queues: &'a Queues, name: &str) -> Queue<'a> {
        Queue { queues, name: name.into() }
    }

    /// Takes up to `max` messages; each is hidden until it is deleted, released, or its time is up.
    pub fn receive(&self, max: usize) -> Vec<Message> {
        self.queues.receive(&self.name, max)
    }

    pub fn delete(&self, receipt: &str) {
        self.queues.delete(&self.name, receipt);
    }

    /// Makes a message visible at once.
    pub fn release(&self, receipt: &str) {
        self.queues.release(&self.name, receipt);
    }

    /// When the next message can be received; `None` when the queue is empty.
    pub fn next_visible_at(&self) -> Option<Timestamp> {
        let state = self.queues.state();
        state.queues.get(&self.name)?.by_time.first().map(|(at, _)| *at)
    }

    /// Waits until a message can be received.
    pub async fn ready(&self) {
        loop {
            let changed = self.queues.changed.notified();
            match self.next_visible_at() {
                Some(at) if at <= self.queues.clock.now() => return,
                Some(at) => {
                    tokio::select! {
                        () = self.queues.clock.until(at) => {}
                        () = changed => {}
                    }
                }
                None => changed.await,
            }
        }
    }

    /// How many messages there are, visible or not.
    pub fn len(&self) -> usize {
        self.queues.state().queues.get(&self.name).map_or(0, |contents| contents.messages.len())
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bodies of all messages, oldest first.
    pub fn bodies(&self) -> Vec<String> {
        let state = self.queues.state();
        let contents = state.queues.get(&self.name);
        contents
            .map(|all| all.messages.values().map(|held| held.body.clone()).collect())
            .unwrap_or_default()
    }
}

impl Queues {
    pub(super) fn new(clock: Clock) -> Queues {
        Queues { clock, state: Mutex::default(), changed: Notify::new() }
    }

    /// What was received and not deleted is there again.
    pub(super) fn in_folder(folder: &Path, clock: Clock) -> std::io::Result<Queues> {
        let (journal, lines) = Journal::open(&folder.join("queues"))?;
        let mut state = State::default();
        for line in lines {
            state.replay(&line);
        }
        state.journal = Some(journal);
        Ok(Queues { clock, state: Mutex::new(state), changed: Notify::new() })
    }

    pub(super) fn create(&self, name: &str, settings: QueueSettings) -> String {
        self.state().settings.insert(name.into(), settings);
        format!("{URL_START}{name}")
    }

    /// Answers one operation of SQS.
    pub(super) fn answer(&self, operation: &str, body: &str) -> Reply {
        let request: Value = serde_json::from_str(body).unwrap_or_default();
        let url = request["QueueUrl"].as_str().unwrap_or_default();
        // A queue's URL is its name behind any host, so that it can be reached over HTTP too.
        let name = url.rsplit('/').next().unwrap_or_default().to_owned();
        if !self.state().settings.contains_key(&name) {
            return Reply::error(400, "com.amazonaws.sqs#QueueDoesNotExist", "no such queue");
        }
        let done = match operation {
            "SendMessage" => self.send(&name, &request),
            "ReceiveMessage" => Ok(self.receive_json(&name, &request)),
            "DeleteMessage" => {
                self.delete(&name, request["ReceiptHandle"].as_str().unwrap_or_default());
                Ok(json!({}))
            }
            "GetQueueAttributes" => Ok(self.attributes(&name)),
            "SendMessageBatch" | "DeleteMessageBatch" => Ok(self.batch(&name, operation, &request)),
            unknown => Err(format!("no operation {unknown}")),
        };
        match done {
            Ok(answer) => Reply { status: 200, body: answer.to_string() },
            Err(reason) => Reply::error(400, "com.amazonaws.sqs#InvalidParameterValue", &reason),
        }
    }

    fn send(&self, name: &str, request: &Value) -> Result<Value, String> {
        let body = request["MessageBody"].as_str().unwrap_or_default();
        let delay = request["DelaySeconds"].as_i64().unwrap_or_default();
        if !(0..=DELAY_SECONDS_MAX).contains(&delay) {
            return Err(format!("DelaySeconds is not within 0 and {DELAY_SECONDS_MAX}"));
        }
        if body.is_empty() || body.len() > BODY_BYTES_MAX {
            return Err(format!("MessageBody has not 1 to {BODY_BYTES_MAX} bytes"));
        }
        if !body.chars().all(xml_allows) {
            return Err("MessageBody has characters that XML does not allow".into());
        }
        let visible_at = self.clock.now() + SignedDuration::from_secs(delay);
        let id = self.state().put(name, body.into(), visible_at, 0).map_err(|e| e.to_string())?;
        self.changed.notify_waiters();
        Ok(json!({ "MessageId": id.to_string() }))
    }

    fn batch(&self, name: &str, operation: &str, request: &Value) -> Value {
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for entry in request["Entries"].as_array().into_iter().flatten() {
            let done = match operation {
                "SendMessageBatch" => self.send(name, entry),
                _ => {
                    self.delete(name, entry["ReceiptHandle"].as_str().unwrap_or_default());
                    Ok(json!({}))
                }
            };
            match done {
                Ok(mut one) => {
                    one["Id"] = entry["Id"].clone();
                    successful.push(one);
                }
                Err(reason) => failed.push(json!({
                    "Id": entry["Id"], "SenderFault": true, "Code": "InvalidParameterValue", "Message": reason
                })),
            }
        }
        json!({ "Successful": successful, "Failed": failed })
    }

    fn receive_json(&self, name: &str, request: &Value) -> Value {
        let max = request["MaxNumberOfMessages"].as_u64().unwrap_or(1).clamp(1, 10);
        let messages = self.receive(name, max as usize).into_iter().map(|message| {
            json!({
                "MessageId": message.id,
                "ReceiptHandle": message.receipt,
                "Body": message.body,
                "Attributes": { "ApproximateReceiveCount": message.receive_count.to_string() },
            })
        });
        json!({ "Messages": messages.collect::<Vec<_>>() })
    }

    fn attributes(&self, name: &str) -> Value {
        let now = self.clock.now();
        let state = self.state();
        let held = || state.queues.get(name).into_iter().flat_map(|all| all.messages.values());
        let visible = held().filter(|held| held.visible_at <= now).count();
        let delayed =
            held().filter(|held| held.visible_at > now && held.receive_count == 0).count();
        let in_flight = held().count() - visible - delayed;
        json!({ "Attributes": {
            "ApproximateNumberOfMessages": visible.to_string(),
            "ApproximateNumberOfMessagesDelayed": delayed.to_string(),
            "ApproximateNumberOfMessagesNotVisible": in_flight.to_string(),
        }})
    }

    fn receive(&self, name: &str, max: usize) -> Vec<Message> {
        let now = self.clock.now();
        let mut state = self.state();
        let Some(settings) = state.settings.get(name).cloned() else { return Vec::new() };
        let mut received = Vec::new();
        while received.len() < max {
            let contents = state.queues.entry(name.into()).or_default();
            let Some((at, id)) = contents.by_time.first().copied() else { break };
            if at > now {
                break;
            }
            let receives = contents.messages.get(&id).map_or(0, |held| held.receive_count);
            match &settings.max_receive_count {
                Some((most, dead)) if receives >= *most => state.bury(name, id, dead, now),
                _ => received.extend(contents.hide(id, now + settings.visibility_timeout)),
            }
        }
        received
    }

    fn delete(&self, name: &str, receipt: &str) {
        if let Some(id) = id_in(receipt) {
            self.state().remove(name, id);
        }
    }

    fn release(&self, name: &str, receipt: &str) {
        let now = self.clock.now();
        if let (Some(id), Some(contents)) = (id_in(receipt), self.state().queues.get_mut(name)) {
            contents.show_at(id, now);
        }
        self.changed.notify_waiters();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn put(
        &mut self,
        name: &str,
        body: String,
        visible_at: Timestamp,
        receive_count: u32,
    ) -> std::io::Result<u64> {
        let id = self.next_id;
        if let Some(journal) = &mut self.journal {
            journal.append(&sent(name, id, &body, visible_at))?;
        }
        self.next_id += 1;
        self.queues.entry(name.into()).or_default().insert(id, body, visible_at, receive_count);
        Ok(id)
    }

    fn remove(&mut self, name: &str, id: u64) {
        let removed = self.queues.get_mut(name).and_then(|contents| contents.remove(id));
        if let (Some(_), Some(journal)) = (removed, &mut self.journal) {
            // A line that is lost makes the message come again, as SQS itself may.
            let _ = journal.append(&json!({ "queue": name, "deleted": id }));
        }
        self.compact();
    }

    fn bury(&mut self, name: &str, id: u64, dead: &str, now: Timestamp) {
        let body = self
            .queues
            .get(name)
            .and_then(|all| all.messages.get(&id))
            .map(|held| held.body.clone());
        if let Some(body) = body
            && self.put(dead, body, now, 0).is_ok()
        {
            self.remove(name, id);
        }
    }

    fn compact(&mut self) {
        let live: usize = self.queues.values().map(|contents| contents.messages.len()).sum();
        let Some(journal) = &mut self.journal else { return };
        if journal.lines() < JOURNAL_LINES_MAX.max(4 * live) {
            return;
        }
        let lines = self.queues.iter().flat_map(|(name, contents)| {
            let messages = contents.messages.iter();
            messages.map(move |(id, held)| sent(name, *id, &held.body, held.visible_at))
        });
        let next = json!({ "next_id": self.next_id });
        // The old journal stays where the new one cannot be written.
        let _ = journal.replace(lines.chain([next]));
    }

    fn replay(&mut self, line: &Value) {
        if let Some(next_id) = line["next_id"].as_u64() {
            self.next_id = self.next_id.max(next_id);
        }
        let name = line["queue"].as_str().unwrap_or_default();
        if let Some(id) = line["deleted"].as_u64()
            && let Some(contents) = self.queues.get_mut(name)
        {
            contents.remove(id);
        }
        if let (Some(id), Some(body)) = (line["sent"].as_u64(), line["body"].as_str())
            && let Some(at) = line["at"].as_str().and_then(|at| at.parse().ok())
        {
            self.next_id = self.next_id.max(id + 1);
            self.queues.entry(name.into()).or_default().insert(id, body.into(), at, 0);
        }
    }
}

impl Contents {
    fn insert(&mut self, id: u64, body: String, visible_at: Timestamp, receive_count: u32) {
        self.by_time.insert((visible_at, id));
        self.messages.insert(id, Held { body, visible_at, receive_count });
    }

    fn remove(&mut self, id: u64) -> Option<Held> {
        let held = self.messages.remove(&id)?;
        self.by_time.remove(&(held.visible_at, id));
        Some(held)
    }

    fn show_at(&mut self, id: u64, at: Timestamp) {
        if let Some(held) = self.messages.get_mut(&id) {
            self.by_time.remove(&(held.visible_at, id));
            held.visible_at = at;
            self.by_time.insert((at, id));
        }
    }

    fn hide(&mut self, id: u64, until: Timestamp) -> Option<Message> {
        self.show_at(id, until);
        let held = self.messages.get_mut(&id)?;
        held.receive_count += 1;
        Some(Message {
            id: id.to_string(),
            receipt: format!("{id}.{}", held.receive_count),
            body: held.body.clone(),
            receive_count: held.receive_count,
        })
    }
}

fn sent(name: &str, id: u64, body: &str, visible_at: Timestamp) -> Value {
    json!({ "queue": name, "sent": id, "body": body, "at": visible_at.to_string() })
}

fn id_in(receipt: &str) -> Option<u64> {
    receipt.split('.').next()?.parse().ok()
}

/// The characters of a message, by the `Char` production of XML 1.0. (AWS: SQS SendMessage.)
fn xml_allows(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}
