//! Scenarios: what becomes of orders, told in JSON.
//!
//! ```json
//! { "about": "Rejected once, then completed",
//!   "orders": [
//!     { "kind": "portins",
//!       "customer_order_id_prefix": "PIN",
//!       "steps": [
//!         { "after": "5s", "state": "SUBMITTED" },
//!         { "after": "2h", "state": "EXCEPTION", "code": 7513, "message": "PIN invalid" },
//!         { "wait": "supp", "after": "1m", "state": "SUBMITTED" },
//!         { "after": "24h", "state": "FOC" },
//!         { "after": "48h", "state": "COMPLETE" } ] } ] }
//! ```
//!
//! The first rule that fits an order has it; one that none fits goes the usual course of its type.
//! Every order begins in the first state of its type, at once. A step comes `after` the one before,
//! or after what it is to `wait` for:
//!
//! * `supp`: the customer changes a port-in (PUT),
//! * `loa`: the customer uploads a document,
//! * `submit`: the customer submits a bulk port-in, or answers to a CSR that needs it (PUT, PATCH).
//!
//! A step does what it has a field for:
//!
//! * `state`, with `code` and `message` for what is said of it. A port-in completes no earlier than
//!   its customer asked for. A `disconnects` ends with `COMPLETE`, and what that comes to is found
//!   out: of the numbers, the last `failing` ones fail too, as `code` and `message` say.
//! * `note`: Bandwidth adds a note.
//! * `available`: an `orders` is decided as if there were only so many of the numbers that it wants.
//!   Without a scenario, that is done after a second, with all that there are.
//! * `arrive`: so many numbers become available for an `orders` that is backordered.
//!
//! A field that an order of the type would pass over is refused.

use std::path::Path;

use anyhow::{Context as _, bail};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::kinds::Kind;

/// What becomes of which orders.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    #[serde(default)]
    pub about: String,
    pub orders: Vec<Rule>,
}

/// What becomes of orders of one type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub kind: String,
    /// Fits all if it is empty.
    #[serde(default)]
    pub customer_order_id_prefix: String,
    pub steps: Vec<Step>,
}

/// Something that happens to an order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Step {
    pub wait: Option<Wait>,
    pub after: SignedDuration,
    pub state: Option<String>,
    pub code: Option<u32>,
    pub message: Option<String>,
    pub note: Option<String>,
    pub failing: usize,
    pub available: Option<usize>,
    pub arrive: Option<usize>,
}

/// What the customer has to do first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    Supp,
    Loa,
    Submit,
}

/// The ready-made ones, by name.
pub const SCENARIOS: &[(&str, &str)] = &[
    ("portin-completes", include_str!("../../scenarios/portin-completes.json")),
    ("portin-rejected-twice", include_str!("../../scenarios/portin-rejected-twice.json")),
    ("portin-snapback", include_str!("../../scenarios/portin-snapback.json")),
    ("portin-cancelled", include_str!("../../scenarios/portin-cancelled.json")),
    ("portin-needs-loa", include_str!("../../scenarios/portin-needs-loa.json")),
    ("order-fails", include_str!("../../scenarios/order-fails.json")),
    ("order-partial", include_str!("../../scenarios/order-partial.json")),
    ("order-backordered", include_str!("../../scenarios/order-backordered.json")),
    ("disconnect-partial", include_str!("../../scenarios/disconnect-partial.json")),
    ("csr-needs-action", include_str!("../../scenarios/csr-needs-action.json")),
];

impl Scenario {
    pub fn is_ready_made(name: &str) -> bool {
        SCENARIOS.iter().any(|(other, _)| *other == name)
    }

    /// A ready-made one, or that of a file.
    pub fn load(name_or_file: &str) -> anyhow::Result<Scenario> {
        let ready_made = SCENARIOS.iter().find(|(name, _)| *name == name_or_file);
        let text = match ready_made {
            Some((_, text)) => (*text).to_owned(),
            None => std::fs::read_to_string(Path::new(name_or_file)).with_context(|| {
                let names: Vec<_> = SCENARIOS.iter().map(|(name, _)| *name).collect();
                format!("{name_or_file} is no file, and none of {}", names.join(", "))
            })?,
        };
        Scenario::read(text.as_bytes()).with_context(|| format!("cannot use {name_or_file}"))
    }

    /// Refuses types, states and transitions that there are not, and what would be passed over.
    pub fn read(json: &[u8]) -> anyhow::Result<Scenario> {
        let scenario: Scenario = serde_json::from_slice(json)?;
        scenario.orders.iter().try_for_each(Rule::check)?;
        Ok(scenario)
    }

    /// The steps of an order after its first state.
    pub(crate) fn steps(&self, kind: &Kind, customer_order_id: Option<&str>) -> Vec<Step> {
        let fits = |rule: &&Rule| {
            let id = customer_order_id.unwrap_or_default();
            Kind::named(&rule.kind).is_some_and(|other| other.order_type == kind.order_type)
                && id.starts_with(&rule.customer_order_id_prefix)
        };
        match self.orders.iter().find(fits) {
            Some(rule) => rule.steps.clone(),
            None => usual(kind),
        }
    }
}

/// The course of a type, after its first state.
pub(crate) fn usual(kind: &Kind) -> Vec<Step> {
    let legs = kind.course.iter().skip(1).map(|leg| Step {
        wait: leg.wait,
        after: SignedDuration::from_secs(leg.after_s),
        state: Some(leg.state.into()),
        ..Step::default()
    });
    legs.collect()
}

impl Rule {
    fn check(&self) -> anyhow::Result<()> {
        let kind = &self.kind;
        let kind = Kind::named(kind).with_context(|| format!("{kind} is no order type"))?;
        let mut at = kind.course.first().map(|leg| leg.state).unwrap_or_default();
        for step in &self.steps {
            if step.after.is_negative() {
                bail!("a step comes after the one before, not {} earlier", step.after);
            }
            if let Some(field) = step.passed_over(kind) {
                bail!("{}: this step's {field} would be passed over", kind.order_type);
            }
            if step.wait == Some(Wait::Supp) {
                if at != "REQUESTED_SUPP" && !kind.allows(at, "REQUESTED_SUPP") {
                    bail!("{}: no customer changes an order that is {at}", kind.order_type);
                }
                at = "REQUESTED_SUPP";
            }
            let Some(state) = &step.state else { continue };
            if kind.order_type == "disconnects" && kind.is_terminal(state) && state != "COMPLETE" {
                bail!("disconnects: they end with COMPLETE, and {state} is found out");
            }
            let known = kind.states().find(|known| known == state);
            let Some(next) = known.filter(|next| kind.allows(at, next)) else {
                bail!("{}: no order gets from {at} to {state}", kind.order_type);
            };
            at = next;
        }
        Ok(())
    }
}

impl Step {
    /// A field that does nothing where it stands, in an order of that type.
    fn passed_over(&self, kind: &Kind) -> Option<&'static str> {
        let is_for_numbers = kind.order_type == "orders";
        let state = self.state.as_deref();
        let disconnects = kind.order_type == "disconnects" && state == Some("COMPLETE");
        let is_said = state.is_some() && (!disconnects || self.failing > 0);
        let fields = [
            ("wait", self.wait.is_some_and(|wait| !wait.can_end(kind))),
            ("state", state.is_some() && is_for_numbers),
            ("code", self.code.is_some() && !is_said),
            ("message", self.message.is_some() && !is_said),
            ("failing", self.failing > 0 && !disconnects),
            ("available", self.available.is_some() && (!is_for_numbers || self.arrive.is_some())),
            ("arrive", self.arrive.is_some() && !is_for_numbers),
        ];
        fields.into_iter().find(|(_, is_idle)| *is_idle).map(|(name, _)| name)
    }
}

impl Wait {
    /// Whether the customer can do that to an order of that type.
    fn can_end(self, kind: &Kind) -> bool {
        match self {
            Wait::Supp | Wait::Loa => kind.order_type == "portins",
            Wait::Submit => !matches!(kind.order_type, "portins" | "orders"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{SCENARIOS, Scenario};
    use crate::sandbox::kinds::Kind;

    #[track_caller]
    fn check(rule: &str, error: Option<&str>) {
        let json = format!(r#"{{ "orders": [{rule}] }}"#);
        let read = Scenario::read(json.as_bytes());
        assert_eq!(read.err().map(|error| error.to_string()).as_deref(), error);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        check(r#"{"kind":"portins","steps":[{"state":"SUBMITTED"},{"state":"FOC"}]}"#, None);
        check(r#"{"kind":"faxes","steps":[]}"#, Some("faxes is no order type"));
        check(
            r#"{"kind":"portins","steps":[{"state":"COMPLETE"}]}"#,
            Some("portins: no order gets from PENDING_DOCUMENTS to COMPLETE"),
        );
        check(
            r#"{"kind":"csrs","steps":[{"state":"FOC"}]}"#,
            Some("csrs: no order gets from RECEIVED to FOC"),
        );
        check(
            r#"{"kind":"csrs","steps":[{"after":"-1s"}]}"#,
            Some("a step comes after the one before, not -PT1S earlier"),
        );
    }

    #[test]
    fn what_would_be_passed_over_is_refused_by_name() {
        let idle = |kind: &str, step: &str, field: &str| {
            let error = format!("{kind}: this step's {field} would be passed over");
            check(&format!(r#"{{"kind":"{kind}","steps":[{step}]}}"#), Some(&error));
        };
        idle("orders", r#"{"state":"FAILED"}"#, "state");
        idle("orders", r#"{"available":0,"code":5018}"#, "code");
        idle("orders", r#"{"available":0,"message":"none"}"#, "message");
        idle("orders", r#"{"available":0,"arrive":1}"#, "available");
        idle("orders", r#"{"wait":"submit","available":0}"#, "wait");
        idle("portins", r#"{"arrive":1}"#, "arrive");
        idle("portins", r#"{"available":1}"#, "available");
        idle("portins", r#"{"code":7513}"#, "code");
        idle("portins", r#"{"wait":"submit","state":"SUBMITTED"}"#, "wait");
        idle("csrs", r#"{"wait":"loa","state":"PROCESSING"}"#, "wait");
        idle("csrs", r#"{"wait":"supp","state":"PROCESSING"}"#, "wait");
        idle("csrs", r#"{"state":"FAILED","failing":1}"#, "failing");
        idle("disconnects", r#"{"state":"PROCESSING","failing":1}"#, "failing");
        idle("disconnects", r#"{"state":"COMPLETE","code":5010}"#, "code");
        check(
            r#"{"kind":"disconnects","steps":[{"state":"FAILED"}]}"#,
            Some("disconnects: they end with COMPLETE, and FAILED is found out"),
        );
        check(
            r#"{"kind":"portins","steps":[{"state":"CANCELLED"},{"wait":"supp"}]}"#,
            Some("portins: no customer changes an order that is CANCELLED"),
        );
        check(r#"{"kind":"csrs","steps":[{"wait":"submit","state":"PROCESSING"}]}"#, None);
        check(r#"{"kind":"orders","steps":[{"available":0,"note":"soon"},{"arrive":1}]}"#, None);
    }

    #[test]
    fn the_first_rule_that_fits_has_an_order() {
        let scenario = Scenario::read(
            br#"{ "orders": [
                { "kind": "csrs", "customer_order_id_prefix": "A", "steps": [] },
                { "kind": "csrs", "steps": [{ "state": "FAILED" }] } ] }"#,
        )
        .unwrap();
        let steps = |kind, id| scenario.steps(Kind::named(kind).unwrap(), id).len();
        assert_eq!(steps("csrs", Some("A-1")), 0);
        assert_eq!(steps("csrs", Some("B-1")), 1);
        assert_eq!(steps("csrs", None), 1);
        assert_eq!(steps("portins", Some("A-1")), 3);
    }

    #[test]
    fn the_ready_made_ones_can_be_used() {
        for (name, _) in SCENARIOS {
            assert!(!Scenario::load(name).unwrap().about.is_empty(), "{name}");
        }
    }
}
