//! The standard scaler: `(x - mean) / std` with the population standard deviation, 1 if
//! that is 0. NaN stays NaN.

use serde::{Deserialize, Serialize};

/// Running mean and variance of one column (Chan et al., 1979).
#[derive(Debug, Clone, Copy, Default)]
struct Moment {
    count: f64,
    mean: f64,
    /// Sum of squared deviations from the mean.
    squares: f64,
}

/// Running moments of each column. NaN and infinite values are skipped.
#[derive(Debug, Clone, Default)]
pub struct Moments {
    columns: Vec<Moment>,
}

impl Moments {
    /// Creates the moments of `columns` columns, without rows.
    pub fn new(columns: usize) -> Self {
        Self { columns: vec![Moment::default(); columns] }
    }

    /// Adds one row, with one value per column.
    pub fn add(&mut self, row: &[f32]) {
        for (column, &x) in self.columns.iter_mut().zip(row) {
            if x.is_finite() {
                column.count += 1.0;
                let delta = f64::from(x) - column.mean;
                column.mean += delta / column.count;
                column.squares += delta * (f64::from(x) - column.mean);
            }
        }
    }

    /// Returns the scaler fitted on the rows added so far.
    pub fn finish(&self) -> Scaler {
        let std = |column: &Moment| {
            let variance = column.squares / column.count;
            let std = if column.count > 0.0 { variance.sqrt() as f32 } else { 0.0 };
            if std > 0.0 { std } else { 1.0 }
        };
        Scaler {
            mean: self.columns.iter().map(|column| column.mean as f32).collect(),
            std: self.columns.iter().map(std).collect(),
        }
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
