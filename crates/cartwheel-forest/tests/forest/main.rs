//! Tests of the forest through its public API.

#![allow(clippy::unwrap_used)]

mod contributions;
mod fixtures;
mod model;
mod mutations;
mod refusals;
mod walks;
