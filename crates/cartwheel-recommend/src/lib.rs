//! Candidates, feature rows, ranking, reasons and metrics. Pure functions only.
//!
//! Training's assemble phase and every request build candidates and features with the same
//! [`candidates`] and [`rows`], so the two cannot differ.

pub mod baselines;
mod buy_again;
mod candidate;
mod candidates;
mod columns;
mod discovery;
mod diversity;
mod due;
pub mod due_dates;
pub mod exploration;
mod likeness;
pub mod metrics;
pub mod paired;
mod proportions;
mod rank;
mod reasons;
mod rows;
mod scored;
mod searched;
mod similarity;
pub mod slices;
mod trending;
mod value;
mod visit;

pub use buy_again::{Due, INTERVAL, by_due_date};
pub use candidate::{AffinityScores, Best, Candidate, Ranked, VisitScores};
pub use candidates::{Relations, candidates, candidates_after, is_new, list_of};
pub use columns::{Column, Subject, column};
pub use discovery::Discovery;
pub use diversity::Diversity;
pub use due::{due_first, is_due};
pub use proportions::Proportions;
pub use rank::{Arrangement, Contributions, Model, ModelMismatch, arranged, order, rank, scores};
pub use reasons::{Reason, Said, reasons};
pub use rows::{FEATURES, rows};
pub use similarity::similarity;
pub use trending::{HALF_LIVES_MS, StoredCounts, Trending, Window};
pub use value::{InvalidValue, Value, by_value};

#[cfg(test)]
mod tests;
