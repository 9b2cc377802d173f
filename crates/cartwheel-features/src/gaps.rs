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
/// Purchases before a gap from which on a user's mean gap is taken to be known.
const STEADY: u32 = 4;
/// Number of orders after the first purchase, of each bucket but the last.
const ORDERS: [u32; CHANCES] = [1, 2, 3, 5, 8, 13, 25];
const CHANCES: usize = 7;
/// Steps of a logarithm in whole numbers.
const SCALE: f32 = 1024.0;
const DAY_MS: f32 = 86_400_000.0;

/// Sums of a number and its square.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Sums {
    pub(crate) count: u32,
    pub(crate) sum: i64,
    pub(crate) squares: i64,
}

impl Sums {
    fn add(&mut self, x: i64) {
        self.count += 1;
        self.sum += x;
        self.squares += x * x;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.squares += other.squares;
    }
}

/// Users who had bought the product once, at an order, and those of them who bought it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Chance {
    pub(crate) users: u32,
    pub(crate) taken: u32,
}

/// Gaps of one product.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Gaps {
    /// Logarithms of the gaps from a user's first purchase to the second.
    pub(crate) first: Sums,
    /// Logarithms of these users' [`pace`].
    pub(crate) pace: Sums,
    /// Sum of products of the two.
    pub(crate) both: i64,
    /// Logarithms of gaps of users who had bought it [`STEADY`] times or more, relative to the mean
    /// of their earlier ones.
    pub(crate) steady: Sums,
    /// By the number of orders since the first purchase.
    pub(crate) chances: [Chance; CHANCES],
}

impl Gaps {
    /// Counts the order of a user who has bought the product before. `before` is the state before
    /// the order.
    pub(crate) fn count(
        &mut self,
        before: &UserState,
        own: &UserProduct,
        order: &Order,
        bought: bool,
    ) {
        if own.orders == 1 {
            let since = order.number.saturating_sub(own.last);
            if let Some(chance) = self.chances.get_mut(ORDERS.partition_point(|&to| to < since)) {
                chance.users += 1;
                chance.taken += u32::from(bought);
            }
        }
        if !bought {
            return;
        }
        let since = match (before.last_order_ms, order.context.at_ms) {
            (Some(last), Some(now)) => now.saturating_sub(last) as f32 / DAY_MS,
            _ => order.context.days_since_prior.unwrap_or(0.0),
        };
        let gap = logarithm(before.days_before_last_order(own) + since.max(0.0));
        if own.orders == 1 {
            let pace = whole(pace(before));
            self.first.add(gap);
            self.pace.add(pace);
            self.both += gap * pace;
        } else if own.orders >= STEADY {
            self.steady.add(gap - logarithm(before.mean_gap(own).unwrap_or(SHORTEST_GAP)));
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.first.merge(&other.first);
        self.pace.merge(&other.pace);
        self.both += other.both;
        self.steady.merge(&other.steady);
        for (mine, theirs) in self.chances.iter_mut().zip(&other.chances) {
            mine.users += theirs.users;
            mine.taken += theirs.taken;
        }
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
