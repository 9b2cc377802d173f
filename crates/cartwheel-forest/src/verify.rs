//! From what the file declares to trees that are known to be trees.

use crate::error::ModelError;
use crate::file::{Tree, TreeParameters};

/// The deepest tree accepted, in splits from the root to a leaf.
pub const DEEPEST_TREE: usize = 1_000;

/// A node of a verified tree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Node {
    /// A finite contribution to the margin.
    Leaf(f32),
    /// Rows with `row[feature] < threshold` go left, others right, and those
    /// without a value go where `missing_left` says.
    Split {
        /// Less than the forest's number of features.
        feature: usize,
        /// Finite.
        threshold: f32,
        /// Where a missing value goes.
        missing_left: bool,
        /// The index of the left child; the right one follows it.
        left: usize,
    },
}

/// A tree in breadth-first order: node 0 is the root, siblings are adjacent,
/// children come after their parent, and every node is reached exactly once.
#[derive(Debug, Clone, PartialEq)]
pub struct SoundTree {
    /// At least one node.
    pub nodes: Vec<Node>,
    /// For every node its number in the file.
    pub origin: Vec<usize>,
    /// The number of splits on the longest way to a leaf.
    pub depth: usize,
}

/// Verifies the tree numbered `tree` of a forest over `features` features.
/// Nodes that cannot be reached (XGBoost leaves them behind when it prunes) are
/// dropped without being looked at.
pub fn verify(tree: usize, declared: &Tree, features: usize) -> Result<SoundTree, ModelError> {
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
            if depth > DEEPEST_TREE {
                return Err(ModelError::TooLarge {
                    what: "levels in a tree",
                    found: depth,
                    limit: DEEPEST_TREE,
                });
            }
        }
        let at = origin[nodes.len()];
        let value = declared.split_conditions[at];
        let (left, right) = (declared.left_children[at], declared.right_children[at]);
        if left == -1 || right == -1 {
            if left != right {
                return Err(fault(at, "it has one child"));
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
                return Err(fault(at, "a child has another parent"));
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
    Ok(SoundTree { nodes, origin, depth })
}

fn check_lengths(declared: &Tree, expected: usize) -> Result<(), ModelError> {
    let split_type = match declared.split_type.len() {
        0 => expected,
        length => length,
    };
    for (what, found) in [
        ("right_children", declared.right_children.len()),
        ("split_conditions", declared.split_conditions.len()),
        ("split_indices", declared.split_indices.len()),
        ("default_left", declared.default_left.len()),
        ("split_type", split_type),
    ] {
        if found != expected {
            return Err(ModelError::Length { what, expected, found });
        }
    }
    Ok(())
}

fn check_parameters(parameters: &TreeParameters, count: usize) -> Result<(), ModelError> {
    if parameters.num_nodes.parse() != Ok(count) {
        return Err(ModelError::Parameter {
            name: "num_nodes",
            value: parameters.num_nodes.clone(),
            reason: "it should be the length of the tree's arrays",
        });
    }
    match parameters.size_leaf_vector.as_deref() {
        None | Some("0" | "1") => Ok(()),
        Some(_) => Err(ModelError::Unsupported("leaves with more than one value".to_owned())),
    }
}
