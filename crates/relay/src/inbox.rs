//! Puts into the table what it refused when ingest asked.

use crate::ingest;
use crate::queue::Arrival;
use crate::store::{Store, StoreError};

/// What inbox needs.
#[derive(Clone)]
pub struct Inbox {
    pub store: Store,
}

/// An inbox message could not be dealt with. It stays in the queue.
#[derive(Debug, thiserror::Error)]
pub enum InboxError {
    #[error("the message is no arrival")]
    Shape(#[source] serde_json::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Handles one message of the inbox queue.
pub async fn one(inbox: &Inbox, body: &str) -> Result<(), InboxError> {
    let arrival = Arrival::parse(body).map_err(InboxError::Shape)?;
    if !ingest::verify(&inbox.store, &arrival).await? {
        // It came while the table could not be asked, and is not from the upstream.
        tracing::warn!(upstream = %arrival.account, "dropped an arrival with wrong credentials");
        return Ok(());
    }
    // What the upstream was to be told, it was told by ingest.
    let _ = ingest::keep(&inbox.store, &arrival).await?;
    Ok(())
}
