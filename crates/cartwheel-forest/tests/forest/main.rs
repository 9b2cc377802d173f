//! Tests the forest through its public API.

#![allow(clippy::unwrap_used)]

mod contributions;
mod fixtures;
mod model;
mod refusals;
mod walks;
