//! Handlers of wakes.

use domain::lane::{self, Next, Outcome, Seen, Turn, Walk};
use domain::subscription::Policy;
use jiff::SignedDuration;

use super::state::{Breaker, Due, Item, Lane, Rest, Wake, now};
use super::{Bug, Case, HANDLERS_MAX};

const FAILED: Outcome = Outcome::Failed { pause: SignedDuration::ZERO };

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Handler {
    /// The message that comes back if the handler dies; none for a copy of a message.
    pub(super) message: Option<Wake>,
    /// The wake that it goes by.
    pub(super) wake: Wake,
    pub(super) step: Step,
    /// Nobody has laid the delivery aside, let go of it or revived it since it was read.
    pub(super) in_place: bool,
    /// It stood in the index when it was read.
    pub(super) stood: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Step {
    Look,
    Enter { made: u8 },
    Post { made: u8, probe: bool },
    Succeeded { made: u8 },
    Close { reads_on: bool },
    Hold { made: u8 },
    Failed { made: u8 },
    WriteRetry { made: u8 },
    SendRetry { made: u8 },
    LeaveToSchedule { made: u8 },
    LookWhetherFinished,
    ReadOn,
}

impl Lane {
    pub(super) fn start_handlers(&self, next: &mut Vec<Lane>) {
        if self.handlers.len() >= HANDLERS_MAX {
            return;
        }
        for (nth, wake) in self.wakes.iter().enumerate() {
            if nth > 0 && self.wakes[nth - 1] == *wake {
                continue;
            }
            let handler = Handler {
                message: Some(*wake),
                wake: *wake,
                step: Step::Look,
                in_place: true,
                stood: false,
            };
            let mut received = self.clone();
            received.wakes.remove(nth);
            next.push(received.with_handler(handler));
            if self.duplicates > 0 {
                let copied = Lane { duplicates: self.duplicates - 1, ..self.clone() };
                next.push(copied.with_handler(Handler { message: None, ..handler }));
            }
        }
    }

    pub(super) fn handle(&self, case: &Case, nth: usize, next: &mut Vec<Lane>) {
        let handler = self.handlers[nth];
        let rest = || self.clone().without(nth);
        let go = |lane: Lane, step| lane.with_handler(Handler { step, ..handler });
        let event = handler.wake.event;
        let item = self.item(event);
        if self.crashes > 0 {
            let mut died = Lane { crashes: self.crashes - 1, ..rest() };
            if let Some(message) = handler.message {
                died = died.with_wake(Wake { came_back: true, ..message });
            }
            next.push(died);
        }
        // A wake is sent only for what stands in the table.
        let Some(item) = item else { return next.push(rest()) };
        let same_life = item.pending && item.revivals == handler.wake.revivals;
        let tried_by_nobody_else = |made| same_life && item.attempts == made;
        match handler.step {
            Step::Look => next.push(self.look(case, rest(), handler, handler.wake)),
            Step::Enter { made } => {
                if self.breaker.open || self.disabled {
                    next.push(go(rest(), Step::Hold { made }));
                }
                if !self.disabled {
                    next.push(go(rest(), Step::Post { made, probe: self.breaker.open }));
                }
            }
            Step::Hold { made } => next.push(match tried_by_nobody_else(made) {
                true => rest().with_place(event, Rest::Held),
                false => go(rest(), Step::LookWhetherFinished),
            }),
            Step::Post { made, probe } => {
                let posted = rest().with_post(case, handler.wake);
                if self.failures > 0 {
                    let failed = Lane { failures: self.failures - 1, ..posted.clone() };
                    let step = if probe { Step::Hold { made } } else { Step::Failed { made } };
                    next.push(go(failed, step));
                }
                next.push(go(posted, Step::Succeeded { made }));
            }
            Step::Succeeded { made } => {
                let (written, reads_on) = match same_life {
                    true => {
                        let finished = self.finish(case, rest(), handler, made, item);
                        (finished, reads_on(case, item, event))
                    }
                    false => (rest(), true),
                };
                next.push(match case.opens > 0 {
                    true => go(written, Step::Close { reads_on }),
                    false if reads_on => go(written, Step::ReadOn),
                    false => written,
                });
            }
            Step::Close { reads_on } => {
                let breaker = Breaker { open: false, ..self.breaker };
                let closed = Lane { breaker, ..rest() };
                next.push(if reads_on { go(closed, Step::ReadOn) } else { closed });
            }
            Step::Failed { made } => next.push(self.failed(case, rest(), handler, made)),
            Step::WriteRetry { made } => {
                let in_place = handler.in_place || case.bug == Some(Bug::TakeAwayWhatWasLaidAside);
                let put_off = put_off(item, Rest::Nowhere);
                let written = match tried_by_nobody_else(made) {
                    true if in_place => rest().with_item(event, put_off),
                    true => rest().with_item(event, put_off).with_place(event, Rest::Released),
                    false => rest(),
                };
                next.push(match case.bug {
                    Some(Bug::WriteBeforeWake) => go(written, Step::SendRetry { made }),
                    _ => written,
                });
            }
            Step::SendRetry { made } => {
                let sent =
                    rest().with_wake(Wake { attempt: made + 1, due: Due::Nowhere, ..handler.wake });
                next.push(match case.bug {
                    Some(Bug::WriteBeforeWake) => sent,
                    _ => go(sent, Step::WriteRetry { made }),
                });
            }
            Step::LeaveToSchedule { made } => {
                next.push(match tried_by_nobody_else(made) && handler.in_place {
                    true => rest().with_place(event, Rest::Released),
                    false => go(rest(), Step::LookWhetherFinished),
                });
            }
            Step::LookWhetherFinished => next.push(match item.pending {
                true if case.bug == Some(Bug::DropWakeWhenTurnedAway) => rest(),
                true => rest().with_wake(handler.wake),
                false => go(rest(), Step::ReadOn),
            }),
            Step::ReadOn => next.push(self.read_on(case, rest(), handler)),
        }
    }

    /// What the product does with a delivery as it was just read.
    fn look(&self, case: &Case, rest: Lane, handler: Handler, wake: Wake) -> Lane {
        let Some(item) = self.item(wake.event) else { return rest };
        let wake = match case.bug {
            Some(Bug::ForgetLives) => Wake { revivals: item.revivals, ..wake },
            Some(Bug::TakeSpentWakes) => Wake { due: item.due(), ..wake },
            _ => wake,
        };
        let Wake { event, attempt, revivals, due, came_back } = wake;
        // From here on it makes no difference: what is read on to is pending.
        let wake = Wake { came_back: false, ..wake };
        let message = handler.message.map(|message| Wake { came_back: false, ..message });
        let stood = item.due() == Due::Here;
        let at = Handler { wake, message, in_place: true, stood, ..handler };
        let seen = Seen {
            attempts_made: attempt.into(),
            revivals: revivals.into(),
            due_at_ms: due.at_ms(),
        };
        let made = item.attempts;
        let turn = match (lane::turn(&item.delivery(event), seen, came_back, now()), case.bug) {
            (Turn::LeaveToSchedule, Some(Bug::WaitForTheAttempt)) => {
                Turn::Later(SignedDuration::ZERO)
            }
            (Turn::LeaveToSchedule, Some(Bug::DropWakeAhead)) => Turn::Stale,
            (turn, _) => turn,
        };
        match turn {
            Turn::Stale => rest,
            Turn::Later(_) => rest.with_wake(wake),
            Turn::LeaveToSchedule => {
                rest.with_handler(Handler { step: Step::LeaveToSchedule { made }, ..at })
            }
            Turn::Post => {
                let step = match case.opens + case.switches {
                    0 => Step::Post { made, probe: false },
                    _ => Step::Enter { made },
                };
                rest.with_handler(Handler { step, ..at })
            }
            Turn::WalkOn => rest.with_handler(Handler { step: Step::ReadOn, ..at }),
        }
    }

    fn failed(&self, case: &Case, rest: Lane, handler: Handler, made: u8) -> Lane {
        let go = |lane: Lane, step| lane.with_handler(Handler { step, ..handler });
        let event = handler.wake.event;
        let Some(item) = self.item(event) else { return rest };
        let same_life = item.pending && item.revivals == handler.wake.revivals;
        let tried_by_nobody_else = same_life && item.attempts == made;
        match lane::after_attempt(
            FAILED,
            u32::from(made) + 1,
            &case.waits,
            Policy::Skip,
            now(),
            0.5,
        ) {
            Next::Retry { .. } => match case.bug {
                Some(Bug::WriteBeforeWake) => go(rest, Step::WriteRetry { made }),
                _ => go(rest, Step::SendRetry { made }),
            },
            Next::Park { .. } if tried_by_nobody_else => {
                rest.with_item(event, put_off(item, Rest::Nowhere)).with_place(event, Rest::Parked)
            }
            Next::Dead if tried_by_nobody_else => {
                let finished = self.finish(case, rest, handler, made, item);
                match reads_on(case, item, event) {
                    true => go(finished, Step::ReadOn),
                    false => finished,
                }
            }
            Next::Park { .. } | Next::Dead => go(rest, Step::LookWhetherFinished),
            Next::Delivered => unreachable!("it failed"),
            Next::Halt | Next::Hold => unreachable!("the policy is to skip, and nobody is gone"),
        }
    }

    /// What was laid aside meanwhile, or let go, or tried where it stood, is woken once more: its wake
    /// may be spent, and this handler may die before it reads on.
    fn finish(&self, case: &Case, rest: Lane, handler: Handler, made: u8, item: Item) -> Lane {
        let finished = rest.with_item(handler.wake.event, finished(item));
        let is_sure = handler.in_place && (!handler.stood || item.attempts == made);
        match is_sure || case.bug == Some(Bug::FinishWhatWasLaidAside) {
            true => finished,
            false => finished.with_place(handler.wake.event, Rest::Released),
        }
    }

    fn read_on(&self, case: &Case, rest: Lane, handler: Handler) -> Lane {
        let mut later = handler.wake.event + 1..=self.items.len() as u8;
        let of_the_same_order = |item: Item| {
            item.is_revived() == (handler.wake.revivals > 0) || case.bug == Some(Bug::WalkToAny)
        };
        let found = later.find_map(|event| {
            let item = self.item(event).filter(|item| of_the_same_order(*item))?;
            (item.pending || case.bug == Some(Bug::StopAtFinished)).then_some((event, item))
        });
        let found = found.filter(|(_, item)| item.pending);
        let next = found.map(|(event, item)| item.delivery(event));
        match (lane::walk(next.as_ref()), found) {
            (Walk::Take, Some((event, item))) => self.look(case, rest, handler, item.wake(event)),
            _ => rest,
        }
    }
}

fn reads_on(case: &Case, item: Item, event: u8) -> bool {
    let late = item.late && case.bug != Some(Bug::ForgetLate);
    lane::reads_on(&Item { late, ..item }.delivery(event), item.followed)
}

fn finished(item: Item) -> Item {
    Item { pending: false, attempts: item.attempts + 1, timer: true, rest: Rest::Nowhere, ..item }
}

fn put_off(item: Item, rest: Rest) -> Item {
    Item { attempts: item.attempts + 1, timer: true, rest, behind: false, ..item }
}
