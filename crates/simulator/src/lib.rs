//! Everything outside Hookline, faked: AWS behind the real SDK's HTTP client, Bandwidth, the
//! endpoints of tenants, and the time that passes.
//!
//! Nothing here knows the relay or its rules.

pub mod aws;
pub mod bandwidth;
mod clock;
pub mod endpoint;
pub mod sandbox;

pub use clock::Clock;
