//! What the training noted at the nodes: how much of its data came by, and what
//! a split gained. Margins do without; contributions and importances do not.

use crate::error::ExplainError;
use crate::file::Tree;
use crate::layout;
use crate::verify::{Node, SoundTree};

/// Children may cover this much more than their parent: XGBoost notes sums that
/// are rounded to `f32`. Beyond, the expectation would be no weighted mean.
const ROUNDING: f64 = 1e-3;

/// How much the training has used a feature, over all splits on it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Importance {
    /// The sum of the reductions of the loss, XGBoost's `total_gain`.
    pub gain: f64,
    /// The sum of the hessian over the rows that came by, XGBoost's
    /// `total_cover`; for `reg:squarederror` the number of these rows.
    pub cover: f64,
    /// The number of splits, XGBoost's `weight`.
    pub splits: usize,
}

/// A node with what was noted at it.
#[derive(Debug, Clone, Copy)]
pub struct NotedNode {
    /// The threshold, or the value of a leaf.
    pub value: f32,
    /// `2 * feature + missing_left`; 0 for a leaf.
    pub slot: u32,
    /// The left child among the nodes of the forest, which the right one
    /// follows; 0 for a leaf.
    pub left: u32,
    /// Finite and not negative; of a split, positive.
    pub cover: f32,
    /// Finite; not used of a leaf.
    pub gain: f32,
}

impl NotedNode {
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

/// All trees of a forest with what was noted.
#[derive(Debug, Clone)]
pub struct Statistics {
    /// The trees one after the other, each in breadth-first order.
    pub nodes: Vec<NotedNode>,
    /// Where the trees begin.
    pub roots: Vec<u32>,
    /// The levels of the deepest tree.
    pub depth: usize,
    /// The sum over all trees of a row's expected leaf.
    pub expected: f64,
}

impl Statistics {
    /// Puts together what the file declares and what is known to be sound of it.
    pub fn gather(declared: &[Tree], sound: &[SoundTree]) -> Result<Self, ExplainError> {
        let mut all = Self {
            nodes: Vec::with_capacity(sound.iter().map(|tree| tree.nodes.len()).sum()),
            roots: Vec::with_capacity(sound.len()),
            depth: sound.iter().map(|tree| tree.depth).max().unwrap_or(0),
            expected: 0.0,
        };
        for (tree, (declared, sound)) in declared.iter().zip(sound).enumerate() {
            let root = all.nodes.len();
            all.roots.push(root as u32);
            all.add(tree, declared, sound)?;
            all.check(tree, root, sound)?;
            all.expected += expected(&all.nodes, root);
        }
        Ok(all)
    }

    fn add(&mut self, tree: usize, declared: &Tree, sound: &SoundTree) -> Result<(), ExplainError> {
        let covers = noted(tree, declared, "sum_hessian", declared.sum_hessian.as_deref())?;
        let gains = noted(tree, declared, "loss_changes", declared.loss_changes.as_deref())?;
        let root = self.nodes.len();
        self.nodes.extend(sound.nodes.iter().zip(&sound.origin).map(|(node, &origin)| {
            let (cover, gain) = (covers[origin], gains[origin]);
            match *node {
                Node::Leaf(value) => NotedNode { value, slot: 0, left: 0, cover, gain },
                Node::Split { feature, threshold, missing_left, left } => NotedNode {
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

    /// Checks the last tree, which begins at `root`.
    fn check(&self, tree: usize, root: usize, sound: &SoundTree) -> Result<(), ExplainError> {
        for (node, &origin) in self.nodes[root..].iter().zip(&sound.origin) {
            let fault = |fault| Err(ExplainError::Node { tree, node: origin, fault });
            if !(node.cover.is_finite() && node.cover >= 0.0) {
                return fault("its `sum_hessian` is not a finite number from 0 up");
            }
            if node.is_leaf() {
                continue;
            }
            if node.cover == 0.0 {
                return fault("it splits what its `sum_hessian` says to be nothing");
            }
            if !node.gain.is_finite() {
                return fault("its `loss_changes` is not finite");
            }
            let left = node.left as usize;
            let children =
                f64::from(self.nodes[left].cover) + f64::from(self.nodes[left + 1].cover);
            // Written so that NaN, which the child is refused for, is no fault here.
            if children > f64::from(node.cover) * (1.0 + ROUNDING) {
                return fault("its children's `sum_hessian` is more than its own");
            }
        }
        Ok(())
    }

    /// One entry for each of `features`.
    pub fn importance(&self, features: usize) -> Vec<Importance> {
        let mut all = vec![Importance::default(); features];
        for split in self.nodes.iter().filter(|node| !node.is_leaf()) {
            let one = &mut all[split.feature()];
            one.gain += f64::from(split.gain);
            one.cover += f64::from(split.cover);
            one.splits += 1;
        }
        all
    }

    /// The parts of a split's cover that go to its left and to its right child.
    pub fn shares(&self, split: &NotedNode) -> [f64; 2] {
        shares(&self.nodes, split)
    }
}

fn shares(nodes: &[NotedNode], split: &NotedNode) -> [f64; 2] {
    let left = split.left as usize;
    [left, left + 1].map(|child| f64::from(nodes[child].cover) / f64::from(split.cover))
}

/// The array of this name, if it has an entry for every node.
fn noted<'a>(
    tree: usize,
    declared: &Tree,
    what: &'static str,
    array: Option<&'a [f32]>,
) -> Result<&'a [f32], ExplainError> {
    array
        .filter(|array| array.len() == declared.left_children.len())
        .ok_or(ExplainError::Missing { tree, what })
}

/// The expected leaf of the last tree, which begins at `root`.
fn expected(nodes: &[NotedNode], root: usize) -> f64 {
    // The part of all rows that reaches a node, known before the node comes up.
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
