//! What each subcommand does.
#[cfg(feature = "aws")]
pub mod capacity;
pub mod data;
pub mod keys;
pub mod model;
pub mod models;
pub mod pipeline;
pub mod serve;
mod serve_aws;
pub mod stream;
pub mod users;
