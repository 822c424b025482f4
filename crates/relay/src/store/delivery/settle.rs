//! Writing down what came of an attempt.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::delivery::{Attempt, Delivery, State};
use jiff::Timestamp;

use super::LIVE;
use crate::store::item::{Attributes, EXPIRES, RETENTION, expiry, number, text};
use crate::store::key::{ATTEMPTS_MADE, DUE, DUE_AT, STANDING, STANDING_SINCE};
use crate::store::table::CONFLICTS_MAX;
use crate::store::{Lane, Store, StoreError, failed, key};

/// Whether an attempt could be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    Done,
    /// Another handler has written meanwhile.
    Changed,
}

/// How a delivery stops being pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    Delivered,
    /// With it the subscription comes to its end. `schedule` comes by once more at this time, should
    /// the handler die before it has seen to that.
    DeliveredLast {
        again_at: Timestamp,
    },
    Dead,
}

/// What must still be as it was read, for a write to be made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unchanged {
    /// It is pending, and was not revived meanwhile.
    State,
    /// And nobody has written an attempt.
    Attempts,
    /// And nobody has put it into the index, or let go of it.
    AttemptsAndPlace,
}

impl Store {
    /// Writes a failed attempt, with the time of the next: in the table (`parked`), or in the queue,
    /// whose wake has been sent by now. Either way it stands behind no other from here on.
    ///
    /// That wake may have come already, found the breaker open, and laid the delivery aside: there it
    /// stays then, for the wake is spent.
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
        set.set(STANDING, text(key::undelivered(&delivery.tenant)));
        set.set_once(STANDING_SINCE, text(domain::event::sortable(attempt.at)));
        let action = "write a failed attempt";
        if parked {
            set.set(DUE, text(key::due(next_at, &delivery.key)));
            set.set(DUE_AT, text(domain::event::sortable(next_at)));
            set.remove(&["behind"]);
            return self.settle(action, lane, delivery, set, Unchanged::Attempts).await;
        }
        let mut laid_aside = set.clone();
        laid_aside.remove(&["behind"]);
        set.remove(&["behind", DUE, DUE_AT]);
        match self.settle(action, lane, delivery, set, Unchanged::AttemptsAndPlace).await? {
            Settled::Done => Ok(Settled::Done),
            Settled::Changed => {
                self.settle(action, lane, delivery, laid_aside, Unchanged::Attempts).await
            }
        }
    }

    /// Writes the last attempt and that the delivery is finished.
    ///
    /// A success counts whatever others wrote meanwhile, giving up does not. Where another handler
    /// has written, what it parked stays parked: should this one die before it goes on, the lane is
    /// taken up from there.
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
        set.finished(now);
        if finish == Finish::Dead {
            set.set("state", text(State::Dead.name()));
            set.set(STANDING, text(key::dead(&delivery.tenant)));
            set.set(STANDING_SINCE, text(domain::event::sortable(now)));
            set.remove(&["next_at", DUE, DUE_AT]);
            return self.settle(action, lane, delivery, set, Unchanged::Attempts).await;
        }
        set.set("state", text(State::Delivered.name()));
        let mut beside_another = set.clone();
        beside_another.remove(&[STANDING, STANDING_SINCE]);
        if let Finish::DeliveredLast { again_at } = finish {
            set.set(DUE, text(key::due(again_at, &delivery.key)));
            set.set(DUE_AT, text(domain::event::sortable(again_at)));
            set.remove(&["next_at", STANDING, STANDING_SINCE]);
        } else {
            set.remove(&[DUE, DUE_AT, "next_at", STANDING, STANDING_SINCE]);
        }
        match self.settle(action, lane, delivery, set, Unchanged::Attempts).await? {
            Settled::Done => Ok(Settled::Done),
            Settled::Changed => {
                self.settle(action, lane, delivery, beside_another, Unchanged::State).await
            }
        }
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
        set.set(DUE, text(key::halted(&lane.subscription)));
        set.set(DUE_AT, text(domain::event::sortable(attempt.at)));
        set.set(STANDING, text(key::undelivered(&delivery.tenant)));
        set.set_once(STANDING_SINCE, text(domain::event::sortable(attempt.at)));
        set.remove(&["behind", "next_at"]);
        self.settle("halt a delivery", lane, delivery, set, Unchanged::Attempts).await
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
        set.set(DUE, text(key::held(&lane.subscription)));
        set.set(DUE_AT, text(domain::event::sortable(now)));
        set.set(STANDING, text(key::undelivered(&delivery.tenant)));
        set.set_once(STANDING_SINCE, text(domain::event::sortable(now)));
        set.remove(&["behind", "next_at"]);
        self.settle("hold a delivery", lane, delivery, set, Unchanged::Attempts).await
    }

    /// Marks a delivery as made pointless by a newer one.
    pub async fn supersede(
        &self,
        lane: &Lane,
        delivery: &Delivery,
        now: Timestamp,
    ) -> Result<Settled, StoreError> {
        let mut set = Settling::without_attempt();
        set.finished(now);
        set.set("state", text(State::Superseded.name()));
        set.remove(&[DUE, DUE_AT, "next_at", STANDING, STANDING_SINCE]);
        self.settle("supersede a delivery", lane, delivery, set, Unchanged::Attempts).await
    }

    async fn settle(
        &self,
        action: &'static str,
        lane: &Lane,
        delivery: &Delivery,
        settling: Settling,
        unchanged: Unchanged,
    ) -> Result<Settled, StoreError> {
        let Settling { mut names, mut values, expression } = settling;
        names.insert("#state".into(), "state".into());
        values.insert(":pending".into(), text(State::Pending.name()));
        let mut condition = match delivery.revivals {
            0 => LIVE.to_owned(),
            revivals => {
                values.insert(":revivals".into(), number(revivals));
                "#state = :pending AND revivals = :revivals".to_owned()
            }
        };
        if unchanged != Unchanged::State {
            condition.push_str(" AND attempts_made = :made");
            values.insert(":made".into(), number(delivery.attempts_made));
        }
        if unchanged == Unchanged::AttemptsAndPlace {
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
                .send()
                .await;
            let error = match written {
                Ok(_) => return Ok(Settled::Done),
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
    expression: String,
    names: HashMap<String, String>,
    values: Attributes,
}

impl Settling {
    fn new(attempts_made: u32, attempt: &Attempt, answer: &str) -> Settling {
        let names = [("#attempts", "attempts"), ("#made", ATTEMPTS_MADE), ("#answer", "answer")];
        Settling {
            expression: "SET #attempts = list_append(#attempts, :attempt), #made = :next, \
                         #answer = :answer"
                .into(),
            names: names.into_iter().map(|(mark, name)| (mark.into(), name.into())).collect(),
            values: Attributes::from([
                (":attempt".into(), AttributeValue::L(vec![attempt_value(attempt)])),
                (":next".into(), number(attempts_made + 1)),
                (":answer".into(), text(answer)),
            ]),
        }
    }

    fn without_attempt() -> Settling {
        // Something has to come before the first comma.
        Settling {
            expression: "SET attempts_made = attempts_made".into(),
            names: HashMap::new(),
            values: Attributes::new(),
        }
    }

    /// From now on it is only kept for people to see.
    fn finished(&mut self, now: Timestamp) {
        self.set("finished_at", serde_text(now));
        self.set(EXPIRES, number(expiry(RETENTION, now)));
    }

    /// Only before [`Settling::remove`].
    fn set(&mut self, name: &str, value: AttributeValue) {
        self.set_to(name, &format!(":{name}"), value);
    }

    /// Sets what is not there yet. Only before [`Settling::remove`].
    fn set_once(&mut self, name: &str, value: AttributeValue) {
        self.set_to(name, &format!("if_not_exists(#{name}, :{name})"), value);
    }

    fn set_to(&mut self, name: &str, to: &str, value: AttributeValue) {
        self.expression.push_str(&format!(", #{name} = {to}"));
        self.names.insert(format!("#{name}"), name.into());
        self.values.insert(format!(":{name}"), value);
    }

    fn remove(&mut self, names: &[&str]) {
        let marks: Vec<_> = names.iter().map(|name| format!("#{name}")).collect();
        self.expression.push_str(&format!(" REMOVE {}", marks.join(", ")));
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
