//! Every limit of what comes in, in one place, with its unit and its reason.
//!
//! Bandwidth sends a notification once. A limit here is therefore several times what Bandwidth
//! documents: it stops an attack or an accident, never an order.

/// Body of one notification, in bytes. The usual one has 700; the rest is room for lists of
/// numbers.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// Elements within each other, the root included. Bandwidth uses three levels; the rest is room
/// for unknown elements.
pub const XML_DEPTH_MAX: usize = 32;

/// Attributes of one element. Bandwidth uses none, and looking for duplicates takes quadratic time.
pub const XML_ATTRIBUTES_MAX: usize = 64;

/// Numbers in one list. A body has room for 1,456 in Bandwidth's form: 10 digits between
/// `<TelephoneNumber>` and `</TelephoneNumber>`.
pub const TELEPHONE_NUMBERS_MAX: usize = 1_500;

// Otherwise a list would be refused that fits the body.
const _: () = assert!(TELEPHONE_NUMBERS_MAX * 45 >= BODY_BYTES_MAX);

/// One telephone number, in characters: E.164 has at most 16, formatting gets the rest.
pub const TELEPHONE_NUMBER_CHARS_MAX: usize = 32;

/// SubscriptionId, in characters: a UUID has 36.
pub const SUBSCRIPTION_ID_CHARS_MAX: usize = 128;

/// OrderId, in characters: a UUID has 36. Tight, because it becomes part of keys.
pub const ORDER_ID_CHARS_MAX: usize = 64;

/// OrderType, in characters: the longest known one has 27.
pub const ORDER_TYPE_CHARS_MAX: usize = 64;

/// CustomerOrderId, in characters: Bandwidth takes 40.
pub const CUSTOMER_ORDER_ID_CHARS_MAX: usize = 256;

/// Status, in characters: the longest known one has 19.
pub const STATUS_CHARS_MAX: usize = 64;

/// EventType, in characters: the only known one has 14.
pub const EVENT_TYPE_CHARS_MAX: usize = 64;

/// Message, in characters. Bandwidth states no limit; what it sends is a sentence, or an error
/// that lists what is wrong.
pub const MESSAGE_CHARS_MAX: usize = 8_000;

/// Note, in characters: Bandwidth takes 500.
pub const NOTE_CHARS_MAX: usize = 2_000;

/// LastModifiedDate and ActualFocDate, in characters: RFC 3339 with milliseconds has 24.
pub const DATE_CHARS_MAX: usize = 64;

/// URL of a tenant's endpoint, in bytes: what common servers and proxies take in a request line.
pub const URL_BYTES_MAX: usize = 2_048;

/// Host name, in bytes without a trailing dot: RFC 1035, section 2.3.4.
pub const HOST_BYTES_MAX: usize = 253;

/// One label of a host name, in bytes: RFC 1035, section 2.3.4.
pub const HOST_LABEL_BYTES_MAX: usize = 63;

/// Key of a webhook signature, in bytes: Standard Webhooks asks for 24 to 64.
pub const SIGNING_KEY_BYTES_MIN: usize = 24;
pub const SIGNING_KEY_BYTES_MAX: usize = 64;

/// Account id in the path of the ingest URL, in bytes: Bandwidth's have seven digits.
pub const ACCOUNT_BYTES_MAX: usize = 64;
