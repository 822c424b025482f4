//! The order types: what they have in common, and what sets them apart.

mod table;

use super::portin;
use super::scenario::Wait;
pub use table::KINDS;

/// An order type.
#[derive(Debug)]
pub struct Kind {
    /// As subscriptions and notifications name it.
    pub order_type: &'static str,
    /// As it stands in paths, below `accounts/{account}/`.
    pub path: &'static str,
    /// What an order goes through where no scenario has it otherwise.
    pub course: &'static [Leg],
    /// The states that are on no such course.
    pub detours: &'static [&'static str],
    pub notified: &'static [&'static str],
    pub terminal: &'static [&'static str],
    pub has_history: bool,
    pub has_notes: bool,
    pub dates: Dates,
    /// Whether a list without any order is a 404.
    pub empty_is_404: bool,
    pub form: Form,
}

/// A part of a course.
#[derive(Debug)]
pub struct Leg {
    pub state: &'static str,
    /// After the one before, or after what was waited for.
    pub after_s: i64,
    pub wait: Option<Wait>,
}

/// Which date filters a list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dates {
    /// `startdate` and `enddate`, held against the day an order was made.
    Created,
    /// `startdate` and `enddate`, held against the day of the last change.
    Modified,
    /// `createdDateFrom`, `createdDateTo`, `modifiedDateFrom`, `modifiedDateTo` and
    /// `lastModifiedAfter`.
    Ranges,
}

/// The elements of answers.
#[derive(Debug)]
pub struct Form {
    /// From the root to the order, in the answer to its POST.
    pub created: &'static [&'static str],
    /// From the root to the order, in the answer to a GET.
    pub got: &'static [&'static str],
    pub status: &'static str,
    /// From the root to the entries of a list.
    pub list: &'static [&'static str],
    pub entry: &'static str,
    /// How an entry names the order's id, its type and its state.
    pub entry_id: &'static str,
    pub entry_type: &'static str,
    pub entry_status: &'static str,
}

impl Kind {
    /// The order type of that name or path, in whatever case.
    pub fn named(name: &str) -> Option<&'static Kind> {
        let is = |other: &str| other.eq_ignore_ascii_case(name);
        KINDS.iter().find(|kind| is(kind.order_type) || is(kind.path))
    }

    pub fn is_notified(&self, state: &str) -> bool {
        self.notified.contains(&state)
    }

    pub fn is_terminal(&self, state: &str) -> bool {
        self.terminal.contains(&state)
    }

    /// Whether an order gets from one state to the other.
    pub fn allows(&self, from: &str, to: &str) -> bool {
        match self.order_type {
            "portins" => portin::may_follow(from, to),
            _ => from != to && !self.is_terminal(from),
        }
    }

    /// All its states, those of the course first.
    pub fn states(&self) -> impl Iterator<Item = &'static str> {
        self.course.iter().map(|leg| leg.state).chain(self.detours.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::{KINDS, Kind};

    #[test]
    fn what_is_notified_or_final_is_a_state_of_the_type() {
        for kind in KINDS {
            for state in kind.notified.iter().chain(kind.terminal) {
                assert!(kind.states().any(|other| other == *state), "{} {state}", kind.order_type);
            }
            let last = kind.course.last().unwrap().state;
            assert!(kind.is_terminal(last) && kind.is_notified(last), "{}", kind.order_type);
        }
    }

    #[test]
    fn a_type_is_found_by_either_name_in_any_case() {
        for name in ["lidb", "lidbs", "LIDB"] {
            assert_eq!(Kind::named(name).unwrap().path, "lidbs");
        }
        assert_eq!(Kind::named("importTnOrders").unwrap().order_type, "importtnorders");
        let endpoints = Kind::named("emergencyNotificationEndpointOrders").unwrap();
        assert_eq!(endpoints.order_type, "emergencyEndpointGroup");
        assert!(Kind::named("subscriptions").is_none());
    }
}
