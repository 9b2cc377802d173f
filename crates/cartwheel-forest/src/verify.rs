//! Verifies that a declared tree is a tree that can be evaluated.

use crate::error::ModelError;
use crate::file::{Tree, TreeParameters};

/// The deepest tree accepted, in splits from the root to a leaf.
pub const MAX_DEPTH: usize = 1_000;

/// A node of a verified tree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Node {
    /// A finite contribution to the margin.
    Leaf(f32),
    /// Rows with `row[feature] < threshold` go left, others right; a missing value goes left
    /// if `missing_left` is set.
    Split {
        /// Less than the forest's number of features.
        feature: usize,
        /// Finite.
        threshold: f32,
        /// Whether a missing value goes left.
        missing_left: bool,
        /// The index of the left child, which the right child follows.
        left: usize,
    },
}

/// A tree in breadth-first order: node 0 is the root, siblings are adjacent, children come
/// after their parent, and every node is reached exactly once.
#[derive(Debug, Clone, PartialEq)]
pub struct VerifiedTree {
    /// At least one node.
    pub nodes: Vec<Node>,
    /// Each node's number in the file.
    pub origin: Vec<usize>,
    /// Number of splits on the longest path to a leaf.
    pub depth: usize,
}

/// Verifies tree number `tree` of a forest with `features` features. Unreachable nodes,
/// which XGBoost leaves behind when it prunes, are dropped without a check.
pub fn verify(tree: usize, declared: &Tree, features: usize) -> Result<VerifiedTree, ModelError> {
    let count = declared.left_children.len();
    check_lengths(declared, count)?;
    check_parameters(&declared.tree_param, count)?;
    let fault = |node: usize, fault: &'static str| ModelError::Tree { tree, node, fault };
    if count == 0 {
        return Err(fault(0, "the tree has no root"));
    }
    if !declared.categories_nodes.is_empty() {
        return Err(ModelError::Unsupported("categorical splits".to_owned()));
    }

    let mut origin = vec![0usize];
    let mut reached = vec![false; count];
    reached[0] = true;
    let mut nodes = Vec::with_capacity(count);
    let mut depth = 0;
    let mut level_end = 1;
    while nodes.len() < origin.len() {
        if nodes.len() == level_end {
            depth += 1;
            level_end = origin.len();
            if depth > MAX_DEPTH {
                return Err(ModelError::TooLarge {
                    unit: "levels in a tree",
                    found: depth,
                    limit: MAX_DEPTH,
                });
            }
        }
        let at = origin[nodes.len()];
        let value = declared.split_conditions[at];
        let (left, right) = (declared.left_children[at], declared.right_children[at]);
        if left == -1 || right == -1 {
            if left != right {
                return Err(fault(at, "it has only one child"));
            }
            if !value.is_finite() {
                return Err(fault(at, "its leaf value is not finite"));
            }
            nodes.push(Node::Leaf(value));
            continue;
        }
        if declared.split_type.get(at).is_some_and(|&kind| kind != 0) {
            return Err(ModelError::Unsupported("categorical splits".to_owned()));
        }
        if !value.is_finite() {
            return Err(fault(at, "its threshold is not finite"));
        }
        let feature = usize::try_from(declared.split_indices[at])
            .ok()
            .filter(|&feature| feature < features)
            .ok_or_else(|| fault(at, "it splits on a feature that the model does not have"))?;
        let first = origin.len();
        for child in [left, right] {
            let child = usize::try_from(child)
                .ok()
                .filter(|&child| child < count)
                .ok_or_else(|| fault(at, "a child is outside the tree"))?;
            if std::mem::replace(&mut reached[child], true) {
                return Err(fault(at, "a child already has another parent"));
            }
            origin.push(child);
        }
        nodes.push(Node::Split {
            feature,
            threshold: value,
            missing_left: declared.default_left[at].0,
            left: first,
        });
    }
    Ok(VerifiedTree { nodes, origin, depth })
}

fn check_lengths(declared: &Tree, expected: usize) -> Result<(), ModelError> {
    let split_type = match declared.split_type.len() {
        0 => expected,
        length => length,
    };
    for (array, found) in [
        ("right_children", declared.right_children.len()),
        ("split_conditions", declared.split_conditions.len()),
        ("split_indices", declared.split_indices.len()),
        ("default_left", declared.default_left.len()),
        ("split_type", split_type),
    ] {
        if found != expected {
            return Err(ModelError::Length { array, expected, found });
        }
    }
    Ok(())
}

fn check_parameters(parameters: &TreeParameters, count: usize) -> Result<(), ModelError> {
    if parameters.num_nodes.parse() != Ok(count) {
        return Err(ModelError::Parameter {
            name: "num_nodes",
            value: parameters.num_nodes.clone(),
            reason: "it must be the length of the tree's arrays",
        });
    }
    match parameters.size_leaf_vector.as_deref() {
        None | Some("0" | "1") => Ok(()),
        Some(_) => Err(ModelError::Unsupported("leaves with more than one value".to_owned())),
    }
}
