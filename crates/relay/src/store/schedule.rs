//! How far `schedule` has come.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::item::Item;
use super::table::Read;
use super::{Store, StoreError, key};

#[derive(Serialize, Deserialize)]
struct Body {
    /// Every minute up to this one has had its wakes sent.
    through: Timestamp,
}

impl Store {
    /// The last minute whose parked deliveries were woken; `None` before the first run.
    pub async fn woken_through(&self) -> Result<Option<Timestamp>, StoreError> {
        let action = "read how far schedule has come";
        let body: Option<Body> = self.get(action, key::schedule_cursor(), Read::Now).await?;
        Ok(body.map(|body| body.through))
    }

    pub async fn set_woken_through(&self, through: Timestamp) -> Result<(), StoreError> {
        let item = Item::new(key::schedule_cursor(), Body { through });
        self.put("write how far schedule has come", &item).await
    }
}
