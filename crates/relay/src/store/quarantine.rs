//! Bodies that could not be read, kept for somebody to look at.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::item::Item;
use super::{Store, StoreError, key};
use crate::secret::sha256;

/// Long enough for an operator to notice, mend and re-read.
const QUARANTINE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A body that an authenticated upstream sent and that is no notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    pub received_at: Timestamp,
    /// One sentence; it quotes nothing of the body.
    pub reason: String,
    /// The body, byte for byte, as far as it was read.
    #[serde(with = "serde_bytes")]
    pub raw: Vec<u8>,
}

impl Store {
    /// Keeps a body; keeping it twice is the same as once.
    pub async fn put_quarantined(
        &self,
        account: &str,
        kept: &Quarantined,
    ) -> Result<(), StoreError> {
        let hash: String =
            sha256(&kept.raw)[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        let item = Item::new(key::quarantine(account, kept.received_at, &hash), kept)
            .kept_for(QUARANTINE, kept.received_at);
        self.put("put a body into quarantine", &item).await
    }
}
