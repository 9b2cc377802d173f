//! When a product is bought again: the share of those who could that did, by the time since they
//! last bought it.

use serde::{Deserialize, Serialize};

/// Buckets of the time since the last purchase.
const BUCKETS: usize = 10;
/// Last number of orders of each bucket but the last: the next order is 1.
const ORDERS: [u32; BUCKETS - 1] = [1, 2, 3, 4, 5, 7, 10, 15, 25];
/// Last day of each bucket but the last.
const DAYS: [f32; BUCKETS - 1] = [1.0, 4.0, 7.0, 10.0, 14.0, 21.0, 30.0, 60.0, 120.0];
/// Chances of a product's category that count as much as the product's own.
const PRIOR: f32 = 20.0;

fn by_orders(orders: u32) -> usize {
    smaller(&ORDERS, orders)
}

fn by_days(days: f32) -> usize {
    smaller(&DAYS, days)
}

/// Counts the bounds that are smaller than a value: all of them are compared at once, where a search
/// would branch at each.
fn smaller<T: PartialOrd + Copy, const N: usize>(bounds: &[T; N], value: T) -> usize {
    bounds.iter().map(|&bound| u32::from(bound < value)).sum::<u32>() as usize
}

/// Chances to buy a product again, and how many were taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Tally {
    /// Orders of users who had bought the product before.
    all: u32,
    /// Those that contain it.
    taken: u32,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.all += other.all;
        self.taken += other.taken;
    }

    /// The share that was taken, shrunk to a `prior` share.
    fn share(self, prior: f32) -> f32 {
        (self.taken as f32 + PRIOR * prior) / (self.all as f32 + PRIOR)
    }
}

/// Counts of one product, by orders and by days since the last purchase. They merge by addition.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Rebuys {
    orders: [Tally; BUCKETS],
    days: [Tally; BUCKETS],
}

impl Rebuys {
    /// Counts an order of a user who had bought the product `orders` orders and `days` days
    /// before.
    pub(crate) fn count(&mut self, orders: u32, days: f32, bought: bool) {
        let chance = Tally { all: 1, taken: u32::from(bought) };
        self.orders[by_orders(orders)].add(chance);
        self.days[by_days(days)].add(chance);
    }

    /// Adds the counts of other users.
    pub(crate) fn merge(&mut self, other: &Self) {
        let theirs = other.orders.iter().chain(&other.days);
        let mine = self.orders.iter_mut().chain(&mut self.days);
        mine.zip(theirs).for_each(|(mine, theirs)| mine.add(*theirs));
    }

    /// Turns counts into shares; those of few users lie near the shares of a wider group of
    /// products.
    pub(crate) fn hazard(&self, wider: &Hazard) -> Hazard {
        let shrink = |counts: &[Tally; BUCKETS], prior: &[f32; BUCKETS]| {
            std::array::from_fn(|at| counts[at].share(prior[at]))
        };
        Hazard {
            orders: shrink(&self.orders, &wider.orders),
            days: shrink(&self.days, &wider.days),
        }
    }
}

/// Probability that a user who has bought a product buys it in the next order, by the time since
/// the last purchase: a discrete-time hazard (Kapoor et al., WSDM 2014, apply one to return times).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Hazard {
    orders: [f32; BUCKETS],
    days: [f32; BUCKETS],
}

impl Hazard {
    /// The probability `orders` orders after the last purchase, from 1.
    pub fn after_orders(&self, orders: u32) -> f32 {
        self.orders[by_orders(orders)]
    }

    /// The probability `days` days after the last purchase.
    pub fn after_days(&self, days: f32) -> f32 {
        self.days[by_days(days)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_follow_the_time_since_the_purchase() {
        let (mut milk, mut all) = (Rebuys::default(), Rebuys::default());
        for _ in 0..980 {
            milk.count(1, 7.0, true);
            milk.count(9, 70.0, false);
        }
        all.merge(&milk);
        all.merge(&milk);
        let wide = all.hazard(&Hazard::default());
        let hazard = milk.hazard(&wide);
        assert!(hazard.after_orders(1) > 0.97 && hazard.after_days(6.0) > 0.97);
        assert!(hazard.after_orders(10) < 0.01 && hazard.after_days(61.0) < 0.01);
        assert_eq!(hazard.after_orders(99), 0.0, "nobody had the chance");
        let tea = Rebuys::default().hazard(&wide);
        assert_eq!(tea, wide, "a product that nobody could buy again is like the others");
    }
}
