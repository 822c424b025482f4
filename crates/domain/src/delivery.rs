//! One event on its way to one subscription.

use jiff::Timestamp;

use crate::event::EventKey;

/// A delivery: its place in its lane, and what has become of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub key: EventKey,
    /// Whose event it is.
    pub tenant: String,
    /// The Bandwidth account that the event came from.
    pub upstream: String,
    pub state: State,
    /// Put while the delivery before it was pending: whoever finishes that one comes to this one.
    /// Otherwise it has a wake of its own.
    pub behind: bool,
    pub attempts_made: u32,
    /// Those of them that were made before it was revived; its schedule counts from there.
    pub attempts_before: u32,
    /// All attempts failed, and its order waits for somebody to act.
    pub halted: bool,
    /// How often it was made pending again after it had been finished. With the first time it has
    /// left the live order of its lane.
    pub revivals: u32,
    /// No attempt before this time.
    pub next_at: Option<Timestamp>,
    /// Since when or for when it stands in the index: when `schedule` wakes it, or when it was laid
    /// aside. It changes with each of these writes.
    pub due_at: Option<Timestamp>,
    /// When its attempt may be made, where the tenant limits their rate. A wake that carries the slot is
    /// under way.
    pub slot_at: Option<Timestamp>,
    /// When it stopped being pending.
    pub finished_at: Option<Timestamp>,
    /// Number within the lane, from 1, in the order in which deliveries were put.
    pub sequence: u64,
    /// The highest sequence given in the lane, as far as this delivery knows: the lane's newest
    /// delivery always knows it.
    pub last_sequence: u64,
    /// An event that is newer was put before this one.
    pub late: bool,
    /// Its event tells no state: it is a note, or stands alone.
    pub stateless: bool,
}

impl Delivery {
    pub fn is_revived(&self) -> bool {
        self.revivals > 0
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Pending,
    Delivered,
    /// Given up. It stays listed until somebody acts.
    Dead,
    /// A newer state made it pointless.
    Superseded,
}

/// One POST and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub at: Timestamp,
    pub duration_ms: u64,
    /// HTTP status, when there was an answer.
    pub status: Option<u16>,
    /// Why it failed; `None` for success.
    pub error: Option<ErrorClass>,
}

/// Why an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// An answer that is neither success nor redirect.
    Status,
    /// Redirects are not followed: a signed body goes where the tenant said, and nowhere else.
    Redirect,
    /// No answer within the time limit.
    Timeout,
    /// The name has no address.
    Dns,
    /// An address that is not public, or a URL that policy forbids.
    Address,
    Connect,
    Tls,
    /// The connection broke, or what came was no HTTP.
    Protocol,
    /// The subscription has gone.
    Unsubscribed,
    /// The event is past its retention.
    Expired,
}

impl State {
    pub const ALL: [State; 4] = [State::Pending, State::Delivered, State::Dead, State::Superseded];

    pub fn name(self) -> &'static str {
        match self {
            State::Pending => "pending",
            State::Delivered => "delivered",
            State::Dead => "dead",
            State::Superseded => "superseded",
        }
    }
}

impl ErrorClass {
    pub const ALL: [ErrorClass; 10] = [
        ErrorClass::Status,
        ErrorClass::Redirect,
        ErrorClass::Timeout,
        ErrorClass::Dns,
        ErrorClass::Address,
        ErrorClass::Connect,
        ErrorClass::Tls,
        ErrorClass::Protocol,
        ErrorClass::Unsubscribed,
        ErrorClass::Expired,
    ];

    pub fn name(self) -> &'static str {
        match self {
            ErrorClass::Status => "status",
            ErrorClass::Redirect => "redirect",
            ErrorClass::Timeout => "timeout",
            ErrorClass::Dns => "dns",
            ErrorClass::Address => "address",
            ErrorClass::Connect => "connect",
            ErrorClass::Tls => "tls",
            ErrorClass::Protocol => "protocol",
            ErrorClass::Unsubscribed => "unsubscribed",
            ErrorClass::Expired => "expired",
        }
    }
}

impl Attempt {
    pub fn succeeded(&self) -> bool {
        self.error.is_none()
    }
}
