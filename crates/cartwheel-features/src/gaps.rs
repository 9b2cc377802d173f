//! How long until a product is bought again: logarithms of gaps, as sums that merge.
//!
//! A gap of a user and a product is the time from one purchase to the next. Its logarithm is close
//! to normally distributed, so that a mean and a variance describe it. Sums are whole numbers: they
//! are the same in whatever order partials merge.

use serde::{Deserialize, Serialize};

use crate::user::{Order, UserProduct, UserState};

/// Shortest gap in days: purchases on one day have no gap of zero, whose logarithm is infinite.
pub const SHORTEST_GAP: f32 = 0.5;
/// Days that count as one more gap between a user's orders, so that a pace is always known.
const USUAL_PAUSE: f32 = 14.0;
/// Steps of a logarithm in whole numbers.
const SCALE: f32 = 1024.0;
const DAY_MS: f32 = 86_400_000.0;

/// Last number of earlier gaps of each range but the last.
const RANGES: [u32; GAP_RANGES - 1] = [1, 2, 3, 5, 8, 12];
/// Ranges of the number of a user's earlier gaps of a product.
pub(crate) const GAP_RANGES: usize = 7;

/// The range of a number of earlier gaps, from 1.
pub(crate) fn range_of(gaps: u32) -> usize {
    RANGES.partition_point(|&last| last < gaps)
}

/// Sums over pairs of logarithms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pairs {
    pub(crate) count: u32,
    pub(crate) x: i64,
    pub(crate) y: i64,
    pub(crate) xx: i64,
    pub(crate) xy: i64,
    pub(crate) yy: i64,
}

impl Pairs {
    fn add(&mut self, x: i64, y: i64) {
        self.merge(&Self { count: 1, x, y, xx: x * x, xy: x * y, yy: y * y });
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.x += other.x;
        self.y += other.y;
        self.xx += other.xx;
        self.xy += other.xy;
        self.yy += other.yy;
    }
}

/// How gaps follow a user's earlier ones, over all products: pairs of the logarithm of the mean of the
/// earlier gaps and that of the next, by the number of earlier gaps.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Repeats(pub(crate) [Pairs; GAP_RANGES]);

impl Repeats {
    pub(crate) fn merge(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(mine, theirs)| mine.merge(theirs));
    }
}

/// Gaps of one product.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Gaps {
    /// The [`pace`] of users, and the logarithm of the gap from their first purchase to the second.
    pub(crate) first: Pairs,
}

impl Gaps {
    /// Counts the order of a user who buys the product again. `before` is the state before
    /// the order, and `repeats` the counts over all products.
    pub(crate) fn count(
        &mut self,
        repeats: &mut Repeats,
        before: &UserState,
        own: &UserProduct,
        order: &Order,
    ) {
        let since = match (before.last_order_ms, order.context.at_ms) {
            (Some(last), Some(now)) => now.saturating_sub(last) as f32 / DAY_MS,
            _ => order.context.days_since_prior.unwrap_or(0.0),
        };
        let gap = logarithm(before.days_before_last_order(own) + since.max(0.0));
        match before.mean_gap(own) {
            None => self.first.add(whole(pace(before)), gap),
            Some(mean) => repeats.0[range_of(own.orders - 1)].add(logarithm(mean), gap),
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.first.merge(&other.first);
    }
}

/// The logarithm of a user's mean days between orders.
pub(crate) fn pace(state: &UserState) -> f32 {
    let days = state.days * state.stretch();
    ((days + USUAL_PAUSE) / state.applied.max(1) as f32).max(SHORTEST_GAP).ln()
}

fn logarithm(days: f32) -> i64 {
    whole(days.max(SHORTEST_GAP).ln())
}

fn whole(x: f32) -> i64 {
    (x * SCALE).round() as i64
}

/// A sum of logarithms, or of products of `power` logarithms, as a number.
pub(crate) fn number(sum: i64, power: i32) -> f64 {
    sum as f64 / f64::from(SCALE).powi(power)
}

impl UserState {
    /// Real days per day of [`UserState::days`], in which a long pause counts for less: at least 1.
    pub fn stretch(&self) -> f32 {
        match (self.first_order_ms, self.last_order_ms) {
            (Some(first), Some(last)) if self.days > 0.0 => {
                (last.saturating_sub(first) as f32 / DAY_MS / self.days).max(1.0)
            }
            _ => 1.0,
        }
    }

    /// Days from the last purchase of a product to the user's newest order.
    pub fn days_before_last_order(&self, own: &UserProduct) -> f32 {
        (self.days - own.last_day).max(0.0) * self.stretch()
    }

    /// The mean days between the user's purchases of a product; `None` after a single one.
    pub fn mean_gap(&self, own: &UserProduct) -> Option<f32> {
        let gaps = own.orders.checked_sub(1).filter(|&gaps| gaps > 0)?;
        let days = (own.last_day - own.first_day).max(0.0) * self.stretch();
        Some((days / gaps as f32).max(SHORTEST_GAP))
    }
}
