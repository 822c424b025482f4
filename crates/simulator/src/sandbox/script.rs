//! What happens to an order step by step.

use jiff::Timestamp;

use super::agenda::Due;
use super::disconnect;
use super::order::{Detail, Refused, Script, text};
use super::scenario::{Step, Wait};
use super::state::{SYSTEM, State};

impl State {
    /// Plans the next step, or waits for what it waits for.
    pub(super) fn go_on(&mut self, order: usize, now: Timestamp) {
        let script = &mut self.orders[order].script;
        let Some(step) = script.steps.get(script.next) else { return };
        script.waiting = step.wait;
        if script.waiting.is_none() {
            let version = script.version;
            self.agenda.put(now + step.after, Due::Step { order, version });
        }
    }

    /// Something came about that a script may wait for. Whether it did.
    pub(super) fn arrived(&mut self, order: usize, what: Wait, now: Timestamp) -> bool {
        let script = &mut self.orders[order].script;
        if script.waiting != Some(what) {
            return false;
        }
        script.waiting = None;
        if let Some(step) = script.steps.get(script.next) {
            let version = script.version;
            self.agenda.put(now + step.after, Due::Step { order, version });
        }
        true
    }

    /// From now on, this happens to the order, and nothing else.
    pub(super) fn rewrite(&mut self, order: usize, steps: Vec<Step>, now: Timestamp) {
        let script = &mut self.orders[order].script;
        let version = script.version + 1;
        *script = Script { steps, version, ..Script::default() };
        self.go_on(order, now);
    }

    /// The next step of a script, unless there is another script by now.
    pub(super) fn step(&mut self, order: usize, version: u32, now: Timestamp) {
        let script = &mut self.orders[order].script;
        if script.version != version {
            return;
        }
        let Some(step) = script.steps.get(script.next).cloned() else { return };
        script.next += 1;
        self.take(order, &step, now);
        self.go_on(order, now);
    }

    fn take(&mut self, order: usize, step: &Step, now: Timestamp) {
        if let Some(note) = &step.note {
            self.note(order, SYSTEM, note, now);
        }
        if matches!(self.orders[order].detail, Detail::Numbers(_)) {
            return self.supply(order, step, now);
        }
        let Some(to) = &step.state else { return };
        let (kind, from) = (self.orders[order].kind, self.orders[order].state.clone());
        if !kind.allows(&from, to) {
            return;
        }
        if kind.order_type == "disconnects" && kind.is_terminal(to) {
            let (state, message) = self.disconnect(order, step);
            return self.change(order, state, SYSTEM, message, now);
        }
        let message = self.blame(order, step);
        self.change(order, to, SYSTEM, message, now);
    }

    /// What a step says of its state. With a code, it is an error of the order.
    fn blame(&mut self, order: usize, step: &Step) -> Option<String> {
        let message = step.message.clone();
        let Some(code) = step.code else { return message };
        let refused = Refused::new(code, message.unwrap_or_default());
        let text = text(&refused);
        self.orders[order].errors = vec![refused];
        Some(text)
    }

    fn disconnect(&mut self, order: usize, step: &Step) -> (&'static str, Option<String>) {
        let found = disconnect::decide(&self.orders[order].numbers, &self.numbers, step);
        let order = &mut self.orders[order];
        (order.completed, order.errors) = (found.disconnected, found.failed);
        let message = order.errors.first().map(text);
        (found.state, message)
    }
}
