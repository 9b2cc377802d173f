//! Walks a row down groups of trees.
//!
//! Each step of a walk depends on the step before it, so the row goes down eight trees side by side.
//! Its leaves are added in the order of the trees, in `f32`, so the sums equal XGBoost's. Doubled
//! rows hold no NaN, so a row goes right if its value is at least the threshold.

use crate::layout::{self, Group, LANES, Split, Tree};

/// Adds the leaves of one doubled row to `margin`.
pub fn one_row(trees: &[Tree], groups: &[Group], row: &[f32], margin: &mut f32) {
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
            Group::Linked(numbers) => {
                for tree in &trees[numbers.clone()] {
                    *margin += layout::leaf(&tree.nodes, |slot| row[slot as usize]);
                }
            }
        }
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
