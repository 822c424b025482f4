//! Bodies that could not be read, kept for somebody to look at.

use domain::event::sortable;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::item::Item;
use super::key::Key;
use super::table::{Page, Read};
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

impl Quarantined {
    /// Where it stands in its quarantine.
    pub fn position(&self) -> String {
        let hash: String =
            sha256(&self.raw)[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}#{hash}", sortable(self.received_at))
    }
}

impl Store {
    /// Keeps a body; keeping it twice is the same as once.
    pub async fn put_quarantined(
        &self,
        account: &str,
        kept: &Quarantined,
    ) -> Result<(), StoreError> {
        let key = Key { pk: key::quarantine_of(account), sk: kept.position() };
        let item = Item::new(key, kept).kept_for(QUARANTINE, kept.received_at);
        self.put("put a body into quarantine", &item).await
    }

    /// One page of what is in quarantine, newest first.
    pub async fn quarantined(
        &self,
        account: &str,
        page: Page,
    ) -> Result<(Vec<Quarantined>, Option<String>), StoreError> {
        self.list("list the quarantine", &key::quarantine_of(account), page).await
    }

    /// One quarantined body, by [`Quarantined::position`].
    pub async fn quarantined_one(
        &self,
        account: &str,
        position: &str,
    ) -> Result<Option<Quarantined>, StoreError> {
        let key = Key { pk: key::quarantine_of(account), sk: position.into() };
        self.get("read a quarantined body", key, Read::Now).await
    }

    pub async fn delete_quarantined(
        &self,
        account: &str,
        position: &str,
    ) -> Result<(), StoreError> {
        let key = Key { pk: key::quarantine_of(account), sk: position.into() };
        self.delete("take a body out of quarantine", key).await
    }
}
