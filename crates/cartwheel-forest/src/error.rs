//! Why a model file is rejected, and why a model cannot be explained.

/// Why a model file is rejected. All variants mean the same to a caller: the file cannot
/// be served, and reading it again will not help.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The bytes are neither JSON nor UBJ.
    #[error(
        "the model is neither JSON nor UBJ; save it with `save_model(\"model.json\")` or \
         `save_model(\"model.ubj\")`"
    )]
    Format,
    /// The bytes are JSON, but not a model.
    #[error("the model's JSON cannot be read: {0}")]
    Json(String),
    /// The bytes are UBJ, but not a model.
    #[error("the model's UBJ cannot be read: {0}")]
    Ubj(String),
    /// The model is valid but of a kind that this crate does not evaluate.
    #[error("the model uses {0}, which is not supported")]
    Unsupported(String),
    /// A parameter in the model's headers has an invalid value.
    #[error("the model's parameter `{name}` is {value:?}: {reason}")]
    Parameter {
        /// The parameter's name in the file.
        name: &'static str,
        /// Its value in the file.
        value: String,
        /// The values that are accepted.
        reason: &'static str,
    },
    /// The model exceeds a limit of this crate.
    #[error("the model has {found} {unit}, more than the limit of {limit}")]
    TooLarge {
        /// What the limit counts, such as `trees`.
        unit: &'static str,
        /// The count in the file.
        found: usize,
        /// The largest accepted count.
        limit: usize,
    },
    /// Two parts of the file that must have the same length do not.
    #[error("the model's `{array}` has {found} entries, not {expected}")]
    Length {
        /// The name of the array in the file.
        array: &'static str,
        /// The length that other parts of the file imply.
        expected: usize,
        /// The length found.
        found: usize,
    },
    /// A tree is not a tree, or cannot be evaluated.
    #[error("tree {tree}, node {node}: {fault}")]
    Tree {
        /// The tree, counted from 0.
        tree: usize,
        /// The node within the tree, counted from 0.
        node: usize,
        /// The problem.
        fault: &'static str,
    },
}

/// Why a forest has no contributions or importances. Margins do not need the statistics
/// that training stores at the nodes, so a file without them, or with invalid ones, is
/// still served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExplainError {
    /// A tree lacks a statistic for some of its nodes.
    #[error("tree {tree} does not have `{array}` for each of its nodes")]
    Missing {
        /// The tree, counted from 0.
        tree: usize,
        /// The name of the array in the file.
        array: &'static str,
    },
    /// A node's statistics are invalid.
    #[error("tree {tree}, node {node}: {fault}")]
    Node {
        /// The tree, counted from 0.
        tree: usize,
        /// The node within the tree, counted from 0.
        node: usize,
        /// The problem.
        fault: &'static str,
    },
    /// A tree is too deep for contributions. Importances have no depth limit.
    #[error(
        "the model has a tree of {found} levels, more than the limit of {limit} for contributions"
    )]
    TooDeep {
        /// The number of levels of the deepest tree.
        found: usize,
        /// The largest number of levels that can be explained.
        limit: usize,
    },
}
