//! Lambda's pollers: of the stream, one batch at a time, and of the queues.

use jiff::Timestamp;
use relay::inbox;
use simulator::aws::Message;

use super::{Outcome, Run};
use crate::simulation::tasks::Role;
use crate::world::{ASIDE, INBOX, WAKES};

/// Handlers of one function at a time.
const DELIVERS_MAX: usize = 8;
const INBOXES_MAX: usize = 2;

impl Run {
    pub(super) fn poll_the_stream(&mut self, now: Timestamp) {
        if self.tasks.count(Role::Fanout) > 0 || now < self.next.stream {
            return;
        }
        let first = self.scene.aws.stream().first();
        if first.is_none() || !self.scene.draw.chance(0.2) {
            return;
        }
        let world = self.world.clone();
        self.tasks.spawn(Role::Fanout, now, async move {
            world.fan_out_batch().await;
            Outcome::FannedOut { first }
        });
    }

    pub(super) fn poll_the_queues(&mut self, now: Timestamp) {
        let scene = self.scene.clone();
        let twice = scene.weather().twice;
        let waits = |name| scene.aws.queue(name).next_visible_at().is_some_and(|at| at <= now);
        for queue in [WAKES, ASIDE] {
            let is_free = self.tasks.count(Role::Deliver) < DELIVERS_MAX;
            if !waits(queue) || !is_free || !scene.draw.chance(0.2) {
                continue;
            }
            let mut wakes = self.world.receive_wakes(queue, scene.draw.within(1..6));
            while !wakes.is_empty() {
                // In whatever order.
                let wake = wakes.swap_remove(scene.draw.within(0..wakes.len()));
                if scene.draw.chance(twice) {
                    scene.count("fault: message given twice");
                    let delay = scene.draw.seconds(0..120);
                    if let Err(error) = scene.aws.queue(queue).keep_copy(&wake, delay) {
                        scene.break_with(format!("a queue has no place: {error}"));
                    }
                }
                self.deliver(queue, wake);
            }
        }
        if waits(INBOX) && self.tasks.count(Role::Inbox) < INBOXES_MAX {
            for message in scene.aws.queue(INBOX).receive(1) {
                let inbox = self.world.inbox.clone();
                self.tasks.spawn(Role::Inbox, now, async move {
                    let done = inbox::one(&inbox, &message.body).await.is_ok();
                    Outcome::FromInbox { message, done }
                });
            }
        }
    }

    pub(super) fn deliver(&mut self, queue: &'static str, wake: Message) {
        let world = self.world.clone();
        let now = self.now();
        self.tasks.spawn(Role::Deliver, now, async move {
            world.handle_wake(queue, &wake).await;
            Outcome::Over
        });
    }
}
