//! What Bandwidth's history of an order tells that no notification told.

use jiff::{SignedDuration, Timestamp};

use crate::limits::MESSAGE_CHARS_MAX;
use crate::notification::{Notification, Order};
use crate::order::{is_notified, is_terminal, same_type};
use crate::wire::{Described, Stated};

/// How far apart the date of a notification and that of the line in the history may be. Where they
/// agree, their events have one key, so this is for those that came without a date, or that Bandwidth
/// dated a moment later.
const APART_MAX: SignedDuration = SignedDuration::from_mins(5);

/// A state that the record of an order has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub status: String,
    pub at: Timestamp,
}

/// A stay in one state.
struct Stay<'a> {
    line: &'a Stated,
    /// When the next state began.
    until: Timestamp,
}

/// The changes of state that Bandwidth tells of and that are not in the record, oldest first.
///
/// `history` is sorted by time. A history also has a line for what changes nothing about the state, so
/// equal states that follow each other are one stay.
pub fn missing<'a>(order_type: &str, history: &'a [Stated], told: &[Told]) -> Vec<&'a Stated> {
    let stays = stays(history);
    let mut is_told = vec![false; stays.len()];
    for one in told {
        let candidates = stays.iter().enumerate().filter(|(n, stay)| {
            !is_told[*n]
                && stay.line.status.eq_ignore_ascii_case(&one.status)
                && distance(stay, one.at) <= APART_MAX
        });
        // In a state to which an order came twice, the nearest.
        let nearest = candidates.min_by_key(|(_, stay)| distance(stay, one.at));
        if let Some((n, _)) = nearest {
            is_told[n] = true;
        }
    }
    let missing = stays.into_iter().zip(is_told).filter(|(_, is_told)| !is_told);
    let missing = missing.map(|(stay, _)| stay.line);
    missing.filter(|line| is_notified(order_type, &line.status)).collect()
}

fn stays(history: &[Stated]) -> Vec<Stay<'_>> {
    let mut stays: Vec<Stay> = Vec::new();
    for line in history {
        match stays.last_mut() {
            Some(stay) if stay.line.status.eq_ignore_ascii_case(&line.status) => {}
            last => {
                if let Some(stay) = last {
                    stay.until = line.at;
                }
                stays.push(Stay { line, until: Timestamp::MAX });
            }
        }
    }
    stays
}

fn distance(stay: &Stay, at: Timestamp) -> SignedDuration {
    match at {
        at if at < stay.line.at => at.duration_until(stay.line.at),
        at if at > stay.until => stay.until.duration_until(at),
        _ => SignedDuration::ZERO,
    }
}

/// The notification that Bandwidth would have sent of a state, as far as it can be asked for.
pub fn notification(
    order_type: &str,
    order_id: &str,
    line: &Stated,
    order: &Described,
) -> Notification {
    // Bandwidth lists them once the order has come to a good end, or to one that is good in part.
    let is_bad = ["FAILED", "CANCELLED"].iter().any(|bad| line.status.eq_ignore_ascii_case(bad));
    let is_good = is_terminal(order_type, &line.status) && !is_bad;
    let numbers = if is_good { order.numbers.clone() } else { Vec::new() };
    let foc = same_type(order_type, "portins") && line.status.eq_ignore_ascii_case("FOC");
    Notification {
        order: Some(Order {
            order_type: order_type.into(),
            order_id: order_id.into(),
            customer_order_id: order.customer_order_id.clone(),
        }),
        status: Some(line.status.clone()),
        message: line.note.as_ref().map(|note| note.chars().take(MESSAGE_CHARS_MAX).collect()),
        completed_telephone_numbers: numbers,
        last_modified_date: Some(crate::event::sortable(line.at)),
        actual_foc_date: order.actual_foc_date.clone().filter(|_| foc),
        ..Notification::default()
    }
}
