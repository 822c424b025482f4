//! Port-ins: which state may follow which, and what customers may do to them.

use jiff::{SignedDuration, Timestamp};

use super::order::{Detail, Refused, Script};
use super::scenario::{Step, Wait};
use super::state::{CUSTOMER_CHANGE, State};
use super::xml::Element;

/// How long one takes from FOC to completion, where its script does not say.
const ACTIVATION: SignedDuration = SignedDuration::from_hours(48);

/// Bytes of a document. Bandwidth's own limit is not documented; this one is no larger than what the
/// relay passes on.
pub const LOA_SIZE_MAX: usize = 10_000_000;

/// Documents of a port-in, so that the sandbox's memory has a limit.
pub(crate) const LOAS_MAX: usize = 20;

/// Of a document's name (error 7800).
pub(crate) const LOA_NAME_MAX: usize = 50;

/// What only port-ins have.
#[derive(Debug, Clone, Default)]
pub(crate) struct Portin {
    pub loas: Vec<Loa>,
    pub requested_foc: Option<Timestamp>,
    pub actual_foc: Option<Timestamp>,
}

/// A document.
#[derive(Debug, Clone)]
pub(crate) struct Loa {
    pub file: String,
    pub name: Option<String>,
    /// LOA, INVOICE, CSR or OTHER.
    pub document_type: Option<String>,
    pub content_type: String,
    pub content: Vec<u8>,
}

/// Whether a port-in gets from one state to the other.
pub(crate) fn may_follow(from: &str, to: &str) -> bool {
    let next: &[&str] = match from {
        "DRAFT" => &["PENDING_DOCUMENTS"],
        "PENDING_DOCUMENTS" => {
            &["SUBMITTED", "EXCEPTION", "REQUESTED_SUPP", "REQUESTED_CANCEL", "CANCELLED"]
        }
        "SUBMITTED" => &["FOC", "EXCEPTION", "REQUESTED_SUPP", "REQUESTED_CANCEL", "CANCELLED"],
        "FOC" => &["COMPLETE", "SNAPBACK", "EXCEPTION", "REQUESTED_SUPP", "REQUESTED_CANCEL"],
        "REQUESTED_SUPP" => &["SUBMITTED", "FOC", "EXCEPTION", "REQUESTED_CANCEL", "CANCELLED"],
        "EXCEPTION" => &["REQUESTED_SUPP", "FOC", "REQUESTED_CANCEL", "CANCELLED"],
        "SNAPBACK" => &["REQUESTED_SUPP", "REQUESTED_CANCEL", "CANCELLED"],
        // It may have been too late.
        "REQUESTED_CANCEL" => &["CANCELLED", "EXCEPTION", "COMPLETE"],
        _ => &[],
    };
    next.contains(&to)
}

/// A date and time of a customer.
pub(crate) fn requested_foc(request: &Element) -> Option<Timestamp> {
    request.value("RequestedFocDate")?.parse().ok()
}

impl State {
    /// Fixes the date of a port-in: when its script completes it, or later, if that was asked for.
    pub(super) fn firm_order_commitment(&mut self, order: usize, now: Timestamp) {
        let order = &mut self.orders[order];
        let Detail::Portin(portin) = &mut order.detail else { return };
        let steps = until_completion(&mut order.script);
        let planned = match steps.is_empty() {
            true => now + ACTIVATION,
            false => steps.iter().fold(now, |at, step| at + step.after),
        };
        let foc = portin.requested_foc.unwrap_or(planned).max(planned);
        portin.actual_foc = Some(foc);
        if let Some(completes) = steps.last_mut() {
            completes.after += planned.duration_until(foc);
        }
    }

    /// A PUT: what it names is replaced. A draft may be submitted by it.
    pub(super) fn supplement(
        &mut self,
        order: usize,
        supp: &Element,
        now: Timestamp,
    ) -> Result<(), Refused> {
        let user = self.username.clone();
        let (state, terminal) = {
            let order = &self.orders[order];
            (order.state.clone(), order.is_terminal())
        };
        if terminal {
            return Err(Refused::new(
                7304,
                "the order is complete or cancelled, and cannot be changed any more",
            ));
        }
        let submitted = supp.value("ProcessingStatus").map(str::to_ascii_uppercase);
        if state == "DRAFT" {
            self.replace(order, supp, now);
            if submitted.as_deref() == Some("SUBMITTED") {
                self.change(order, "PENDING_DOCUMENTS", &user, None, now);
                self.go_on(order, now);
            }
            return Ok(());
        }
        if submitted.is_some() {
            return Err(Refused::new(7304, "only a draft can be submitted"));
        }
        if state != "REQUESTED_SUPP" && !may_follow(&state, "REQUESTED_SUPP") {
            return Err(Refused::new(7304, "the order cannot be changed in this state"));
        }
        self.replace(order, supp, now);
        let waited = self.orders[order].script.waiting == Some(Wait::Supp);
        if state != "REQUESTED_SUPP" {
            self.orders[order].errors.clear();
            self.change(order, "REQUESTED_SUPP", &user, None, now);
        }
        if waited {
            self.arrived(order, Wait::Supp, now);
        } else {
            self.rewrite(order, again(), now);
        }
        Ok(())
    }

    /// A DELETE: a draft is gone, and everything else waits for its cancellation.
    pub(super) fn cancel(&mut self, order: usize, now: Timestamp) -> Result<(), Refused> {
        let user = self.username.clone();
        let state = self.orders[order].state.clone();
        if state == "DRAFT" {
            self.orders[order].deleted = true;
            return Ok(());
        }
        if !may_follow(&state, "REQUESTED_CANCEL") {
            return Err(Refused::new(7304, "the order cannot be cancelled any more"));
        }
        self.change(order, "REQUESTED_CANCEL", &user, None, now);
        let cancelled = step(SignedDuration::from_mins(10), "CANCELLED");
        self.rewrite(order, vec![cancelled], now);
        Ok(())
    }

    fn replace(&mut self, order: usize, supp: &Element, now: Timestamp) {
        let user = self.username.clone();
        let order = &mut self.orders[order];
        // One client names the order in its change.
        let asked = |child: &&Element| !matches!(&*child.name, "OrderId" | "ProcessingStatus");
        for child in supp.children.iter().filter(asked) {
            order.request.children.retain(|old| old.name != child.name);
            order.request.children.push(child.clone());
        }
        let id = supp.value("CustomerOrderId").map(str::to_owned);
        if supp.child("CustomerOrderId").is_some() && order.customer_order_id != id {
            let old = order.customer_order_id.take();
            let values = (old.as_deref(), id.as_deref());
            order.differ("CustomerOrderId", values, &user, now, CUSTOMER_CHANGE);
            if id.is_none() {
                order.request.children.retain(|child| child.name != "CustomerOrderId");
            }
            order.customer_order_id = id;
        }
        let numbers = super::order::telephone_numbers(supp);
        if !numbers.is_empty() {
            order.numbers = numbers;
        }
        if let (Detail::Portin(portin), Some(foc)) = (&mut order.detail, requested_foc(supp)) {
            portin.requested_foc = Some(foc);
        }
    }
}

/// The steps up to the completion, if only notes come before it. Nobody knows when a step comes
/// that waits for something.
fn until_completion(script: &mut Script) -> &mut [Step] {
    let ahead = script.steps.get_mut(script.next..).unwrap_or_default();
    let decides = |step: &Step| step.state.is_some() || step.wait.is_some();
    let completes = |step: &Step| step.wait.is_none() && step.state.as_deref() == Some("COMPLETE");
    match ahead.iter().position(decides) {
        Some(at) if completes(&ahead[at]) => &mut ahead[..=at],
        _ => &mut [],
    }
}

/// What follows a change that no script waited for.
fn again() -> Vec<Step> {
    vec![
        step(SignedDuration::from_mins(1), "SUBMITTED"),
        step(SignedDuration::from_hours(24), "FOC"),
        step(ACTIVATION, "COMPLETE"),
    ]
}

fn step(after: SignedDuration, state: &str) -> Step {
    Step { after, state: Some(state.into()), ..Step::default() }
}

#[cfg(test)]
mod tests {
    use super::may_follow;
    use crate::sandbox::kinds::Kind;

    #[test]
    fn nothing_follows_a_final_state_and_every_other_one_has_a_way_out() {
        let kind = Kind::named("portins").unwrap();
        for from in kind.states() {
            let next: Vec<_> = kind.states().filter(|to| may_follow(from, to)).collect();
            assert_eq!(next.is_empty(), kind.is_terminal(from), "{from}: {next:?}");
        }
    }
}
