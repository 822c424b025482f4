//! One order. Only what its notifications told is there.

use super::Answer;
use crate::notification::NumberFormat;
use crate::order;
use crate::record::{OrderDetail, OrderRecord};
use crate::wire::Kind;

const FAILED: &str = "FAILED";

/// An order in the form of its kind. `account` is Bandwidth's.
pub fn order(kind: Kind, detail: &OrderDetail, account: &str, numbers: NumberFormat) -> String {
    let shape = kind.shape;
    let record = &detail.record;
    let failed = record.status.as_deref().is_some_and(|s| s.eq_ignore_ascii_case(FAILED));
    Answer::write(shape.one, |answer| {
        head(answer, kind, record, account);
        if shape.quantities {
            quantities(answer, kind, record, failed);
        }
        if shape.numbers_always || !detail.numbers.is_empty() {
            // A failed order lists the numbers that it was to get.
            let (all, each) = if failed { shape.failed_numbers } else { shape.numbers };
            answer.within(all, |answer| answer.telephone_numbers(each, &detail.numbers, numbers));
        }
        // Bandwidth's words about a failure too: in an element for errors, a client would take this
        // answer for one.
        answer.maybe("Summary", detail.message.as_deref());
    })
}

/// What both one order and some lists say of it.
pub(super) fn head(answer: &mut Answer, kind: Kind, record: &OrderRecord, account: &str) {
    let shape = kind.shape;
    let request = |answer: &mut Answer| {
        answer.maybe("CustomerOrderId", record.customer_order_id.as_deref());
        answer.text(shape.id, &record.order_id);
        answer.date(shape.created, record.first_at);
    };
    match shape.request {
        Some(element) => answer.within(&[element], request),
        None => {
            request(answer);
            answer.text("AccountId", account);
        }
    }
    answer.date("LastModifiedDate", record.last_at);
    answer.maybe(shape.status, record.status.as_deref());
    answer.maybe("ActualFocDate", record.actual_foc_date.as_deref());
    if ended(kind, record) {
        answer.date("OrderCompleteDate", record.last_at);
    }
}

/// Only where they are known: before its end nobody told how many numbers an order has.
fn quantities(answer: &mut Answer, kind: Kind, record: &OrderRecord, failed: bool) {
    if !ended(kind, record) {
        return;
    }
    let (completed, missed) =
        if failed { (0, record.number_count) } else { (record.number_count, 0) };
    answer.number("CompletedQuantity", completed);
    let partial = record.status.as_deref().is_some_and(|s| s.eq_ignore_ascii_case("PARTIAL"));
    if !partial {
        answer.number("FailedQuantity", missed);
    }
    answer.number("PendingQuantity", 0);
}

fn ended(kind: Kind, record: &OrderRecord) -> bool {
    let status = record.status.as_deref();
    status.is_some_and(|status| order::is_terminal(kind.order_type().name, status))
}
