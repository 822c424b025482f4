//! A limit: how much of it a rate needs, and at which rate it is met.

use super::traffic::Traffic;

/// Who can move a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// Our own template: this is to be turned.
    Template(&'static str),
    /// AWS, which raises it if asked.
    Ask,
    /// AWS, whose table splits the partition under lasting load: it throttles only until then.
    Splits,
    /// Nobody: this of our design would have to change.
    Design(&'static str),
}

#[derive(Clone)]
pub(super) struct Limit {
    pub(super) what: String,
    pub(super) needed: fn(&Traffic) -> f64,
    pub(super) quota: f64,
    pub(super) whose: Whose,
}

/// Rates that are looked at, a second.
const LEAST: f64 = 1e-3;
const MOST: f64 = 1e7;

/// By how much each is more than the one before, and how close the answer comes to the truth.
const STEP: f64 = 1.05;
const CLOSE: f64 = 1e-9;

impl Limit {
    pub(super) fn used(&self, traffic: &Traffic) -> f64 {
        (self.needed)(traffic) / self.quota
    }

    /// The lowest rate at which the quota is met, everything else being equal.
    pub(super) fn binds_at(&self, traffic: &Traffic) -> Option<f64> {
        let is_met = |rate: &f64| self.used(&Traffic { rate: *rate, ..*traffic }) >= 1.0;
        let rates = std::iter::successors(Some(LEAST), |rate| Some(rate * STEP));
        let mut above = rates.take_while(|rate| *rate <= MOST).find(is_met)?;
        let mut below = above / STEP;
        while above / below > 1.0 + CLOSE {
            let middle = (above + below) / 2.0;
            match is_met(&middle) {
                true => above = middle,
                false => below = middle,
            }
        }
        Some(above)
    }
}

impl Whose {
    pub(super) fn name(self) -> String {
        match self {
            Whose::Template(what) => format!("template: {what}"),
            Whose::Ask => "AWS, ask for more".into(),
            Whose::Splits => "AWS, until it has split".into(),
            Whose::Design(what) => format!("design: {what}"),
        }
    }
}
