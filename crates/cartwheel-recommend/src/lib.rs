//! Candidates, feature rows, ranking, reasons and metrics. Pure functions only.
//!
//! Training's assemble phase and every request build candidates and features with the same
//! [`candidates`] and [`rows`], so the two cannot differ.

pub mod baseline;
mod candidates;
pub mod metrics;
mod rank;
mod reasons;
mod rows;

pub use candidates::{Candidate, Source, TasteShare, candidates};
pub use rank::{Contributions, Model, ModelMismatch, Ranked, order, rank, scores};
pub use reasons::reasons;
pub use rows::{FEATURES, rows};

#[cfg(test)]
mod tests;
