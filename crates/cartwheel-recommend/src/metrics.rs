//! Quality of ranked lists and of probabilities.
//!
//! Definitions of Li et al., "A Next Basket Recommendation Reality Check" (TOIS
//! 2023): one value a user, then the mean over users; NDCG's ideal sum runs over
//! all of the label's items.

use serde::{Deserialize, Serialize};

/// Recall, NDCG and hit of one list at one cut.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ListScore {
    /// Share of the label's items in the list.
    pub recall: f64,
    /// Discounted gain over the ideal gain of all label items.
    pub ndcg: f64,
    /// 1 with at least one hit.
    pub phr: f64,
}

/// Scores the first `k` of a list without repeats against a label without
/// repeats, which must not be empty.
pub fn list_score(list: &[u32], label: &[u32], k: usize) -> ListScore {
    let gain = |rank: usize| 1.0 / ((rank + 2) as f64).log2();
    let top = list.iter().take(k).enumerate();
    let hits: Vec<usize> = top.filter(|(_, p)| label.contains(p)).map(|(rank, _)| rank).collect();
    let ideal: f64 = (0..label.len()).map(gain).sum();
    // An empty sum is -0.0.
    let gained = hits.iter().map(|&r| gain(r)).sum::<f64>() + 0.0;
    ListScore {
        recall: hits.len() as f64 / label.len().max(1) as f64,
        ndcg: if ideal > 0.0 { gained / ideal } else { 0.0 },
        phr: f64::from(u8::from(!hits.is_empty())),
    }
}

/// A mean with its standard error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    /// The mean.
    pub mean: f64,
    /// Its standard error (sample standard deviation over the root of n).
    pub se: f64,
}

/// Mean and standard error; zeros for no values.
pub fn mean(values: &[f64]) -> Mean {
    let n = values.len() as f64;
    if values.is_empty() {
        return Mean { mean: 0.0, se: 0.0 };
    }
    let mean = values.iter().sum::<f64>() / n;
    let squares = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
    Mean { mean, se: if n > 1.0 { (squares / (n - 1.0) / n).sqrt() } else { 0.0 } }
}

/// Mean negative log-likelihood in nats of `(probability, label)`.
pub fn log_loss(pairs: &[(f32, bool)]) -> f64 {
    let loss = |&(p, hit): &(f32, bool)| {
        let p = f64::from(p).clamp(1e-7, 1.0 - 1e-7);
        -(if hit { p } else { 1.0 - p }).ln()
    };
    pairs.iter().map(loss).sum::<f64>() / pairs.len().max(1) as f64
}

/// Candidates of like probability.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Mean predicted probability.
    pub predicted: f64,
    /// Share that was bought.
    pub observed: f64,
    /// How many.
    pub rows: usize,
}

/// Ten bins of equal size, by rising probability; fewer of few pairs.
pub fn calibration(pairs: &[(f32, bool)]) -> Vec<Bin> {
    let mut sorted = pairs.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let size = sorted.len().div_ceil(10).max(1);
    let bin = |bin: &[(f32, bool)]| {
        let rows = bin.len() as f64;
        Bin {
            predicted: bin.iter().map(|p| f64::from(p.0)).sum::<f64>() / rows,
            observed: bin.iter().filter(|p| p.1).count() as f64 / rows,
            rows: bin.len(),
        }
    };
    sorted.chunks(size).map(bin).collect()
}

/// Expected calibration error: mean distance of predicted and seen rates (Naeini et
/// al., AAAI 2015, with bins of equal mass).
pub fn calibration_error(bins: &[Bin]) -> f64 {
    let rows = |bin: &Bin| bin.rows as f64;
    let error = |bin: &Bin| (bin.predicted - bin.observed).abs() * rows(bin);
    bins.iter().map(error).sum::<f64>() / bins.iter().map(rows).sum::<f64>().max(1.0)
}
