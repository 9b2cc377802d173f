//! Evaluates many rows column by column.
//!
//! The candidates of one request share most of their values: those of user, cart and moment.
//! Every split that sends all rows to one side, by the column's least and largest value, is resolved
//! once, and the rest of each tree becomes a short postfix program. A step of it handles a whole block of rows
//! with vector instructions: it compares a column with a threshold and selects one of two
//! values. All splits of the rest are computed, but none of them mispredicts or waits for another.
//!
//! A row's leaves are added in the order of the trees, in `f32`, so the sums equal XGBoost's.

use std::cell::Cell;
use std::hint::black_box;

use pulp::{Arch, Simd, WithSimd};

use crate::layout::{self, Link, Tree};

/// Most rows that go through a program together: their columns stay in the cache.
const BLOCK: usize = 384;
/// The widest vector of any processor, in values.
const WIDEST: usize = 16;

/// Where a column with several values stands among the columns of a block.
#[derive(Debug, Clone, Copy)]
struct Test {
    place: u32,
    threshold: f32,
}

/// A step of a postfix program on a stack of values. Rows below the threshold take the left value.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Pushes one of two leaves.
    Leaves { test: Test, left: f32, right: f32 },
    /// Replaces the top by a leaf, where rows go left.
    Left { test: Test, leaf: f32 },
    /// Replaces the top by a leaf, where rows go right.
    Right { test: Test, leaf: f32 },
    /// Pops the right value and selects between the new top and it.
    Both { test: Test },
    /// Pops the value of a tree and adds it to the margins.
    Add,
    /// Adds the value of a tree that has one for all rows.
    AddLeaf(f32),
    /// Adds the leaf of a tree that is too deep for a program.
    Walk { tree: u32 },
}

/// What a part of a tree leaves behind.
enum Part {
    Leaf(f32),
    Pushed,
}

/// A forest for the rows of one call.
struct Program {
    steps: Vec<Step>,
    /// By slot of a doubled row: its least and its largest value.
    bounds: Vec<(f32, f32)>,
    /// By slot: its place in `columns`, or [`UNUSED`].
    places: Vec<u32>,
    /// The slots that the steps test.
    columns: Vec<u32>,
}

const UNUSED: u32 = u32::MAX;

/// Adds the leaves of rows, `features` wide, to `margins`. There are as many rows as margins.
pub(crate) fn add(trees: &[Tree], rows: &[f32], features: usize, margins: &mut [f32]) {
    let program = Program::new(trees, rows, features);
    let deepest = trees.iter().map(|tree| tree.depth).filter(|depth| *depth <= layout::MAX_DEPTH);
    // Blocks of one size, so that the last one is not nearly empty.
    let height = margins.len().div_ceil(margins.len().div_ceil(BLOCK));
    let width = height.next_multiple_of(WIDEST);
    let mut stack = vec![0.0; width * deepest.max().unwrap_or(0).max(1)];
    let mut columns = vec![0.0; width * program.columns.len()];
    let mut sums = vec![0.0; width];
    let arch = Arch::new();
    for (rows, margins) in rows.chunks(features * height).zip(margins.chunks_mut(height)) {
        program.fill(rows, features, &mut columns, width);
        sums[..margins.len()].copy_from_slice(margins);
        arch.dispatch(Run {
            steps: &program.steps,
            width,
            columns: &columns,
            stack: &mut stack,
            sums: &mut sums,
            walk: &|tree, sums| {
                let nodes = &trees[tree as usize].nodes;
                for (row, sum) in rows.chunks_exact(features).zip(sums) {
                    *sum += layout::leaf(nodes, |slot| value(row, slot));
                }
            },
        });
        margins.copy_from_slice(&sums[..margins.len()]);
    }
}

impl Program {
    fn new(trees: &[Tree], rows: &[f32], features: usize) -> Self {
        let mut program = Self {
            steps: Vec::with_capacity(8 * trees.len()),
            bounds: bounds(rows, features),
            places: vec![UNUSED; 2 * features],
            columns: Vec::new(),
        };
        for (at, tree) in trees.iter().enumerate() {
            let last = if tree.depth > layout::MAX_DEPTH {
                Step::Walk { tree: at as u32 }
            } else {
                match program.part(&tree.nodes, 0) {
                    Part::Leaf(value) => Step::AddLeaf(value),
                    Part::Pushed => Step::Add,
                }
            };
            program.steps.push(last);
        }
        program
    }

    /// Appends the steps of the part of a tree from node `at` on, at most [`layout::MAX_DEPTH`] levels.
    fn part(&mut self, nodes: &[Link], mut at: usize) -> Part {
        let node = loop {
            let node = nodes[at];
            if node.right == 0 {
                return Part::Leaf(node.value);
            }
            let (least, largest) = self.bounds[node.slot as usize];
            let goes_right = least >= node.value;
            if !goes_right && largest >= node.value {
                break node;
            }
            at = if goes_right { node.right as usize } else { at + 1 };
        };
        let left = self.part(nodes, at + 1);
        let right = self.part(nodes, node.right as usize);
        let test = Test { place: self.place(node.slot), threshold: node.value };
        self.steps.push(match (left, right) {
            (Part::Leaf(left), Part::Leaf(right)) => Step::Leaves { test, left, right },
            (Part::Leaf(leaf), Part::Pushed) => Step::Left { test, leaf },
            (Part::Pushed, Part::Leaf(leaf)) => Step::Right { test, leaf },
            (Part::Pushed, Part::Pushed) => Step::Both { test },
        });
        Part::Pushed
    }

    fn place(&mut self, slot: u32) -> u32 {
        let place = &mut self.places[slot as usize];
        if *place == UNUSED {
            *place = self.columns.len() as u32;
            self.columns.push(slot);
        }
        *place
    }

    /// Writes the tested columns of a block's rows.
    fn fill(&self, rows: &[f32], features: usize, columns: &mut [f32], width: usize) {
        for (&slot, column) in self.columns.iter().zip(columns.chunks_exact_mut(width)) {
            let missing = layout::missing(slot);
            let values = rows.iter().skip(slot as usize / 2).step_by(features);
            for (value, &given) in column.iter_mut().zip(values) {
                *value = if given.is_nan() { missing } else { given };
            }
        }
    }
}

/// A program on the columns of a block of rows.
struct Run<'a> {
    steps: &'a [Step],
    /// Number of values of a column, a multiple of [`WIDEST`].
    width: usize,
    /// One after another, each `width` long, as the values of the stack.
    columns: &'a [f32],
    stack: &'a mut [f32],
    sums: &'a mut [f32],
    /// Adds the leaves of a tree that is too deep for a program.
    walk: &'a dyn Fn(u32, &mut [f32]),
}

impl WithSimd for Run<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { steps, width, columns, stack, sums, walk } = self;
        let column = |test: Test| &columns[test.place as usize * width..][..width];
        // The end of the stack's values.
        let mut top = 0;
        for step in steps {
            match *step {
                Step::Leaves { test, left, right } => {
                    let (left, right) = (simd.splat_f32s(left), simd.splat_f32s(right));
                    let values = &mut stack[top..top + width];
                    choose(simd, test.threshold, column(test), values, |_, _| (left, right));
                    top += width;
                }
                Step::Left { test, leaf } => {
                    let left = simd.splat_f32s(leaf);
                    let values = &mut stack[top - width..top];
                    choose(simd, test.threshold, column(test), values, |_, right| (left, right));
                }
                Step::Right { test, leaf } => {
                    let right = simd.splat_f32s(leaf);
                    let values = &mut stack[top - width..top];
                    choose(simd, test.threshold, column(test), values, |_, left| (left, right));
                }
                Step::Both { test } => {
                    top -= width;
                    let (below, above) = stack.split_at_mut(top);
                    let (right, _) = S::as_simd_f32s(&above[..width]);
                    let values = &mut below[top - width..];
                    choose(simd, test.threshold, column(test), values, |at, left| {
                        (left, right[at])
                    });
                }
                Step::Add => {
                    top -= width;
                    let (values, _) = S::as_simd_f32s(&stack[top..top + width]);
                    let (sums, _) = S::as_mut_simd_f32s(sums);
                    for (sum, value) in sums.iter_mut().zip(values) {
                        *sum = simd.add_f32s(*sum, *value);
                    }
                }
                Step::AddLeaf(leaf) => {
                    let leaf = simd.splat_f32s(leaf);
                    let (sums, _) = S::as_mut_simd_f32s(sums);
                    for sum in sums {
                        *sum = simd.add_f32s(*sum, leaf);
                    }
                }
                Step::Walk { tree } => walk(tree, sums),
            }
        }
    }
}

/// Sets each of `values` to the first of the two that `sides` makes of its place and itself where the
/// column's value is below the threshold, and to the second where it is not.
#[inline(always)]
fn choose<S: Simd>(
    simd: S,
    threshold: f32,
    column: &[f32],
    values: &mut [f32],
    sides: impl Fn(usize, S::f32s) -> (S::f32s, S::f32s),
) {
    let threshold = simd.splat_f32s(threshold);
    let (column, _) = S::as_simd_f32s(column);
    let (values, _) = S::as_mut_simd_f32s(values);
    let values = Cell::from_mut(values).as_slice_of_cells();
    // Read and written at the same place, which the compiler must not see: it would store only
    // what changes, with a mask, and that takes many times as long on some processors.
    let written = &values[black_box(0)..];
    for (at, ((value, tested), written)) in values.iter().zip(column).zip(written).enumerate() {
        let (left, right) = sides(at, value.get());
        let goes_left = simd.less_than_f32s(*tested, threshold);
        written.set(simd.select_f32s(goes_left, left, right));
    }
}

/// By slot: the least and the largest value of any row.
fn bounds(rows: &[f32], features: usize) -> Vec<(f32, f32)> {
    // NaN is never the less or the larger of two.
    let mut least = vec![f32::INFINITY; features];
    let mut largest = vec![f32::NEG_INFINITY; features];
    let mut missing = vec![0_u32; features];
    for row in rows.chunks_exact(features) {
        let seen = least.iter_mut().zip(&mut largest).zip(&mut missing);
        for (((least, largest), missing), &value) in seen.zip(row) {
            *least = if value < *least { value } else { *least };
            *largest = if value > *largest { value } else { *largest };
            *missing |= u32::from(value.is_nan());
        }
    }
    let slot = |slot: u32| {
        let feature = slot as usize / 2;
        let (least, largest) = (least[feature], largest[feature]);
        match (missing[feature] > 0, layout::missing(slot)) {
            (true, missing) => (least.min(missing), largest.max(missing)),
            (false, _) => (least, largest),
        }
    };
    (0..2 * features as u32).map(slot).collect()
}

/// The value of a slot of a row.
fn value(row: &[f32], slot: u32) -> f32 {
    let given = row[slot as usize / 2];
    if given.is_nan() { layout::missing(slot) } else { given }
}
