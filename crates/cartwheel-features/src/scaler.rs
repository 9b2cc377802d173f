//! The standard scaler: `(x - mean) / std` with the population standard deviation, 1 if
//! that is 0. NaN stays NaN.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Columns that a thread fits at a time: a line of the cache.
const COLUMNS: usize = 16;

/// Rows whose deviations are taken from their own mean, before they are added to those of all.
const BLOCK: usize = 256;

/// Running mean and variance of one column.
#[derive(Debug, Clone, Copy, Default)]
struct Moment {
    count: f64,
    mean: f64,
    /// Sum of squared deviations from the mean.
    squares: f64,
}

impl Moment {
    /// The moments of some columns, the first of them at `first`, of a block of rows. Values that are
    /// not finite are skipped.
    fn of_block(rows: &[f32], columns: usize, first: usize, out: &mut [Self]) {
        let (mut counts, mut sums, mut squares) = ([0.0; COLUMNS], [0.0; COLUMNS], [0.0; COLUMNS]);
        let cells = || rows.chunks_exact(columns).map(|row| &row[first..][..out.len()]);
        for row in cells() {
            for ((count, sum), &x) in counts.iter_mut().zip(&mut sums).zip(row) {
                let is_finite = x.is_finite();
                *count += f64::from(u8::from(is_finite));
                *sum += if is_finite { f64::from(x) } else { 0.0 };
            }
        }
        let mut means = sums;
        means.iter_mut().zip(&counts).for_each(|(sum, count)| *sum /= f64::max(*count, 1.0));
        for row in cells() {
            for ((squares, mean), &x) in squares.iter_mut().zip(&means).zip(row) {
                let delta = if x.is_finite() { f64::from(x) - mean } else { 0.0 };
                *squares += delta * delta;
            }
        }
        let blocks = counts.into_iter().zip(means).zip(squares);
        for (all, ((count, mean), squares)) in out.iter_mut().zip(blocks) {
            all.add(Self { count, mean, squares });
        }
    }

    /// Adds the moment of other values (Chan et al., 1979).
    fn add(&mut self, other: Self) {
        let count = self.count + other.count;
        if other.count > 0.0 {
            let delta = other.mean - self.mean;
            self.squares += other.squares + delta * delta * self.count * other.count / count;
            self.mean += delta * other.count / count;
            self.count = count;
        }
    }

    /// The population standard deviation; 1 if it is 0.
    fn std(&self) -> f32 {
        let variance = self.squares / self.count;
        let std = if self.count > 0.0 { variance.sqrt() as f32 } else { 0.0 };
        if std > 0.0 { std } else { 1.0 }
    }
}

/// Mean and standard deviation of each feature, fitted on training rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scaler {
    /// Mean of each column.
    pub mean: Vec<f32>,
    /// Population standard deviation of each column; 1 if it is 0.
    pub std: Vec<f32>,
}

impl Scaler {
    /// Fits a scaler to rows of `columns` columns, row-major. NaN and infinite values are skipped.
    pub fn fit(rows: &[f32], columns: usize) -> Self {
        let of = |first: usize| {
            let mut moments = vec![Moment::default(); COLUMNS.min(columns - first)];
            for block in rows.chunks(BLOCK * columns) {
                Moment::of_block(block, columns, first, &mut moments);
            }
            moments
        };
        let all: Vec<usize> = (0..columns).step_by(COLUMNS).collect();
        let moments: Vec<Moment> = all.into_par_iter().flat_map_iter(of).collect();
        Self {
            mean: moments.iter().map(|moment| moment.mean as f32).collect(),
            std: moments.iter().map(Moment::std).collect(),
        }
    }

    /// Scales a row in place; NaN stays NaN.
    pub fn apply(&self, row: &mut [f32]) {
        for ((x, mean), std) in row.iter_mut().zip(&self.mean).zip(&self.std) {
            *x = (*x - mean) / std;
        }
    }

    /// Whether the scaler has `columns` finite means and positive standard deviations.
    pub fn fits(&self, columns: usize) -> bool {
        self.mean.len() == columns
            && self.std.len() == columns
            && self.mean.iter().all(|x| x.is_finite())
            && self.std.iter().all(|x| x.is_finite() && *x > 0.0)
    }
}
