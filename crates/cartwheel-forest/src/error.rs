//! Why a model file is refused, and why a model is not explained.

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

/// Why a forest that gives margins gives no contributions or importances: the
/// margin does not depend on what the training noted at the nodes, so a file
/// without that, or with numbers that cannot be, is served all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExplainError {
    /// A tree does not have what the training notes for every one of its nodes.
    #[error("tree {tree} does not have `{what}` for each of its nodes")]
    Missing {
        /// The tree, counted from 0.
        tree: usize,
        /// The name of the array in the file.
        what: &'static str,
    },
    /// What the training noted at a node cannot be.
    #[error("tree {tree}, node {node}: {fault}")]
    Node {
        /// The tree, counted from 0.
        tree: usize,
        /// The node within the tree, counted from 0.
        node: usize,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// A tree is deeper than what contributions are given for. Importances are
    /// given for trees of any depth.
    #[error("the model has a tree of {found} levels, more than the {limit} that are explained")]
    TooDeep {
        /// The levels of the deepest tree.
        found: usize,
        /// The most levels explained.
        limit: usize,
    },
}
