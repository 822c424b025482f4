//! What tenants want, and how their endpoints are at present.

use domain::subscription::{Format, Mode, Policy, Topic};
use jiff::{SignedDuration, Timestamp};
use relay::setup::Wanted;
use serde_json::{Value, json};

use super::bandwidth::{Event, TENANTS};
use super::draw::Draw;

/// A function goes by what it knows of a subscription for 5 s, and runs for a minute at most.
pub(super) const NOTICED: SignedDuration = SignedDuration::from_secs(66);

/// Waits between attempts, in seconds: within the queue, parked, or none at all.
const WAITS: [&[u32]; 5] =
    [&[5, 30, 120], &[5, 1200], &[10, 60, 600, 1800], &[3, 3, 3, 3, 3, 3], &[]];

/// How often a new subscription is about one order.
const ABOUT_ONE_ORDER: f64 = 0.35;

/// One subscription, as its tenant knows it.
pub(super) struct Subscription {
    pub(super) id: String,
    /// By number.
    pub(super) tenant: usize,
    pub(super) url: String,
    order_type: Option<&'static str>,
    /// The one order that it is about.
    pub(super) order: Option<String>,
    /// Its state of then was asked for.
    pub(super) snapshot: bool,
    pub(super) mode: Mode,
    policy: Policy,
    pub(super) states: Vec<String>,
    json: bool,
    pub(super) waits: Vec<u32>,
    /// When the relay said that it stands.
    pub(super) made_at: Option<Timestamp>,
    /// Since when it has been as the tenant last heard; `None` while that is not known.
    pub(super) enabled: Option<(bool, Timestamp)>,
    /// When the tenant first asked for its end, and when it heard of it.
    pub(super) delete_asked: bool,
    pub(super) deleted_at: Option<Timestamp>,
    /// Those that the tenant was told, the newest last, with the time of that.
    pub(super) secrets: Vec<(String, Timestamp)>,
    /// Rotations since then whose outcome the tenant does not know.
    pub(super) rotations_unknown: usize,
    /// Until then a function may go by secrets that the tenant was never told.
    pub(super) blind_until: Timestamp,
    /// The endpoint has answered 410, which may end the subscription.
    pub(super) said_gone: usize,
    /// Its order's final state has been posted, which ends it once that is delivered or given up.
    pub(super) may_end: bool,
    /// How often its tenant may have had a delivery of it made again.
    pub(super) asked_again: usize,
    /// Since when its endpoint has failed each time, and until when.
    pub(super) failing: Option<(Timestamp, Timestamp)>,
    /// A request about it is on its way.
    pub(super) is_busy: bool,
    /// All is as it is to stay.
    pub(super) settled: bool,
    mood: Mood,
    mood_until: Timestamp,
}

/// How an endpoint answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    Well,
    Failing,
    /// Each time otherwise.
    Odd,
    Hanging,
    Refusing,
    Gone,
}

/// What a tenant asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Make,
    Enable(bool),
    Rotate,
    Delete,
    /// Something that is dead or waits is to be tried again.
    Retry,
    /// All of the last minutes, or what of it is dead, is to be delivered again.
    Replay {
        dead_only: bool,
    },
}

impl Wish {
    /// What has been done when it is fulfilled.
    pub(super) fn name(self) -> &'static str {
        match self {
            Wish::Make => "subscriptions made",
            Wish::Enable(true) => "subscriptions enabled",
            Wish::Enable(false) => "subscriptions disabled",
            Wish::Rotate => "secrets rotated",
            Wish::Delete => "subscriptions deleted",
            Wish::Retry => "retries",
            Wish::Replay { .. } => "replays",
        }
    }
}

impl Subscription {
    /// `orders` are those of the tenant's that are under way, with their types.
    pub(super) fn draw(
        n: usize,
        tenant: usize,
        orders: &[(&'static str, String)],
        draw: &Draw,
        now: Timestamp,
    ) -> Subscription {
        let order = match !orders.is_empty() && draw.chance(ABOUT_ONE_ORDER) {
            true => Some(draw.pick(orders).clone()),
            false => None,
        };
        let (of_type, order) = order.unzip();
        let states = match draw.chance(0.1) {
            true => vec!["FOC".to_owned(), "complete".to_owned()],
            false => Vec::new(),
        };
        Subscription {
            id: format!("subscription-{n}"),
            tenant,
            url: format!("https://endpoint-{n}.tenant-{tenant}.example/hook"),
            order_type: of_type.or(*draw.pick(&[None, None, None, None, Some("portins")])),
            order,
            snapshot: draw.chance(0.5),
            mode: *draw.pick(&[
                Mode::Every,
                Mode::Every,
                Mode::Every,
                Mode::Every,
                Mode::Latest,
                Mode::Final,
            ]),
            policy: *draw.pick(&[Policy::Skip, Policy::Skip, Policy::Skip, Policy::Halt]),
            states,
            json: draw.chance(0.3),
            waits: draw.pick(&WAITS).to_vec(),
            made_at: None,
            enabled: Some((true, now)),
            delete_asked: false,
            deleted_at: None,
            secrets: Vec::new(),
            rotations_unknown: 0,
            blind_until: now,
            said_gone: 0,
            may_end: false,
            asked_again: 0,
            failing: None,
            is_busy: false,
            settled: false,
            mood: Mood::Well,
            mood_until: now,
        }
    }

    pub(super) fn tenant_id(&self) -> &'static str {
        TENANTS[self.tenant]
    }

    /// Whether it is about an event of its tenant's.
    pub(super) fn matches(&self, event: &Event) -> bool {
        let listed = |status: &str| self.states.iter().any(|one| one.eq_ignore_ascii_case(status));
        let of_type = self.order_type.is_none() || self.order_type == event.order_type;
        let by_state = event.order_type.is_none()
            || ((self.states.is_empty() || event.status.is_some_and(listed))
                && (self.mode != Mode::Final || event.ends_order));
        let of_order = self.order.as_ref().is_none_or(|order| *order == event.subject);
        event.owner == Some(self.tenant) && of_type && of_order && by_state
    }

    pub(super) fn attempts_max(&self) -> usize {
        // One that the endpoint answered so is made again when the subscription is enabled.
        // Each time it is made again on request it has its whole schedule.
        (self.waits.len() + 1) * (self.asked_again + 1) + self.said_gone
    }

    /// It has ended, or may have.
    pub(super) fn may_be_gone(&self) -> bool {
        self.delete_asked || self.said_gone > 0 || self.may_end
    }

    pub(super) fn wanted(&self) -> Wanted {
        let waits = self.waits.iter().map(|wait| SignedDuration::from_secs((*wait).into()));
        Wanted {
            id: Some(self.id.clone()),
            topic: match (self.order_type, &self.order) {
                (Some(order_type), Some(order)) => {
                    Topic::Order { order_type: order_type.into(), order_id: order.clone() }
                }
                (Some(order_type), None) => Topic::OrderType(order_type.into()),
                (None, _) => Topic::All,
            },
            format: if self.json { Format::Json } else { Format::Xml },
            mode: self.mode,
            policy: self.policy,
            states: self.states.clone(),
            waits: Some(waits.collect()),
            ..Wanted::everything(self.tenant_id(), &self.url)
        }
    }

    /// The same for the API.
    pub(super) fn request(&self, enabled: bool) -> Value {
        let mut request = json!({
            "url": self.url,
            "format": if self.json { "json" } else { "xml" },
            "mode": match self.mode {
                Mode::Every => "every",
                Mode::Latest => "latest",
                Mode::Final => "final",
            },
            "order_policy": if self.policy == Policy::Halt { "halt" } else { "skip" },
            "states": self.states,
            "retry_schedule": self.waits,
            "enabled": enabled,
        });
        if let Some(order_type) = self.order_type {
            request["order_type"] = order_type.into();
        }
        if let Some(order) = &self.order {
            request["order_id"] = order.as_str().into();
        }
        request
    }

    pub(super) fn mood(&mut self, draw: &Draw, now: Timestamp) -> Mood {
        use Mood::{Failing, Gone, Hanging, Odd, Refusing, Well};
        if now >= self.mood_until {
            let moods =
                [Well, Well, Well, Well, Well, Failing, Failing, Odd, Odd, Hanging, Refusing, Gone];
            self.mood = *draw.pick(&moods);
            self.mood_until = now + draw.seconds(60..1200);
        }
        self.mood
    }

    /// From here on the endpoint fails.
    pub(super) fn fail(&mut self) {
        // What came of an attempt before may not have been noted.
        self.failing = None;
        (self.mood, self.mood_until) = (Mood::Failing, Timestamp::MAX);
    }

    /// Notes what the endpoint answered.
    pub(super) fn note_answer(&mut self, succeeded: bool, now: Timestamp) {
        self.failing = match self.failing {
            _ if succeeded => None,
            Some((first, _)) => Some((first, now)),
            None => Some((now, now)),
        };
    }

    /// Secrets that were replaced days ago sign no longer.
    pub(super) fn forget_old_secrets(&mut self) {
        if self.rotations_unknown > 0 {
            self.rotations_unknown += 1;
        }
    }

    /// From here on the endpoint works.
    pub(super) fn recover(&mut self) {
        (self.mood, self.mood_until) = (Mood::Well, Timestamp::MAX);
    }

    /// What may still come of what the tenant asked for is not known: it must not be judged by.
    pub(super) fn heard_nothing(&mut self, wish: Wish) {
        match wish {
            Wish::Make => self.delete_asked = true,
            Wish::Enable(_) => self.enabled = None,
            Wish::Rotate => self.rotations_unknown += 1,
            Wish::Delete | Wish::Retry | Wish::Replay { .. } => {}
        }
    }
}
