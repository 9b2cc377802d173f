//! The three phases of the feature job, and the format of what they write.
//!
//! *Fold*: rows are hashed by user into partitions on disk ([`shuffle`]); each
//! partition is sorted and folded on one thread into user records and partials.
//! *Merge*: partials become the catalogue. *Assemble*: sampled examples become
//! training rows against the cut catalogue, through the same functions that
//! serving calls. The result is a [`cartwheel_feature_set::FeatureSet`]. [`build`] runs them here; [`phases`]
//! are the same over Arrow streams, for Spark to run.

mod assemble;
mod fold;
pub mod phases;
mod pieces;
mod run;
mod shuffle;
mod table;

pub use run::{Checkout, Input, JobOptions, Phase, build};
pub use table::{RowGroups, read_rows};

#[cfg(test)]
mod tests;
