//! What a user does in the rest of a visit.

use cartwheel_feature_set::EventWeights;
use cartwheel_features::{Action, Touch, VISIT_GAP_MS};

/// The part of a user's timeline that the fold has not reached: touches and purchases, oldest
/// first.
pub(crate) struct Ahead<'a>(&'a [Touch]);

impl<'a> Ahead<'a> {
    /// Begins at the start of a timeline.
    pub(crate) fn new(timeline: &'a [Touch]) -> Self {
        Self(timeline)
    }

    /// Moves behind the next touch, and behind the purchases before it.
    pub(crate) fn pass_touch(&mut self) {
        let next = self.0.iter().position(|touch| touch.action != Action::Buy);
        self.0 = next.map_or(&[], |at| &self.0[at + 1..]);
    }

    /// The rest of the visit in which something happened at `now_ms`.
    pub(crate) fn rest(&self, now_ms: i64) -> &'a [Touch] {
        let mut last_ms = now_ms;
        let is_near = |touch: &&Touch| {
            let is_near = touch.at_ms.saturating_sub(last_ms) <= VISIT_GAP_MS;
            last_ms = touch.at_ms;
            is_near
        };
        &self.0[..self.0.iter().take_while(is_near).count()]
    }
}

/// The products of a visit's rest that count as positives, in the order in which they first
/// occur. A product counts if its number by `draw`, from 0 to below 1, is smaller than the weight of
/// its strongest event: out of many products, the weight's share.
pub(crate) fn positives(
    rest: &[Touch],
    weights: &EventWeights,
    draw: impl Fn(u32) -> f64,
) -> Vec<u32> {
    let mut strongest: Vec<(u32, f32)> = Vec::new();
    for touch in rest {
        let weight = match touch.action {
            Action::Buy => weights.purchase,
            Action::Add => weights.cart,
            Action::View => weights.click,
            Action::Remove => 0.0,
        };
        match strongest.iter_mut().find(|(product, _)| *product == touch.product) {
            Some((_, most)) => *most = most.max(weight),
            None => strongest.push((touch.product, weight)),
        }
    }
    strongest.retain(|(product, weight)| draw(*product) < f64::from(*weight));
    strongest.into_iter().map(|(product, _)| product).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE_MS: i64 = 60_000;

    fn touch(product: u32, action: Action, minute: i64) -> Touch {
        Touch { product, action, at_ms: minute * MINUTE_MS }
    }

    #[test]
    fn the_rest_of_a_visit_ends_after_half_an_hour_of_silence() {
        let timeline = [
            touch(1, Action::View, 0),
            touch(2, Action::View, 20),
            touch(1, Action::Buy, 45),
            touch(3, Action::View, 46),
            touch(4, Action::View, 90),
        ];
        let mut ahead = Ahead::new(&timeline);
        let mut rests = Vec::new();
        for minute in [0, 20, 46, 90] {
            ahead.pass_touch();
            let rest = ahead.rest(minute * MINUTE_MS);
            rests.push(rest.iter().map(|touch| touch.product).collect::<Vec<_>>());
        }
        assert_eq!(rests, [vec![2, 1, 3], vec![1, 3], vec![], vec![]]);
    }

    #[test]
    fn a_product_counts_by_its_strongest_event() {
        let rest = [
            touch(1, Action::View, 0),
            touch(2, Action::View, 1),
            touch(2, Action::Add, 2),
            touch(2, Action::View, 3),
            touch(3, Action::Add, 4),
            touch(3, Action::Buy, 5),
            touch(4, Action::Remove, 6),
        ];
        let weights = EventWeights { purchase: 1.0, cart: 0.3, click: 0.05 };
        let at = |drawn: f64| positives(&rest, &weights, |_| drawn);
        assert_eq!(at(0.0), [1, 2, 3]);
        assert_eq!(at(0.06), [2, 3], "a view counts in one of twenty draws");
        assert_eq!(at(0.29), [2, 3]);
        assert_eq!(at(0.31), [3]);
        assert_eq!(at(0.999_999), [3], "a purchase always counts");
    }
}
