//! Which products draw attention now: counts that decay with time, against what is usual.
//!
//! A product has a count for each of [`HALF_LIVES_MS`]. A count halves in that time and is kept as its
//! value at the time of the newest event, so that adding an event takes a few multiplications, and
//! events may come in any order.
//!
//! A product trends if it draws more attention than its own share of all attention leads one to
//! expect. With the decayed counts *s* of the product and *S* of all products, and the same counts *l*
//! and *L* of a half-life that is many times longer, the expected count is *e* = *S* · *l* / (*L* +
//! *B*), and the score (*s* - *e*) / √(*e* + ½): the standardised residual of a Poisson count. *B* is 100
//! at the first event, and decays as *L* does. So the always popular does not trend, nor does everything
//! in the evening; and new products soon do, as do the first ones of a shop.

use std::hash::Hash;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

/// Times in which the counts halve, in milliseconds: ten minutes, an hour, a day, a week, eight weeks.
pub const HALF_LIVES_MS: [f64; 5] =
    [600_000.0, 3_600_000.0, 86_400_000.0, 604_800_000.0, 4_838_400_000.0];
/// Smallest count that is kept. A purchase falls below it after twelve days of half-life a day.
const NOTHING: f64 = 1e-3;
/// Attention that a shop is taken to have had before its first event: the first ones are no baseline
/// yet.
const BEFORE: f64 = 100.0;
/// Added to an expected count, so that a single view of a forgotten product is no sensation.
const LEAST_EXPECTED: f64 = 0.5;
/// Standard deviations above the expected count from which on a product trends.
const REMARKABLE: f64 = 1.0;

/// How far back attention counts as attention now: the time in which a count halves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Window {
    /// Ten minutes.
    Minutes,
    /// An hour.
    Hour,
    /// A day.
    #[default]
    Day,
    /// A week.
    Week,
}

impl Window {
    /// Every window with its name in requests.
    pub const NAMES: [(&str, Self); 4] =
        [("10m", Self::Minutes), ("1h", Self::Hour), ("1d", Self::Day), ("1w", Self::Week)];

    /// The places in [`HALF_LIVES_MS`] of the window's half-life, and of the baseline's.
    fn places(self) -> (usize, usize) {
        match self {
            Self::Minutes => (0, 2),
            Self::Hour => (1, 3),
            Self::Day => (2, 4),
            Self::Week => (3, 4),
        }
    }
}

/// A count for each of [`HALF_LIVES_MS`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Count {
    /// The counts at `at_ms`.
    values: [f64; HALF_LIVES_MS.len()],
    /// Time of the newest event, UTC milliseconds.
    at_ms: i64,
}

impl Count {
    const NONE: Self = Self { values: [0.0; HALF_LIVES_MS.len()], at_ms: i64::MIN };

    fn at(&self, place: usize, now_ms: i64) -> f64 {
        self.values[place] * decay(place, now_ms.saturating_sub(self.at_ms))
    }

    fn add(&mut self, weight: f64, at_ms: i64) {
        let is_newest = at_ms > self.at_ms;
        let apart = at_ms.abs_diff(self.at_ms).min(i64::MAX as u64) as i64;
        for (place, value) in self.values.iter_mut().enumerate() {
            let factor = decay(place, apart);
            *value = if is_newest { *value * factor + weight } else { *value + weight * factor };
        }
        self.at_ms = self.at_ms.max(at_ms);
    }
}

/// The factor by which a count has shrunk after `elapsed_ms`; 1 for times that lie ahead.
fn decay(place: usize, elapsed_ms: i64) -> f64 {
    (-(elapsed_ms.max(0) as f64) / HALF_LIVES_MS[place]).exp2()
}

/// Decayed counts by product.
#[derive(Debug, Clone, PartialEq)]
pub struct Trending<K: Hash + Eq> {
    counts: FxHashMap<K, Count>,
    /// The sum over all products, those that were dropped among them.
    all: Count,
    /// Time of the first event, UTC milliseconds.
    begun_ms: i64,
    /// Products that are kept; twice as many fit before the smallest counts are dropped.
    capacity: usize,
}

/// Counts as they are stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoredCounts<K> {
    counts: Vec<(K, Count)>,
    all: Count,
    begun_ms: i64,
}

impl<K: Hash + Eq + Ord + Clone> Trending<K> {
    /// Creates counts for about `capacity` products, at least one.
    pub fn new(capacity: usize) -> Self {
        let counts = FxHashMap::default();
        Self { counts, all: Count::NONE, begun_ms: i64::MAX, capacity: capacity.max(1) }
    }

    /// Adds an event of a product. `weight` says how much it counts, `at_ms` when it happened.
    pub fn add(&mut self, product: K, weight: f64, at_ms: i64) {
        self.counts.entry(product).or_insert(Count::NONE).add(weight, at_ms);
        self.all.add(weight, at_ms);
        self.begun_ms = self.begun_ms.min(at_ms);
        if self.counts.len() > self.capacity.saturating_mul(2) {
            self.shrink();
        }
    }

    /// The products that draw the most attention at `now_ms`, by their counts of a day, largest first.
    /// `keep` tells which products to consider.
    pub fn busiest(&self, now_ms: i64, limit: usize, keep: impl Fn(&K) -> bool) -> Vec<(K, f64)> {
        let (day, _) = Window::Day.places();
        let counted = self.counts.iter().map(|(product, count)| (product, count.at(day, now_ms)));
        largest(counted.filter(|(product, count)| *count >= NOTHING && keep(product)), limit)
    }

    /// The products that trend at `now_ms`, by their scores, largest first.
    pub fn top(
        &self,
        window: Window,
        now_ms: i64,
        limit: usize,
        keep: impl Fn(&K) -> bool,
    ) -> Vec<(K, f64)> {
        let (short, long) = window.places();
        let all = self.all.at(short, now_ms);
        let before = BEFORE * decay(long, now_ms.saturating_sub(self.begun_ms));
        let usual = self.all.at(long, now_ms) + before;
        let scored = self.counts.iter().map(|(product, count)| {
            let expected = all * count.at(long, now_ms) / usual;
            let score = (count.at(short, now_ms) - expected) / (expected + LEAST_EXPECTED).sqrt();
            (product, score)
        });
        largest(scored.filter(|(product, score)| *score >= REMARKABLE && keep(product)), limit)
    }

    /// The sum of all counts of a week at `now_ms`.
    pub fn attention(&self, now_ms: i64) -> f64 {
        self.all.at(Window::Week.places().0, now_ms)
    }

    /// The counts as they are stored, with `name` of each product.
    pub fn stored<N>(&self, name: impl Fn(&K) -> N) -> StoredCounts<N> {
        let counts = self.counts.iter().map(|(product, count)| (name(product), *count));
        StoredCounts { counts: counts.collect(), all: self.all, begun_ms: self.begun_ms }
    }

    /// Takes stored counts, without the products that `product` does not know.
    pub fn restored<N>(
        capacity: usize,
        stored: StoredCounts<N>,
        product: impl Fn(N) -> Option<K>,
    ) -> Self {
        let StoredCounts { counts, all, begun_ms } = stored;
        let counts = counts.into_iter();
        let counts = counts.filter_map(|(name, count)| Some((product(name)?, count))).collect();
        Self { counts, all, begun_ms, capacity: capacity.max(1) }
    }

    /// Keeps the products with the largest counts of a week.
    fn shrink(&mut self) {
        let (week, _) = Window::Week.places();
        let now_ms = self.all.at_ms;
        let counted = self.counts.iter().map(|(product, count)| (product, count.at(week, now_ms)));
        for (product, _) in largest(counted, usize::MAX).split_off(self.capacity) {
            self.counts.remove(&product);
        }
    }
}

/// The `limit` largest of some numbers, largest first.
fn largest<'a, K: Ord + Clone + 'a>(
    all: impl Iterator<Item = (&'a K, f64)>,
    limit: usize,
) -> Vec<(K, f64)> {
    let mut kept: Vec<(&K, f64)> = all.collect();
    let larger = |a: &(&K, f64), b: &(&K, f64)| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(b.0));
    if kept.len() > limit && limit > 0 {
        kept.select_nth_unstable_by(limit - 1, larger);
    }
    kept.truncate(limit);
    kept.sort_by(larger);
    kept.into_iter().map(|(product, number)| (product.clone(), number)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;
    const DAY_MS: i64 = 24 * HOUR_MS;

    #[test]
    fn counts_halve_in_a_day() {
        let mut trending = Trending::new(10);
        trending.add("old", 3.0, 0);
        trending.add("new", 1.0, 2 * DAY_MS);
        let top = trending.busiest(2 * DAY_MS, 10, |_| true);
        assert_eq!(top, [("new", 1.0), ("old", 0.75)]);
        assert_eq!(trending.busiest(0, 1, |_| true), [("old", 3.0)], "times ahead do not grow");
        assert_eq!(trending.busiest(2 * DAY_MS, 10, |id| *id == "old"), [("old", 0.75)]);
        assert!(trending.busiest(2 * DAY_MS, 0, |_| true).is_empty());
        assert!(trending.busiest(30 * DAY_MS, 10, |_| true).is_empty(), "forgotten");
    }

    /// Four weeks in which milk is viewed 20 times an hour, and tea once; then an hour with as much
    /// milk, and ten views of tea.
    fn surge() -> (Trending<&'static str>, i64) {
        let mut trending = Trending::new(10);
        let begun = 28 * 24;
        for hour in 0..=begun {
            let last = hour == begun;
            trending.add("milk", 20.0, hour * HOUR_MS);
            trending.add("tea", if last { 10.0 } else { 1.0 }, hour * HOUR_MS);
        }
        (trending, begun * HOUR_MS)
    }

    #[test]
    fn the_always_popular_does_not_trend() {
        let (trending, now_ms) = surge();
        let top = trending.top(Window::Hour, now_ms, 10, |_| true);
        assert_eq!(top.iter().map(|(id, _)| *id).collect::<Vec<_>>(), ["tea"]);
        assert!(top[0].1 > 3.0, "{top:?}");
        assert_eq!(trending.busiest(now_ms, 1, |_| true)[0].0, "milk");
        // Within a week, ten views are nothing.
        assert!(trending.top(Window::Week, now_ms, 10, |_| true).is_empty());
        assert!(trending.top(Window::Hour, now_ms + DAY_MS, 10, |_| true).is_empty(), "over");
    }

    #[test]
    fn a_busy_evening_makes_nothing_trend() {
        let (mut trending, mut now_ms) = surge();
        now_ms += DAY_MS;
        // Everything draws three times its usual attention.
        for _ in 0..3 {
            trending.add("milk", 20.0, now_ms);
            trending.add("tea", 1.0, now_ms);
        }
        let top = trending.top(Window::Minutes, now_ms, 10, |_| true);
        assert!(top.iter().all(|(id, score)| *id == "tea" && *score < 1.5), "{top:?}");
    }

    #[test]
    fn the_first_events_of_a_shop_trend() {
        let mut trending = Trending::new(10);
        trending.add("a", 3.0, 0);
        trending.add("b", 1.0, 0);
        for (_, window) in Window::NAMES {
            let top = trending.top(window, 1, 10, |_| true);
            assert_eq!(top.iter().map(|(id, _)| *id).collect::<Vec<_>>(), ["a", "b"], "{window:?}");
        }
    }

    #[test]
    fn the_order_of_events_does_not_matter() {
        let events: Vec<(u32, i64)> = (0..60).map(|n| (n % 7, i64::from(n * 17 % 50))).collect();
        let counted = |events: &mut dyn Iterator<Item = &(u32, i64)>| {
            let mut trending = Trending::new(100);
            events.for_each(|(id, hour)| trending.add(*id, 1.0, hour * HOUR_MS));
            trending.busiest(3 * DAY_MS, 100, |_| true)
        };
        let (ahead, back) = (counted(&mut events.iter()), counted(&mut events.iter().rev()));
        for ((a, x), (b, y)) in ahead.iter().zip(&back) {
            assert!(a == b && (x - y).abs() < 1e-9, "{ahead:?} {back:?}");
        }
        assert_eq!(ahead.len(), 7);
    }

    #[test]
    fn the_number_of_products_is_bounded_and_the_largest_counts_stay() {
        let mut trending = Trending::new(100);
        for id in 0..5_000_u32 {
            trending.add(7_777, 1.0, i64::from(id));
            trending.add(id, 1.0, i64::from(id));
            assert!(trending.counts.len() <= 200);
        }
        assert_eq!(trending.busiest(5_000, 1, |_| true)[0].0, 7_777);
    }

    #[test]
    fn stored_counts_are_taken_again() {
        let (trending, now_ms) = surge();
        let stored = trending.stored(|id| *id);
        assert_eq!(Trending::restored(10, stored.clone(), Some), trending);
        let without = Trending::restored(10, stored, |id| (id != "tea").then_some(id));
        assert!(without.top(Window::Hour, now_ms, 10, |_| true).is_empty());
    }
}
