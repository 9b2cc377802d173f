//! Scores of products by what the shop says about them.

use cartwheel_features::{Catalogue, Source, UserState};

use crate::candidate::TasteShare;
use crate::scored::Scored;

/// Products of the history that others are compared with, the heaviest.
const HISTORY: usize = 20;
/// Touched products and products in the cart that others are compared with, the newest of each.
const NOW: usize = 8;

/// Scores the products that are like those of `history`, the user's heaviest products with their
/// weights, and like what the user has just turned to.
pub(crate) fn score_likeness(
    catalogue: &Catalogue,
    state: &UserState,
    cart: &[u32],
    history: &[(f32, u32)],
    scored: &mut Scored,
) {
    let weight: f32 = history.iter().map(|(recency, _)| recency).sum();
    for &(recency, bought) in history.iter().take(HISTORY) {
        for alike in catalogue.contents.alike(bought) {
            let entry = scored.of(alike.product, Source::Content);
            entry.content += alike.score * recency / weight;
            if entry.content_best.is_none_or(|best| alike.score > best.score) {
                entry.content_best = Some(TasteShare { product: bought, score: alike.score });
            }
        }
    }
    let in_cart = cart.iter().rev().take(NOW).copied();
    for product in state.touched(NOW).into_iter().chain(in_cart) {
        for alike in catalogue.contents.alike(product) {
            let entry = scored.of(alike.product, Source::Content);
            if entry.content_now.is_none_or(|best| alike.score > best.score) {
                entry.content_now = Some(TasteShare { product, score: alike.score });
            }
        }
    }
}

/// The user's usual price: the geometric mean over the products that the user bought, weighted by
/// recency, or touched, if none was bought; NaN if no price is known.
pub(crate) fn usual_price(catalogue: &Catalogue, state: &UserState) -> f32 {
    let next = state.orders + 1;
    let bought = state.products.iter().map(|p| (p.product, p.recency(next)));
    let mean = |weighed: &mut dyn Iterator<Item = (u32, f32)>| {
        let prices = weighed.filter_map(|(product, weight)| {
            Some((catalogue.contents.price(product)?.ln() * weight, weight))
        });
        let (sum, weight) = prices.fold((0.0, 0.0), |(a, b), (c, d)| (a + c, b + d));
        if weight > 0.0 { (sum / weight).exp() } else { f32::NAN }
    };
    let of_bought = mean(&mut bought.into_iter());
    match of_bought.is_nan() {
        true => mean(&mut state.touched(NOW).into_iter().map(|product| (product, 1.0))),
        false => of_bought,
    }
}
