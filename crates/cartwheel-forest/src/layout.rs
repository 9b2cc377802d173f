//! Lays out the trees for speed: as nodes, which many rows go through column by column, and in groups of
//! eight that keep their order, which a single row goes down side by side.
//!
//! A group of shallow trees is padded to perfect trees of one depth. The walk then has no
//! branch to mispredict and no child to look up: the children of node `i` are `2i` and
//! `2i + 1`, with the root at 1. A group with a deeper tree keeps explicit links.
//!
//! Features are doubled: slot `2f` holds feature `f` with +∞ for a missing value, slot
//! `2f + 1` with -∞. Thresholds are finite, so a split that reads the slot of its default
//! direction needs no test for NaN.

use std::ops::Range;

use crate::verify::{Node, VerifiedTree};

/// Number of trees in a group.
pub const LANES: usize = 8;

/// The deepest tree that is padded, 256 splits of 8 bytes, or evaluated column by column.
pub const MAX_DEPTH: usize = 8;

/// A split: rows whose `slot` value is less than `threshold` go left.
#[derive(Debug, Clone, Copy)]
pub struct Split {
    pub threshold: f32,
    /// `2 * feature + missing_left`.
    pub slot: u32,
}

/// A tree as nodes, the root first. The left child follows its parent, and then come all nodes below
/// it: who visits a part of the tree goes forward in memory.
#[derive(Debug, Clone)]
pub struct Tree {
    /// Number of splits on the longest path to a leaf.
    pub depth: usize,
    pub nodes: Vec<Link>,
}

/// A node of a tree.
#[derive(Debug, Clone, Copy)]
pub struct Link {
    /// The threshold, or the value of a leaf.
    pub value: f32,
    /// As in [`Split`].
    pub slot: u32,
    /// The right child; 0 for a leaf.
    pub right: u32,
}

/// Eight consecutive trees of the forest.
#[derive(Debug, Clone)]
pub enum Group {
    /// Perfect trees of one depth.
    Perfect {
        depth: usize,
        /// `LANES` trees of `2^depth` entries; entry 0 of each tree is unused.
        splits: Vec<Split>,
        /// `LANES` trees of `2^depth` leaves.
        leaves: Vec<f32>,
    },
    /// Trees of any depth, at most `LANES`, by their numbers.
    Linked(Range<usize>),
}

/// Lays out verified trees as nodes.
pub fn trees(trees: &[VerifiedTree]) -> Vec<Tree> {
    trees.iter().map(|tree| Tree { depth: tree.depth, nodes: link(tree) }).collect()
}

/// Lays out verified trees in groups.
pub fn groups(trees: &[VerifiedTree]) -> Vec<Group> {
    let first = (0..trees.len()).step_by(LANES);
    first.zip(trees.chunks(LANES)).map(|(first, trees)| group(first, trees)).collect()
}

/// Lays out a group whose first tree has the number `first`.
fn group(first: usize, trees: &[VerifiedTree]) -> Group {
    let depth = trees.iter().map(|tree| tree.depth).max().unwrap_or(0);
    if depth > MAX_DEPTH {
        return Group::Linked(first..first + trees.len());
    }
    let size = 1 << depth;
    let mut splits = vec![Split { threshold: 0.0, slot: 0 }; LANES * size];
    // An incomplete last group is filled with -0.0, the only number that leaves every
    // other number unchanged when added, including +0.0 and -0.0.
    let mut leaves = vec![-0.0; LANES * size];
    for (lane, tree) in trees.iter().enumerate() {
        let own = lane * size..(lane + 1) * size;
        pad(tree, depth, &mut splits[own.clone()], &mut leaves[own]);
    }
    Group::Perfect { depth, splits, leaves }
}

/// Fills a perfect tree. A leaf above the last level is repeated on the levels below it.
fn pad(tree: &VerifiedTree, depth: usize, splits: &mut [Split], leaves: &mut [f32]) {
    let mut level = vec![0usize];
    for height in 0..depth {
        let first = 1 << height;
        let mut next = Vec::with_capacity(2 * level.len());
        for (place, &node) in level.iter().enumerate() {
            match tree.nodes[node] {
                Node::Leaf(_) => next.extend([node, node]),
                Node::Split { feature, threshold, missing_left, left } => {
                    splits[first + place] = Split { threshold, slot: slot(feature, missing_left) };
                    next.extend([left, left + 1]);
                }
            }
        }
        level = next;
    }
    for (leaf, &node) in leaves.iter_mut().zip(&level) {
        // The tree is no deeper than `depth`, so only leaves remain.
        if let Node::Leaf(value) = tree.nodes[node] {
            *leaf = value;
        }
    }
}

fn link(tree: &VerifiedTree) -> Vec<Link> {
    let mut links = Vec::with_capacity(tree.nodes.len());
    // Nodes to lay out, each with the parent whose right child it is.
    let mut next = vec![(0, None)];
    while let Some((mut node, parent)) = next.pop() {
        if let Some(parent) = parent {
            let right = links.len() as u32;
            let parent: &mut Link = &mut links[parent];
            parent.right = right;
        }
        while let Node::Split { feature, threshold, missing_left, left } = tree.nodes[node] {
            next.push((left + 1, Some(links.len())));
            links.push(Link { value: threshold, slot: slot(feature, missing_left), right: 0 });
            node = left;
        }
        if let Node::Leaf(value) = tree.nodes[node] {
            links.push(Link { value, slot: 0, right: 0 });
        }
    }
    links
}

/// Returns the slot of a split. The loader's limits keep it far below 2^31.
pub fn slot(feature: usize, missing_left: bool) -> u32 {
    (2 * feature + usize::from(missing_left)) as u32
}

/// Returns the value that a missing feature has in a slot.
pub fn missing(slot: u32) -> f32 {
    if slot.is_multiple_of(2) { f32::INFINITY } else { f32::NEG_INFINITY }
}

/// Writes a row in doubled form; see the module documentation.
pub fn double(row: &[f32], doubled: &mut [f32]) {
    for (&value, slots) in row.iter().zip(doubled.chunks_exact_mut(2)) {
        let is_missing = value.is_nan();
        slots[0] = if is_missing { missing(0) } else { value };
        slots[1] = if is_missing { missing(1) } else { value };
    }
}

/// Returns the leaf of one tree for a row, of which `value` returns the slots. Children come
/// after their parent, so the walk ends.
pub fn leaf(nodes: &[Link], value: impl Fn(u32) -> f32) -> f32 {
    let mut at = 0;
    loop {
        let node = nodes[at];
        if node.right == 0 {
            return node.value;
        }
        at = if value(node.slot) >= node.value { node.right as usize } else { at + 1 };
    }
}
