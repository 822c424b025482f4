//! An order for new numbers: what was asked for, and what came of it.

use std::collections::BTreeSet;

use super::geography::place_of;
use super::inventory::{Inventory, Standing};
use super::refused::Refused;
use super::request::{Request, Wish, check_names, flag, read_order};

/// Every order has one of these at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Every order's first. Nothing has been searched for.
    Received,
    Complete,
    Partial,
    Failed,
    Backordered,
}

/// A change of state, as a notification tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub state: State,
    pub message: String,
    /// For `CompletedTelephoneNumbers`. An order for given numbers that failed names them here, as
    /// it does at Bandwidth.
    pub telephone_numbers: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberOrder {
    request: Request,
    state: State,
    numbers: Vec<String>,
    errors: Vec<Refused>,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            State::Received => "RECEIVED",
            State::Complete => "COMPLETE",
            State::Partial => "PARTIAL",
            State::Failed => "FAILED",
            State::Backordered => "BACKORDERED",
        }
    }

    pub fn is_final(self) -> bool {
        matches!(self, State::Complete | State::Partial | State::Failed)
    }
}

impl NumberOrder {
    pub fn new(request: Request) -> NumberOrder {
        NumberOrder { request, state: State::Received, numbers: Vec::new(), errors: Vec::new() }
    }

    pub fn request(&self) -> &Request {
        &self.request
    }

    pub fn state(&self) -> State {
        self.state
    }

    /// The numbers that were taken for it.
    pub fn numbers(&self) -> &[String] {
        &self.numbers
    }

    /// Why some of what was asked for is not there; empty unless it ended so.
    pub fn errors(&self) -> &[Refused] {
        &self.errors
    }

    /// Given numbers that it did not get, once it has ended.
    pub fn failed_numbers(&self) -> Vec<&str> {
        let Wish::Numbers(wished) = &self.request.wish else { return Vec::new() };
        let failed = |number: &&String| self.state.is_final() && !self.numbers.contains(number);
        wished.iter().filter(failed).map(String::as_str).collect()
    }

    /// How many numbers are wanted and not there, whether it has ended or not.
    pub fn missing(&self) -> usize {
        self.request.wish.quantity() - self.numbers.len()
    }

    /// Searches for the first time; `None` unless it was just received.
    pub fn process(&mut self, inventory: &mut Inventory) -> Option<Change> {
        if self.state != State::Received {
            return None;
        }
        let found = self.take(inventory);
        let Request { back_order_requested, partial_allowed, .. } = self.request;
        let state = match found {
            found if found == self.request.wish.quantity() => State::Complete,
            _ if back_order_requested => State::Backordered,
            1.. if partial_allowed => State::Partial,
            _ => State::Failed,
        };
        Some(self.enter(state, found, inventory))
    }

    /// Searches again, after new numbers came into stock; a change only if the order is complete
    /// now. It may have taken some numbers without one.
    pub fn fill(&mut self, inventory: &mut Inventory) -> Option<Change> {
        if self.state != State::Backordered {
            return None;
        }
        let found = self.take(inventory);
        (self.missing() == 0).then(|| self.enter(State::Complete, found, inventory))
    }

    /// Does what a PUT asks for: other names, or the end of a backorder. What it does not mention
    /// stays; an order that is not backordered stays altogether.
    pub fn update(
        &mut self,
        body: &[u8],
        inventory: &mut Inventory,
    ) -> Result<Option<Change>, Vec<Refused>> {
        let order = read_order(body).map_err(|refused| vec![refused])?;
        if self.state != State::Backordered {
            let description = "Only an order that is backordered can be changed or closed";
            return Err(vec![Refused::new(5060, description)]);
        }
        let mut refused = Vec::new();
        check_names(&order, &mut refused);
        let close = flag(&order, "CloseOrder", &mut refused);
        if !refused.is_empty() {
            return Err(refused);
        }
        let request = &mut self.request;
        for (name, field) in
            [("Name", &mut request.name), ("CustomerOrderId", &mut request.customer_order_id)]
        {
            *field = order.value(name).map(str::to_owned).or(field.take());
        }
        let found = self.numbers.len();
        let state = if found > 0 { State::Partial } else { State::Failed };
        Ok(close.then(|| self.enter(state, found, inventory)))
    }

    /// Takes what is missing if it may, and says how much of it was there.
    fn take(&mut self, inventory: &mut Inventory) -> usize {
        let found: Vec<String> = match &self.request.wish {
            Wish::Numbers(wished) => {
                let is_there = |tn: &&String| inventory.standing(tn) == Some(Standing::Available);
                wished.iter().filter(is_there).cloned().collect()
            }
            Wish::Search { criteria, .. } => {
                let found = inventory.available(criteria, self.missing());
                found.into_iter().map(str::to_owned).collect()
            }
        };
        let count = found.len();
        if count == self.missing() || self.request.partial_allowed {
            inventory.take(&found);
            self.numbers.extend(found);
        }
        count
    }

    fn enter(&mut self, state: State, found: usize, inventory: &mut Inventory) -> Change {
        self.state = state;
        if matches!(state, State::Partial | State::Failed) {
            self.errors = self.what_is_lacking(found, inventory);
        }
        if state.is_final() {
            inventory.put_in_service(&self.numbers);
        }
        let telephone_numbers = match state {
            State::Complete | State::Partial => self.numbers.clone(),
            State::Failed => self.failed_numbers().into_iter().map(str::to_owned).collect(),
            State::Received | State::Backordered => Vec::new(),
        };
        Change { state, message: self.message(), telephone_numbers }
    }

    fn what_is_lacking(&self, found: usize, inventory: &Inventory) -> Vec<Refused> {
        match &self.request.wish {
            Wish::Numbers(wished) => wished
                .iter()
                .filter(|number| !self.numbers.contains(number))
                .filter(|number| inventory.standing(number) != Some(Standing::Available))
                .map(|number| Refused::of(5005, "This telephone number cannot be ordered", number))
                .collect(),
            Wish::Search { .. } if found == 0 => {
                vec![Refused::new(5018, "None of the numbers that were ordered is there")]
            }
            Wish::Search { quantity, .. } => {
                let description = format!("Only {found} of {quantity} numbers are there");
                vec![Refused::new(5017, description)]
            }
        }
    }

    /// What a notification says of the state.
    fn message(&self) -> String {
        match (self.state, self.errors.first()) {
            (State::Backordered, _) if self.numbers.is_empty() => {
                "Order backordered: no number is taken, all are awaited".into()
            }
            (State::Backordered, _) => "Order backordered: more numbers are awaited".into(),
            (_, Some(error)) => format!("{}: {}", error.code, error.description),
            _ => {
                let numbers = counted(self.numbers.len());
                format!("Created a new number order for {numbers} from {}", origin(&self.numbers))
            }
        }
    }
}

pub(super) fn counted(numbers: usize) -> String {
    format!("{numbers} number{}", if numbers == 1 { "" } else { "s" })
}

/// The rate center of the numbers, or how many they have.
fn origin(numbers: &[String]) -> String {
    let places: BTreeSet<_> = numbers
        .iter()
        .map(|number| place_of(number).map(|place| (place.rate_center, place.state)))
        .collect();
    match places.first() {
        Some(Some((rate_center, state))) if places.len() == 1 => format!("{rate_center}, {state}"),
        // So it is written of toll-free numbers.
        Some(None) if places.len() == 1 => "Unknown RC, Unknown State".into(),
        _ => format!("{} rate centers", places.len()),
    }
}

#[cfg(test)]
mod tests;
