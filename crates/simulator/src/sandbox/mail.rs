//! Mails. They are written and kept, and go nowhere.

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde::Serialize;

use super::agenda::Due;
use super::state::State;
use super::subscription::Way;
use crate::bandwidth::Message;

/// A mail to somebody who wanted mails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mail {
    pub at: Timestamp,
    pub to: String,
    pub subject: String,
    pub lines: Vec<String>,
}

impl State {
    /// Mails a notification at once, or keeps it for the day's mail.
    pub(super) fn mail(
        &mut self,
        subscription: &str,
        to: &str,
        daily: bool,
        message: &Message,
        now: Timestamp,
    ) {
        let line = line(message);
        if daily {
            return self.put_into_digest(subscription, line, now);
        }
        let (to, subject) = (to.to_owned(), subject(message));
        self.mails.push(Mail { at: now, to, subject, lines: vec![line] });
    }

    fn put_into_digest(&mut self, id: &str, line: String, now: Timestamp) {
        let Some(Way::Email { pending, .. }) = self.way(id) else { return };
        pending.push(line);
        if pending.len() == 1 {
            self.agenda.put(midnight_after(now), Due::Digest { subscription: id.into() });
        }
    }

    /// The day's mail.
    pub(super) fn digest(&mut self, id: &str, now: Timestamp) {
        let Some(Way::Email { address, pending, .. }) = self.way(id) else { return };
        let (to, lines) = (address.clone(), std::mem::take(pending));
        if lines.is_empty() {
            // The subscription was replaced meanwhile.
            return;
        }
        let subject = format!("{} changes of your orders", lines.len());
        self.mails.push(Mail { at: now, to, subject, lines });
    }

    fn way(&mut self, id: &str) -> Option<&mut Way> {
        self.subscriptions.iter_mut().find(|s| s.id == id).map(|s| &mut s.way)
    }
}

fn subject(message: &Message) -> String {
    let what = message.status.as_deref().or(message.event_type.as_deref()).unwrap_or("new note");
    let about = message.order_id.as_deref().unwrap_or("your numbers");
    format!("{what}: {about}")
}

fn line(message: &Message) -> String {
    let order_type = message.order_type.as_deref().unwrap_or_default();
    let text = message.note.as_ref().or(message.message.as_ref()).map(String::as_str);
    let numbers = message.impacted_telephone_numbers.join(" ");
    format!("{} {order_type} {} {numbers}", subject(message), text.unwrap_or_default())
}

fn midnight_after(now: Timestamp) -> Timestamp {
    let day = now.to_zoned(TimeZone::UTC).date().saturating_add(1.day());
    let midnight = day.to_datetime(Time::midnight()).to_zoned(TimeZone::UTC);
    midnight.map_or(now, |midnight| midnight.timestamp())
}
