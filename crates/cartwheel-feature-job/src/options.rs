//! Options of the job.

use cartwheel_feature_set::{Label, SearchMode};
use cartwheel_features::{Sources, Subjects};

/// Options that decide what the feature set holds.
///
/// The debug form is part of a set's name: renaming a field renames the sets.
#[derive(Debug, Clone)]
pub struct JobOptions {
    /// How many of a user's newest orders are labels, at most.
    pub label_orders: usize,
    /// Most training examples.
    pub max_examples: usize,
    /// Most baskets that product neighbours are computed from.
    pub max_baskets: usize,
    /// Most reference shoppers in a group of users, whose orders tell what is bought next.
    pub max_shoppers: usize,
    /// Most visits in a group of users, the newest, from which relations of products are computed.
    pub max_visits: usize,
    /// What the model predicts; unset, the next basket in a shop with orders, otherwise the next
    /// interaction. The fold asks for the rest of visits only if it is the label.
    pub label: Option<Label>,
    /// Sources of candidates that are switched off, with their columns.
    pub without: Sources,
    /// Subjects that the model does not learn from: their columns are empty in the training rows.
    pub unlearned: Subjects,
    /// How many values of the parameters of sources are tried.
    pub search: SearchMode,
    /// Gate examples from which on the gate judges by them alone. With fewer, the set is
    /// prepared for cross-validation.
    pub min_gate_users: usize,
    /// Seed of the carts and samples.
    pub seed: u64,
    /// The shop's IANA time zone.
    pub timezone: String,
    /// Orders from this time on, UTC milliseconds, are counted nowhere. The first of each user
    /// judges a model of the set.
    pub until_ms: Option<i64>,
}

impl Default for JobOptions {
    fn default() -> Self {
        Self {
            label_orders: 20,
            max_examples: 16_000,
            max_baskets: 1_000_000,
            max_shoppers: 20_000,
            max_visits: 100_000,
            label: None,
            without: Sources::default(),
            unlearned: Subjects::default(),
            search: SearchMode::default(),
            min_gate_users: 20,
            seed: 1,
            timezone: "UTC".to_owned(),
            until_ms: None,
        }
    }
}
