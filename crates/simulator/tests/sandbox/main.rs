//! The sandbox over HTTP, with an endpoint that is notified, on a clock that is moved.

#![expect(clippy::unwrap_used, reason = "what a test cannot set up, it fails on")]

mod access;
mod account;
mod kinds;
mod knobs;
mod lists;
mod orders;
mod portins;
mod scenarios;
mod subscriptions;
