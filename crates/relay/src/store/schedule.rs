//! How far `schedule` has come.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::item::{Item, read, write};
use super::{Store, StoreError, failed, key};

#[derive(Serialize, Deserialize)]
struct Body {
    /// Every minute up to this one has had its wakes sent.
    through: Timestamp,
}

impl Store {
    /// The last minute whose parked deliveries were woken; `None` before the first run.
    pub async fn woken_through(&self) -> Result<Option<Timestamp>, StoreError> {
        let action = "read how far schedule has come";
        let found = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key::schedule_cursor().attributes()))
            .consistent_read(true)
            .send()
            .await
            .map_err(failed(action))?;
        let body = found.item.map(|item| read::<Body>(action, item)).transpose()?;
        Ok(body.map(|item| item.body.through))
    }

    pub async fn set_woken_through(&self, through: Timestamp) -> Result<(), StoreError> {
        let action = "write how far schedule has come";
        let item = Item::new(key::schedule_cursor(), Body { through });
        self.client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(write(action, &item)?))
            .send()
            .await
            .map(drop)
            .map_err(failed(action))
    }
}
