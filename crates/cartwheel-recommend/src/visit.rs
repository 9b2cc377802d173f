//! Scores of products by what the user has just looked at.

use cartwheel_features::{Catalogue, Neighbour, Parameter, Source, UserState};

use crate::scored::Scored;

/// Touched products that candidates are scored by, the newest.
pub(crate) const TOUCHED: usize = 16;
/// Products from which a second step is followed.
const FIRST_STEPS: usize = 30;

/// Scores the products that relate to those that the user touched last.
pub(crate) fn score_visit(catalogue: &Catalogue, state: &UserState, scored: &mut Scored) {
    if catalogue.visits.is_empty() {
        return;
    }
    let related = &catalogue.visits.related;
    let touched = state.touched(TOUCHED);
    let back_weight = catalogue.parameters[Parameter::VisitBack] as f32;
    let mut weight = 1.0;
    for (back, &product) in touched.iter().rev().enumerate() {
        for next in related.follows.of(product) {
            let scores = &mut scored.of(next.product, Source::Visit).visit;
            scores.follow += weight * next.score;
            if back == 0 {
                scores.follow_last = next.score;
            }
        }
        for other in related.together.of(product) {
            let scores = &mut scored.of(other.product, Source::Visit).visit;
            scores.together += weight * other.score;
            scores.together_max = scores.together_max.max(other.score);
            if back == 0 {
                scores.together_last = other.score;
            }
        }
        for taken in related.leads_to.of(product) {
            scored.of(taken.product, Source::Visit).visit.leads_to += weight * taken.score;
        }
        weight *= back_weight;
    }
    let steps = scored.all().iter().filter(|c| c.visit.follow > 0.0);
    let steps = steps.map(|c| Neighbour { product: c.product, score: c.visit.follow });
    for step in Neighbour::best(steps.collect(), FIRST_STEPS) {
        for next in related.follows.of(step.product) {
            scored.of(next.product, Source::Visit).visit.follow_far += step.score * next.score;
        }
    }
    let most = catalogue.parameters[Parameter::NearestVisits] as usize;
    for near in catalogue.visits.nearest(&touched, most) {
        let scores = &mut scored.of(near.product, Source::Visit).visit;
        (scores.nearest, scores.nearest_close) = (near.score, near.close);
    }
}

/// What the user did with one product lately, and in all.
pub(crate) struct Seen {
    /// Number of the user's touches.
    pub touches: f32,
    /// Number of touched products.
    pub products: f32,
    /// Minutes since the newest touch; NaN if there is none or the time is unknown.
    pub minutes_since: f32,
    /// Touches of the product that was touched last.
    pub of_last: f32,
}

impl Seen {
    pub(crate) fn new(state: &UserState, at_ms: Option<i64>) -> Self {
        let touches = &state.touches;
        let mut products: Vec<u32> = touches.iter().map(|touch| touch.product).collect();
        let last = products.last().copied();
        let of_last = products.iter().filter(|&&product| Some(product) == last).count() as f32;
        products.sort_unstable();
        products.dedup();
        Self {
            touches: touches.len() as f32,
            products: products.len() as f32,
            minutes_since: minutes(state.last_touch_ms(), at_ms),
            of_last,
        }
    }
}

/// Minutes from one time to another, both in UTC milliseconds; NaN if one of them is unknown.
pub(crate) fn minutes(from_ms: Option<i64>, to_ms: Option<i64>) -> f32 {
    match (from_ms, to_ms) {
        (Some(from), Some(to)) => to.saturating_sub(from).max(0) as f32 / 60_000.0,
        _ => f32::NAN,
    }
}
