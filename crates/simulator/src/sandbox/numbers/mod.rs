//! Orders for new numbers, and the stock that they are filled from.
//!
//! Nothing here asks for the time or the network. Chance comes from a seed.

pub mod criterion;
pub mod geography;
pub mod inventory;

pub use inventory::Inventory;
