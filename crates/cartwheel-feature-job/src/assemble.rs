//! The assemble phase: examples become training rows.

use cartwheel_features::{Catalogue, Example, Moments, Scaler, UserState, stable_hash};
use cartwheel_recommend::{FEATURES, candidates, rows};
use rayon::prelude::*;

/// One in this many examples forgets its history, so that cold start is learned.
const FORGET: u64 = 10;

/// Labelled rows, row-major.
#[derive(Debug, Default, Clone)]
pub(crate) struct Labelled {
    /// `FEATURES.len()` values a row.
    pub rows: Vec<f32>,
    /// One a row, 0 or 1.
    pub labels: Vec<f32>,
    /// One a row: example, cart size, product.
    pub keys: Vec<(u32, u32, u32)>,
}

impl Labelled {
    fn extend(&mut self, other: Self) {
        self.rows.extend(other.rows);
        self.labels.extend(other.labels);
        self.keys.extend(other.keys);
    }
}

/// The carts an example is seen with: empty, and a random prefix of the basket.
pub(crate) fn carts(example: &Example, seed: u64) -> [usize; 2] {
    let text = format!("{seed}/{}/{}", example.user_id, example.order_number);
    let n = example.basket.len().max(1) as u64;
    [0, (stable_hash(text.as_bytes()) % n) as usize]
}

/// Rows of all examples, in their order, unscaled.
pub(crate) fn labelled(catalogue: &Catalogue, examples: &[Example], seed: u64) -> Labelled {
    let chunk = |(at, example): (usize, &Example)| {
        let mut out = Labelled::default();
        let [_, prefix] = carts(example, seed);
        let sizes = if prefix == 0 { vec![0] } else { vec![0, prefix] };
        let key = format!("forget/{seed}/{}/{}", example.user_id, example.order_number);
        let forgotten = UserState::default();
        let forget = stable_hash(key.as_bytes()).is_multiple_of(FORGET);
        let state = if forget { &forgotten } else { &example.state };
        for size in sizes {
            let (cart, rest) = example.basket.split_at(size);
            let found = candidates(catalogue, state, cart);
            let mut context = example.context;
            if forget {
                context.days_since_prior = None;
            }
            rows(catalogue, state, &context, cart, &found, &mut out.rows);
            for candidate in &found {
                out.labels.push(f32::from(u8::from(rest.contains(&candidate.product))));
                out.keys.push((at as u32, size as u32, candidate.product));
            }
        }
        out
    };
    let chunks: Vec<Labelled> = examples.par_iter().enumerate().map(chunk).collect();
    let mut all = Labelled::default();
    chunks.into_iter().for_each(|c| all.extend(c));
    all
}

/// The scaler of training rows.
pub(crate) fn fit(rows: &[f32]) -> Scaler {
    let mut moments = Moments::new(FEATURES.len());
    rows.chunks_exact(FEATURES.len()).for_each(|row| moments.add(row));
    moments.finish()
}
