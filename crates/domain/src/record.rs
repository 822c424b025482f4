//! An order as its notifications tell of it.

use jiff::Timestamp;

use crate::event::EventKey;

/// What a list says of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRecord {
    /// The Bandwidth account that it belongs to.
    pub upstream: String,
    /// As Bandwidth wrote it.
    pub order_type: String,
    /// As Bandwidth wrote it.
    pub order_id: String,
    /// The name that Bandwidth's customer gave it.
    pub customer_order_id: Option<String>,
    /// The last known state; `None` while there were only notes.
    pub status: Option<String>,
    /// When it was first heard of.
    pub first_at: Timestamp,
    /// When it last changed.
    pub last_at: Timestamp,
    /// The newest event.
    pub last_key: EventKey,
    /// Completed numbers that the newest event with any listed.
    pub number_count: u32,
    pub actual_foc_date: Option<String>,
}

/// An order with what its events say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderDetail {
    pub record: OrderRecord,
    /// Bandwidth's words about the last state.
    pub message: Option<String>,
    /// As Bandwidth wrote them.
    pub numbers: Vec<String>,
}

/// One line of an order's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    pub at: Timestamp,
    /// The new state; `None` for a note.
    pub status: Option<String>,
    /// A note, or Bandwidth's words about the state.
    pub note: Option<String>,
    pub author: String,
}

/// A note on an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderNote {
    /// Unique within the order.
    pub id: u32,
    pub user: String,
    pub text: String,
    pub at: Timestamp,
}
