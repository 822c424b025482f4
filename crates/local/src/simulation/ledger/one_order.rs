//! What must be true at the end of a subscription to one order.

use std::collections::BTreeMap;

use domain::subscription::Mode;
use serde_json::Value;

use super::{Table, text};
use crate::simulation::Model;
use crate::simulation::tenants::Subscription;

/// It has gone with its order's final state, and was told the state of the order if it asked for that.
pub(super) fn look(
    one: &Subscription,
    order: &str,
    table: &Table,
    lanes: &BTreeMap<&str, Vec<&Value>>,
    model: &Model,
) -> Result<(), String> {
    let lane = format!("LANE#{}#{order}", one.id);
    let deliveries = lanes.get(lane.as_str()).map(Vec::as_slice).unwrap_or_default();
    let events = || model.events().iter().filter(|event| event.subject == order && event.accepted);
    let is_last =
        |key: &str| events().any(|event| event.ends_order && key.ends_with(&event.digest));
    let told_last = deliveries.iter().any(|delivery| {
        text(delivery, "state") == Some("delivered") && text(delivery, "sk").is_some_and(is_last)
    });
    if told_last && table.subscription(one).is_some() {
        return Err(format!("{} outlives its order", one.id));
    }
    let wants_all = one.mode != Mode::Final && one.states.is_empty();
    if !one.snapshot || !wants_all || one.made_at.is_none() || one.delete_asked || one.may_end {
        return Ok(());
    }
    let newest = deliveries.iter().filter_map(|delivery| text(delivery, "sk")).max();
    let keys = table.below("ORDER#").filter_map(|item| text(item, "sk")?.strip_prefix("EVENT#"));
    let states = || events().filter(|event| event.status.is_some());
    let state = keys.filter(|key| states().any(|event| key.ends_with(&event.digest))).max();
    match state > newest {
        true => Err(format!("{} was not told the state of its order", one.id)),
        false => Ok(()),
    }
}
