//! Scores and ranks candidates.

use std::cell::Cell;

use cartwheel_features::{Catalogue, Context, Scaler, Source, UserState};
use cartwheel_forest::{ExplainError, Forest};

use crate::candidate::{Candidate, Ranked};
use crate::candidates::candidates;
use crate::discovery::Discovery;
use crate::rows::{FEATURES, rows};
use crate::value::by_value;

/// Values of rows whose memory is kept between requests.
const MOST_KEPT: usize = 1_000 * FEATURES.len();

thread_local! {
    /// The memory of the rows, kept between requests: the system would have to clear it for each.
    static ROWS: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// A forest with the scaler that its training rows passed through.
#[derive(Debug)]
pub struct Model {
    forest: Forest,
    scaler: Scaler,
}

/// Forest, scaler and this release do not have the same features.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the model takes {model} features, its scaler {scaler}, and this release makes {made}: rules \
     rank until `cartwheel pipeline run` has trained another"
)]
pub struct ModelMismatch {
    model: usize,
    scaler: usize,
    made: usize,
}

impl Model {
    /// Combines a forest and its scaler.
    ///
    /// # Errors
    /// When one of them is not as wide as the rows of this release.
    pub fn new(forest: Forest, scaler: Scaler) -> Result<Self, ModelMismatch> {
        let made = FEATURES.len();
        if forest.features() == made && scaler.fits(made) {
            return Ok(Self { forest, scaler });
        }
        Err(ModelMismatch { model: forest.features(), scaler: scaler.mean.len(), made })
    }

    /// Scales rows in place for the forest.
    pub fn scale(&self, rows: &mut [f32]) {
        rows.chunks_exact_mut(FEATURES.len()).for_each(|row| self.scaler.apply(row));
    }

    /// Returns the probabilities of scaled rows.
    pub fn probabilities(&self, rows: &[f32]) -> Vec<f32> {
        let mut scores = vec![0.0; rows.len() / FEATURES.len()];
        self.forest.probabilities(rows, &mut scores);
        scores
    }

    /// Explains the log-odds of one scaled row. See [`Forest::contributions`].
    ///
    /// # Errors
    /// When the model file lacks the statistics; the model still scores.
    ///
    /// # Panics
    /// If the row is not as wide as [`FEATURES`].
    pub fn contributions(&self, scaled_row: &[f32]) -> Result<Contributions, ExplainError> {
        let mut values = vec![0.0; FEATURES.len()];
        let expected = self.forest.contributions(scaled_row, &mut values)?;
        Ok(Contributions { expected, values })
    }

    /// Returns the forest.
    pub fn forest(&self) -> &Forest {
        &self.forest
    }
}

/// The parts of a row's log-odds, whose sum is the row's log-odds.
#[derive(Debug, Clone, PartialEq)]
pub struct Contributions {
    /// Expected log-odds of an unknown row.
    pub expected: f32,
    /// Contribution of each feature, in the order of [`FEATURES`].
    pub values: Vec<f32>,
}

/// Ranks the candidates among the products that `keep` accepts, best first; ties are ordered by
/// popularity.
/// Without a model, the user's own products rank first by recency, then products related to
/// the cart, then popular products; the probability is estimated from recency, neighbour
/// scores and popularity.
pub fn rank(
    catalogue: &Catalogue,
    model: Option<&Model>,
    state: &UserState,
    context: &Context,
    cart: &[u32],
    keep: impl Fn(u32) -> bool,
) -> Vec<Ranked> {
    arranged(catalogue, model, state, context, cart, Arrangement::BY_PROBABILITY, keep)
}

/// How a list is arranged once its products have probabilities.
#[derive(Clone, Copy)]
pub struct Arrangement<'a> {
    /// The share of products that are new to the user.
    pub discovery: Discovery,
    /// The value of a product by which probabilities are multiplied. See [`by_value`].
    pub value: &'a (dyn Fn(u32) -> Option<f64> + Sync),
}

impl Arrangement<'_> {
    /// The most probable product comes first.
    pub const BY_PROBABILITY: Self = Self { discovery: Discovery::NONE, value: &|_| None };
}

/// As [`rank`], in another arrangement.
pub fn arranged(
    catalogue: &Catalogue,
    model: Option<&Model>,
    state: &UserState,
    context: &Context,
    cart: &[u32],
    arrangement: Arrangement<'_>,
    keep: impl Fn(u32) -> bool,
) -> Vec<Ranked> {
    let Arrangement { discovery, value } = arrangement;
    let keep = |product| keep(product) && discovery.admits(state, product);
    let chosen = candidates(catalogue, state, cart, 0, discovery, keep);
    let scores = scores(catalogue, model, state, context, cart, &chosen);
    let is_new = |ranked: &Ranked| state.product(ranked.candidate.product).is_none();
    discovery.arrange(by_value(order(catalogue, &chosen, scores), value), is_new)
}

/// The probabilities of candidates, with a model or estimated without one.
pub fn scores(
    catalogue: &Catalogue,
    model: Option<&Model>,
    state: &UserState,
    context: &Context,
    cart: &[u32],
    chosen: &[Candidate],
) -> Vec<f32> {
    match model {
        Some(model) => {
            let mut features = ROWS.take();
            features.clear();
            rows(catalogue, state, context, cart, chosen, &mut features);
            model.scale(&mut features);
            // Habits say nothing of products that are new to the user: apart from the others, most of
            // the splits that ask for them are resolved once for all of these rows.
            let own = chosen.iter().take_while(|c| c.source == Source::History).count();
            let (own, new) = features.split_at(features.len().min(own * FEATURES.len()));
            let mut scores = model.probabilities(own);
            scores.extend(model.probabilities(new));
            features.shrink_to(MOST_KEPT);
            ROWS.set(features);
            scores
        }
        None => chosen.iter().map(|c| fallback(catalogue, state, c)).collect(),
    }
}

/// Sorts candidates by their probabilities, best first; ties are ordered by popularity.
pub fn order(catalogue: &Catalogue, chosen: &[Candidate], scores: Vec<f32>) -> Vec<Ranked> {
    let known = |p: f32| if p.is_nan() { 0.0 } else { p };
    let place = |c: &Candidate| catalogue.get(c.product).map_or(u32::MAX, |p| p.rank);
    // Not the candidates: they are large, and would be moved again and again.
    let mut order: Vec<(f32, u32, usize)> = chosen
        .iter()
        .zip(scores)
        .enumerate()
        .map(|(at, (c, p))| (known(p), place(c), at))
        .collect();
    order.sort_unstable_by(|(p, rank, at), (q, other_rank, other)| {
        q.total_cmp(p).then_with(|| (rank, at).cmp(&(other_rank, other)))
    });
    let ranked = |(probability, _, at)| Ranked { candidate: chosen[at], probability };
    order.into_iter().map(ranked).collect()
}

/// Estimates a probability from 0 to 1 without a model.
fn fallback(catalogue: &Catalogue, state: &UserState, candidate: &Candidate) -> f32 {
    let own = state.product(candidate.product).map_or(0.0, |p| {
        let orders = state.orders.max(1);
        p.recency(orders + 1) / (orders as f32 + 1.0)
    });
    let share = catalogue
        .get(candidate.product)
        .map_or(0.0, |p| p.stats.orders as f32 / (catalogue.orders.max(1) as f32 + 1.0));
    (1.0 - (1.0 - own) * (1.0 - candidate.cart_best.score) * (1.0 - share)).clamp(0.0, 1.0)
}
