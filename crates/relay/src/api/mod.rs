//! All of HTTP but ingest: the tenants' API that is compatible with Bandwidth's (`xml`), and the
//! relay's own for tenants and operators (`json`).

mod auth;
mod idempotency;
mod json;
mod origin;
mod xml;

use axum::Router;

use crate::Clock;
use crate::egress::Egress;
use crate::queue::Wakes;
use crate::store::Store;
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

/// Every route of the API.
pub fn router(api: Api) -> Router {
    json::router(api.clone()).merge(xml::router(api))
}
