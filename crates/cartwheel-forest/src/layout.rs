//! The trees laid out for speed, in groups of eight that keep their order.
//!
//! A group of shallow trees is padded to perfect trees of one depth: the walk
//! then has no branch to mispredict and no child to look up, since the children
//! of node `i` are `2i` and `2i + 1`, with the root at 1. Groups with a deeper
//! tree keep their links.
//!
//! Features are doubled: slot `2f` holds feature `f` with a missing value as
//! +∞, slot `2f + 1` with a missing value as -∞. Thresholds are finite, so a
//! split that picks the slot of its default direction needs no test for NaN.

use crate::verify::{Node, SoundTree};

/// Trees per group, and rows per step of a batch.
pub const LANES: usize = 8;

/// The deepest tree that is padded: 256 splits of 8 bytes.
const DEEPEST_PADDED: usize = 8;

/// A split: rows whose `slot` is less than `threshold` go left.
#[derive(Debug, Clone, Copy)]
pub struct Split {
    pub threshold: f32,
    /// `2 * feature + missing_left`.
    pub slot: u32,
}

/// A node of a linked tree.
#[derive(Debug, Clone, Copy)]
pub struct Link {
    /// The threshold, or the value of a leaf.
    pub value: f32,
    /// As in [`Split`].
    pub slot: u32,
    /// The left child, which the right one follows; 0 for a leaf.
    pub left: u32,
}

/// Eight trees that follow one another in the forest.
#[derive(Debug, Clone)]
pub enum Group {
    /// Perfect trees of one depth.
    Perfect {
        depth: usize,
        /// `LANES` trees of `2^depth` entries; entry 0 of a tree is not used.
        splits: Vec<Split>,
        /// `LANES` trees of `2^depth` leaves.
        leaves: Vec<f32>,
    },
    /// Trees of any depth, at most `LANES`.
    Linked(Vec<Vec<Link>>),
}

/// Lays out verified trees.
pub fn lay_out(trees: &[SoundTree]) -> Vec<Group> {
    trees.chunks(LANES).map(group).collect()
}

fn group(trees: &[SoundTree]) -> Group {
    let depth = trees.iter().map(|tree| tree.depth).max().unwrap_or(0);
    if depth > DEEPEST_PADDED {
        return Group::Linked(trees.iter().map(link).collect());
    }
    let size = 1 << depth;
    let mut splits = vec![Split { threshold: 0.0, slot: 0 }; LANES * size];
    // Where the last group is short of trees, it is filled with -0.0, the one
    // number that can be added to any other, +0.0 and -0.0 too, without a trace.
    let mut leaves = vec![-0.0; LANES * size];
    for (lane, tree) in trees.iter().enumerate() {
        let own = lane * size..(lane + 1) * size;
        pad(tree, depth, &mut splits[own.clone()], &mut leaves[own]);
    }
    Group::Perfect { depth, splits, leaves }
}

/// Fills a perfect tree. A leaf above the last level is repeated below itself.
fn pad(tree: &SoundTree, depth: usize, splits: &mut [Split], leaves: &mut [f32]) {
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
        // The tree is no deeper than `depth`: only leaves are left.
        if let Node::Leaf(value) = tree.nodes[node] {
            *leaf = value;
        }
    }
}

fn link(tree: &SoundTree) -> Vec<Link> {
    tree.nodes
        .iter()
        .map(|node| match *node {
            Node::Leaf(value) => Link { value, slot: 0, left: 0 },
            Node::Split { feature, threshold, missing_left, left } => {
                Link { value: threshold, slot: slot(feature, missing_left), left: left as u32 }
            }
        })
        .collect()
}

/// Both factors are bounded by the limits of the loader, far below 2^31.
pub fn slot(feature: usize, missing_left: bool) -> u32 {
    (2 * feature + usize::from(missing_left)) as u32
}

/// Writes one row in doubled form; see the module.
pub fn double(row: &[f32], doubled: &mut [f32]) {
    for (&value, slots) in row.iter().zip(doubled.chunks_exact_mut(2)) {
        let missing = value.is_nan();
        slots[0] = if missing { f32::INFINITY } else { value };
        slots[1] = if missing { f32::NEG_INFINITY } else { value };
    }
}
