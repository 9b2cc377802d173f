//! What each subcommand does.

pub mod data;
pub mod model;
pub mod serve;
