//! A pure evaluator of XGBoost's tree models.
//!
//! [`Forest::from_bytes`] reads and verifies a model file whole, so that scoring
//! needs no checks of its structure. Margins are summed as XGBoost sums them: in
//! float32, from the base margin, tree by tree.

mod forest;
mod model;
mod ubj;

pub use forest::Forest;
pub use model::{ModelError, Objective};

#[cfg(test)]
mod tests;
