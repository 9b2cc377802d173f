//! Why a model file is refused.

/// Why a model file is refused. Every variant means the same to a caller: this
/// file cannot be served, and reading it again will not help.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The bytes are neither XGBoost's JSON nor its UBJ.
    #[error(
        "the model is neither JSON nor UBJ; save it with `save_model(\"model.json\")` or \
         `save_model(\"model.ubj\")`"
    )]
    Format,
    /// The bytes are JSON, but not those of a model.
    #[error("the model's JSON cannot be read: {0}")]
    Json(String),
    /// The bytes are UBJ, but not those of a model.
    #[error("the model's UBJ cannot be read: {0}")]
    Ubj(String),
    /// A sound model of a kind that this crate does not evaluate.
    #[error("the model uses {0}, which is not supported")]
    Unsupported(String),
    /// A parameter in the model's headers that has no meaning.
    #[error("the model's parameter `{name}` is {value:?}: {reason}")]
    Parameter {
        /// The parameter's name in the file.
        name: &'static str,
        /// Its value in the file.
        value: String,
        /// What it should be.
        reason: &'static str,
    },
    /// A count above what this crate accepts.
    #[error("the model has {found} {what}, more than the {limit} accepted")]
    TooLarge {
        /// What was counted.
        what: &'static str,
        /// The count in the file.
        found: usize,
        /// The largest count accepted.
        limit: usize,
    },
    /// Two parts of the file that should have one length do not.
    #[error("the model's `{what}` has {found} entries, not {expected}")]
    Length {
        /// The name of the part.
        what: &'static str,
        /// The length that other parts of the file call for.
        expected: usize,
        /// The length found.
        found: usize,
    },
    /// A tree that is not a tree, or one that cannot be evaluated.
    #[error("tree {tree}, node {node}: {fault}")]
    Tree {
        /// The tree, counted from 0.
        tree: usize,
        /// The node within the tree, counted from 0.
        node: usize,
        /// What is wrong with it.
        fault: &'static str,
    },
}
