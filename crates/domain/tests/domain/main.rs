//! What the crate promises, from outside of it. One binary, one file for each subject.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod address;
mod event;
mod fields;
mod lane;
mod lane_model;
mod properties;
mod reconcile;
mod render;
mod shapes;
mod wire_answer;
mod wire_properties;
mod wire_reply;
mod wire_request;
mod xml;
