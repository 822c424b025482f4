//! All of HTTP but ingest: the tenants' API that is compatible with Bandwidth's (`xml`), and the
//! relay's own for tenants and operators (`json`).

mod auth;
mod idempotency;
mod json;
mod origin;
mod xml;

use std::sync::Arc;

use axum::Router;
use domain::address::Policy;

use crate::Clock;
use crate::egress::{Egress, EgressError};
use crate::queue::Wakes;
use crate::store::{Store, StoreError};
use crate::subscriptions::Subscriptions;
use crate::vault::Vault;

pub use json::openapi;

/// What the API needs.
#[derive(Clone)]
pub struct Api {
    pub store: Store,
    pub subscriptions: Subscriptions,
    pub vault: Vault,
    pub wakes: Wakes,
    /// For test deliveries, and for what endpoints may be.
    pub egress: Egress,
    pub clock: Clock,
}

impl Api {
    /// Which addresses endpoints may have, with what operators allow by now.
    async fn policy(&self) -> Result<Arc<Policy>, PolicyError> {
        self.egress.allow(&self.store.allowed_networks().await?)?;
        Ok(self.egress.policy())
    }
}

/// It cannot be said which addresses endpoints may have.
#[derive(Debug, thiserror::Error)]
enum PolicyError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Egress(#[from] EgressError),
}

/// Every route of the API.
pub fn router(api: Api) -> Router {
    json::router(api.clone()).merge(xml::router(api))
}
