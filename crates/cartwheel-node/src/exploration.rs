//! What exploration cost: explored places against those that were not.

use std::collections::BTreeMap;

use cartwheel_lake::{FeedbackKey, Reactions};

/// Products shown from which on a place is compared with.
const ENOUGH: u64 = 100;

/// The figures of a place of a list.
#[derive(Default)]
struct Place {
    explored: Reactions,
    others: Reactions,
}

/// What exploration cost.
#[derive(Debug, Default)]
pub(crate) struct Cost {
    /// What followed from explored products.
    pub(crate) explored: Reactions,
    /// And from the others of placements that explored.
    pub(crate) others: Reactions,
    /// The products viewed that it cost, and the revenue.
    pub(crate) views: f64,
    pub(crate) revenue: f64,
    /// The explored products shown that could be compared.
    pub(crate) compared: u64,
}

/// The figures of a period by placement and position.
#[derive(Default)]
pub(crate) struct Places(BTreeMap<String, BTreeMap<u32, Place>>);

impl Places {
    pub(crate) fn add(&mut self, key: &FeedbackKey, row: &Reactions) {
        let place = self.0.entry(key.placement.clone()).or_default();
        let place = place.entry(key.position).or_default();
        let sum = if key.explored { &mut place.explored } else { &mut place.others };
        sum.add(row);
    }

    /// The figures of placements that explored, and the estimated cost. A place is compared with its
    /// own products that were not explored, or with those of the nearest place above.
    pub(crate) fn cost(&self) -> Cost {
        let mut cost = Cost::default();
        for places in self.0.values() {
            if places.values().all(|place| place.explored.sent == 0) {
                continue;
            }
            // What is known of the place, or of the nearest one above.
            let mut usual: Option<&Reactions> = None;
            for place in places.values() {
                cost.explored.add(&place.explored);
                cost.others.add(&place.others);
                usual = Some(&place.others).filter(|others| others.shown >= ENOUGH).or(usual);
                let Some(usual) = usual else { continue };
                let shown = place.explored.shown;
                let times = shown as f64 / usual.shown as f64;
                cost.compared += shown;
                cost.views += times * usual.viewed as f64 - place.explored.viewed as f64;
                cost.revenue += times * usual.revenue - place.explored.revenue;
            }
        }
        cost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(shown: u64, viewed: u64, revenue: f64) -> Reactions {
        Reactions { sent: shown, shown, viewed, revenue, ..Reactions::default() }
    }

    #[test]
    fn the_cost_is_against_the_place_or_the_nearest_one_above() {
        let mut places = Places::default();
        let mut add = |placement: &str, position, explored, row: Reactions| {
            let placement = placement.to_owned();
            let key = FeedbackKey { placement, position, explored, ..FeedbackKey::default() };
            places.add(&key, &row);
        };
        // Another placement explores nothing and counts for nothing.
        add("home", 0, false, row(1_000, 900, 1_000.0));
        add("cart", 0, false, row(1_000, 200, 100.0));
        add("cart", 1, false, row(200, 20, 50.0));
        // The same place on other days, and a place that was always explored.
        add("cart", 1, true, row(100, 4, 5.0));
        add("cart", 2, false, row(99, 99, 99.0));
        add("cart", 2, true, row(50, 10, 0.0));
        let found = places.cost();
        assert_eq!((found.explored.shown, found.others.shown, found.compared), (150, 1_299, 150));
        // 100 · 20/200 - 4, and 50 · 20/200 - 10.
        assert_eq!((found.views, found.revenue), (1.0, 32.5));
    }

    #[test]
    fn without_anything_to_compare_with_no_cost_is_estimated() {
        let mut places = Places::default();
        let key = FeedbackKey { explored: true, ..FeedbackKey::default() };
        places.add(&key, &row(500, 100, 9.0));
        let found = places.cost();
        assert_eq!((found.compared, found.views, found.revenue), (0, 0.0, 0.0));
    }
}
