//! Scores and order.

use cartwheel_features::{Catalogue, Context, Scaler, UserState};
use cartwheel_forest::{ExplainError, Forest};

use crate::candidates::{Candidate, candidates};
use crate::rows::{FEATURES, rows};

/// A forest with the scaler it was trained behind.
#[derive(Debug)]
pub struct Model {
    forest: Forest,
    scaler: Scaler,
}

/// The parts of a model do not belong together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the model takes {model} features, its scaler {scaler}, and this release makes {made}")]
pub struct ModelMismatch {
    model: usize,
    scaler: usize,
    made: usize,
}

impl Model {
    /// Puts forest and scaler together.
    ///
    /// # Errors
    /// When either is not as wide as the rows of this release.
    pub fn new(forest: Forest, scaler: Scaler) -> Result<Self, ModelMismatch> {
        let made = FEATURES.len();
        if forest.features() == made && scaler.fits(made) {
            return Ok(Self { forest, scaler });
        }
        Err(ModelMismatch { model: forest.features(), scaler: scaler.mean.len(), made })
    }

    /// Probabilities of unscaled rows, which are scaled in place.
    pub fn score(&self, rows: &mut [f32]) -> Vec<f32> {
        self.scale(rows);
        self.probabilities(rows)
    }

    /// Scales rows in place, as the forest takes them.
    pub fn scale(&self, rows: &mut [f32]) {
        rows.chunks_exact_mut(FEATURES.len()).for_each(|row| self.scaler.apply(row));
    }

    /// Probabilities of scaled rows.
    pub fn probabilities(&self, rows: &[f32]) -> Vec<f32> {
        let mut scores = vec![0.0; rows.len() / FEATURES.len()];
        self.forest.probabilities(rows, &mut scores);
        scores
    }

    /// What every feature of one scaled row contributes to its log-odds, in the
    /// order of [`FEATURES`], after the log-odds expected of any row: the two sum
    /// to the row's own. See [`Forest::contributions`].
    ///
    /// # Errors
    /// When the model file lacks what this takes; it still scores.
    ///
    /// # Panics
    /// If the row is not as wide as [`FEATURES`], which is a fault of the caller.
    pub fn contributions(&self, scaled_row: &[f32]) -> Result<(f32, Vec<f32>), ExplainError> {
        let mut values = vec![0.0; FEATURES.len()];
        let expected = self.forest.contributions(scaled_row, &mut values)?;
        Ok((expected, values))
    }

    /// The forest, for what the training has used of the features.
    pub fn forest(&self) -> &Forest {
        &self.forest
    }
}

/// A candidate with its probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranked {
    /// The candidate.
    pub candidate: Candidate,
    /// Probability that it is in the rest of the basket, 0–1.
    pub probability: f32,
}

/// Every candidate that `keep` lets pass, best first; equal scores by popularity.
/// Without a model: the user's own products by recency, then what goes with the
/// cart, then the popular, with their share of orders as probability.
pub fn rank(
    catalogue: &Catalogue,
    model: Option<&Model>,
    state: &UserState,
    context: &Context,
    cart: &[u32],
    keep: impl Fn(u32) -> bool,
) -> Vec<Ranked> {
    let mut chosen = candidates(catalogue, state, cart);
    chosen.retain(|c| keep(c.product));
    let scores = match model {
        Some(model) => {
            let mut features = Vec::new();
            rows(catalogue, state, context, cart, &chosen, &mut features);
            model.score(&mut features)
        }
        None => chosen.iter().map(|c| fallback(catalogue, state, c)).collect(),
    };
    order(catalogue, chosen, scores)
}

/// Candidates with their probabilities, best first; equal ones by popularity.
pub fn order(catalogue: &Catalogue, chosen: Vec<Candidate>, scores: Vec<f32>) -> Vec<Ranked> {
    let mut ranked: Vec<Ranked> = chosen
        .into_iter()
        .zip(scores)
        .map(|(candidate, p)| Ranked { candidate, probability: if p.is_nan() { 0.0 } else { p } })
        .collect();
    let place = |r: &Ranked| catalogue.get(r.candidate.product).map_or(u32::MAX, |p| p.rank);
    ranked.sort_by(|a, b| {
        b.probability.total_cmp(&a.probability).then_with(|| place(a).cmp(&place(b)))
    });
    ranked
}

/// An honest guess without a model, in 0–1.
fn fallback(catalogue: &Catalogue, state: &UserState, candidate: &Candidate) -> f32 {
    let own = state.product(candidate.product).map_or(0.0, |p| {
        let orders = state.orders.max(1);
        p.recency(orders + 1) / (orders as f32 + 1.0)
    });
    let share = catalogue
        .get(candidate.product)
        .map_or(0.0, |p| p.stats.orders as f32 / (catalogue.orders.max(1) as f32 + 1.0));
    (1.0 - (1.0 - own) * (1.0 - candidate.cart_max) * (1.0 - share)).clamp(0.0, 1.0)
}
