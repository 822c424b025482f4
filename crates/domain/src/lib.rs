//! The rules of the relay: pure functions over plain values.
//!
//! Nothing in this crate reads a clock, draws a random number or opens a connection. Times and
//! draws are arguments.

/// Which addresses a tenant's endpoint may have.
pub mod address;
/// Which subscriptions an upstream needs at Bandwidth.
pub mod connect;
/// One event on its way to one subscription.
pub mod delivery;
/// When an event happened, and its key.
pub mod event;
/// How an endpoint is doing.
pub mod health;
/// The decisions that keep one order's deliveries to one subscription in order.
pub mod lane;
/// What was accepted, and where it stands.
pub mod ledger;
/// Every limit of what comes in.
pub mod limits;
/// What Bandwidth says: reading, writing, naming.
pub mod notification;
/// What the relay itself has to tell.
pub mod operational;
/// Bandwidth's order types and their states.
pub mod order;
/// What Bandwidth's own record has that no notification told.
pub mod reconcile;
/// An order as its notifications tell of it.
pub mod record;
/// When a failed delivery is tried again.
pub mod retry;
/// Standard Webhooks signatures.
pub mod sign;
/// What a tenant asked to be told, and where.
pub mod subscription;
/// One Bandwidth account, and who owns its orders.
pub mod upstream;
/// Bandwidth's own XML API: reading its requests, writing its answers.
pub mod wire;
