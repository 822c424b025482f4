//! All that the account knows, and how its orders change.

use std::collections::{BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::Settings;
use super::agenda::Agenda;
use super::dice::Dice;
use super::kinds::Kind;
use super::mail::Mail;
use super::notify::{Delivery, Knobs, Lane, News};
use super::numbers::Inventory;
use super::order::{Change, Detail, Note, Order, Script, in_ms, telephone_numbers};
use super::scenario::Scenario;
use super::subscription::Subscription;
use super::xml::Element;

/// Who changes an order when no customer does.
pub(crate) const SYSTEM: &str = "System";

/// What the history says of a change by the customer that leaves the state.
pub(crate) const CUSTOMER_CHANGE: &str = "changed by the customer";

/// The first note's id.
const FIRST_NOTE_ID: u64 = 10_001;

pub(crate) struct State {
    pub account: String,
    pub username: String,
    pub sites: Vec<String>,
    pub knobs: Knobs,
    pub scenario: Scenario,
    /// By age. Their place here is how they are referred to inside.
    pub orders: Vec<Order>,
    by_id: HashMap<String, usize>,
    /// The numbers that the account has in service.
    pub numbers: BTreeSet<String>,
    /// What can be ordered.
    pub inventory: Inventory,
    pub subscriptions: Vec<Subscription>,
    pub deliveries: Vec<Delivery>,
    pub mails: Vec<Mail>,
    pub agenda: Agenda,
    /// What has happened since somebody asked.
    pub happened: Vec<Happened>,
    pub ids: Dice,
    pub fates: Dice,
    pub repeats: Dice,
    pub lanes: HashMap<(String, String), Lane>,
    notes: u64,
    /// The minute of the last request, and how many there were in it.
    pub requests: (i64, u32),
}

/// Something that went on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Happened {
    /// An order changed its state.
    Changed { at: Timestamp, order_type: &'static str, order_id: String, state: String },
    /// A notification was POSTed.
    Posted {
        at: Timestamp,
        /// Its place among the deliveries.
        delivery: usize,
        order_id: Option<String>,
        status: Option<String>,
        answered: Option<u16>,
    },
}

impl State {
    pub(super) fn new(settings: Settings) -> State {
        State {
            account: settings.account,
            username: settings.username,
            sites: settings.sites,
            knobs: settings.knobs,
            scenario: settings.scenario,
            orders: Vec::new(),
            by_id: HashMap::new(),
            numbers: BTreeSet::new(),
            inventory: Inventory::generate(settings.seed),
            subscriptions: Vec::new(),
            deliveries: Vec::new(),
            mails: Vec::new(),
            agenda: Agenda::default(),
            happened: Vec::new(),
            // Three, so that what goes wrong does not change the ids, nor when something is POSTed
            // again what else goes wrong.
            ids: Dice::new(settings.seed),
            fates: Dice::new(!settings.seed),
            repeats: Dice::new(settings.seed.rotate_left(32)),
            lanes: HashMap::new(),
            notes: FIRST_NOTE_ID,
            requests: (0, 0),
        }
    }

    /// Where that order stands.
    pub(super) fn find(&self, kind: &Kind, id: &str) -> Option<usize> {
        let order = self.place(id)?;
        (self.orders[order].kind.order_type == kind.order_type).then_some(order)
    }

    /// The same, whatever its type is.
    pub(super) fn place(&self, id: &str) -> Option<usize> {
        let order = *self.by_id.get(&id.to_ascii_lowercase())?;
        (!self.orders[order].deleted).then_some(order)
    }

    /// Whether a port-in of that number is under way.
    pub(super) fn is_being_ported(&self, number: &str) -> bool {
        let under_way = |order: &&Order| {
            matches!(order.detail, Detail::Portin(_)) && !order.deleted && !order.is_terminal()
        };
        let mut orders = self.orders.iter().filter(under_way);
        orders.any(|order| order.state != "DRAFT" && order.numbers.iter().any(|n| n == number))
    }

    /// Makes an order in its first state, and plans the rest.
    pub(super) fn place_order(
        &mut self,
        kind: &'static Kind,
        request: Element,
        customer_order_id: Option<String>,
        detail: Detail,
        author: &str,
        now: Timestamp,
    ) -> usize {
        let id = self.ids.uuid();
        let steps = self.scenario.steps(kind, customer_order_id.as_deref());
        let order = self.orders.len();
        self.by_id.insert(id.clone(), order);
        self.orders.push(Order {
            kind,
            id,
            customer_order_id,
            user: author.into(),
            created: in_ms(now),
            // The first state makes this `now`.
            modified: in_ms(now) - SignedDuration::from_millis(1),
            modified_by: author.into(),
            state: String::new(),
            history: Vec::new(),
            notes: Vec::new(),
            errors: Vec::new(),
            numbers: telephone_numbers(&request),
            completed: Vec::new(),
            script: Script { steps, ..Script::default() },
            detail,
            deleted: false,
            request,
        });
        let draft = kind.order_type == "portins" && self.asks_for_draft(order);
        let first = kind.course.first().map(|leg| leg.state).unwrap_or_default();
        self.change(order, if draft { "DRAFT" } else { first }, author, None, now);
        if !draft {
            self.go_on(order, now);
        }
        order
    }

    fn asks_for_draft(&self, order: usize) -> bool {
        let asked = self.orders[order].request.value("ProcessingStatus");
        asked.is_some_and(|state| state.eq_ignore_ascii_case("DRAFT"))
    }

    /// Puts an order into a state, and tells of it. `message` is what is said of it.
    pub(super) fn change(
        &mut self,
        order: usize,
        to: &str,
        author: &str,
        message: Option<String>,
        now: Timestamp,
    ) {
        let number = order;
        let order = &mut self.orders[number];
        order.state = to.into();
        order.touch(author, now);
        order.history.push(Change {
            at: order.modified,
            state: to.into(),
            author: author.into(),
            note: message.clone().unwrap_or_else(|| format!("The order is now {to}")),
            difference: None,
        });
        self.happened.push(Happened::Changed {
            at: now,
            order_type: order.kind.order_type,
            order_id: order.id.clone(),
            state: to.into(),
        });
        let completed = match order.is_terminal() {
            true => self.settle(number),
            false => Vec::new(),
        };
        if to == "FOC" {
            self.firm_order_commitment(number, now);
        }
        self.announce(number, &News::State { message, completed }, now);
    }

    /// What the end of an order does to the numbers of the account. Those it was done for, where
    /// notifications name them.
    fn settle(&mut self, order: usize) -> Vec<String> {
        let order = &mut self.orders[order];
        let complete = order.state == "COMPLETE";
        match order.kind.order_type {
            "portins" | "portouts" if complete => order.completed = order.numbers.clone(),
            "portins" | "portouts" | "orders" | "disconnects" => {}
            _ => return Vec::new(),
        }
        match order.kind.order_type {
            "portins" | "orders" => self.numbers.extend(order.completed.iter().cloned()),
            _ => self.numbers.retain(|number| !order.completed.contains(number)),
        }
        // What is ported out belongs to another carrier.
        if order.kind.order_type == "disconnects" {
            self.inventory.put_back(&order.completed);
        }
        match &order.detail {
            Detail::Numbers(numbers) => numbers.named.clone(),
            _ => order.completed.clone(),
        }
    }

    /// Adds a note, and tells of it.
    pub(super) fn note(&mut self, order: usize, user: &str, text: &str, now: Timestamp) -> u64 {
        let id = self.notes;
        self.notes += 1;
        let (user, text) = (user.to_owned(), text.to_owned());
        let at = &mut self.orders[order];
        at.touch(&user, now);
        at.notes.push(Note { id, user, text: text.clone(), at: at.modified });
        self.announce(order, &News::Note(text), now);
        id
    }
}
