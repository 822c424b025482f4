//! The product: takes Bandwidth's notifications, keeps them, and delivers them to tenants.
//!
//! One module for each function of the road (`ingest`, `inbox`, `fanout`, `deliver`, `schedule`);
//! beneath them the table (`store`), the queues (`queue`) and the way out (`egress`). Nothing here
//! knows Lambda, reads the environment, or keeps state that may not be lost.

pub mod api;
pub mod audit;
pub mod bandwidth;
pub mod connect;
pub mod deliver;
pub mod egress;
pub mod fanout;
pub mod inbox;
pub mod ingest;
pub mod metrics;
pub mod queue;
pub mod reconcile;
pub mod recover;
pub mod restore;
pub mod schedule;
pub mod setup;
pub mod store;
pub mod subscriptions;
pub mod vault;

mod edge;
mod operational;
mod outgoing;
mod replay;
mod secret;

pub use edge::{Clock, Dice};
