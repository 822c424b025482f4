//! Orders for numbers, as time and new numbers come.

use jiff::Timestamp;

use super::numbers::geography::PLACES;
use super::numbers::inventory::{Inventory, NUMBERS_MAX, Standing};
use super::numbers::request::Wish;
use super::numbers::{Change, NumberOrder, Refused};
use super::order::Detail;
use super::scenario::Step;
use super::state::{CUSTOMER_CHANGE, SYSTEM, State};

impl State {
    /// A step of an order for numbers: the first decision, or more numbers for it.
    pub(super) fn supply(&mut self, order: usize, step: &Step, now: Timestamp) {
        match step.arrive.or(step.available) {
            Some(most) => self.withhold(order, most),
            None if step.state.is_none() => return,
            None => {}
        }
        self.fill(order, now);
    }

    /// New numbers come into stock, and to the backorders, the oldest first. How many are new.
    pub(super) fn stock(&mut self, numbers: &[String], now: Timestamp) -> usize {
        let new = self.inventory.add(numbers.iter().map(String::as_str));
        for order in 0..self.orders.len() {
            if self.orders[order].state == "BACKORDERED" {
                self.fill(order, now);
            }
        }
        new
    }

    /// Numbers of an area code, or of a rate center, that are not in stock.
    pub(super) fn unknown_numbers(&self, at: &str, quantity: usize) -> Vec<String> {
        let there = |area_code: &str, rate_center: &str| {
            area_code == at || rate_center.eq_ignore_ascii_case(at)
        };
        let places = PLACES.iter().filter(|place| there(place.area_code, place.rate_center));
        let exchanges = places.flat_map(|place| {
            place.exchanges.iter().map(|exchange| format!("{}{exchange}", place.area_code))
        });
        let numbers =
            exchanges.flat_map(|start| (0..10_000).map(move |line| format!("{start}{line:04}")));
        let unknown = numbers.filter(|number| self.inventory.standing(number).is_none());
        unknown.take(quantity).collect()
    }

    /// A PUT of an order for numbers.
    pub(super) fn update(
        &mut self,
        order: usize,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), Vec<Refused>> {
        let user = self.username.clone();
        let record = &mut self.orders[order];
        let Detail::Numbers(numbers) = &mut record.detail else { return Ok(()) };
        let hidden = numbers.hide(&mut self.inventory);
        let change = numbers.order.update(body, &mut self.inventory);
        self.inventory.release(&hidden);
        let change = change?;
        let id = numbers.order.request().customer_order_id.clone();
        if id != record.customer_order_id {
            let old = record.customer_order_id.take();
            let values = (old.as_deref(), id.as_deref());
            record.differ("CustomerOrderId", values, &user, now, CUSTOMER_CHANGE);
            record.customer_order_id = id;
        } else {
            record.touch(&user, now);
        }
        if let Some(change) = change {
            self.enter(order, change, &user, now);
        }
        Ok(())
    }

    /// Takes from the stock what there is for an order, but for what is withheld from it.
    fn fill(&mut self, order: usize, now: Timestamp) {
        let Detail::Numbers(numbers) = &mut self.orders[order].detail else { return };
        let had = numbers.order.numbers().len();
        let hidden = numbers.hide(&mut self.inventory);
        let decided = numbers.order.process(&mut self.inventory);
        let change = decided.or_else(|| numbers.order.fill(&mut self.inventory));
        self.inventory.release(&hidden);
        let has = numbers.order.numbers().len();
        match change {
            Some(change) => self.enter(order, change, SYSTEM, now),
            None if has > had => {
                self.orders[order].completed = self.numbers_of(order);
                self.orders[order].touch(SYSTEM, now);
            }
            None => {}
        }
    }

    fn enter(&mut self, order: usize, change: Change, author: &str, now: Timestamp) {
        let record = &mut self.orders[order];
        if let Detail::Numbers(numbers) = &mut record.detail {
            record.errors = numbers.order.errors().to_vec();
            numbers.named = change.telephone_numbers;
        }
        self.orders[order].completed = self.numbers_of(order);
        self.change(order, change.state.as_str(), author, Some(change.message), now);
    }

    fn numbers_of(&self, order: usize) -> Vec<String> {
        match &self.orders[order].detail {
            Detail::Numbers(numbers) => numbers.order.numbers().to_vec(),
            _ => Vec::new(),
        }
    }

    /// Keeps from an order all numbers that it could have, but for so many.
    fn withhold(&mut self, order: usize, but: usize) {
        let Detail::Numbers(numbers) = &mut self.orders[order].detail else { return };
        let fit = match &numbers.order.request().wish {
            Wish::Search { criteria, .. } => self.inventory.available(criteria, NUMBERS_MAX),
            Wish::Numbers(wished) => {
                let is_there = |tn: &&str| self.inventory.standing(tn) == Some(Standing::Available);
                wished.iter().map(String::as_str).filter(is_there).collect()
            }
        };
        numbers.withheld = fit.into_iter().skip(but).map(str::to_owned).collect();
    }
}

/// What only orders for numbers have.
#[derive(Debug)]
pub(crate) struct Numbers {
    pub order: NumberOrder,
    /// What the notification of its state names.
    pub named: Vec<String>,
    /// Numbers of the stock that its scenario keeps from it.
    withheld: Vec<String>,
}

impl Numbers {
    pub(crate) fn new(order: NumberOrder) -> Numbers {
        Numbers { order, named: Vec::new(), withheld: Vec::new() }
    }
    /// Takes out of stock what is withheld from it. What was taken, which is to be released.
    fn hide(&self, inventory: &mut Inventory) -> Vec<String> {
        let is_there = |tn: &&String| inventory.standing(tn) == Some(Standing::Available);
        let hidden: Vec<_> = self.withheld.iter().filter(is_there).cloned().collect();
        inventory.take(&hidden);
        hidden
    }
}
