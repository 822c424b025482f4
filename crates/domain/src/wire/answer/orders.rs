//! Lists of orders of one kind.

use super::Answer;
use super::order::head;
use crate::record::OrderRecord;
use crate::wire::Kind;
use crate::wire::kind::Row;

/// One page of a list.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// Bandwidth's account.
    pub account: &'a str,
    pub orders: &'a [OrderRecord],
    /// On all pages together; `None`: nobody counted.
    pub total: Option<usize>,
    /// Absolute URL of the first page.
    pub first: &'a str,
    /// Absolute URL of the next page, if there is one.
    pub next: Option<&'a str>,
}

pub fn orders(kind: Kind, page: &Page) -> String {
    let shape = kind.shape;
    Answer::write(shape.list, |answer| {
        if let Some(total) = page.total {
            answer.number("TotalCount", total);
        }
        answer.within(&["Links"], |answer| {
            answer.text("first", &link(page.first, "first"));
            answer.maybe("next", page.next.map(|next| link(next, "next")).as_deref());
        });
        answer.within(shape.rows, |answer| {
            for record in page.orders {
                answer.within(shape.row, |answer| row(answer, kind, record, page.account));
            }
        });
    })
}

/// In the form of HTTP's `Link`, more or less: Bandwidth's own.
fn link(url: &str, relation: &str) -> String {
    format!("Link=<{url}>;rel=\"{relation}\";")
}

fn row(answer: &mut Answer, kind: Kind, record: &OrderRecord, account: &str) {
    let Row::Summary { id, status, foc, order_type } = kind.shape.row_form else {
        return head(answer, kind, record, account);
    };
    answer.text("accountId", account);
    answer.number("CountOfTNs", record.number_count);
    answer.maybe("CustomerOrderId", record.customer_order_id.as_deref());
    answer.date("lastModifiedDate", record.last_at);
    answer.date("OrderDate", record.first_at);
    answer.text(id, &record.order_id);
    answer.text("OrderType", order_type.unwrap_or(kind.order_type().name));
    answer.maybe(status, record.status.as_deref());
    answer.maybe(foc, record.actual_foc_date.as_deref());
}
