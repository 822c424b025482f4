//! Answers to POSTs that carried an Idempotency-Key.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::item::{Item, read};
use super::{Store, StoreError, key};

/// A repeat after this long is a new request.
pub(crate) const ANSWER_KEPT: SignedDuration = SignedDuration::from_hours(24);

/// A request that was made with a key, and what it was answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Remembered {
    /// Of the method, the path and the body.
    #[serde(with = "serde_bytes")]
    pub(crate) request_sha256: [u8; 32],
    pub(crate) at: Timestamp,
    /// `None` while the request is being worked on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) answer: Option<RememberedAnswer>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RememberedAnswer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    /// Sealed, for it may show a secret that is shown once.
    #[serde(with = "serde_bytes")]
    pub(crate) sealed_body: Vec<u8>,
}

impl Store {
    /// Notes that a request is being worked on, or answers what was noted before.
    pub(crate) async fn begin_request(
        &self,
        caller: &str,
        hash: &str,
        request: &Remembered,
    ) -> Result<Option<Remembered>, StoreError> {
        let action = "note a request";
        let item = Item::new(key::idempotency(caller, hash), request);
        let item = item.kept_for(ANSWER_KEPT, request.at);
        match self.put_absent(action, &item).await? {
            None => Ok(None),
            Some(standing) => Ok(Some(read::<Remembered>(action, standing)?.body)),
        }
    }

    /// Notes what a request was answered, or that it is begun anew.
    pub(crate) async fn note_request(
        &self,
        caller: &str,
        hash: &str,
        request: &Remembered,
    ) -> Result<(), StoreError> {
        let item = Item::new(key::idempotency(caller, hash), request);
        self.put("note an answer", &item.kept_for(ANSWER_KEPT, request.at)).await
    }

    /// Forgets a request that came to nothing.
    pub(crate) async fn forget_request(&self, caller: &str, hash: &str) -> Result<(), StoreError> {
        self.delete("forget a request", key::idempotency(caller, hash)).await
    }
}
