//! Tells a tenant of the relay's own doings: an event like any other, put into the table, so that the
//! stream fans it out to whoever asked for its type.

use domain::event::{EventKey, sortable};
use domain::notification::{Notification, NumberFormat};
use jiff::Timestamp;

use crate::store::{Store, StoreError, StoredEvent};

/// Where an upstream's account stands otherwise. No account has such a name.
pub(crate) const RELAY: &str = "(relay)";

/// Puts an event. Of what began at `since`, and says the same, there is one.
pub(crate) async fn tell(
    store: &Store,
    tenant: &str,
    event_type: &str,
    message: String,
    since: Timestamp,
    now: Timestamp,
) -> Result<(), StoreError> {
    store.put_event(&event(tenant, event_type, message, since, now)).await.map(drop)
}

/// An event that is to be put with what it tells of.
pub(crate) fn event(
    tenant: &str,
    event_type: &str,
    message: String,
    since: Timestamp,
    now: Timestamp,
) -> StoredEvent {
    let notification = Notification {
        event_type: Some(event_type.into()),
        message: Some(message),
        last_modified_date: Some(sortable(since)),
        ..Notification::default()
    };
    StoredEvent {
        upstream: RELAY.into(),
        subject: notification.subject(),
        key: EventKey::new(since, &notification.digest()),
        received_at: now,
        raw: notification.to_xml("", NumberFormat::default()).into_bytes(),
        tenant: Some(tenant.into()),
        reconciled: false,
    }
}
