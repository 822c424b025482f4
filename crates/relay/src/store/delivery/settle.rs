//! Writing down what came of an attempt.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use domain::delivery::{Attempt, Delivery, State};
use domain::event::EventKey;
use jiff::{SignedDuration, Timestamp};

use super::parked::NOTICE;
use super::{FOLLOWED, LIVE};
use crate::store::item::{Attributes, EXPIRES, RETENTION, expiry, number, text};
use crate::store::key::{ATTEMPTS_MADE, DUE, DUE_AT, STANDING, STANDING_SINCE};
use crate::store::table::CONFLICTS_MAX;
use crate::store::{Lane, Store, StoreError, failed, key};

/// Whether an attempt could be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    Done {
        /// Another was put behind the delivery while it was pending and live; or that is not known.
        followed: bool,
    },
    /// Another handler has written meanwhile.
    Changed,
}

/// How a delivery stops being pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    Delivered,
    /// With it the subscription comes to its end. `schedule` comes by once more, should the handler
    /// die before it has seen to that.
    DeliveredLast,
    Dead,
}

/// What must still be as it was read, for a write to be made, besides that the delivery is pending
/// and was not revived.
#[derive(Clone, Copy)]
struct Unchanged {
    /// Nobody has written an attempt.
    attempts: bool,
    /// Nobody has put it into the index, or let go of it.
    place: bool,
}

const ATTEMPTS: Unchanged = Unchanged { attempts: true, place: false };

impl Store {
    /// Writes a failed attempt, with the time of the next: in the table (`parked`), or in the queue,
    /// whose wake has been sent by now. Either way it stands behind no other from here on.
    ///
    /// That wake may have come already, found the breaker open, and laid the delivery aside, so that it
    /// is spent: then, and whatever else has put the delivery into the index, `schedule` comes by.
    pub async fn put_off(
        &self,
        lane: &Lane,
        delivery: &Delivery,
        attempt: &Attempt,
        answer: &str,
        next_at: Timestamp,
        parked: bool,
    ) -> Result<Settled, StoreError> {
        let mut set = Settling::new(delivery.attempts_made, attempt, answer);
        set.set("next_at", serde_text(next_at));
        set.undelivered(&delivery.tenant, attempt.at);
        let action = "write a failed attempt";
        set.remove(&["behind"]);
        if parked {
            set.put_at(key::due(next_at, &delivery.key), next_at);
            return self.settle(action, lane, delivery, set, ATTEMPTS).await;
        }
        self.settle_and_leave(action, lane, delivery, set, [true; 2], next_at).await
    }

    /// Writes the last attempt and that the delivery is finished. A success counts whatever others
    /// wrote meanwhile, giving up does not.
    pub async fn finish(
        &self,
        lane: &Lane,
        delivery: &Delivery,
        attempt: &Attempt,
        answer: &str,
        finish: Finish,
        now: Timestamp,
    ) -> Result<Settled, StoreError> {
        let action = "finish a delivery";
        let mut set = Settling::new(delivery.attempts_made, attempt, answer);
        if finish == Finish::Dead {
            set.set("state", text(State::Dead.name()));
            set.set(STANDING, text(key::dead(&delivery.tenant)));
            set.set(STANDING_SINCE, text(domain::event::sortable(now)));
            return self.end(action, lane, delivery, set, true, now).await;
        }
        set.set("state", text(State::Delivered.name()));
        set.remove(&[STANDING, STANDING_SINCE]);
        if finish == Finish::DeliveredLast {
            set.finished(now);
            set.put_at_once_more(&delivery.key, now);
            let unchanged = Unchanged { attempts: false, place: false };
            return self.settle(action, lane, delivery, set, unchanged).await;
        }
        self.end(action, lane, delivery, set, false, now).await
    }

    /// Writes the last attempt of a delivery whose order waits until somebody acts. In the index it is
    /// found when its subscription is gone, and nobody can.
    pub async fn halt(
        &self,
        lane: &Lane,
        delivery: &Delivery,
        attempt: &Attempt,
        answer: &str,
    ) -> Result<Settled, StoreError> {
        let mut set = Settling::new(delivery.attempts_made, attempt, answer);
        set.set("halted", AttributeValue::Bool(true));
        set.put_at(key::halted(&lane.subscription), attempt.at);
        set.undelivered(&delivery.tenant, attempt.at);
        set.remove(&["behind", "next_at"]);
        self.settle("halt a delivery", lane, delivery, set, ATTEMPTS).await
    }

    /// Lays a delivery aside until its endpoint takes deliveries again; with the attempt that showed
    /// that it does not, and its answer, if there was one.
    pub async fn hold(
        &self,
        lane: &Lane,
        delivery: &Delivery,
        attempt: Option<(&Attempt, &str)>,
        now: Timestamp,
    ) -> Result<Settled, StoreError> {
        let mut set = match attempt {
            Some((attempt, answer)) => Settling::new(delivery.attempts_made, attempt, answer),
            None => Settling::without_attempt(),
        };
        // Another place than before, or a spent wake could be taken for the one that is to come.
        let next = delivery.due_at.map(|before| before + SignedDuration::from_millis(1));
        set.put_at(key::held(&lane.subscription), next.map_or(now, |next| next.max(now)));
        set.undelivered(&delivery.tenant, now);
        set.remove(&["behind", "next_at"]);
        self.settle("hold a delivery", lane, delivery, set, ATTEMPTS).await
    }

    /// Puts a delivery that stands in the index to another place there, from which `schedule` wakes it.
    pub(crate) async fn leave_to_schedule(
        &self,
        lane: &Lane,
        delivery: &Delivery,
        now: Timestamp,
    ) -> Result<Settled, StoreError> {
        let mut set = Settling::without_attempt();
        set.put_at_once_more(&delivery.key, delivery.due_at.map_or(now, |before| before.max(now)));
        let unchanged = Unchanged { attempts: true, place: true };
        self.settle("leave a delivery to schedule", lane, delivery, set, unchanged).await
    }

    /// Writes down the slot that a wake of this delivery carries from now on.
    pub(crate) async fn note_slot(
        &self,
        lane: &Lane,
        delivery: &Delivery,
        slot: Timestamp,
    ) -> Result<Settled, StoreError> {
        let mut set = Settling::without_attempt();
        set.set("slot_at", serde_text(slot));
        self.settle("note a slot", lane, delivery, set, ATTEMPTS).await
    }

    /// Marks a delivery as made pointless by a newer one.
    pub async fn supersede(
        &self,
        lane: &Lane,
        delivery: &Delivery,
        now: Timestamp,
    ) -> Result<Settled, StoreError> {
        let mut set = Settling::without_attempt();
        set.set("state", text(State::Superseded.name()));
        set.remove(&[STANDING, STANDING_SINCE]);
        self.end("supersede a delivery", lane, delivery, set, true, now).await
    }

    /// Makes the last write of a delivery, which takes it out of the index; `attempts`: only if nobody
    /// has written an attempt. If another handler has put it there meanwhile, or has made an attempt at
    /// where it stands, `schedule` comes by once more: the wake of that one is spent, and ours may be the
    /// same one, so that nobody would go on with the lane if we die now.
    async fn end(
        &self,
        action: &'static str,
        lane: &Lane,
        delivery: &Delivery,
        mut set: Settling,
        attempts: bool,
        now: Timestamp,
    ) -> Result<Settled, StoreError> {
        set.finished(now);
        let stood = delivery.due_at.is_some();
        self.settle_and_leave(action, lane, delivery, set, [attempts || stood, attempts], now).await
    }

    /// Makes a write that takes a delivery out of the index, if it still stands there as it was read;
    /// otherwise one that has `schedule` come by once more after `at`. `attempts`: for each of the two,
    /// whether it is made only if nobody has written an attempt.
    async fn settle_and_leave(
        &self,
        action: &'static str,
        lane: &Lane,
        delivery: &Delivery,
        mut set: Settling,
        attempts: [bool; 2],
        at: Timestamp,
    ) -> Result<Settled, StoreError> {
        let in_place = Unchanged { attempts: attempts[0], place: true };
        let anywhere = Unchanged { attempts: attempts[1], place: false };
        let mut once_more = set.clone();
        set.remove(&[DUE, DUE_AT]);
        let settled = self.settle(action, lane, delivery, set, in_place).await?;
        if settled != Settled::Changed {
            return Ok(settled);
        }
        once_more.put_at_once_more(&delivery.key, at);
        self.settle(action, lane, delivery, once_more, anywhere).await
    }

    async fn settle(
        &self,
        action: &'static str,
        lane: &Lane,
        delivery: &Delivery,
        settling: Settling,
        unchanged: Unchanged,
    ) -> Result<Settled, StoreError> {
        let expression = settling.expression();
        let Settling { mut names, mut values, .. } = settling;
        names.insert("#state".into(), "state".into());
        values.insert(":pending".into(), text(State::Pending.name()));
        let mut condition = match delivery.revivals {
            0 => LIVE.to_owned(),
            revivals => {
                values.insert(":revivals".into(), number(revivals));
                "#state = :pending AND revivals = :revivals".to_owned()
            }
        };
        if unchanged.attempts {
            condition.push_str(" AND attempts_made = :made");
            values.insert(":made".into(), number(delivery.attempts_made));
        }
        if unchanged.place {
            names.insert("#place".into(), DUE_AT.into());
            match delivery.due_at {
                None => condition.push_str(" AND attribute_not_exists(#place)"),
                Some(at) => {
                    condition.push_str(" AND #place = :place");
                    values.insert(":place".into(), text(domain::event::sortable(at)));
                }
            }
        }
        for _ in 0..CONFLICTS_MAX {
            let written = self
                .client
                .update_item()
                .table_name(&self.table)
                .set_key(Some(lane.delivery(&delivery.key).attributes()))
                .update_expression(expression.as_str())
                .condition_expression(condition.as_str())
                .set_expression_attribute_names(Some(names.clone()))
                .set_expression_attribute_values(Some(values.clone()))
                .return_values(ReturnValue::AllOld)
                .send()
                .await;
            let error = match written {
                Ok(written) => {
                    let old = written.attributes.unwrap_or_default();
                    let followed = old.get(FOLLOWED) != Some(&AttributeValue::Bool(false));
                    return Ok(Settled::Done { followed });
                }
                Err(error) => error,
            };
            match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => {
                    return Ok(Settled::Changed);
                }
                Some(UpdateItemError::TransactionConflictException(_)) => {}
                _ => return Err(failed(action)(error)),
            }
        }
        Err(StoreError::Table { action, source: "its transactions kept conflicting".into() })
    }
}

/// The update that writes one attempt.
#[derive(Clone)]
struct Settling {
    set: String,
    removed: Vec<&'static str>,
    names: HashMap<String, String>,
    values: Attributes,
}

impl Settling {
    fn new(attempts_made: u32, attempt: &Attempt, answer: &str) -> Settling {
        let names = [("#attempts", "attempts"), ("#made", ATTEMPTS_MADE), ("#answer", "answer")];
        let mut settling = Settling {
            set: "#attempts = list_append(#attempts, :attempt), #made = :next, #answer = :answer"
                .into(),
            removed: Vec::new(),
            names: names.into_iter().map(|(mark, name)| (mark.into(), name.into())).collect(),
            values: Attributes::from([
                (":attempt".into(), AttributeValue::L(vec![attempt_value(attempt)])),
                (":next".into(), number(attempts_made + 1)),
                (":answer".into(), text(answer)),
            ]),
        };
        // It was for this attempt.
        settling.remove(&["slot_at"]);
        settling
    }

    fn without_attempt() -> Settling {
        Settling {
            // Something has to come before the first comma.
            set: "attempts_made = attempts_made".into(),
            removed: Vec::new(),
            names: HashMap::new(),
            values: Attributes::new(),
        }
    }

    fn expression(&self) -> String {
        match self.removed.is_empty() {
            true => format!("SET {}", self.set),
            false => format!("SET {} REMOVE #{}", self.set, self.removed.join(", #")),
        }
    }

    /// From now on it is only kept for people to see.
    fn finished(&mut self, now: Timestamp) {
        self.set("finished_at", serde_text(now));
        self.set(EXPIRES, number(expiry(RETENTION, now)));
        self.remove(&["next_at"]);
    }

    /// Lists it among the tenant's that have not been delivered, unless it is there already.
    fn undelivered(&mut self, tenant: &str, since: Timestamp) {
        self.set(STANDING, text(key::undelivered(tenant)));
        self.set_once(STANDING_SINCE, text(domain::event::sortable(since)));
    }

    /// Puts it into the index.
    fn put_at(&mut self, place: String, at: Timestamp) {
        self.set(DUE, text(place));
        self.set(DUE_AT, text(domain::event::sortable(at)));
    }

    /// Has `schedule` come by once more, as soon as it can after a time that is not past.
    fn put_at_once_more(&mut self, key: &EventKey, after: Timestamp) {
        let at = after + NOTICE;
        self.put_at(key::due(at, key), at);
    }

    fn set(&mut self, name: &str, value: AttributeValue) {
        self.set_to(name, &format!(":{name}"), value);
    }

    /// Sets what is not there yet.
    fn set_once(&mut self, name: &str, value: AttributeValue) {
        self.set_to(name, &format!("if_not_exists(#{name}, :{name})"), value);
    }

    fn set_to(&mut self, name: &str, to: &str, value: AttributeValue) {
        self.set.push_str(&format!(", #{name} = {to}"));
        self.names.insert(format!("#{name}"), name.into());
        self.values.insert(format!(":{name}"), value);
    }

    fn remove(&mut self, names: &[&'static str]) {
        self.removed.extend(names);
        self.names.extend(names.iter().map(|name| (format!("#{name}"), (*name).into())));
    }
}

fn attempt_value(attempt: &Attempt) -> AttributeValue {
    let mut map = Attributes::from([
        ("at".into(), serde_text(attempt.at)),
        ("duration_ms".into(), number(attempt.duration_ms)),
    ]);
    if let Some(status) = attempt.status {
        map.insert("status".into(), number(status));
    }
    if let Some(error) = attempt.error {
        map.insert("error".into(), text(error.name()));
    }
    AttributeValue::M(map)
}

/// A time as serde writes it, so that what is set here is read back there.
pub(super) fn serde_text(at: Timestamp) -> AttributeValue {
    text(at.to_string())
}
