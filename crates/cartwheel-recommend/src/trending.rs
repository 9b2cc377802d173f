//! Which products draw attention now: counts that decay with time.
//!
//! A count halves every [`HALF_LIFE_MS`]. It is kept as its value at the time of the newest
//! event, so that adding an event takes one multiplication, and events may come in any order.

use std::hash::Hash;

use rustc_hash::FxHashMap;

/// Time in which a count halves, in milliseconds: one day. A product that sold well last
/// week counts for little against one that sells today.
pub const HALF_LIFE_MS: f64 = 86_400_000.0;
/// Smallest count that is kept. A purchase falls below it after twelve days.
const NOTHING: f64 = 1e-3;

/// Decayed counts by product.
#[derive(Debug, Clone)]
pub struct Trending<K> {
    counts: FxHashMap<K, Count>,
    /// Products that are kept; twice as many fit before the smallest counts are dropped.
    capacity: usize,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    /// The count at `at_ms`.
    value: f64,
    /// Time of the newest event, UTC milliseconds.
    at_ms: i64,
}

impl Count {
    fn at(self, now_ms: i64) -> f64 {
        self.value * decay(now_ms.saturating_sub(self.at_ms))
    }
}

/// The factor by which a count has shrunk after `elapsed_ms`; 1 for times that lie ahead.
fn decay(elapsed_ms: i64) -> f64 {
    (-(elapsed_ms.max(0) as f64) / HALF_LIFE_MS).exp2()
}

impl<K: Hash + Eq + Ord + Clone> Trending<K> {
    /// Creates counts for about `capacity` products, at least one.
    pub fn new(capacity: usize) -> Self {
        Self { counts: FxHashMap::default(), capacity: capacity.max(1) }
    }

    /// Adds an event of a product. `weight` says how much it counts, `at_ms` when it happened.
    pub fn add(&mut self, product: K, weight: f64, at_ms: i64) {
        let count = self.counts.entry(product).or_insert(Count { value: 0.0, at_ms });
        if at_ms > count.at_ms {
            *count = Count { value: count.at(at_ms) + weight, at_ms };
        } else {
            count.value += weight * decay(count.at_ms - at_ms);
        }
        if self.counts.len() > self.capacity.saturating_mul(2) {
            self.shrink();
        }
    }

    /// The products with the largest counts at `now_ms`, largest first. `keep` tells which
    /// products to consider.
    pub fn top(&self, now_ms: i64, limit: usize, keep: impl Fn(&K) -> bool) -> Vec<(K, f64)> {
        let counted = self.counts.iter().map(|(product, count)| (product, count.at(now_ms)));
        let mut kept: Vec<(&K, f64)> =
            counted.filter(|(product, count)| *count >= NOTHING && keep(product)).collect();
        let largest = |a: &(&K, f64), b: &(&K, f64)| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(b.0));
        if kept.len() > limit && limit > 0 {
            kept.select_nth_unstable_by(limit - 1, largest);
        }
        kept.truncate(limit);
        kept.sort_by(largest);
        kept.into_iter().map(|(product, count)| (product.clone(), count)).collect()
    }

    /// Keeps the products with the largest counts.
    fn shrink(&mut self) {
        let now_ms = self.counts.values().map(|count| count.at_ms).max().unwrap_or_default();
        let kept = self.top(now_ms, self.capacity, |_| true);
        let counts = kept.into_iter().map(|(k, value)| (k, Count { value, at_ms: now_ms }));
        self.counts = counts.collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = HALF_LIFE_MS as i64;

    #[test]
    fn counts_halve_in_a_day() {
        let mut trending = Trending::new(10);
        trending.add("old", 3.0, 0);
        trending.add("new", 1.0, 2 * DAY_MS);
        let top = trending.top(2 * DAY_MS, 10, |_| true);
        assert_eq!(top, [("new", 1.0), ("old", 0.75)]);
        assert_eq!(trending.top(0, 1, |_| true), [("old", 3.0)], "times ahead do not grow counts");
        assert_eq!(trending.top(2 * DAY_MS, 10, |id| *id == "old"), [("old", 0.75)]);
        assert!(trending.top(2 * DAY_MS, 0, |_| true).is_empty());
        assert!(trending.top(30 * DAY_MS, 10, |_| true).is_empty(), "forgotten");
    }

    #[test]
    fn the_order_of_events_does_not_matter() {
        let events: Vec<(u32, i64)> = (0..60).map(|n| (n % 7, i64::from(n * 17 % 50))).collect();
        let counted = |events: &mut dyn Iterator<Item = &(u32, i64)>| {
            let mut trending = Trending::new(100);
            events.for_each(|(id, hour)| trending.add(*id, 1.0, hour * DAY_MS / 24));
            trending.top(3 * DAY_MS, 100, |_| true)
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
        assert_eq!(trending.top(5_000, 1, |_| true)[0].0, 7_777);
    }
}
