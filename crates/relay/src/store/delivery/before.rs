//! What stands before a delivery in its lane.

use domain::delivery::Delivery;
use domain::event::EventKey;

use super::{BEFORE, listed};
use crate::store::{Lane, Store, StoreError, failed};

impl Store {
    /// All deliveries of a lane before `key`, as they are now.
    pub(crate) async fn deliveries_before(
        &self,
        lane: &Lane,
        key: &EventKey,
    ) -> Result<Vec<Delivery>, StoreError> {
        let action = "read back in a lane";
        let mut items = self.beside(lane, key, BEFORE).into_paginator().items().send();
        let mut before = Vec::new();
        while let Some(item) = items.next().await {
            before.push(listed(action, item.map_err(failed(action))?)?);
        }
        Ok(before)
    }
}
