//! Which endpoints' breakers are open: `schedule` sends their probes, and lets go of what waits when
//! they have closed.

use aws_sdk_dynamodb::types::{Put, Update};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::health::next_probe;
use super::item::{Item, text, write};
use super::table::Page;
use super::{Store, StoreError, StoredEvent, failed, key};

/// An open breaker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Breaker {
    pub(crate) tenant: String,
    pub(crate) subscription: String,
    pub(crate) opened_at: Timestamp,
}

impl Store {
    /// Opens an endpoint's breaker, if it still fails and is not open; with `told`, and with its place
    /// on the list: one that is open and not listed would never be probed. False if it was not opened.
    pub(crate) async fn open_breaker(
        &self,
        breaker: &Breaker,
        told: &StoredEvent,
    ) -> Result<bool, StoreError> {
        let action = "open a breaker";
        let at = breaker.opened_at;
        let listed = Item::new(key::breaker(&breaker.subscription), breaker);
        let listed = Put::builder().set_item(Some(write(action, &listed)?));
        let open = Update::builder()
            .set_key(Some(key::subscription(&breaker.tenant, &breaker.subscription).attributes()))
            .update_expression("SET open_since = :now, probe_at_ms = :next")
            .condition_expression("attribute_exists(failures) AND attribute_not_exists(open_since)")
            .expression_attribute_values(":now", text(at.to_string()))
            .expression_attribute_values(":next", next_probe(at));
        self.together(action, open, vec![listed, told.put()?]).await
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
