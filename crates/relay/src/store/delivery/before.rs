//! What stands before a delivery in its lane.

use domain::delivery::Delivery;
use domain::event::EventKey;

use super::listed;
use crate::store::item::text;
use crate::store::{Lane, Store, StoreError, failed};

impl Store {
    /// All deliveries of a lane before `key`, as they are now.
    pub(crate) async fn deliveries_before(
        &self,
        lane: &Lane,
        key: &EventKey,
    ) -> Result<Vec<Delivery>, StoreError> {
        let action = "read back in a lane";
        let mut items = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :lane AND sk < :key")
            .expression_attribute_values(":lane", text(lane.pk()))
            .expression_attribute_values(":key", text(key.to_string()))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        let mut before = Vec::new();
        while let Some(item) = items.next().await {
            before.push(listed(action, item.map_err(failed(action))?)?);
        }
        Ok(before)
    }
}
