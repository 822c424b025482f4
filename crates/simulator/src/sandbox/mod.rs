//! A Bandwidth account to try things on.

pub mod numbers;
pub mod xml;
