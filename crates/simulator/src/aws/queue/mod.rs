//! SQS: standard queues with delays, visibility and dead letters, on the injected clock.
//!
//! Here is what a poller does with them, as Lambda would; `wire` answers the SDK.

mod state;
mod wire;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use super::meter::Meter;
use crate::Clock;
use state::State;

pub(super) use wire::{name_in, payload};

const URL_START: &str = "https://sqs.us-east-1.amazonaws.com/000000000000/";

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
    /// It keeps its id among the dead letters.
    pub id: String,
    /// Of its last receive.
    pub receipt: String,
    pub body: String,
    /// Its MessageGroupId, by which fair queues are fair.
    pub group: Option<String>,
    pub receive_count: u32,
}

/// All queues of an account.
pub(super) struct Queues {
    clock: Clock,
    state: Mutex<State>,
    changed: Notify,
}

/// A queue, as its poller sees it. Faults do not meet it.
pub struct Queue<'a> {
    queues: &'a Queues,
    meter: &'a Meter,
    name: String,
}

impl<'a> Queue<'a> {
    pub(super) fn new(queues: &'a Queues, meter: &'a Meter, name: &str) -> Queue<'a> {
        Queue { queues, meter, name: name.into() }
    }

    /// Takes up to `max` messages; each is hidden until it is deleted, released, or its time is up.
    #[inline(never)] // infra/bench/own.py counts what is below it.
    pub fn receive(&self, max: usize) -> Vec<Message> {
        let received = self.queues.receive(&self.name, max, None);
        if !received.is_empty() {
            self.meter.queue(received.iter().map(|message| message.body.len()).sum());
        }
        received
    }

    /// Keeps a copy of a message, and gives it too after `delay`, as SQS does now and then: the copy is
    /// deleted, or given again, by itself.
    pub fn keep_copy(&self, message: &Message, delay: SignedDuration) -> std::io::Result<()> {
        let due_at = self.queues.clock.now() + delay;
        let (body, group) = (message.body.clone(), message.group.clone());
        self.queues.state().send(&self.name, body, group, due_at)?;
        self.queues.changed.notify_waiters();
        Ok(())
    }

    #[inline(never)] // infra/bench/own.py counts what is below it.
    pub fn delete(&self, receipt: &str) {
        if let Some((id, _)) = parse(receipt) {
            self.meter.queue(0);
            self.queues.state().delete(&self.name, id);
        }
    }

    /// Makes a message visible at once, unless it has been received again since.
    pub fn release(&self, receipt: &str) {
        if let Some((id, receive)) = parse(receipt) {
            self.queues.show_after(&self.name, id, receive, SignedDuration::ZERO);
        }
    }

    /// When the next message can be received; `None` when the queue is empty.
    pub fn next_visible_at(&self) -> Option<Timestamp> {
        self.queues.state().contents(&self.name)?.next_visible_at()
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
        self.queues.state().contents(&self.name).map_or(0, |contents| contents.len())
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All messages, visible or not, oldest first. Looking at them receives none.
    pub fn messages(&self) -> Vec<Message> {
        self.queues.state().contents(&self.name).map_or_else(Vec::new, |all| all.messages())
    }

    /// The bodies of all messages, oldest first.
    pub fn bodies(&self) -> Vec<String> {
        self.messages().into_iter().map(|message| message.body).collect()
    }
}

impl Queues {
    pub(super) fn new(clock: Clock) -> Queues {
        Queues { clock, state: Mutex::default(), changed: Notify::new() }
    }

    /// What was received and not deleted is there again.
    pub(super) fn in_folder(folder: &Path, clock: Clock) -> std::io::Result<Queues> {
        let state = Mutex::new(State::open(&folder.join("queues"))?);
        Ok(Queues { clock, state, changed: Notify::new() })
    }

    pub(super) fn create(&self, name: &str, settings: QueueSettings) -> String {
        self.state().settings.insert(name.into(), settings);
        format!("{URL_START}{name}")
    }

    /// `hidden_for` takes the place of the queue's own visibility timeout.
    fn receive(&self, name: &str, max: usize, hidden_for: Option<SignedDuration>) -> Vec<Message> {
        self.state().receive(name, max, self.clock.now(), hidden_for)
    }

    /// Whether it is still in flight by that receive.
    fn show_after(&self, name: &str, id: u64, receive: u32, wait: SignedDuration) -> bool {
        let now = self.clock.now();
        let shown = self.state().show_at(name, id, receive, now, now + wait);
        self.changed.notify_waiters();
        shown
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A receipt names one receive of one message.
fn receipt(id: u64, receive: u32) -> String {
    format!("{id}.{receive}")
}

fn parse(receipt: &str) -> Option<(u64, u32)> {
    let (id, receive) = receipt.split_once('.')?;
    Some((id.parse().ok()?, receive.parse().ok()?))
}
