//! Fan-out of one event after the other.

use domain::event::EventKey;
use domain::lane::{self, Placing};

use super::state::{Item, Lane, Wake, key};
use super::{Bug, Case};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Fanout {
    Read,
    ReadBefore { newest: u8, seen: Item },
    Put { behind: Option<u8>, sequence: u64, newest: Option<u8> },
    Send { wake: Wake },
    Sent,
}

impl Lane {
    pub(super) fn fan_out(&self, case: &Case, next: &mut Vec<Lane>) {
        let Some(&event) = case.arrivals.get(self.fanned_out) else { return };
        let newest_event = self.items.len() as u8;
        let step = |fanout| Lane { fanout, ..self.clone() };
        let done = |lane: Lane| {
            let fanned_out = self.fanned_out + 1;
            Lane { fanout: Fanout::Read, fanned_out, ..lane }
        };
        let decide = |newest: Option<(u8, Item)>, before: Option<(u8, Item)>| {
            let [newest, before] =
                [newest, before].map(|seen| seen.map(|(event, item)| item.delivery(event)));
            let number = |found: Option<EventKey>| {
                (1..=newest_event).find(|event| Some(key(*event)) == found)
            };
            match lane::place(&key(event), newest.as_ref(), before.as_ref()) {
                Placing::Done => done(self.clone()),
                Placing::Wake(_) => {
                    let own = self.item(event).expect("it stands there");
                    step(Fanout::Send { wake: own.wake(event) })
                }
                Placing::Put(place) => step(Fanout::Put {
                    behind: number(place.behind),
                    sequence: place.sequence,
                    newest: number(place.newest),
                }),
            }
        };
        next.push(match self.fanout {
            Fanout::Read => match self.newest(newest_event) {
                Some((newest, seen)) if newest > event => step(Fanout::ReadBefore { newest, seen }),
                newest => decide(newest, newest),
            },
            Fanout::ReadBefore { newest, seen } => decide(Some((newest, seen)), self.newest(event)),
            Fanout::Put { behind, sequence, newest } => {
                let still_pending = |event| {
                    self.item(event).is_some_and(|item| {
                        let may_be = case.bug == Some(Bug::BehindRevived);
                        item.pending && (may_be || !item.is_revived())
                    })
                };
                let holds = self.item(event).is_none()
                    && (case.bug == Some(Bug::NoTransaction) || behind.is_none_or(still_pending))
                    && newest.or(behind).is_none_or(|newest| {
                        self.item(newest).is_some_and(|item| item.last_sequence + 1 == sequence)
                    });
                match (holds, behind) {
                    (false, _) => step(Fanout::Read),
                    (true, behind) => {
                        let item = Item::new(behind.is_some(), newest.is_some(), sequence);
                        let marked = behind.filter(|_| case.bug != Some(Bug::PutWithoutMark));
                        let put = self.clone().put(event, item, newest.or(behind)).mark(marked);
                        match behind {
                            Some(_) => done(put),
                            None => Lane { fanout: Fanout::Send { wake: item.wake(event) }, ..put },
                        }
                    }
                }
            }
            Fanout::Send { wake } => Lane { fanout: Fanout::Sent, ..self.clone().with_wake(wake) },
            Fanout::Sent => done(self.clone()),
        });
        if self.crashes > 0 && self.fanout != Fanout::Read {
            next.push(Lane { crashes: self.crashes - 1, ..step(Fanout::Read) });
        }
    }

    fn mark(self, followed: Option<u8>) -> Lane {
        match followed.and_then(|event| Some((event, self.item(event)?))) {
            Some((event, item)) => self.with_item(event, Item { followed: true, ..item }),
            None => self,
        }
    }

    fn put(self, event: u8, item: Item, newest: Option<u8>) -> Lane {
        let told = newest.and_then(|newest| Some((newest, self.item(newest)?)));
        let lane = self.with_item(event, item);
        match told {
            Some((newest, seen)) => {
                lane.with_item(newest, Item { last_sequence: item.sequence, ..seen })
            }
            None => lane,
        }
    }
}
