//! The feature job: from the lake's tables to a [`cartwheel_feature_set::FeatureSet`].
//!
//! - *Shuffle*: rows are hashed by user into partitions on disk.
//! - *Fold*: each partition is sorted and folded on one thread, into user records and
//!   partial results.
//! - *Merge*: the partial results become the catalogues and the samples of examples.
//! - *Assemble*: examples become training rows against catalogues over other users,
//!   through the same functions that serving calls.
//!
//! [`build`] runs all of them on this machine. [`phases`] are the last three over Arrow
//! streams, for Spark, which shuffles by itself.

mod ahead;
mod assemble;
mod batches;
mod columns;
mod cross_validation;
mod decode;
mod finish;
mod fold;
mod history;
mod job;
mod later;
mod options;
pub mod phases;
mod pieces;
mod products;
mod purchases;
mod questions;
mod rows;
mod search_rows;
mod shuffle;
mod source_search;
mod step;
mod training_rows;
mod write;

pub use batches::RowGroups;
pub use job::{Input, Phase, build};
pub use options::JobOptions;
pub use products::product_info;
pub use training_rows::read_rows;

#[cfg(test)]
mod tests;
