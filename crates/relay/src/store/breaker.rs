//! Which endpoints' breakers are open: `schedule` sends their probes, and lets go of what waits when
//! they have closed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::item::{Item, text};
use super::table::Page;
use super::{Store, StoreError, failed, key};

/// An open breaker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Breaker {
    pub(crate) tenant: String,
    pub(crate) subscription: String,
    pub(crate) opened_at: Timestamp,
}

impl Store {
    /// Lists a breaker. This comes before it is opened: one that is open and not listed would never
    /// be probed.
    pub(crate) async fn list_breaker(&self, breaker: &Breaker) -> Result<(), StoreError> {
        let item = Item::new(key::breaker(&breaker.subscription), breaker);
        self.put("list an open breaker", &item).await
    }

    /// One page of the breakers that are open, or were a moment ago.
    pub(crate) async fn breakers(
        &self,
        page: Page,
    ) -> Result<(Vec<Breaker>, Option<String>), StoreError> {
        self.list("read which breakers are open", key::BREAKERS, page).await
    }

    /// Takes a breaker off the list, unless it was listed anew meanwhile.
    pub(crate) async fn unlist_breaker(&self, breaker: &Breaker) -> Result<(), StoreError> {
        let written = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(key::breaker(&breaker.subscription).attributes()))
            .condition_expression("opened_at = :at")
            .expression_attribute_values(":at", text(breaker.opened_at.to_string()))
            .send()
            .await;
        match written {
            Err(error)
                if error
                    .as_service_error()
                    .is_none_or(|error| !error.is_conditional_check_failed_exception()) =>
            {
                Err(failed("take a breaker off the list")(error))
            }
            _ => Ok(()),
        }
    }
}
