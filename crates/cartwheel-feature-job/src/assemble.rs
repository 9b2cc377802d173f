//! The assemble phase: examples become scaled training rows.

use std::ops::Range;

use cartwheel_features::{Catalogue, Example, Scaler, group_of, mix, stable_hash};
use cartwheel_recommend::{Discovery, FEATURES, candidates_after, column, rows};
use rayon::prelude::*;

use crate::finish::Assembly;
use crate::options::JobOptions;

/// One in this many examples loses its history, so that the model learns cold starts.
const COLD_START: u64 = 20;
/// One in this many products is forgotten in an example, unless the user has bought it, so that the
/// model learns what a product is worth that nobody has bought yet.
const FORGOTTEN: u64 = 12;
/// One in this many examples is asked with a part of its basket in the cart.
const WITH_CART: u64 = 3;

/// Training rows beyond which only a part of the products that did not follow is kept: enough for a
/// forest of some hundred trees, and what training takes a minute for.
const MAX_ROWS: usize = 1_000_000;
/// Examples from which the number of rows is estimated.
const COUNTED: usize = 256;
/// One in this many examples is asked for new products, too: with as many candidates as then.
const WITH_DISCOVERY: u64 = 4;

/// Examples whose rows are computed side by side.
const PIECE: usize = 512;

/// Names a row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowKey {
    /// Index of the example.
    pub example: u32,
    /// Products in the cart.
    pub cart_size: u32,
    /// Catalogue index of the candidate.
    pub product: u32,
}

/// Labelled rows.
#[derive(Debug, Default, Clone)]
pub(crate) struct Labelled {
    /// Row-major, `FEATURES.len()` values a row.
    pub rows: Vec<f32>,
    /// One a row, 0 or 1.
    pub labels: Vec<f32>,
    /// One a row.
    pub keys: Vec<RowKey>,
}

impl Labelled {
    /// Makes room for `times` as many rows, and some more.
    fn reserve(&mut self, times: usize) {
        self.rows.reserve(self.rows.len() * times * 9 / 8);
        self.labels.reserve(self.labels.len() * times * 9 / 8);
        self.keys.reserve(self.keys.len() * times * 9 / 8);
    }

    fn extend(&mut self, other: Self) {
        self.rows.extend(other.rows);
        self.labels.extend(other.labels);
        self.keys.extend(other.keys);
    }
}

/// The result of the assemble phase.
pub(crate) struct Assembled {
    pub assembly: Assembly,
    pub train: Labelled,
    pub valid: Labelled,
    /// Rows of the gate examples, which only cross-validation trains on.
    pub few_gate: Labelled,
    pub scaler: Scaler,
    /// One in this many training rows of products that did not follow is kept.
    pub negatives: u32,
}

/// Computes the rows of the examples, with one catalogue after the other.
pub(crate) struct Assembler<'a> {
    assembly: Assembly,
    options: &'a JobOptions,
    train: Labelled,
    valid: Labelled,
    few_gate: Labelled,
    /// As in [`Assembled`]; `None` before the first training examples.
    negatives: Option<u32>,
}

impl<'a> Assembler<'a> {
    pub(crate) fn new(assembly: Assembly, options: &'a JobOptions) -> Self {
        let (train, valid, few_gate) = Default::default();
        // Cross-validation stops early by rows of the training examples.
        let negatives = (!assembly.few_gate.is_empty()).then_some(1);
        Self { assembly, options, train, valid, few_gate, negatives }
    }

    /// Adds the rows of the users of a group, whose catalogue is over the users of the others. Groups
    /// come by rising number.
    pub(crate) fn add(&mut self, group: usize, catalogue: &Catalogue) {
        let Assembly { train, valid, few_gate, .. } = &self.assembly;
        let seed = self.options.seed;
        let learned = of_group(train, group);
        if self.negatives.is_none() && !learned.is_empty() {
            self.negatives = Some(thinning(catalogue, &train[learned.clone()], train.len(), seed));
        }
        let negatives = self.negatives.unwrap_or(1);
        labelled(catalogue, train, learned, seed, negatives, &mut self.train);
        labelled(catalogue, valid, of_group(valid, group), seed, 1, &mut self.valid);
        labelled(catalogue, few_gate, of_group(few_gate, group), seed, 1, &mut self.few_gate);
    }

    /// Scales the rows by the training rows, and empties the columns that are not learned from: no
    /// tree tests them then, whatever a request has in them.
    pub(crate) fn finish(self) -> Assembled {
        let Self { assembly, options, mut train, mut valid, mut few_gate, negatives } = self;
        let scaler = Scaler::fit(&train.rows, FEATURES.len());
        let is_unlearned =
            |name| column(name).is_some_and(|column| options.unlearned.contains(column.subject));
        let empty: Vec<usize> =
            (0..FEATURES.len()).filter(|&at| is_unlearned(FEATURES[at])).collect();
        for data in [&mut train, &mut valid, &mut few_gate] {
            data.rows.par_chunks_exact_mut(FEATURES.len()).for_each(|row| {
                scaler.apply(row);
                empty.iter().for_each(|&at| row[at] = f32::NAN);
            });
        }
        Assembled { assembly, train, valid, few_gate, scaler, negatives: negatives.unwrap_or(1) }
    }
}

/// The examples of a group's users, among examples by rising group.
fn of_group(examples: &[Example], group: usize) -> Range<usize> {
    let before = |group| {
        examples.partition_point(|one| group_of(stable_hash(one.user_id.as_bytes())) < group)
    };
    before(group)..before(group + 1)
}

/// Returns the size of a random prefix of an example's basket, smaller than the basket.
fn prefix(example: &Example, seed: u64) -> usize {
    let text = format!("{seed}/{}/{}", example.user_id, example.order_number);
    let n = example.basket.len().max(1) as u64;
    (stable_hash(text.as_bytes()) % n) as usize
}

/// Returns the number of products of an example's basket that are in the cart: none, or for one
/// in [`WITH_CART`] examples a random prefix, smaller than the basket.
fn cart_size(example: &Example, seed: u64) -> usize {
    let key = format!("cart/{seed}/{}/{}", example.user_id, example.order_number);
    match stable_hash(key.as_bytes()).is_multiple_of(WITH_CART) {
        true => prefix(example, seed),
        false => 0,
    }
}

/// Returns how many times more rows than [`MAX_ROWS`] as many examples as `all` have, by `some`
/// of them.
fn thinning(catalogue: &Catalogue, some: &[Example], all: usize, seed: u64) -> u32 {
    let step = some.len().div_ceil(COUNTED).max(1);
    let counted: Vec<Example> = some.iter().step_by(step).cloned().collect();
    let mut rows = Labelled::default();
    labelled(catalogue, &counted, 0..counted.len(), seed, 1, &mut rows);
    let rows = rows.labels.len() * all / counted.len().max(1);
    rows.div_ceil(MAX_ROWS).max(1) as u32
}

/// Adds the unscaled rows of a part of the examples to `all`, in their order. One in `negatives`
/// rows of products that did not follow is kept.
fn labelled(
    catalogue: &Catalogue,
    examples: &[Example],
    part: Range<usize>,
    seed: u64,
    negatives: u32,
    all: &mut Labelled,
) {
    let rows_of = |at: usize| {
        let example = &examples[at];
        let mut out = Labelled::default();
        let key = format!("forget/{seed}/{}/{}", example.user_id, example.order_number);
        let guest = example.state.as_guest();
        let cold = stable_hash(key.as_bytes()).is_multiple_of(COLD_START);
        let state = if cold { &guest } else { &example.state };
        let size = if example.cart.is_some() { 0 } else { cart_size(example, seed) };
        let (prefix, rest) = example.basket.split_at(size);
        let cart = example.cart.as_deref().unwrap_or(prefix);
        let draw = stable_hash(format!("discover/{seed}/{key}").as_bytes());
        let discovery = match draw.is_multiple_of(WITH_DISCOVERY) {
            true => Discovery::ALL,
            false => Discovery::NONE,
        };
        let draw = stable_hash(format!("forgotten/{seed}/{key}").as_bytes());
        let is_forgotten = |p: u32| mix(draw ^ u64::from(p)).is_multiple_of(FORGOTTEN);
        let mut found = candidates_after(catalogue, state, cart, discovery, is_forgotten);
        let draw = stable_hash(format!("negatives/{seed}/{key}").as_bytes());
        found.retain(|candidate| {
            let drawn = mix(draw ^ u64::from(candidate.product));
            rest.contains(&candidate.product) || drawn.is_multiple_of(u64::from(negatives))
        });
        let mut context = example.context;
        if cold {
            context.days_since_prior = None;
        }
        rows(catalogue, state, &context, cart, &found, &mut out.rows);
        for candidate in &found {
            let product = candidate.product;
            out.labels.push(f32::from(u8::from(rest.contains(&product))));
            out.keys.push(RowKey { example: at as u32, cart_size: cart.len() as u32, product });
        }
        out
    };
    // In pieces: together, the parts are as large as the whole.
    for first in part.clone().step_by(PIECE) {
        let piece = first..part.end.min(first + PIECE);
        let parts: Vec<Labelled> = piece.into_par_iter().map(rows_of).collect();
        let is_first = all.labels.is_empty();
        parts.into_iter().for_each(|part| all.extend(part));
        if is_first {
            // Growth would hold the rows twice for a moment.
            all.reserve(examples.len().saturating_sub(first + PIECE) / PIECE + 1);
        }
    }
}
