//! Which numbers a disconnect order disconnects.

use std::collections::BTreeSet;

use super::order::Refused;
use super::scenario::Step;

/// What became of a disconnect order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub state: &'static str,
    pub disconnected: Vec<String>,
    pub failed: Vec<Refused>,
}

/// A number that the account does not have fails, and so do the last ones where the step says so.
pub(crate) fn decide(asked: &[String], owned: &BTreeSet<String>, step: &Step) -> Found {
    let spared = asked.len().saturating_sub(step.failing);
    let mut found = Found { state: "COMPLETE", disconnected: Vec::new(), failed: Vec::new() };
    for (place, number) in asked.iter().enumerate() {
        let refused = if !owned.contains(number) {
            Refused::new(5006, "the account does not have this telephone number")
        } else if place >= spared {
            let description = step.message.as_deref().unwrap_or("it cannot be disconnected now");
            Refused::new(step.code.unwrap_or(5006), description)
        } else {
            found.disconnected.push(number.clone());
            continue;
        };
        found.failed.push(Refused { telephone_number: Some(number.clone()), ..refused });
    }
    found.state = match (found.disconnected.is_empty(), found.failed.is_empty()) {
        (_, true) => "COMPLETE",
        (false, false) => "PARTIAL",
        (true, false) => "FAILED",
    };
    found
}

#[cfg(test)]
mod tests {
    use super::decide;
    use crate::sandbox::scenario::Step;

    #[track_caller]
    fn check(asked: &[&str], failing: usize, state: &str, disconnected: &[&str]) {
        let asked: Vec<_> = asked.iter().map(|number| (*number).to_owned()).collect();
        let owned = ["1", "2", "3"].map(String::from).into();
        let found = decide(&asked, &owned, &Step { failing, ..Step::default() });
        assert_eq!((found.state, found.disconnected.len()), (state, disconnected.len()));
        assert_eq!(found.disconnected, disconnected);
        assert_eq!(found.failed.len(), asked.len() - disconnected.len());
    }

    #[test]
    fn only_numbers_of_the_account_are_disconnected() {
        check(&["1", "2"], 0, "COMPLETE", &["1", "2"]);
        check(&["1", "9"], 0, "PARTIAL", &["1"]);
        check(&["9"], 0, "FAILED", &[]);
        check(&["1", "2", "3"], 1, "PARTIAL", &["1", "2"]);
        check(&["1"], 2, "FAILED", &[]);
    }
}
