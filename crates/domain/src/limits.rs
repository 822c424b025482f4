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

/// Attempts a second to which a tenant may limit a subscription; beyond that a limit limits nothing.
pub const RATE_MAX: u32 = 1_000;

/// Signing secrets of a subscription at once, each of which signs every delivery: the one in force
/// and those replaced within a day.
pub const SIGNING_SECRETS_MAX: usize = 4;

/// Key of a webhook signature, in bytes: Standard Webhooks asks for 24 to 64.
pub const SIGNING_KEY_BYTES_MIN: usize = 24;
pub const SIGNING_KEY_BYTES_MAX: usize = 64;

/// Body of a request that is passed on to Bandwidth, in bytes: 5,000 numbers, as many as one order may
/// name, have 225,000.
pub const ORDER_BYTES_MAX: usize = 1024 * 1024;

/// A document of a port, such as a letter of authorization, in bytes. Bandwidth documents no limit;
/// some scanned pages have a few million.
pub const LOA_BYTES_MAX: usize = 10_000_000;

/// Account id in the path of the ingest URL, in bytes: Bandwidth's have seven digits.
pub const ACCOUNT_BYTES_MAX: usize = 64;

/// Expiry of a subscription, in seconds: 200 years of 365 days. Bandwidth's documentation uses up to
/// 100; far more would not fit a time stamp.
pub const EXPIRY_SECONDS_MAX: i64 = 200 * 365 * 86_400;

/// E-mail address, in characters: RFC 5321, section 4.5.3.1.3, without the angle brackets.
pub const EMAIL_CHARS_MAX: usize = 254;

/// Certificate of a callback's endpoint, in bytes of DER: usual ones have one or two thousand.
pub const CERTIFICATE_BYTES_MAX: usize = 16 * 1024;

/// Note that a tenant adds to an order, in characters: what Bandwidth takes.
pub const NOTE_REQUEST_CHARS_MAX: usize = 500;

/// UserId of such a note, in characters: far more than a name has.
pub const NOTE_USER_CHARS_MAX: usize = 256;

/// Body of a request to the JSON API, in bytes: the largest holds a subscription with its headers.
pub const API_BODY_BYTES_MAX: usize = 64 * 1024;

/// Answer of Bandwidth's API that is read, in bytes: a list of 1,000 orders has some 500,000.
pub const REPLY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Cursor of a list, in bytes: it holds keys of the table, which have up to 300.
pub const CURSOR_BYTES_MAX: usize = 1_024;

/// Waits of a retry schedule: an attempt's record has some 80 bytes, and an item is billed by size.
pub const WAITS_MAX: usize = 30;

/// One wait of a retry schedule, in seconds: a week. Deliveries are kept for a quarter.
pub const WAIT_SECONDS_MAX: u32 = 7 * 24 * 3600;
/// All waits of a schedule together, in seconds: 30 days. What is delivered is kept for 90.
pub const SCHEDULE_SECONDS_MAX: u64 = 30 * 24 * 3600;

/// Headers of a tenant's own on each delivery, and the size of each, in bytes: together they stay
/// within the 8 KiB that common servers take.
pub const HEADERS_MAX: usize = 10;
pub const HEADER_NAME_BYTES_MAX: usize = 64;
pub const HEADER_VALUE_BYTES_MAX: usize = 512;

/// States that a subscription chooses by: an order type has up to 8.
pub const STATES_MAX: usize = 20;

/// Username and password for an endpoint, in characters: Bandwidth takes usernames of 100.
pub const USERNAME_CHARS_MAX: usize = 100;
pub const PASSWORD_CHARS_MAX: usize = 256;

/// Rules of one upstream: they are tried one after the other for each event, and are read as one item.
pub const RULES_MAX: usize = 100;

/// Networks that operators allow: an address that is about to be connected to is held against each.
pub const NETWORKS_MAX: usize = 100;

/// What somebody calls a tenant or a key, in characters.
pub const NAME_CHARS_MAX: usize = 200;
