//! Scores of the forest: a request's candidates at once, and one row.

use std::hint::black_box;

use anyhow::Result;

use crate::measured::measure;
use crate::model;
use crate::sequence::Sequence;

/// Columns of a row.
const FEATURES: usize = 40;
/// Columns that all rows of a request share: those of user, cart and moment.
const SHARED: usize = 16;
/// Rows of a request.
const ROWS: usize = 300;

/// Scores the candidates of a request.
pub fn batch() -> Result<()> {
    score(ROWS)
}

/// Scores one row.
pub fn row() -> Result<()> {
    score(1)
}

fn score(rows: usize) -> Result<()> {
    let forest = model::forest(FEATURES)?;
    let mut sequence = Sequence::new(11);
    let mut values: Vec<f32> = (0..rows * FEATURES).map(|_| sequence.value()).collect();
    let (first, others) = values.split_at_mut(FEATURES);
    for row in others.chunks_exact_mut(FEATURES) {
        row[..SHARED].copy_from_slice(&first[..SHARED]);
    }
    let mut scores = vec![0.0; rows];
    measure(|| forest.probabilities(black_box(&values), black_box(&mut scores)));
    Ok(())
}
