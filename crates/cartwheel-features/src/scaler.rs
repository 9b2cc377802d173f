//! The standard scaler: `(x - mean) / std`, population std, 0 → 1, NaN kept.

use serde::{Deserialize, Serialize};

/// Running moments per column, mergeable (Chan et al., 1979). NaN is skipped.
#[derive(Debug, Clone, Default)]
pub struct Moments {
    columns: Vec<(f64, f64, f64)>,
}

impl Moments {
    /// Moments of `columns` columns without rows.
    pub fn new(columns: usize) -> Self {
        Self { columns: vec![(0.0, 0.0, 0.0); columns] }
    }

    /// Adds one row, one value a column.
    pub fn add(&mut self, row: &[f32]) {
        for ((count, mean, squares), &x) in self.columns.iter_mut().zip(row) {
            if x.is_finite() {
                *count += 1.0;
                let delta = f64::from(x) - *mean;
                *mean += delta / *count;
                *squares += delta * (f64::from(x) - *mean);
            }
        }
    }

    /// The scaler of these rows.
    pub fn finish(&self) -> Scaler {
        let std = |&(count, _, squares): &(f64, f64, f64)| {
            let std = if count > 0.0 { (squares / count).sqrt() as f32 } else { 0.0 };
            if std > 0.0 { std } else { 1.0 }
        };
        Scaler {
            mean: self.columns.iter().map(|c| c.1 as f32).collect(),
            std: self.columns.iter().map(std).collect(),
        }
    }
}

/// Mean and standard deviation per feature, fitted on training rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scaler {
    /// Mean per column.
    pub mean: Vec<f32>,
    /// Population standard deviation per column, 1 where it is 0.
    pub std: Vec<f32>,
}

impl Scaler {
    /// Scales one row in place; NaN stays NaN.
    pub fn apply(&self, row: &mut [f32]) {
        for ((x, mean), std) in row.iter_mut().zip(&self.mean).zip(&self.std) {
            *x = (*x - mean) / std;
        }
    }

    /// Whether it holds `columns` finite means and positive deviations.
    pub fn fits(&self, columns: usize) -> bool {
        self.mean.len() == columns
            && self.std.len() == columns
            && self.mean.iter().all(|x| x.is_finite())
            && self.std.iter().all(|x| x.is_finite() && *x > 0.0)
    }
}
