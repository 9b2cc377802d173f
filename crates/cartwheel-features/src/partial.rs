//! What users say of products, as partials that merge in any order.

use crate::holdout::mix;
use crate::sample::BottomK;
use crate::user::UserState;

/// Counts of one product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct ProductStats {
    /// Lines: `prod_orders`.
    pub orders: u32,
    /// Reordered lines: `prod_reorders`.
    pub reorders: u32,
    /// Users who bought it at least once: `prod_first_orders`.
    pub first_orders: u32,
    /// Users who bought it at least twice: `prod_second_orders`.
    pub second_orders: u32,
}

/// The products of one order, by index, each once.
pub type Basket = Box<[u32]>;

/// Product statistics and a bounded sample of baskets over some users.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Partial {
    /// Per product, by catalogue index.
    pub products: Vec<ProductStats>,
    /// Baskets for the neighbours.
    pub baskets: BottomK<Basket>,
    /// Orders counted.
    pub orders: u64,
    /// Users counted.
    pub users: u64,
}

/// Lines of a basket that count for neighbours: pairs grow with the square.
const BASKET_LINES: usize = 60;

impl Partial {
    /// Nothing counted yet, for `products` products and at most `baskets` baskets.
    pub fn new(products: usize, baskets: usize) -> Self {
        Self {
            products: vec![ProductStats::default(); products],
            baskets: BottomK::new(baskets),
            orders: 0,
            users: 0,
        }
    }

    /// Counts one order of a user. `before` is the user's state ahead of it and
    /// `user_hash` a stable hash of the user.
    pub fn order(&mut self, before: &UserState, order: &crate::Order, user_hash: u64) {
        self.orders += 1;
        self.users += u64::from(before.applied == 0);
        let mut basket: Vec<u32> = order.lines.iter().map(|line| line.product).collect();
        for (index, line) in order.lines.iter().enumerate() {
            if basket[..index].contains(&line.product) {
                continue;
            }
            let known = before.product(line.product);
            let Some(stats) = self.products.get_mut(line.product as usize) else { continue };
            stats.orders += 1;
            stats.reorders += u32::from(line.reordered.unwrap_or(known.is_some()));
            stats.first_orders += u32::from(known.is_none());
            stats.second_orders += u32::from(known.is_some_and(|p| p.orders == 1));
        }
        let hash = mix(user_hash ^ u64::from(order.number).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        if self.baskets.wants(hash) {
            basket.truncate(BASKET_LINES);
            basket.sort_unstable();
            basket.dedup();
            self.baskets.push(hash, basket.into());
        }
    }

    /// Takes another partial in: associative and commutative.
    pub fn merge(&mut self, other: Self) {
        for (mine, theirs) in self.products.iter_mut().zip(other.products) {
            mine.orders += theirs.orders;
            mine.reorders += theirs.reorders;
            mine.first_orders += theirs.first_orders;
            mine.second_orders += theirs.second_orders;
        }
        self.baskets.merge(other.baskets);
        self.orders += other.orders;
        self.users += other.users;
    }
}
