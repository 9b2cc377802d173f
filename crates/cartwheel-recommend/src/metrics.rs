//! Quality of ranked lists and of probabilities.
//!
//! The definitions follow Li et al., "A Next Basket Recommendation Reality Check" (TOIS
//! 2023): one value per user, then the mean over users. NDCG's ideal gain covers all of the
//! label's items.

use serde::{Deserialize, Serialize};

/// Recall, NDCG and hit of a list at one cut-off.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ListScore {
    /// Fraction of the label's items that are in the list.
    pub recall: f64,
    /// Discounted gain divided by the ideal gain of all label items.
    pub ndcg: f64,
    /// 1 if there is at least one hit, else 0.
    pub phr: f64,
}

/// Scores the first `k` entries of a list against a label. Neither may contain repeats, and
/// the label must not be empty.
pub fn list_score(list: &[u32], label: &[u32], k: usize) -> ListScore {
    let gain = |rank: usize| 1.0 / ((rank + 2) as f64).log2();
    let top = list.iter().take(k).enumerate();
    let hits: Vec<usize> = top.filter(|(_, p)| label.contains(p)).map(|(rank, _)| rank).collect();
    let ideal: f64 = (0..label.len()).map(gain).sum();
    // The sum of no floats is -0.0.
    let gained = hits.iter().map(|&r| gain(r)).sum::<f64>() + 0.0;
    ListScore {
        recall: hits.len() as f64 / label.len().max(1) as f64,
        ndcg: if ideal > 0.0 { gained / ideal } else { 0.0 },
        phr: f64::from(u8::from(!hits.is_empty())),
    }
}

/// A mean and its standard error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Mean {
    /// The mean.
    pub mean: f64,
    /// The standard error: sample standard deviation divided by the root of n.
    pub se: f64,
}

/// Returns mean and standard error; zeros if there are no values.
pub fn mean(values: &[f64]) -> Mean {
    let n = values.len() as f64;
    if values.is_empty() {
        return Mean { mean: 0.0, se: 0.0 };
    }
    let mean = values.iter().sum::<f64>() / n;
    let squares = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
    Mean { mean, se: if n > 1.0 { (squares / (n - 1.0) / n).sqrt() } else { 0.0 } }
}

/// A predicted probability and the outcome.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// Predicted probability that the product is bought, 0 to 1.
    pub probability: f32,
    /// Whether it was bought.
    pub bought: bool,
}

/// Returns the mean negative log-likelihood, in nats.
pub fn log_loss(predictions: &[Prediction]) -> f64 {
    let loss = |prediction: &Prediction| {
        let p = f64::from(prediction.probability).clamp(1e-7, 1.0 - 1e-7);
        -(if prediction.bought { p } else { 1.0 - p }).ln()
    };
    predictions.iter().map(loss).sum::<f64>() / predictions.len().max(1) as f64
}

/// Predictions with similar probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = CalibrationBin))]
pub struct Bin {
    /// Mean predicted probability.
    pub predicted: f64,
    /// Fraction that was bought.
    pub observed: f64,
    /// Number of predictions.
    #[cfg_attr(feature = "schema", schema(value_type = u64))]
    pub rows: usize,
}

/// Groups predictions into ten bins of equal size, by ascending probability; fewer bins if
/// there are few predictions.
pub fn calibration(predictions: &[Prediction]) -> Vec<Bin> {
    let mut sorted = predictions.to_vec();
    sorted.sort_by(|a, b| a.probability.total_cmp(&b.probability));
    let size = sorted.len().div_ceil(10).max(1);
    let bin = |bin: &[Prediction]| {
        let rows = bin.len() as f64;
        Bin {
            predicted: bin.iter().map(|p| f64::from(p.probability)).sum::<f64>() / rows,
            observed: bin.iter().filter(|p| p.bought).count() as f64 / rows,
            rows: bin.len(),
        }
    };
    sorted.chunks(size).map(bin).collect()
}

/// Returns the expected calibration error: the mean distance between predicted and observed
/// rates (Naeini et al., AAAI 2015, with bins of equal size).
pub fn calibration_error(bins: &[Bin]) -> f64 {
    let rows = |bin: &Bin| bin.rows as f64;
    let error = |bin: &Bin| (bin.predicted - bin.observed).abs() * rows(bin);
    bins.iter().map(error).sum::<f64>() / bins.iter().map(rows).sum::<f64>().max(1.0)
}
