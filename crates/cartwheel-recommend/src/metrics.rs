//! Quality of ranked lists and of probabilities.
//!
//! The definitions follow Li et al., "A Next Basket Recommendation Reality Check" (TOIS
//! 2023): one value per question, then the mean over questions. NDCG's ideal gain covers all of
//! the label's items.

use std::collections::BTreeMap;

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

/// Returns the mean distance between two products of a list, 0 to 1: one minus their similarity
/// (Smyth and McClave, "Similarity vs. Diversity", ICCBR 2001). `None` with fewer than two products.
pub fn intra_list_distance(list: &[u32], similarity: impl Fn(u32, u32) -> f32) -> Option<f64> {
    let pairs = list
        .iter()
        .enumerate()
        .flat_map(|(at, &one)| list[at + 1..].iter().map(move |&other| (one, other)));
    let distances: Vec<f64> =
        pairs.map(|(one, other)| 1.0 - f64::from(similarity(one, other))).collect();
    (!distances.is_empty()).then(|| distances.iter().sum::<f64>() / distances.len() as f64)
}

/// The value of one question, and the user who was asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// A number of the user.
    pub user: u32,
    /// The value.
    pub value: f64,
}

/// A mean and its standard error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Mean {
    /// The mean.
    pub mean: f64,
    /// The standard error, clustered by user.
    pub se: f64,
}

/// Returns the mean over questions and its standard error; zeros if there are no questions.
///
/// The answers of one user resemble each other, so that many questions to a user say less than as
/// many users. The error is therefore clustered by user: with *G* users, *n* questions and the sum
/// *r* of each user's distances from the mean, it is the root of *G* / (*G* - 1) · Σ *r*² / *n*²
/// (Cameron and Miller, "A Practitioner's Guide to Cluster-Robust Inference", 2015). With one
/// question a user, that is the sample standard deviation divided by the root of *n*.
pub fn mean(scores: &[Score]) -> Mean {
    if scores.is_empty() {
        return Mean { mean: 0.0, se: 0.0 };
    }
    let n = scores.len() as f64;
    let mean = scores.iter().map(|score| score.value).sum::<f64>() / n;
    let mut of_user: BTreeMap<u32, f64> = BTreeMap::new();
    for score in scores {
        *of_user.entry(score.user).or_default() += score.value - mean;
    }
    let users = of_user.len() as f64;
    let squares = of_user.values().map(|sum| sum.powi(2)).sum::<f64>();
    let se = if users > 1.0 { (users / (users - 1.0) * squares).sqrt() / n } else { 0.0 };
    Mean { mean, se }
}

/// A predicted probability and the outcome.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// Predicted probability of the label's event, 0 to 1.
    pub probability: f32,
    /// Whether the event happened.
    pub happened: bool,
}

/// Returns the mean negative log-likelihood, in nats.
pub fn log_loss(predictions: &[Prediction]) -> f64 {
    let loss = |prediction: &Prediction| {
        let p = f64::from(prediction.probability).clamp(1e-7, 1.0 - 1e-7);
        -(if prediction.happened { p } else { 1.0 - p }).ln()
    };
    predictions.iter().map(loss).sum::<f64>() / predictions.len().max(1) as f64
}

/// Predictions with similar probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = CalibrationBin))]
pub struct Bin {
    /// Mean predicted probability.
    pub predicted: f64,
    /// Fraction of them for which the event happened.
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
            observed: bin.iter().filter(|p| p.happened).count() as f64 / rows,
            rows: bin.len(),
        }
    };
    sorted.chunks(size).map(bin).collect()
}

/// Returns the expected calibration error: Σ *rows* · |*predicted* - *observed*| / Σ *rows* over
/// the bins (Naeini et al., "Obtaining Well Calibrated Probabilities Using Bayesian Binning", AAAI
/// 2015, with bins of equal size instead of equal width: most candidates are improbable).
pub fn calibration_error(bins: &[Bin]) -> f64 {
    let rows = |bin: &Bin| bin.rows as f64;
    let error = |bin: &Bin| (bin.predicted - bin.observed).abs() * rows(bin);
    bins.iter().map(error).sum::<f64>() / bins.iter().map(rows).sum::<f64>().max(1.0)
}
