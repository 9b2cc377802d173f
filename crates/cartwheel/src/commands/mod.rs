//! What each subcommand does.

pub mod audit;
pub mod capacity;
pub mod data;
pub mod keys;
pub mod model;
pub mod models;
pub mod pipeline;
pub mod serve;
#[cfg(feature = "aws")]
mod serve_aws;
