//! Reference shoppers: what some users bought, and what they bought next.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::basket::{BASKET_LINES, Basket};
use crate::user::{DECAY, Order, UserState};

/// Newest orders of a reference shopper that are kept one by one.
pub const SHOPPER_ORDERS: usize = 5;
/// Products that are kept of what a shopper bought, the heaviest by recency.
pub const HISTORY_PRODUCTS: usize = 64;

/// A product with a weight.
pub type Weighted = (u32, f32);

/// The history of a user, bounded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shopper {
    /// What the shopper had bought before the orders, weighted by recency; the heaviest first.
    before: Box<[Weighted]>,
    /// The newest orders, oldest first.
    orders: Box<[Basket]>,
}

/// The heaviest products of a user's history by recency, as of the next order; heaviest first.
pub fn heaviest(state: &UserState) -> Vec<Weighted> {
    let next = state.orders + 1;
    let weigh = state.products.iter().map(|p| (p.product, p.recency(next)));
    keep_heaviest(weigh.collect())
}

/// Heaviest first; of the same weight, the earlier product.
fn by_weight(a: &Weighted, b: &Weighted) -> Ordering {
    b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
}

fn keep_heaviest(mut products: Vec<Weighted>) -> Vec<Weighted> {
    if products.len() > HISTORY_PRODUCTS {
        products.select_nth_unstable_by(HISTORY_PRODUCTS, by_weight);
        products.truncate(HISTORY_PRODUCTS);
    }
    products.sort_unstable_by(by_weight);
    products
}

/// A history, heaviest first, with one more order.
fn after(mut history: Vec<Weighted>, order: &[u32]) -> Vec<Weighted> {
    history.iter_mut().for_each(|(_, weight)| *weight *= DECAY);
    let mut bought: Vec<Weighted> = order.iter().map(|&product| (product, DECAY)).collect();
    history.retain(|(product, weight)| {
        // The order is sorted.
        let found = order.binary_search(product);
        if let Ok(at) = found {
            bought[at].1 += weight;
        }
        found.is_err()
    });
    // Two weights may have become the same by rounding.
    if !history.is_sorted_by(|a, b| by_weight(a, b).is_le()) {
        history.sort_unstable_by(by_weight);
    }
    bought.sort_unstable_by(by_weight);
    let mut all = Vec::with_capacity(history.len() + bought.len());
    let (mut old, mut new) = (history.into_iter().peekable(), bought.into_iter().peekable());
    while let (Some(a), Some(b)) = (old.peek(), new.peek()) {
        all.extend(if by_weight(a, b).is_le() { old.next() } else { new.next() });
    }
    all.extend(old.chain(new));
    all.truncate(HISTORY_PRODUCTS);
    all
}

impl Shopper {
    /// A user who had bought the products `before` and then placed `orders`.
    pub(crate) fn new<'a>(before: Vec<Weighted>, orders: impl Iterator<Item = &'a Order>) -> Self {
        let basket = |order: &Order| {
            let mut products: Vec<u32> = order.lines.iter().map(|line| line.product).collect();
            products.truncate(BASKET_LINES);
            products.sort_unstable();
            products.dedup();
            products.into()
        };
        Self { before: before.into(), orders: orders.map(basket).collect() }
    }

    /// Calls `each` with what the shopper had bought before an order, and the order; for each
    /// order that follows another. The weights add up to 1.
    pub(crate) fn steps<'a>(&'a self, mut each: impl FnMut(&[Weighted], &'a [u32])) {
        let mut history = self.before.to_vec();
        for order in &self.orders {
            let sum: f32 = history.iter().map(|(_, weight)| weight).sum();
            if sum > 0.0 {
                let mut shares = history.clone();
                shares.iter_mut().for_each(|(_, weight)| *weight /= sum);
                each(&shares, order);
            }
            history = after(history, order);
        }
    }

    /// The heaviest products of the whole history, heaviest first.
    pub(crate) fn bought(&self) -> Vec<u32> {
        let all =
            self.orders.iter().fold(self.before.to_vec(), |before, order| after(before, order));
        all.into_iter().map(|(product, _)| product).collect()
    }

    /// Number of steps.
    pub(crate) fn step_count(&self) -> usize {
        self.orders.len().saturating_sub(usize::from(self.before.is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A history with one more order, sorted from the beginning.
    fn sorted_after(mut history: Vec<Weighted>, order: &[u32]) -> Vec<Weighted> {
        history.iter_mut().for_each(|(_, weight)| *weight *= DECAY);
        for &product in order {
            match history.iter_mut().find(|(bought, _)| *bought == product) {
                Some((_, weight)) => *weight += DECAY,
                None => history.push((product, DECAY)),
            }
        }
        keep_heaviest(history)
    }

    proptest! {
        #[test]
        fn a_history_stays_sorted_by_weight_after_every_order(
            before in proptest::collection::btree_map(0_u32..90, 1_u32..6, 0..70),
            orders in proptest::collection::vec(
                proptest::collection::btree_set(0_u32..120, 0..60), 1..6),
        ) {
            // Few different weights, so that many are the same.
            let before = before.into_iter().map(|(product, weight)| (product, weight as f32 / 3.0));
            let mut history = keep_heaviest(before.collect());
            for order in orders {
                let order: Vec<u32> = order.into_iter().collect();
                let expected = sorted_after(history.clone(), &order);
                history = after(history, &order);
                prop_assert_eq!(&history, &expected);
            }
        }
    }
}
