//! What Bandwidth says: orders of several tenants on their way through their states, with notes in
//! between, repeated for each upstream subscription, late and in any order.

use domain::event::{EventKey, sortable};
use domain::notification::Notification;
use jiff::{SignedDuration, Timestamp};
use simulator::bandwidth::Message;

use super::draw::Draw;
use super::scene::Scene;

/// Accounts at Bandwidth, and who owns what is said there where no rule says otherwise, always.
pub(super) const ACCOUNTS: [(&str, Option<usize>); 2] = [("9900012", Some(0)), ("9900013", None)];

pub(super) const USER: &str = "bandwidth";
pub(super) const PASSWORD: &str = "a password of the simulation";

/// Tenants; at first a CustomerOrderId that begins with the n-th of these is the n-th tenant's.
pub(super) const TENANTS: [&str; 3] = ["5500001", "5500002", "5500003"];
pub(super) const PREFIXES: [&str; 3] = ["north-", "south-", "east-"];

/// Types of orders with the states on their way, of which the last ends it.
const KINDS: [(&str, &[&str]); 3] = [
    ("portins", &["SUBMITTED", "REQUESTED_SUPP", "FOC", "EXCEPTION", "FOC", "COMPLETE"]),
    ("orders", &["BACKORDERED", "COMPLETE"]),
    ("disconnects", &["PROCESSING", "COMPLETE"]),
];

/// Orders that are under way at a time.
const OPEN_MAX: usize = 4;

/// How often something happens to the same order as just before.
const SAME_ORDER: f64 = 0.8;

/// Something that happened, and Bandwidth tells of.
pub(super) struct Event {
    pub(super) n: usize,
    pub(super) account: &'static str,
    pub(super) subject: String,
    pub(super) digest: String,
    /// The tenant; `None`: nobody, or not known yet.
    pub(super) owner: Option<usize>,
    pub(super) order_type: Option<&'static str>,
    pub(super) status: Option<&'static str>,
    pub(super) ends_order: bool,
    message: Message,
    /// When the first copy was posted.
    pub(super) posted_at: Option<Timestamp>,
    /// ingest answered 200 to one of the copies.
    pub(super) accepted: bool,
}

struct Order {
    id: String,
    account: &'static str,
    owner: Option<usize>,
    customer_order_id: Option<String>,
    kind: usize,
    state: usize,
    last_at: Timestamp,
}

/// Bandwidth's own memory.
#[derive(Default)]
pub(super) struct Bandwidth {
    orders: Vec<Order>,
    orders_made: usize,
    /// Orders whose owner a rule decides and is not known yet: account, id, and which prefix.
    pub(super) unowned: Vec<(&'static str, String, usize)>,
    /// Place of the order to which something has just happened.
    last: usize,
    pub(super) events: Vec<Event>,
    /// Copies to be posted: when, of which event, and for which upstream subscription.
    to_post: Vec<(Timestamp, usize, usize)>,
}

impl Event {
    /// As it is posted for one upstream subscription.
    pub(super) fn body(&self, copy: usize) -> String {
        let subscription_id = Some(format!("upstream-subscription-{copy}"));
        Message { subscription_id, ..self.message.clone() }.to_xml()
    }

    /// By which it is known in every body.
    pub(super) fn mark(&self) -> String {
        mark(self.n)
    }
}

const MARK: &str = "event-";
const MARK_DIGITS: usize = 6;

fn mark(n: usize) -> String {
    format!("{MARK}{n:0MARK_DIGITS$}")
}

/// The number of the event that a body tells of.
pub(super) fn event_in(body: &str) -> Option<usize> {
    let (_, rest) = body.split_once(MARK)?;
    rest.get(..MARK_DIGITS)?.parse().ok()
}

impl Bandwidth {
    /// Lets something happen; answers how long it takes until the next does. An order that somebody
    /// works on changes every few seconds.
    pub(super) fn happen(&mut self, scene: &Scene) -> SignedDuration {
        let (draw, now) = (&scene.draw, scene.clock.now());
        if draw.chance(0.05) {
            self.touch_number(draw, now);
            return draw.seconds(1..10);
        }
        let goes_on = self.last < self.orders.len() && draw.chance(SAME_ORDER);
        if !goes_on {
            if self.orders.len() < OPEN_MAX && (self.orders.is_empty() || draw.chance(0.6)) {
                self.open(draw, now);
            }
            self.last = draw.within(0..self.orders.len());
        }
        self.go_on(self.last, draw, now);
        if draw.chance(0.2) { draw.seconds(5..60) } else { draw.seconds(0..4) }
    }

    /// A tenant's orders that are under way, with their types.
    pub(super) fn open_orders(&self, tenant: usize) -> Vec<(&'static str, String)> {
        let own = self.orders.iter().filter(|order| order.owner == Some(tenant));
        own.map(|order| (KINDS[order.kind].0, order.id.clone())).collect()
    }

    /// A copy whose time has come.
    pub(super) fn next_post(&mut self, now: Timestamp) -> Option<(usize, usize)> {
        let due = self.to_post.iter().enumerate().filter(|(_, (at, ..))| *at <= now);
        let (n, _) = due.min_by_key(|(_, post)| **post)?;
        let (_, event, copy) = self.to_post.remove(n);
        Some((event, copy))
    }

    pub(super) fn next_post_at(&self) -> Option<Timestamp> {
        self.to_post.iter().map(|(at, ..)| *at).min()
    }

    pub(super) fn first_posted_at(&self, subject: &str) -> Option<Timestamp> {
        let events = self.events.iter().filter(|event| event.subject == subject);
        events.filter_map(|event| event.posted_at).min()
    }

    /// From here on it is known whose an order is.
    pub(super) fn set_owner(&mut self, subject: &str, tenant: usize) {
        self.unowned.retain(|(_, id, _)| id != subject);
        let events = self.events.iter_mut().filter(|event| event.subject == subject);
        events.for_each(|event| event.owner = Some(tenant));
        let order = self.orders.iter_mut().find(|order| order.id == subject);
        if let Some(order) = order {
            order.owner = Some(tenant);
        }
    }

    fn open(&mut self, draw: &Draw, now: Timestamp) {
        let (account, default) = *draw.pick(&ACCOUNTS);
        // One in ten names nobody.
        let prefix = if draw.chance(0.1) { PREFIXES.len() } else { draw.within(0..PREFIXES.len()) };
        let name = PREFIXES.get(prefix).map(|prefix| format!("{prefix}{}", self.orders_made));
        self.orders_made += 1;
        let id = format!("00000000-0000-4000-8000-{:012}", self.orders_made);
        if name.is_some() {
            self.unowned.push((account, id.clone(), prefix));
        }
        self.orders.push(Order {
            id,
            account,
            owner: if name.is_some() { None } else { default },
            customer_order_id: name,
            kind: draw.within(0..KINDS.len()),
            state: 0,
            last_at: now,
        });
    }

    /// The order's next state, or a note.
    fn go_on(&mut self, n: usize, draw: &Draw, now: Timestamp) {
        let is_note = draw.chance(0.4);
        let order = &mut self.orders[n];
        let (order_type, states) = KINDS[order.kind];
        order.last_at = now.max(order.last_at + SignedDuration::from_millis(1));
        let status = (!is_note).then(|| states[order.state]);
        let dated = !draw.chance(0.05);
        let mut message = Message {
            status: status.map(Into::into),
            order_id: Some(order.id.clone()),
            order_type: Some(order_type.into()),
            customer_order_id: order.customer_order_id.clone(),
            note: is_note.then(|| "a note".into()),
            last_modified_date: dated.then(|| sortable(order.last_at)),
            ..Message::default()
        };
        message.message = Some(mark(self.events.len()));
        let (account, owner) = (order.account, order.owner);
        order.state += usize::from(!is_note);
        let ends_order = order.state == states.len() && !is_note;
        if ends_order {
            self.orders.remove(n);
        }
        let kind = Some(order_type);
        self.tell(message, account, owner, (kind, status, ends_order), draw, now);
    }

    /// An event that belongs to no order.
    fn touch_number(&mut self, draw: &Draw, now: Timestamp) {
        let (account, owner) = *draw.pick(&ACCOUNTS);
        let message = Message {
            event_type: Some("MESSAGING_LOST".into()),
            message: Some(mark(self.events.len())),
            last_modified_date: Some(sortable(now)),
            ..Message::default()
        };
        self.tell(message, account, owner, (None, None, false), draw, now);
    }

    fn tell(
        &mut self,
        message: Message,
        account: &'static str,
        owner: Option<usize>,
        (order_type, status, ends_order): (Option<&'static str>, Option<&'static str>, bool),
        draw: &Draw,
        now: Timestamp,
    ) {
        let n = self.events.len();
        let read = Notification::parse(message.to_xml().as_bytes()).unwrap_or_default();
        // Equal content without a date is one event for ten minutes only.
        let dated = message.last_modified_date.is_some();
        for copy in 0..draw.within(1..3) {
            let delay = match draw.chance(0.1) {
                true if dated => draw.seconds(5..400),
                _ => draw.seconds(0..1),
            };
            self.to_post.push((now + delay, n, copy));
        }
        self.events.push(Event {
            n,
            account,
            subject: read.subject(),
            digest: EventKey::stated(&read)
                .map_or_else(|| read.digest(), |key| key.digest().to_owned()),
            owner,
            order_type,
            status,
            ends_order,
            message,
            posted_at: None,
            accepted: false,
        });
    }
}
