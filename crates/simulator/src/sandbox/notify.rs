//! Who is told of a change, and what becomes of each notification on its way.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::agenda::Due;
use super::order::{Detail, date};
use super::state::{Happened, State};
use super::subscription::{Callback, MESSAGING_LOST, Subscription, Topic, Way};
use crate::bandwidth::{Bandwidth, Message, Told};

/// How long a notification that is to be overtaken waits for the one that does. If none comes, it
/// goes alone.
const HOLD_MAX: SignedDuration = SignedDuration::from_mins(10);

/// Characters of an answer that a subscription shows.
const STATUS_MAX: usize = 100;

/// What goes wrong, for each notification by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Knobs {
    /// Of a hundred notifications, those that are never POSTed.
    pub drop: u8,
    /// Of a hundred, those that are POSTed twice.
    pub duplicate: u8,
    /// Each is POSTed up to so much later, in the order in which they were made. A second POST comes
    /// up to so much after the first, whatever comes in between.
    pub delay_max: SignedDuration,
    /// Of a hundred, those that the next one of the same order overtakes.
    pub disorder: u8,
    /// Requests that the API takes in each minute.
    pub requests_per_minute: Option<u32>,
}

/// A notification to one subscription, and its fate.
#[derive(Debug, Clone, Serialize)]
pub struct Delivery {
    pub subscription_id: String,
    pub url: String,
    /// None for an event.
    pub order_type: Option<String>,
    pub order_id: Option<String>,
    pub status: Option<String>,
    pub note: Option<String>,
    pub event_type: Option<String>,
    /// When it came about.
    pub made: Timestamp,
    pub last_modified: Option<Timestamp>,
    /// It is not POSTed at all.
    pub dropped: bool,
    /// It is POSTed twice.
    pub duplicated: bool,
    /// A later one went before it.
    pub overtaken: bool,
    pub posts: Vec<Post>,
    /// What is POSTed.
    pub body: String,
    #[serde(skip)]
    pub(crate) bandwidth: Arc<Bandwidth>,
}

/// A POST of a notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Post {
    pub at: Timestamp,
    /// What it was answered in the end; none if there was no answer.
    pub answered: Option<u16>,
}

/// The notifications of one order to one subscription.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    /// None goes before it.
    last: Timestamp,
    /// Waits to be overtaken.
    held: Option<usize>,
}

/// What there is to tell.
pub(crate) enum News {
    State { message: Option<String>, completed: Vec<String> },
    Note(String),
}

impl State {
    /// Tells everybody who wants to know of the order, and ends the subscriptions to it alone once it
    /// is in its final state.
    pub(super) fn announce(&mut self, order: usize, news: &News, now: Timestamp) {
        self.expire(now);
        let (kind, id) = (self.orders[order].kind, self.orders[order].id.clone());
        let ends = matches!(news, News::State { .. }) && self.orders[order].is_terminal();
        let told = match news {
            News::State { .. } => kind.is_notified(&self.orders[order].state),
            News::Note(_) => true,
        };
        if told {
            let wants: Vec<_> =
                self.subscriptions.iter().filter(|s| s.wants(kind, &id)).cloned().collect();
            for subscription in wants {
                let message = self.message(order, news, &subscription);
                self.tell(&subscription, message, now);
            }
        }
        if ends {
            self.subscriptions.retain(|subscription| !subscription.is_bound_to(&id));
        }
    }

    /// Numbers of the account cannot have messages any more, through somebody else.
    pub(super) fn lose_messaging(&mut self, numbers: &[String], now: Timestamp) {
        self.expire(now);
        let wants = |s: &&Subscription| matches!(s.topic, Topic::MessagingLost);
        let wants: Vec<_> = self.subscriptions.iter().filter(wants).cloned().collect();
        for subscription in wants {
            let message = Message {
                subscription_id: Some(subscription.id.clone()),
                event_type: Some(MESSAGING_LOST.into()),
                impacted_telephone_numbers: formatted(&subscription, numbers),
                ..Message::default()
            };
            self.tell(&subscription, message, now);
        }
    }

    /// Takes out the subscriptions that are over.
    pub(super) fn expire(&mut self, now: Timestamp) {
        self.subscriptions.retain(|subscription| !subscription.has_expired(now));
    }

    fn message(&self, order: usize, news: &News, subscription: &Subscription) -> Message {
        let order = &self.orders[order];
        let mut message = Message {
            subscription_id: Some(subscription.id.clone()),
            order_id: Some(order.id.clone()),
            order_type: Some(order.kind.order_type.into()),
            customer_order_id: order.customer_order_id.clone(),
            last_modified_date: Some(date(order.modified)),
            ..Message::default()
        };
        match news {
            News::Note(text) => message.note = Some(text.clone()),
            News::State { message: text, completed } => {
                message.status = Some(order.state.clone());
                message.message = text.clone();
                message.completed_telephone_numbers = formatted(subscription, completed);
                if let (Detail::Portin(portin), "FOC") = (&order.detail, order.state.as_str()) {
                    message.actual_foc_date = portin.actual_foc.map(|foc| format!("{foc:.0}"));
                }
            }
        }
        message
    }

    fn tell(&mut self, subscription: &Subscription, message: Message, now: Timestamp) {
        match &subscription.way {
            Way::Email { address, daily, .. } => {
                self.mail(&subscription.id, address, *daily, &message, now);
            }
            Way::Callback(callback) => self.send(subscription, callback, message, now),
        }
    }

    /// Decides the fate of a notification.
    fn send(&mut self, to: &Subscription, callback: &Callback, message: Message, now: Timestamp) {
        // All is thrown for each, so that one knob does not change what another one does.
        let dropped = self.fates.percent(self.knobs.drop);
        let duplicated = self.fates.percent(self.knobs.duplicate);
        let held = self.fates.percent(self.knobs.disorder);
        let delay = self.fates.up_to(self.knobs.delay_max);
        let delivery = self.deliveries.len();
        self.deliveries.push(Delivery {
            subscription_id: to.id.clone(),
            url: callback.url.clone(),
            order_type: message.order_type.clone(),
            order_id: message.order_id.clone(),
            status: message.status.clone(),
            note: message.note.clone(),
            event_type: message.event_type.clone(),
            made: now,
            last_modified: message.last_modified_date.as_ref().and_then(|at| at.parse().ok()),
            dropped,
            duplicated: duplicated && !dropped,
            overtaken: false,
            posts: Vec::new(),
            body: message.to_xml(),
            bandwidth: callback.bandwidth.clone(),
        });
        if dropped {
            return;
        }
        let key = (to.id.clone(), message.order_id.unwrap_or_default());
        let lane = self.lanes.entry(key).or_default();
        if held && lane.held.is_none() {
            lane.held = Some(delivery);
            self.agenda.put(now + delay + HOLD_MAX, Due::Send { delivery });
            return;
        }
        let at = (now + delay).max(lane.last);
        lane.last = at;
        let overtaken = lane.held.take();
        self.agenda.put(at, Due::Send { delivery });
        if let Some(overtaken) = overtaken {
            self.agenda.strike(overtaken);
            self.deliveries[overtaken].overtaken = true;
            self.agenda.put(at, Due::Send { delivery: overtaken });
        }
    }

    /// A notification that is POSTed now: by whom, and the body.
    pub(super) fn post(&mut self, number: usize) -> (Arc<Bandwidth>, String) {
        let delivery = &self.deliveries[number];
        let order_id = delivery.order_id.clone().unwrap_or_default();
        if let Some(lane) = self.lanes.get_mut(&(delivery.subscription_id.clone(), order_id)) {
            lane.held = lane.held.filter(|held| *held != number);
        }
        (delivery.bandwidth.clone(), delivery.body.clone())
    }

    /// What came of a POST. One that is to be doubled is POSTed again.
    pub(super) fn posted(&mut self, number: usize, told: &anyhow::Result<Told>, at: Timestamp) {
        let delivery = &mut self.deliveries[number];
        let answered = told.as_ref().ok().map(|told| told.status);
        delivery.posts.push(Post { at, answered });
        let (again, id) =
            (delivery.duplicated && delivery.posts.len() == 1, &delivery.subscription_id);
        self.happened.push(Happened::Posted {
            at,
            delivery: number,
            order_id: delivery.order_id.clone(),
            status: delivery.status.clone(),
            answered,
        });
        let status = match told {
            Ok(told) => shown(told),
            Err(_) => "no answer".into(),
        };
        let subscription = self.subscriptions.iter_mut().find(|s| s.id == *id);
        if let Some(Way::Callback(callback)) = subscription.map(|s| &mut s.way) {
            callback.status = status;
        }
        if again {
            // Later states may come before it.
            let delay = self.repeats.up_to(self.knobs.delay_max);
            self.agenda.put(at + delay, Due::Send { delivery: number });
        }
    }
}

/// The last answer's code and text.
fn shown(told: &Told) -> String {
    let reason = http::StatusCode::from_u16(told.status).ok();
    let reason = reason.and_then(|status| status.canonical_reason()).unwrap_or_default();
    let text = if told.body.trim().is_empty() { reason } else { told.body.trim() };
    let text: String = text.chars().take(STATUS_MAX).collect();
    format!("{} {text}", told.status)
}

fn formatted(subscription: &Subscription, numbers: &[String]) -> Vec<String> {
    match &subscription.way {
        Way::Callback(callback) => numbers.iter().map(|number| callback.format(number)).collect(),
        Way::Email { .. } => numbers.to_vec(),
    }
}
