//! Statistics that training stores at the nodes: how much data reached a node, and how much
//! a split gained. Contributions and importances need them; margins do not.

use crate::error::ExplainError;
use crate::file::Tree;
use crate::layout;
use crate::verify::{Node, VerifiedTree};

/// Tolerance for children that cover more than their parent, since XGBoost rounds the sums
/// to `f32`. Beyond it, the expectation would not be a weighted mean.
const ROUNDING: f64 = 1e-3;

/// How much training used a feature, over all splits on it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Importance {
    /// Sum of the loss reductions, XGBoost's `total_gain`.
    pub gain: f64,
    /// Sum of the hessian over the rows that reached the splits, XGBoost's `total_cover`; for
    /// `reg:squarederror` the number of these rows.
    pub cover: f64,
    /// Number of splits, XGBoost's `weight`.
    pub splits: usize,
}

/// A node with its statistics.
#[derive(Debug, Clone, Copy)]
pub struct AnnotatedNode {
    /// The threshold, or the value of a leaf.
    pub value: f32,
    /// `2 * feature + missing_left`; 0 for a leaf.
    pub slot: u32,
    /// The left child's index among the nodes of the forest, which the right child follows; 0
    /// for a leaf.
    pub left: u32,
    /// Finite and not negative; positive for a split.
    pub cover: f32,
    /// Finite for a split; unused for a leaf.
    pub gain: f32,
}

impl AnnotatedNode {
    pub fn is_leaf(&self) -> bool {
        self.left == 0
    }

    pub fn feature(&self) -> usize {
        self.slot as usize / 2
    }

    /// Whether a row with this value of the feature goes left.
    pub fn goes_left(&self, value: f32) -> bool {
        if value.is_nan() { self.slot % 2 == 1 } else { value < self.value }
    }
}

/// All trees of a forest with their statistics.
#[derive(Debug, Clone)]
pub struct Statistics {
    /// The trees one after another, each in breadth-first order.
    pub nodes: Vec<AnnotatedNode>,
    /// Index of each tree's root.
    pub roots: Vec<u32>,
    /// Number of levels of the deepest tree.
    pub depth: usize,
    /// Sum over all trees of the expected leaf.
    pub expected: f64,
}

impl Statistics {
    /// Combines the declared statistics with the verified trees.
    pub fn gather(declared: &[Tree], verified: &[VerifiedTree]) -> Result<Self, ExplainError> {
        let mut all = Self {
            nodes: Vec::with_capacity(verified.iter().map(|tree| tree.nodes.len()).sum()),
            roots: Vec::with_capacity(verified.len()),
            depth: verified.iter().map(|tree| tree.depth).max().unwrap_or(0),
            expected: 0.0,
        };
        for (tree, (declared, verified)) in declared.iter().zip(verified).enumerate() {
            let root = all.nodes.len();
            all.roots.push(root as u32);
            all.add(tree, declared, verified)?;
            all.check(tree, root, verified)?;
            all.expected += expected(&all.nodes, root);
        }
        Ok(all)
    }

    fn add(
        &mut self,
        tree: usize,
        declared: &Tree,
        verified: &VerifiedTree,
    ) -> Result<(), ExplainError> {
        let covers = complete(tree, declared, "sum_hessian", declared.sum_hessian.as_deref())?;
        let gains = complete(tree, declared, "loss_changes", declared.loss_changes.as_deref())?;
        let root = self.nodes.len();
        self.nodes.extend(verified.nodes.iter().zip(&verified.origin).map(|(node, &origin)| {
            let (cover, gain) = (covers[origin], gains[origin]);
            match *node {
                Node::Leaf(value) => AnnotatedNode { value, slot: 0, left: 0, cover, gain },
                Node::Split { feature, threshold, missing_left, left } => AnnotatedNode {
                    value: threshold,
                    slot: layout::slot(feature, missing_left),
                    // A file of at most 512 MiB holds far fewer than 2^32 nodes.
                    left: (root + left) as u32,
                    cover,
                    gain,
                },
            }
        }));
        Ok(())
    }

    /// Checks the last tree, whose nodes start at `root`.
    fn check(&self, tree: usize, root: usize, verified: &VerifiedTree) -> Result<(), ExplainError> {
        for (node, &origin) in self.nodes[root..].iter().zip(&verified.origin) {
            let fault = |fault| Err(ExplainError::Node { tree, node: origin, fault });
            if !(node.cover.is_finite() && node.cover >= 0.0) {
                return fault("its `sum_hessian` is negative or not finite");
            }
            if node.is_leaf() {
                continue;
            }
            if node.cover == 0.0 {
                return fault("it is a split with a `sum_hessian` of 0");
            }
            if !node.gain.is_finite() {
                return fault("its `loss_changes` is not finite");
            }
            let left = node.left as usize;
            let children =
                f64::from(self.nodes[left].cover) + f64::from(self.nodes[left + 1].cover);
            // A child with NaN passes this comparison; its own check rejects it.
            if children > f64::from(node.cover) * (1.0 + ROUNDING) {
                return fault("its children have more `sum_hessian` than it has");
            }
        }
        Ok(())
    }

    /// Returns one entry for each of `features` features.
    pub fn importance(&self, features: usize) -> Vec<Importance> {
        let mut all = vec![Importance::default(); features];
        for split in self.nodes.iter().filter(|node| !node.is_leaf()) {
            let entry = &mut all[split.feature()];
            entry.gain += f64::from(split.gain);
            entry.cover += f64::from(split.cover);
            entry.splits += 1;
        }
        all
    }

    /// Returns the fractions of a split's cover in its left and its right child.
    pub fn shares(&self, split: &AnnotatedNode) -> [f64; 2] {
        shares(&self.nodes, split)
    }
}

fn shares(nodes: &[AnnotatedNode], split: &AnnotatedNode) -> [f64; 2] {
    let left = split.left as usize;
    [left, left + 1].map(|child| f64::from(nodes[child].cover) / f64::from(split.cover))
}

/// Returns the array if it has an entry for every node.
fn complete<'a>(
    tree: usize,
    declared: &Tree,
    name: &'static str,
    array: Option<&'a [f32]>,
) -> Result<&'a [f32], ExplainError> {
    array
        .filter(|array| array.len() == declared.left_children.len())
        .ok_or(ExplainError::Missing { tree, array: name })
}

/// Returns the expected leaf of the last tree, whose nodes start at `root`.
fn expected(nodes: &[AnnotatedNode], root: usize) -> f64 {
    // The fraction of rows that reaches each node; parents come before their children.
    let mut reach = vec![1.0; nodes.len() - root];
    let mut sum = 0.0;
    for (at, node) in nodes[root..].iter().enumerate() {
        if node.is_leaf() {
            sum += reach[at] * f64::from(node.value);
            continue;
        }
        let left = node.left as usize - root;
        for (child, share) in (left..).zip(shares(nodes, node)) {
            reach[child] = reach[at] * share;
        }
    }
    sum
}
