//! Per-product statistics over some users, as partials that merge in any order.

use crate::basket::{BASKET_LINES, Basket};
use crate::gaps::{Gaps, Repeats};
use crate::hazard::Rebuys;
use crate::holdout::mix;
use crate::sample::BottomK;
use crate::shopper::{Shopper, Weighted};
use crate::touch::Touch;
use crate::user::{Line, Order, UserProduct, UserState};
use crate::visits::{TouchCounts, Visit};
use crate::weeks::{Weeks, week_of};

/// Counts of one product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct ProductStats {
    /// Number of order lines: `prod_orders`.
    pub orders: u32,
    /// Number of reordered lines: `prod_reorders`.
    pub reorders: u32,
    /// Number of users who bought it at least once: `prod_first_orders`.
    pub first_orders: u32,
    /// Number of users who bought it at least twice: `prod_second_orders`.
    pub second_orders: u32,
}

/// Product statistics and a bounded sample of baskets over some users.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Partial {
    /// Statistics by catalogue index.
    pub products: Vec<ProductStats>,
    /// How soon each product is bought again, by catalogue index.
    pub rebuys: Vec<Rebuys>,
    /// How long until each product is bought again, by catalogue index.
    pub gaps: Vec<Gaps>,
    /// How gaps follow a user's earlier ones.
    pub repeats: Repeats,
    /// Orders of each product by week, by catalogue index.
    pub weeks: Vec<Weeks>,
    /// All orders by week.
    pub all_weeks: Weeks,
    /// Sampled baskets, from which neighbours are computed.
    pub baskets: BottomK<Basket>,
    /// Sampled users with two orders or more, from which transitions are computed.
    pub shoppers: BottomK<Shopper>,
    /// The newest visits.
    pub visits: BottomK<Visit>,
    /// Touches by catalogue index; empty while there are none.
    pub touches: Vec<TouchCounts>,
    /// Number of orders counted.
    pub orders: u64,
    /// Number of users counted.
    pub users: u64,
}

/// A hash of an order's number in the history of its user.
fn order_hash(number: u32) -> u64 {
    u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The largest sizes of a partial's samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SampleSizes {
    /// Baskets.
    pub baskets: usize,
    /// Reference shoppers.
    pub shoppers: usize,
    /// Visits.
    pub visits: usize,
}

impl Partial {
    /// Creates an empty partial for `products` products, with samples of bounded sizes.
    pub fn new(products: usize, sizes: SampleSizes) -> Self {
        Self {
            products: vec![ProductStats::default(); products],
            rebuys: vec![Rebuys::default(); products],
            gaps: vec![Gaps::default(); products],
            repeats: Repeats::default(),
            weeks: vec![Weeks::default(); products],
            all_weeks: Weeks::default(),
            baskets: BottomK::new(sizes.baskets),
            shoppers: BottomK::new(sizes.shoppers),
            visits: BottomK::new(sizes.visits),
            touches: Vec::new(),
            orders: 0,
            users: 0,
        }
    }

    /// Counts one order of a user. `before` is the user's state before the order, and
    /// `user_hash` a stable hash of the user.
    pub fn order(&mut self, before: &UserState, order: &Order, user_hash: u64) {
        self.orders += 1;
        self.users += u64::from(before.applied == 0);
        let week = order.context.at_ms.map(week_of);
        self.count_order(week);
        let key = mix(user_hash ^ order_hash(order.number));
        if self.baskets.wants(key) {
            let products = order.lines.iter().take(BASKET_LINES).map(|line| line.product);
            self.sample(key, products.collect());
        }
        // By product, as the history is. A repeated product counts once, at its first position.
        let mut lines: Vec<&Line> = order.lines.iter().collect();
        lines.sort_by_key(|line| line.product);
        lines.dedup_by_key(|line| line.product);
        let mut lines = lines.into_iter().peekable();
        let day = before.days + order.context.days_since_prior.unwrap_or(0.0);
        for past in &before.products {
            while let Some(line) = lines.next_if(|line| line.product < past.product) {
                self.count_line(line, None, week);
            }
            let line = lines.next_if(|line| line.product == past.product);
            if let Some(line) = line {
                self.count_line(line, Some(past), week);
            }
            let product = past.product as usize;
            if let Some(rebuys) = self.rebuys.get_mut(product) {
                let orders = order.number.saturating_sub(past.last);
                rebuys.count(orders, day - past.last_day, line.is_some());
            }
            if let Some(gaps) = self.gaps.get_mut(product).filter(|_| line.is_some()) {
                gaps.count(&mut self.repeats, before, past, order);
            }
        }
        for line in lines {
            self.count_line(line, None, week);
        }
    }

    /// Counts a line of an order. `past` is what its user bought of the product before.
    fn count_line(&mut self, line: &Line, past: Option<&UserProduct>, week: Option<u16>) {
        let Some(stats) = self.products.get_mut(line.product as usize) else { return };
        stats.orders += 1;
        stats.reorders += u32::from(line.reordered.unwrap_or(past.is_some()));
        stats.first_orders += u32::from(past.is_none());
        stats.second_orders += u32::from(past.is_some_and(|past| past.orders == 1));
        self.count_product(line.product, week);
    }

    /// Counts a purchase whose customer is unknown: for popularity and for what is bought
    /// together, not as the purchase of a user. `hash` is a stable hash of the purchase.
    pub fn basket(&mut self, mut products: Vec<u32>, at_ms: i64, hash: u64) {
        self.orders += 1;
        let week = Some(week_of(at_ms));
        self.count_order(week);
        products.sort_unstable();
        products.dedup();
        for &product in &products {
            if let Some(stats) = self.products.get_mut(product as usize) {
                stats.orders += 1;
                self.count_product(product, week);
            }
        }
        products.truncate(BASKET_LINES);
        self.sample(mix(hash ^ order_hash(1)), products);
    }

    /// Takes a user as a reference shopper: the [`heaviest`](crate::heaviest) products before
    /// the newest orders, and these.
    pub fn shopper<'a>(
        &mut self,
        before: Vec<Weighted>,
        orders: impl Iterator<Item = &'a Order>,
        user_hash: u64,
    ) {
        if self.shoppers.wants(user_hash) {
            self.shoppers.push(user_hash, Shopper::new(before, orders));
        }
    }

    /// Counts a visit of a user; `touches` are what the user did, oldest first, purchases among them.
    pub fn visit(&mut self, touches: &[Touch], user_hash: u64) {
        self.touches.resize(self.products.len(), TouchCounts::default());
        for touch in touches {
            if let Some(count) = self.touches.get_mut(touch.product as usize) {
                count.add(touch);
            }
        }
        let Some(last) = touches.last() else { return };
        let order = Visit::order(last.at_ms, mix(user_hash));
        // A visit with a single product relates it to no other.
        let is_single = touches.iter().all(|touch| touch.product == last.product);
        if !is_single && self.visits.wants(order) {
            self.visits.push(order, Visit::new(touches));
        }
    }

    fn count_order(&mut self, week: Option<u16>) {
        if let Some(week) = week {
            self.all_weeks.add(week, 1);
        }
    }

    fn count_product(&mut self, product: u32, week: Option<u16>) {
        if let (Some(week), Some(weeks)) = (week, self.weeks.get_mut(product as usize)) {
            weeks.add(week, 1);
        }
    }

    fn sample(&mut self, hash: u64, mut basket: Vec<u32>) {
        if self.baskets.wants(hash) {
            basket.sort_unstable();
            basket.dedup();
            self.baskets.push(hash, basket.into());
        }
    }

    /// Merges another partial into this one; associative and commutative.
    pub fn merge(&mut self, other: Self) {
        self.add_counts(&other);
        self.baskets.merge(other.baskets);
        self.shoppers.merge(other.shoppers);
        self.visits.merge(other.visits);
    }

    /// Adds what another partial counts, without its samples.
    fn add_counts(&mut self, other: &Self) {
        for (mine, theirs) in self.products.iter_mut().zip(&other.products) {
            mine.orders += theirs.orders;
            mine.reorders += theirs.reorders;
            mine.first_orders += theirs.first_orders;
            mine.second_orders += theirs.second_orders;
        }
        for (mine, theirs) in self.rebuys.iter_mut().zip(&other.rebuys) {
            mine.merge(theirs);
        }
        for (mine, theirs) in self.gaps.iter_mut().zip(&other.gaps) {
            mine.merge(theirs);
        }
        self.repeats.merge(&other.repeats);
        for (mine, theirs) in self.weeks.iter_mut().zip(&other.weeks) {
            mine.merge(theirs);
        }
        self.all_weeks.merge(&other.all_weeks);
        if self.touches.is_empty() {
            self.touches.clone_from(&other.touches);
        } else {
            for (mine, theirs) in self.touches.iter_mut().zip(&other.touches) {
                mine.merge(theirs);
            }
        }
        self.orders += other.orders;
        self.users += other.users;
    }
}

/// Several partials together, as catalogues are built from: what they count, added up, and the union
/// of their samples in order, which the partials keep.
#[derive(Debug)]
pub struct Merged<'a> {
    pub(crate) counts: Partial,
    pub(crate) baskets: Vec<&'a Basket>,
    pub(crate) shoppers: Vec<&'a Shopper>,
    pub(crate) visits: Vec<&'a Visit>,
}

impl<'a> Merged<'a> {
    /// Puts partials over the same products together; there is at least one.
    pub fn of(partials: &[&'a Partial]) -> Self {
        let products = partials.first().map_or(0, |first| first.products.len());
        let mut counts = Partial::new(products, SampleSizes::default());
        partials.iter().for_each(|partial| counts.add_counts(partial));
        let all = || partials.iter().copied();
        Self {
            counts,
            baskets: BottomK::union(all().map(|partial| &partial.baskets)),
            shoppers: BottomK::union(all().map(|partial| &partial.shoppers)),
            visits: BottomK::union(all().map(|partial| &partial.visits)),
        }
    }
}
