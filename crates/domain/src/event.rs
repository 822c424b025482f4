//! When an event happened, and the key that sorts it among the others.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::notification::Notification;

/// Sorts as things happened: UTC time in milliseconds, then the digest of the content.
/// `2026-02-03T10:11:12.345Z#` and 32 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EventKey(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not the key of an event")]
pub struct BadEventKey;

/// Width of [`sortable`].
const TIME_CHARS: usize = "2026-02-03T10:11:12.345Z".len();
const DIGEST_CHARS: usize = 32;

impl EventKey {
    /// The key of a dated notification: a change of state by itself, so that its place in the order's
    /// history has the same key; anything else by its content. `None` where it has no usable date.
    pub fn stated(notification: &Notification) -> Option<EventKey> {
        let at = stated_time(notification)?;
        let digest = notification.state_digest(&sortable(at));
        let digest = digest.unwrap_or_else(|| notification.digest());
        Some(EventKey::new(at, &digest))
    }

    /// `digest` is [`Notification::digest`] or [`Notification::state_digest`].
    pub fn new(at: Timestamp, digest: &str) -> EventKey {
        EventKey(format!("{}#{digest}", sortable(at)))
    }

    pub fn parse(text: &str) -> Result<EventKey, BadEventKey> {
        let (time, digest) = text.split_once('#').ok_or(BadEventKey)?;
        let at: Timestamp = time.parse().map_err(|_| BadEventKey)?;
        let hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        if sortable(at) != time || digest.len() != DIGEST_CHARS || !digest.bytes().all(hex) {
            return Err(BadEventKey);
        }
        Ok(EventKey(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// When it happened.
    pub fn at(&self) -> Timestamp {
        // It was written by `sortable`.
        self.time().parse().unwrap_or_default()
    }

    /// When it happened, as [`sortable`] writes it.
    pub fn time(&self) -> &str {
        &self.0[..TIME_CHARS]
    }

    pub fn digest(&self) -> &str {
        &self.0[TIME_CHARS + 1..]
    }
}

impl TryFrom<String> for EventKey {
    type Error = BadEventKey;

    fn try_from(text: String) -> Result<EventKey, BadEventKey> {
        EventKey::parse(&text)
    }
}

impl From<EventKey> for String {
    fn from(key: EventKey) -> String {
        key.0
    }
}

impl fmt::Display for EventKey {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Fixed width, so that text order is time order. Whatever is finer than a millisecond is dropped.
///
/// Years before 0 and after 9999 do not occur: clocks and [`stated_time`] stay within them.
pub fn sortable(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// When Bandwidth says that it happened.
///
/// `None` when it does not say so, or says something that is no instant with an offset, or no year
/// from 2000 to 2999: a slip there would put the event before or after all others for good. The
/// time of arrival orders such an event.
pub fn stated_time(notification: &Notification) -> Option<Timestamp> {
    let at: Timestamp = notification.last_modified_date.as_ref()?.parse().ok()?;
    sortable(at).starts_with('2').then_some(at)
}
