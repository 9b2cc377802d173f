//! The three phases of the feature job, and the format of what they write.
//!
//! *Fold*: rows are hashed by user into partitions on disk ([`shuffle`]); each
//! partition is sorted and folded on one thread into user records and partials.
//! *Merge*: partials become the catalogue. *Assemble*: sampled examples become
//! training rows against the cut catalogue, through the same functions that
//! serving calls. The result is a [`FeatureSet`]. [`build`] runs them here; [`phases`]
//! are the same over Arrow streams, for Spark to run.

mod assemble;
mod calendar;
mod feature_set;
mod fold;
pub mod phases;
mod pieces;
mod run;
mod shuffle;
mod table;
mod turns;
mod user_file;

pub use calendar::Calendar;
pub use feature_set::{FeatureSet, Manifest, SetError};
pub use run::{Checkout, Input, JobOptions, Phase, build};
pub use table::{RowGroups, read_rows};
pub use turns::{Building, Quiet};
pub use user_file::UserFile;

#[cfg(test)]
mod tests;
