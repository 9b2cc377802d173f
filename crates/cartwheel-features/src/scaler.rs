//! The standard scaler: `(x - mean) / std` with the population standard deviation, 1 if
//! that is 0. NaN stays NaN.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Columns that a thread fits at a time: a line of the cache.
const COLUMNS: usize = 16;

/// Running mean and variance of one column (Chan et al., 1979).
#[derive(Debug, Clone, Copy, Default)]
struct Moment {
    count: f64,
    mean: f64,
    /// Sum of squared deviations from the mean.
    squares: f64,
}

impl Moment {
    /// Adds a value. NaN and infinite values are skipped.
    fn add(&mut self, x: f32) {
        if x.is_finite() {
            self.count += 1.0;
            let delta = f64::from(x) - self.mean;
            self.mean += delta / self.count;
            self.squares += delta * (f64::from(x) - self.mean);
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
            for row in rows.chunks_exact(columns) {
                moments.iter_mut().zip(&row[first..]).for_each(|(moment, &x)| moment.add(x));
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
