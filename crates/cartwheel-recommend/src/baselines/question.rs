//! What a baseline is asked, and how it answers.

use cartwheel_features::{Catalogue, UserState};
use rustc_hash::FxHashSet;

/// What a baseline is asked: a moment before an order.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The catalogue over other users.
    pub catalogue: &'a Catalogue,
    /// The user's id.
    pub user_id: &'a str,
    /// The user's features.
    pub state: &'a UserState,
    /// The products of each earlier order, oldest first. Empty for a guest, and for all users of
    /// a feature set without histories.
    pub orders: &'a [&'a [u32]],
    /// The products in the cart, which no answer contains.
    pub cart: &'a [u32],
}

/// A recommender without a trained model, as a bar for models.
pub trait Baseline: Send + Sync {
    /// Its name in reports.
    fn name(&self) -> &'static str;

    /// Returns catalogue indices, best first, without repeats and at most `limit`.
    fn rank(&self, question: &Question<'_>, limit: usize) -> Vec<u32>;
}

impl Question<'_> {
    /// Appends products that are neither in the list nor in the cart, until it has `limit`.
    pub(super) fn fill(&self, out: &mut Vec<u32>, more: impl Iterator<Item = u32>, limit: usize) {
        let mut seen: FxHashSet<u32> = out.iter().chain(self.cart).copied().collect();
        for product in more {
            if out.len() >= limit {
                break;
            }
            if seen.insert(product) {
                out.push(product);
            }
        }
    }

    /// Returns the products with the highest scores, best first, then popular ones.
    pub(super) fn best(
        &self,
        scores: impl IntoIterator<Item = (u32, f32)>,
        limit: usize,
    ) -> Vec<u32> {
        let known = top(scores, limit + self.cart.len()).into_iter();
        let known = known.filter(|&product| self.catalogue.get(product).is_some());
        let mut out = Vec::new();
        self.fill(&mut out, known.chain(self.catalogue.popular.iter().copied()), limit);
        out
    }
}

/// Returns the products with the highest scores above 0, best first.
pub(super) fn top(scores: impl IntoIterator<Item = (u32, f32)>, limit: usize) -> Vec<u32> {
    let mut scores: Vec<(u32, f32)> = scores.into_iter().filter(|(_, s)| *s > 0.0).collect();
    let order = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    if scores.len() > limit {
        scores.select_nth_unstable_by(limit, order);
        scores.truncate(limit);
    }
    scores.sort_unstable_by(order);
    scores.into_iter().map(|(product, _)| product).collect()
}
