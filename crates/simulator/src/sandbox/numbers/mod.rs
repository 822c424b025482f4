//! Orders for new numbers, and the stock that they are filled from.
//!
//! Nothing here asks for the time or the network. Chance comes from a seed.

pub mod answer;
pub mod criterion;
mod field;
pub mod geography;
pub mod inventory;
pub mod order;
mod refused;
pub mod request;
mod search;

pub use field::QUANTITY_MAX;
pub use inventory::Inventory;
pub use order::{Change, NumberOrder, State};
pub use refused::Refused;
pub use request::{Rejected, Request};
pub use search::available_numbers;
