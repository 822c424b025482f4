//! A lane as the model sees it, and what may be said of it.

use std::sync::LazyLock;

use domain::delivery::{Delivery, State};
use domain::event::EventKey;
use jiff::{SignedDuration, Timestamp};

use super::fanout::Fanout;
use super::handler::{Handler, Step};
use super::{Bug, Case};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Lane {
    /// How many arrivals have been fanned out.
    pub(super) fanned_out: usize,
    pub(super) fanout: Fanout,
    /// The delivery of each event, by its number less one.
    pub(super) items: Vec<Option<Item>>,
    pub(super) wakes: Vec<Wake>,
    pub(super) handlers: Vec<Handler>,
    pub(super) crashes: u8,
    pub(super) duplicates: u8,
    pub(super) failures: u8,
    pub(super) opens: u8,
    pub(super) revivals: u8,
    pub(super) hurries: u8,
    pub(super) switches: u8,
    /// The tenant wants nothing at present: what comes up is laid aside.
    pub(super) disabled: bool,
    pub(super) breaker: Breaker,
    pub(super) live: Posts,
    pub(super) revived: Posts,
    /// POSTs of what is live, but the first of each event.
    pub(super) repeats: u8,
}

/// More repeated POSTs are not told apart.
const REPEATS_MAX: u8 = 3;

/// What has been POSTed: no more of it than is asked for, or one state would be thousands.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Posts {
    /// One bit for each event.
    told: u16,
    /// Of the events that were not late.
    newest: u8,
    /// One that was not late was POSTed after a newer one.
    out_of_order: bool,
}

impl Posts {
    fn with(self, event: u8, late: bool) -> Posts {
        let bit = 1 << event;
        let told = self.told | bit;
        if late || self.told == told {
            return Posts { told, ..self };
        }
        let out_of_order = self.out_of_order || event < self.newest;
        Posts { told, newest: self.newest.max(event), out_of_order }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Item {
    pub(super) pending: bool,
    pub(super) behind: bool,
    /// Another was put behind it.
    pub(super) followed: bool,
    pub(super) late: bool,
    pub(super) attempts: u8,
    pub(super) revivals: u8,
    /// Pending: the next attempt is still to come. Finished: not long ago. It may end at any moment.
    pub(super) timer: bool,
    pub(super) rest: Rest,
    pub(super) sequence: u64,
    pub(super) last_sequence: u64,
}

/// Where `schedule` finds a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Rest {
    Nowhere,
    /// It is woken when its timer has ended.
    Parked,
    /// It is laid aside while the breaker is open, or the subscription disabled.
    Held,
    /// It has been let go, or revived, and is woken soon.
    Released,
    /// It has been woken, and stands there until a handler writes.
    Woken,
}

/// Where a delivery stood among those that `schedule` wakes. It never comes to the same place twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Due {
    Nowhere,
    Here,
    Elsewhere,
}

impl Due {
    pub(super) fn at_ms(self) -> Option<i64> {
        match self {
            Due::Nowhere => None,
            Due::Here => Some(1),
            Due::Elsewhere => Some(2),
        }
    }
}

/// The endpoint's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Breaker {
    pub(super) open: bool,
    /// `schedule` has not yet let go of all that was laid aside, for its sake or while the subscription
    /// was disabled.
    pub(super) listed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Wake {
    pub(super) event: u8,
    pub(super) attempt: u8,
    pub(super) revivals: u8,
    /// Where the delivery stood when this was sent.
    pub(super) due: Due,
    /// Who had it before has died.
    pub(super) came_back: bool,
}

pub(super) fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

/// Made once: most of the time would go into it.
static KEYS: LazyLock<Vec<EventKey>> = LazyLock::new(|| {
    let at = |event| now() + SignedDuration::from_secs(event);
    (0..EVENTS_MAX).map(|event| EventKey::new(at(event), &"0".repeat(32))).collect()
});

const EVENTS_MAX: i64 = 16;

pub(super) fn key(event: u8) -> EventKey {
    KEYS[usize::from(event)].clone()
}

impl Item {
    /// As fan-out puts it.
    pub(super) fn new(behind: bool, late: bool, sequence: u64) -> Item {
        Item {
            pending: true,
            behind,
            followed: false,
            late,
            attempts: 0,
            revivals: 0,
            timer: false,
            rest: Rest::Nowhere,
            sequence,
            last_sequence: sequence,
        }
    }

    /// The wake that it needs as it stands.
    pub(super) fn wake(self, event: u8) -> Wake {
        let Item { attempts: attempt, revivals, .. } = self;
        Wake { event, attempt, revivals, due: self.due(), came_back: false }
    }

    pub(super) fn due(self) -> Due {
        if self.rest == Rest::Nowhere { Due::Nowhere } else { Due::Here }
    }

    pub(super) fn is_revived(self) -> bool {
        self.revivals > 0
    }

    /// As the product sees it.
    pub(super) fn delivery(self, event: u8) -> Delivery {
        let soon = match self.rest {
            Rest::Parked => SignedDuration::from_hours(1),
            _ => SignedDuration::from_secs(9),
        };
        Delivery {
            key: key(event),
            tenant: String::new(),
            upstream: String::new(),
            state: if self.pending { State::Pending } else { State::Delivered },
            behind: self.behind,
            attempts_made: self.attempts.into(),
            attempts_before: 0,
            halted: false,
            revivals: self.revivals.into(),
            next_at: (self.pending && self.timer).then(|| now() + soon),
            due_at: self.due().at_ms().map(|at| now() + SignedDuration::from_millis(at)),
            slot_at: None,
            finished_at: (!self.pending && self.timer).then(now),
            sequence: self.sequence,
            last_sequence: self.last_sequence,
            late: self.late,
            stateless: false,
        }
    }
}

impl Lane {
    pub(super) fn new(case: &Case) -> Lane {
        Lane {
            fanned_out: 0,
            fanout: Fanout::Read,
            items: vec![None; case.arrivals.len()],
            wakes: vec![],
            handlers: vec![],
            crashes: case.crashes,
            duplicates: case.duplicates,
            failures: case.failures,
            opens: case.opens,
            revivals: case.revivals,
            hurries: case.hurries,
            switches: case.switches,
            disabled: false,
            breaker: Breaker { open: false, listed: false },
            live: Posts::default(),
            revived: Posts::default(),
            repeats: 0,
        }
    }

    pub(super) fn item(&self, event: u8) -> Option<Item> {
        self.items[usize::from(event) - 1]
    }

    pub(super) fn with_item(mut self, event: u8, item: Item) -> Lane {
        let before = self.items[usize::from(event) - 1].replace(item);
        if item.rest == Rest::Nowhere && before.is_some_and(|before| before.rest != Rest::Nowhere) {
            self.leave(event);
        }
        self
    }

    /// Whatever was sent for a delivery was sent for where it no longer is.
    fn leave(&mut self, event: u8) {
        let of_handlers = self.handlers.iter_mut().flat_map(|handler| {
            handler.message.iter_mut().chain(std::iter::once(&mut handler.wake))
        });
        let of_fanout = match &mut self.fanout {
            Fanout::Send { wake } => Some(wake),
            _ => None,
        };
        for wake in self.wakes.iter_mut().chain(of_handlers).chain(of_fanout) {
            if wake.event == event && wake.due == Due::Here {
                wake.due = Due::Elsewhere;
            }
        }
        self.wakes.sort();
        self.handlers.sort();
    }

    /// Lays a delivery aside, or lets go of it.
    pub(super) fn with_place(mut self, event: u8, rest: Rest) -> Lane {
        for handler in self.handlers.iter_mut().filter(|handler| handler.wake.event == event) {
            handler.in_place = false;
        }
        self.leave(event);
        let Some(item) = self.item(event) else { return self };
        let laid_aside = Item { timer: false, behind: false, ..item };
        let item = if rest == Rest::Held { laid_aside } else { item };
        self.with_item(event, Item { rest, ..item })
    }

    /// Wakes a delivery as it stands.
    fn woken(self, event: u8) -> Lane {
        match self.item(event) {
            Some(item) => self.with_wake(item.wake(event)),
            None => self,
        }
    }

    pub(super) fn with_wake(mut self, wake: Wake) -> Lane {
        self.wakes.push(wake);
        self.wakes.sort();
        self
    }

    pub(super) fn with_handler(mut self, handler: Handler) -> Lane {
        self.handlers.push(handler);
        self.handlers.sort();
        self
    }

    pub(super) fn without(mut self, handler: usize) -> Lane {
        self.handlers.remove(handler);
        self
    }

    /// The newest delivery up to and including an event.
    pub(super) fn newest(&self, until: u8) -> Option<(u8, Item)> {
        (1..=until).rev().find_map(|event| self.item(event).map(|item| (event, item)))
    }

    pub(super) fn after(&self, case: &Case) -> Vec<Lane> {
        let mut next = Vec::new();
        self.fan_out(case, &mut next);
        self.start_handlers(&mut next);
        self.let_time_pass(&mut next);
        self.switch(&mut next);
        self.mind_the_breaker(case, &mut next);
        self.revive(case, &mut next);
        self.hurry(&mut next);
        for handler in 0..self.handlers.len() {
            self.handle(case, handler, &mut next);
        }
        next
    }

    fn let_time_pass(&self, next: &mut Vec<Lane>) {
        for event in 1..=self.items.len() as u8 {
            let Some(item) = self.item(event).filter(|item| item.timer) else { continue };
            let parked = item.rest == Rest::Parked;
            let rest = if parked { Rest::Woken } else { item.rest };
            let due = self.clone().with_item(event, Item { timer: false, rest, ..item });
            next.push(match parked {
                true => due.with_wake(item.wake(event)),
                false => due,
            });
        }
    }

    /// The tenant disables the subscription, or enables it again; either forgets how its endpoint was.
    fn switch(&self, next: &mut Vec<Lane>) {
        if self.switches > 0 {
            let breaker = Breaker { open: false, listed: self.disabled };
            let (switches, disabled) = (self.switches - 1, !self.disabled);
            next.push(Lane { switches, disabled, breaker, ..self.clone() });
        }
    }

    /// The breaker opens; `schedule` sends probes, and lets go of what was laid aside.
    fn mind_the_breaker(&self, case: &Case, next: &mut Vec<Lane>) {
        let Breaker { open, listed } = self.breaker;
        if self.opens > 0 && !open && !self.disabled {
            let breaker = Breaker { open: true, listed: true };
            next.push(Lane { opens: self.opens - 1, breaker, ..self.clone() });
        }
        for event in 1..=self.items.len() as u8 {
            let Some(item) = self.item(event) else { continue };
            let wake = item.wake(event);
            match item.rest {
                Rest::Held if open && !self.wakes.contains(&wake) => {
                    next.push(self.clone().with_wake(wake));
                }
                Rest::Held if listed && !open => {
                    let released = self.clone().with_place(event, Rest::Released);
                    next.push(released.clone().woken(event));
                    next.push(released);
                }
                Rest::Released => {
                    let woken = self.clone().with_wake(wake);
                    next.push(woken.with_item(event, Item { rest: Rest::Woken, ..item }));
                }
                _ => {}
            }
        }
        // The last look comes when no handler goes any more by what was before.
        let unaware = self.handlers.iter().any(|handler| {
            matches!(handler.step, Step::Hold { .. } | Step::Post { probe: true, .. })
        });
        let may_end = !unaware || case.bug == Some(Bug::NoLastLook);
        if listed && !open && may_end && !self.has_at(Rest::Held) {
            let breaker = Breaker { open, listed: false };
            next.push(Lane { breaker, ..self.clone() });
        }
    }

    /// What is pending is made due at once, by hand.
    fn hurry(&self, next: &mut Vec<Lane>) {
        if self.hurries == 0 {
            return;
        }
        for event in 1..=self.items.len() as u8 {
            let item = self.item(event).filter(|item| item.pending && !item.behind);
            let Some(item) = item else { continue };
            let lane = Lane { hurries: self.hurries - 1, ..self.clone() };
            let due = lane.with_item(event, Item { timer: false, ..item });
            let due = due.with_place(event, Rest::Released);
            next.push(due.clone().woken(event));
            next.push(due);
        }
    }

    /// What is finished is delivered again: by a replay, one after the other, or by hand.
    fn revive(&self, case: &Case, next: &mut Vec<Lane>) {
        if self.revivals == 0 {
            return;
        }
        for event in 1..=self.items.len() as u8 {
            let Some(item) = self.item(event).filter(|item| !item.pending) else { continue };
            let is_next = (event..=self.items.len() as u8)
                .all(|event| self.item(event).is_none_or(|item| !item.is_revived()));
            if !case.by_hand && !is_next {
                continue;
            }
            let revivals = item.revivals + 1;
            let revived = Item { pending: true, behind: false, timer: false, revivals, ..item };
            let before = (1..event).rev().find(|before| {
                self.item(*before).is_some_and(|item| {
                    let may_be = item.pending || case.bug == Some(Bug::ChainWithoutTransaction);
                    item.is_revived() && may_be
                })
            });
            let lane = Lane { revivals: self.revivals - 1, ..self.clone() };
            if before.is_some() {
                let behind = Item { behind: true, rest: Rest::Nowhere, ..revived };
                next.push(lane.clone().with_item(event, behind));
            }
            if before.is_none() || case.by_hand {
                let due = lane.with_item(event, revived).with_place(event, Rest::Released);
                if case.by_hand {
                    next.push(due.clone().woken(event));
                }
                next.push(due);
            }
        }
    }

    fn has_at(&self, rest: Rest) -> bool {
        self.items.iter().flatten().any(|item| item.rest == rest)
    }

    pub(super) fn is_at_rest(&self, case: &Case) -> bool {
        self.fanned_out == case.arrivals.len()
            && self.wakes.is_empty()
            && self.handlers.is_empty()
            && !(self.breaker.listed && self.has_at(Rest::Held))
            && !self.has_at(Rest::Parked)
            && !self.has_at(Rest::Released)
    }

    pub(super) fn is_stuck(&self, case: &Case) -> bool {
        self.is_at_rest(case) && (1..=self.items.len() as u8).any(|event| self.waits_in_vain(event))
    }

    fn waits_in_vain(&self, event: u8) -> bool {
        let Some(item) = self.item(event).filter(|item| item.pending) else { return false };
        let is_ahead = |other: Item| other.pending && other.is_revived() == item.is_revived();
        let has_reason = match item.behind {
            true => (1..event).any(|other| self.item(other).is_some_and(is_ahead)),
            false => item.rest == Rest::Held,
        };
        !(self.disabled && has_reason)
    }

    /// Notes a POST.
    pub(super) fn with_post(self, case: &Case, wake: Wake) -> Lane {
        let late = case
            .arrivals
            .iter()
            .take_while(|other| **other != wake.event)
            .any(|other| *other > wake.event);
        if wake.revivals > 0 {
            return Lane { revived: self.revived.with(wake.event, late), ..self };
        }
        let live = self.live.with(wake.event, late);
        let again = u8::from(live == self.live);
        Lane { repeats: (self.repeats + again).min(REPEATS_MAX), live, ..self }
    }

    /// The events that were not late were first POSTed in the order in which they happened; those of
    /// a replay too.
    pub(super) fn is_in_order(&self, case: &Case) -> bool {
        !self.live.out_of_order && (case.by_hand || !self.revived.out_of_order)
    }

    pub(super) fn is_numbered(&self) -> bool {
        let mut sequences: Vec<_> = self.items.iter().flatten().map(|item| item.sequence).collect();
        sequences.sort();
        sequences.iter().copied().eq(1..=sequences.len() as u64)
    }
}
