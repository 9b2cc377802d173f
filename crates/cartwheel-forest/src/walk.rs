//! Walks rows down groups of trees.
//!
//! Each step of a walk depends on the step before it, so eight walks run side by side: one
//! row down eight trees, or eight rows down one tree. Either way a row's leaves are added
//! in the order of the trees, in `f32`, so the sums equal XGBoost's. Doubled rows hold no
//! NaN, so a row goes right if its value is at least the threshold.

use crate::layout::{Group, LANES, Link, Split};

/// Adds the leaves of one doubled row to `margin`.
pub fn one_row(groups: &[Group], row: &[f32], margin: &mut f32) {
    for group in groups {
        match group {
            Group::Perfect { depth, splits, leaves } => match depth {
                0 => row_down_trees::<0, 1>(splits, leaves, row, margin),
                1 => row_down_trees::<1, 2>(splits, leaves, row, margin),
                2 => row_down_trees::<2, 4>(splits, leaves, row, margin),
                3 => row_down_trees::<3, 8>(splits, leaves, row, margin),
                4 => row_down_trees::<4, 16>(splits, leaves, row, margin),
                5 => row_down_trees::<5, 32>(splits, leaves, row, margin),
                6 => row_down_trees::<6, 64>(splits, leaves, row, margin),
                7 => row_down_trees::<7, 128>(splits, leaves, row, margin),
                _ => row_down_trees::<8, 256>(splits, leaves, row, margin),
            },
            Group::Linked(trees) => {
                for tree in trees {
                    *margin += linked(tree, row);
                }
            }
        }
    }
}

/// Adds the leaves of the doubled rows of `block`, each `stride` wide, to
/// `margins`. There are as many rows as margins.
pub fn block(groups: &[Group], block: &[f32], stride: usize, margins: &mut [f32]) {
    let whole = margins.len() / LANES * LANES;
    let (eights, tail) = margins.split_at_mut(whole);
    for group in groups {
        match group {
            Group::Perfect { depth, splits, leaves } => match depth {
                0 => rows_down_trees::<0, 1>(splits, leaves, block, stride, eights),
                1 => rows_down_trees::<1, 2>(splits, leaves, block, stride, eights),
                2 => rows_down_trees::<2, 4>(splits, leaves, block, stride, eights),
                3 => rows_down_trees::<3, 8>(splits, leaves, block, stride, eights),
                4 => rows_down_trees::<4, 16>(splits, leaves, block, stride, eights),
                5 => rows_down_trees::<5, 32>(splits, leaves, block, stride, eights),
                6 => rows_down_trees::<6, 64>(splits, leaves, block, stride, eights),
                7 => rows_down_trees::<7, 128>(splits, leaves, block, stride, eights),
                _ => rows_down_trees::<8, 256>(splits, leaves, block, stride, eights),
            },
            Group::Linked(trees) => {
                for tree in trees {
                    for (row, margin) in block.chunks_exact(stride).zip(eights.iter_mut()) {
                        *margin += linked(tree, row);
                    }
                }
            }
        }
    }
    for (row, margin) in block.chunks_exact(stride).skip(whole).zip(tail) {
        one_row(groups, row, margin);
    }
}

/// `SIZE` is `2^DEPTH`; as a constant it removes the bounds check from a masked index.
fn row_down_trees<const DEPTH: usize, const SIZE: usize>(
    splits: &[Split],
    leaves: &[f32],
    row: &[f32],
    margin: &mut f32,
) {
    let (splits, _) = splits.as_chunks::<SIZE>();
    let (leaves, _) = leaves.as_chunks::<SIZE>();
    let (Some(splits), Some(leaves)) =
        (splits.first_chunk::<LANES>(), leaves.first_chunk::<LANES>())
    else {
        return;
    };
    let mut at = [1usize; LANES];
    for _ in 0..DEPTH {
        for (at, tree) in at.iter_mut().zip(splits) {
            let split = tree[*at & (SIZE - 1)];
            *at = 2 * *at + usize::from(row[split.slot as usize] >= split.threshold);
        }
    }
    for (at, tree) in at.iter().zip(leaves) {
        *margin += tree[at & (SIZE - 1)];
    }
}

fn rows_down_trees<const DEPTH: usize, const SIZE: usize>(
    splits: &[Split],
    leaves: &[f32],
    block: &[f32],
    stride: usize,
    margins: &mut [f32],
) {
    let (splits, _) = splits.as_chunks::<SIZE>();
    let (leaves, _) = leaves.as_chunks::<SIZE>();
    let (margins, _) = margins.as_chunks_mut::<LANES>();
    for (splits, leaves) in splits.iter().zip(leaves) {
        for (rows, margins) in block.chunks_exact(stride * LANES).zip(margins.iter_mut()) {
            let mut at = [1usize; LANES];
            for _ in 0..DEPTH {
                for (lane, at) in at.iter_mut().enumerate() {
                    let split = splits[*at & (SIZE - 1)];
                    let value = rows[lane * stride + split.slot as usize];
                    *at = 2 * *at + usize::from(value >= split.threshold);
                }
            }
            for (margin, at) in margins.iter_mut().zip(at) {
                *margin += leaves[at & (SIZE - 1)];
            }
        }
    }
}

/// Returns the leaf of one tree for a doubled row. Children come after their parent, so the
/// walk ends.
fn linked(tree: &[Link], row: &[f32]) -> f32 {
    let mut node = tree[0];
    while node.left != 0 {
        let right = row[node.slot as usize] >= node.value;
        node = tree[node.left as usize + usize::from(right)];
    }
    node.value
}
