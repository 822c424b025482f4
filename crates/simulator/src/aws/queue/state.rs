//! What stands in the queues, by the time at which it can be received, and the journal of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Message, QueueSettings, receipt};
use crate::aws::journal::Journal;

/// The journal starts anew when it has this many lines, and most of them are of the past.
/// A start reads all of it.
const JOURNAL_LINES_MAX: usize = 4_000;

#[derive(Default)]
pub(super) struct State {
    pub(super) settings: HashMap<String, QueueSettings>,
    queues: HashMap<String, Contents>,
    next_id: u64,
    journal: Option<Journal>,
}

/// One queue.
#[derive(Default)]
pub(super) struct Contents {
    messages: BTreeMap<u64, Held>,
    /// By the time at which they can be received.
    by_time: BTreeSet<(Timestamp, u64)>,
}

pub(super) struct Held {
    body: String,
    group: Option<String>,
    /// The end of its delay. After a restart it is visible from then on, whoever had received it.
    due_at: Timestamp,
    visible_at: Timestamp,
    receive_count: u32,
}

/// How many messages are in which state.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) visible: u64,
    pub(super) delayed: u64,
    pub(super) in_flight: u64,
}

impl State {
    pub(super) fn open(path: &Path) -> std::io::Result<State> {
        let (journal, lines) = Journal::open(path)?;
        let mut state = State { journal: Some(journal), ..State::default() };
        for line in lines {
            state.replay(&line);
        }
        Ok(state)
    }

    pub(super) fn contents(&self, name: &str) -> Option<&Contents> {
        self.queues.get(name)
    }

    pub(super) fn send(
        &mut self,
        name: &str,
        body: String,
        group: Option<String>,
        due_at: Timestamp,
    ) -> std::io::Result<u64> {
        let id = self.next_id;
        let held = Held { body, group, due_at, visible_at: due_at, receive_count: 0 };
        if let Some(journal) = &mut self.journal {
            journal.append(&sent(name, id, &held))?;
        }
        self.next_id += 1;
        self.queues.entry(name.into()).or_default().insert(id, held);
        Ok(id)
    }

    pub(super) fn receive(
        &mut self,
        name: &str,
        max: usize,
        now: Timestamp,
        hidden_for: Option<SignedDuration>,
    ) -> Vec<Message> {
        let Some(settings) = self.settings.get(name).cloned() else { return Vec::new() };
        let until = now + hidden_for.unwrap_or(settings.visibility_timeout);
        // Chosen before any is hidden: a timeout of zero would give one of them twice.
        let mut ids = self.visible(name, max, now);
        if let Some((most, dead)) = &settings.max_receive_count {
            while let Some(spent) = ids.iter().find(|id| self.receives(name, **id) >= *most) {
                self.bury(name, *spent, dead, now);
                ids = self.visible(name, max, now);
            }
        }
        if ids.is_empty() {
            return Vec::new();
        }
        self.note(&json!({ "queue": name, "received": ids }));
        let contents = self.queues.entry(name.into()).or_default();
        let received = ids.into_iter().filter_map(|id| contents.hide(id, until)).collect();
        self.compact();
        received
    }

    /// A message may also be deleted by the receipt of an earlier receive. (SQS leaves open whether
    /// that works.)
    pub(super) fn delete(&mut self, name: &str, id: u64) {
        if self.queues.get_mut(name).and_then(|contents| contents.remove(id)).is_some() {
            self.note(&json!({ "queue": name, "deleted": id }));
            self.compact();
        }
    }

    /// Moves the time at which a message can be received; false unless it is in flight by that
    /// receive.
    pub(super) fn show_at(
        &mut self,
        name: &str,
        id: u64,
        receive: u32,
        now: Timestamp,
        at: Timestamp,
    ) -> bool {
        let Some(contents) = self.queues.get_mut(name) else { return false };
        let in_flight = contents
            .messages
            .get(&id)
            .is_some_and(|held| held.receive_count == receive && held.visible_at > now);
        if in_flight {
            contents.show_at(id, at);
        }
        in_flight
    }

    /// Up to `max` that can be received, those that wait longest first.
    fn visible(&self, name: &str, max: usize, now: Timestamp) -> Vec<u64> {
        let by_time = self.queues.get(name).into_iter().flat_map(|contents| &contents.by_time);
        by_time.take_while(|(at, _)| *at <= now).take(max).map(|(_, id)| *id).collect()
    }

    fn receives(&self, name: &str, id: u64) -> u32 {
        let held = self.queues.get(name).and_then(|contents| contents.messages.get(&id));
        held.map_or(0, |held| held.receive_count)
    }

    fn bury(&mut self, name: &str, id: u64, dead: &str, now: Timestamp) {
        // One line for both queues, so that no kill leaves the message in both or in neither.
        self.note(&json!({ "queue": name, "buried": id, "in": dead, "at": now.to_string() }));
        self.move_to(name, id, dead, now);
    }

    fn move_to(&mut self, name: &str, id: u64, dead: &str, now: Timestamp) {
        if let Some(held) = self.queues.get_mut(name).and_then(|contents| contents.remove(id)) {
            let held = Held { due_at: now, visible_at: now, receive_count: 0, ..held };
            self.queues.entry(dead.into()).or_default().insert(id, held);
        }
    }

    /// Writes a line that may get lost: then a message comes again, as SQS itself lets it.
    fn note(&mut self, line: &Value) {
        if let Some(journal) = &mut self.journal {
            let _ = journal.append(line);
        }
    }

    fn compact(&mut self) {
        let Some(journal) = &mut self.journal else { return };
        let live: usize = self.queues.values().map(Contents::len).sum();
        if journal.lines() < JOURNAL_LINES_MAX.max(4 * live) {
            return;
        }
        let lines = self.queues.iter().flat_map(|(name, contents)| {
            contents.messages.iter().map(move |(id, held)| sent(name, *id, held))
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
        let at = line["at"].as_str().and_then(|at| at.parse().ok());
        if let (Some(id), Some(held)) = (line["sent"].as_u64(), at.and_then(|at| held(line, at))) {
            self.next_id = self.next_id.max(id + 1);
            self.queues.entry(name.into()).or_default().insert(id, held);
        }
        if let (Some(id), Some(dead), Some(at)) = (line["buried"].as_u64(), line["in"].as_str(), at)
        {
            self.move_to(name, id, dead, at);
        }
        let Some(contents) = self.queues.get_mut(name) else { return };
        if let Some(id) = line["deleted"].as_u64() {
            contents.remove(id);
        }
        for id in line["received"].as_array().into_iter().flatten().filter_map(Value::as_u64) {
            if let Some(held) = contents.messages.get_mut(&id) {
                held.receive_count += 1;
            }
        }
    }
}

impl Contents {
    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(super) fn next_visible_at(&self) -> Option<Timestamp> {
        self.by_time.first().map(|(at, _)| *at)
    }

    pub(super) fn messages(&self) -> Vec<Message> {
        self.messages.iter().map(|(id, held)| held.message(*id)).collect()
    }

    pub(super) fn counts(&self, now: Timestamp) -> Counts {
        let mut counts = Counts::default();
        for held in self.messages.values() {
            match held.visible_at > now {
                false => counts.visible += 1,
                true if held.receive_count == 0 => counts.delayed += 1,
                true => counts.in_flight += 1,
            }
        }
        counts
    }

    fn insert(&mut self, id: u64, held: Held) {
        self.by_time.insert((held.visible_at, id));
        self.messages.insert(id, held);
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
        Some(held.message(id))
    }
}

impl Held {
    fn message(&self, id: u64) -> Message {
        Message {
            id: id.to_string(),
            receipt: receipt(id, self.receive_count),
            body: self.body.clone(),
            group: self.group.clone(),
            receive_count: self.receive_count,
        }
    }
}

fn sent(name: &str, id: u64, held: &Held) -> Value {
    json!({
        "queue": name,
        "sent": id,
        "body": held.body,
        "group": held.group,
        "at": held.due_at.to_string(),
        "receives": held.receive_count,
    })
}

fn held(line: &Value, due_at: Timestamp) -> Option<Held> {
    Some(Held {
        body: line["body"].as_str()?.into(),
        group: line["group"].as_str().map(str::to_owned),
        due_at,
        visible_at: due_at,
        receive_count: line["receives"].as_u64().and_then(|n| n.try_into().ok()).unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::{JOURNAL_LINES_MAX, QueueSettings, State};
    use jiff::{SignedDuration, Timestamp};

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn with_queue(mut state: State) -> State {
        let settings = QueueSettings {
            visibility_timeout: SignedDuration::from_secs(30),
            max_receive_count: None,
        };
        state.settings.insert("q".into(), settings);
        state
    }

    fn filled(messages: i64) -> State {
        let mut state = with_queue(State::default());
        for nth in 0..messages {
            let due_at = NOW + SignedDuration::from_millis(nth % 7);
            state.send("q", "x".into(), None, due_at).unwrap();
        }
        state
    }

    /// Receives and deletes; how many messages there were.
    fn work_off(state: &mut State, receives: usize) -> usize {
        let later = NOW + SignedDuration::from_secs(1);
        let mut count = 0;
        for _ in 0..receives {
            for message in state.receive("q", 10, later, None) {
                count += 1;
                state.delete("q", message.id.parse().unwrap());
            }
        }
        count
    }

    #[test]
    fn every_message_of_a_long_queue_is_received_once() {
        let mut state = filled(20_000);
        assert_eq!(work_off(&mut state, 3_000), 20_000);
        assert_eq!((state.queues["q"].len(), state.queues["q"].by_time.len()), (0, 0));
    }

    #[test]
    fn a_journal_of_the_past_shrinks_and_forgets_no_message() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("queues");
        let mut state = with_queue(State::open(&path).unwrap());
        state.send("q", "kept".into(), Some("g".into()), NOW).unwrap();
        assert_eq!(state.receive("q", 1, NOW, None).len(), 1);
        let mut longest = 0;
        for _ in 0..JOURNAL_LINES_MAX {
            let id = state.send("q", "gone".into(), None, NOW).unwrap();
            state.delete("q", id);
            longest = longest.max(state.journal.as_ref().unwrap().lines());
        }
        assert!(longest < JOURNAL_LINES_MAX, "twice as many lines were written");
        let next_id = state.next_id;
        drop(state);

        let mut state = with_queue(State::open(&path).unwrap());
        assert_eq!(state.next_id, next_id, "an id is not given twice");
        let again = state.receive("q", 10, NOW, None);
        assert_eq!(again.len(), 1);
        assert_eq!((again[0].body.as_str(), again[0].receive_count), ("kept", 2));
        assert_eq!(again[0].group.as_deref(), Some("g"));
    }
}
