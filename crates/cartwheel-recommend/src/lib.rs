//! Candidates, rows, ranking, reasons and metrics. Pure.
//!
//! [`candidates`] and [`rows`] are the one place where candidates and features
//! are made: the assemble phase of training and every request call them alike.

pub mod baseline;
mod candidates;
pub mod metrics;
mod rank;
mod reasons;
mod rows;

pub use candidates::{Candidate, Source, candidates};
pub use rank::{Model, ModelMismatch, Ranked, order, rank};
pub use reasons::reasons;
pub use rows::{FEATURES, rows};

#[cfg(test)]
mod tests;
