//! The whole relay in one process: the functions of `relay` on the AWS of `simulator`, on one clock.
//!
//! [`World`] puts it together and plays Lambda's pollers one batch at a time, so that a test decides
//! what happens when; [`serve()`] runs the same in the background behind a real listener.
//! [`attach()`] makes the sandbox its upstream. [`simulation`] drives it through everything that can go wrong.

mod attach;
mod serve;
pub mod simulation;
mod table;
pub mod usage;
mod world;

pub use attach::attach;
pub use serve::{Running, serve};
pub use world::{
    ASIDE, INBOX, INBOX_DEAD, INBOX_RECEIVES_MAX, INBOX_VISIBILITY, RUN_TIME, STREAM_BATCH,
    WAKE_RECEIVES_MAX, WAKE_VISIBILITY, WAKES, WAKES_DEAD, World, loopback,
};
