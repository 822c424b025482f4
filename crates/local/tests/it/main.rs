//! The relay from end to end, in process: the real SDK, the real HTTP, a clock that tests drive.

#![expect(clippy::unwrap_used, reason = "what a test cannot set up, it fails on")]

mod api_operators;
mod api_tenants;
mod api_xml;
mod bandwidth;
mod breakers;
mod connect;
mod cost;
mod crash_points;
mod endings;
mod endpoints;
mod forgotten;
mod gateway;
mod handlers;
mod ingest;
mod isolation;
mod ledger;
mod logs;
mod openapi;
mod pinned;
mod read_units;
mod reconcile;
mod replays;
mod restore;
mod road;
mod serve;
mod signing;
mod simulation;
mod stage;
mod template;
mod upstream;
mod vault;
