//! The assemble phase: examples become scaled training rows.

use cartwheel_features::{Catalogue, Example, Moments, Scaler, group_of, mix, stable_hash};
use cartwheel_recommend::{Discovery, FEATURES, candidates_after, rows};
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

/// Computes the rows of the examples, and scales them by the training rows. `others` has for each
/// group of users the catalogue over the other groups.
pub(crate) fn assemble(
    others: &[Catalogue],
    assembly: Assembly,
    options: &JobOptions,
) -> Assembled {
    let negatives = match assembly.few_gate.is_empty() {
        true => thinning(others, &assembly.train, options.seed),
        // Cross-validation stops early by rows of the training examples.
        false => 1,
    };
    let mut train = labelled(others, &assembly.train, options.seed, negatives);
    let mut valid = labelled(others, &assembly.valid, options.seed, 1);
    let mut few_gate = labelled(others, &assembly.few_gate, options.seed, 1);
    let scaler = fit(&train.rows);
    for data in [&mut train, &mut valid, &mut few_gate] {
        data.rows.par_chunks_exact_mut(FEATURES.len()).for_each(|row| scaler.apply(row));
    }
    Assembled { assembly, train, valid, few_gate, scaler, negatives }
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

/// Returns how many times more rows than [`MAX_ROWS`] the examples have.
fn thinning(others: &[Catalogue], examples: &[Example], seed: u64) -> u32 {
    let step = examples.len().div_ceil(COUNTED).max(1);
    let counted: Vec<Example> = examples.iter().step_by(step).cloned().collect();
    let rows = labelled(others, &counted, seed, 1).labels.len() * step;
    rows.div_ceil(MAX_ROWS).max(1) as u32
}

/// Computes the unscaled rows of all examples, in their order. One in `negatives` rows of products
/// that did not follow is kept.
fn labelled(others: &[Catalogue], examples: &[Example], seed: u64, negatives: u32) -> Labelled {
    let rows_of = |(at, example): (usize, &Example)| {
        let mut out = Labelled::default();
        let catalogue = &others[group_of(stable_hash(example.user_id.as_bytes()))];
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
        let mut found =
            candidates_after(catalogue, state, cart, 0, discovery, |_| true, is_forgotten);
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
    let mut all = Labelled::default();
    // In pieces: together, the parts are as large as the whole.
    for (piece, examples) in (0..).zip(examples.chunks(PIECE)) {
        let numbered = examples.par_iter().enumerate();
        let parts: Vec<Labelled> =
            numbered.map(|(at, example)| rows_of((piece * PIECE + at, example))).collect();
        parts.into_iter().for_each(|part| all.extend(part));
    }
    all
}

/// Fits the scaler to training rows.
fn fit(rows: &[f32]) -> Scaler {
    let mut moments = Moments::new(FEATURES.len());
    rows.chunks_exact(FEATURES.len()).for_each(|row| moments.add(row));
    moments.finish()
}
