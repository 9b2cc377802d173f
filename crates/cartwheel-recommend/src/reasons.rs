//! Reasons for a recommendation, as text.

use cartwheel_features::{Catalogue, UserState};

use crate::candidate::{Candidate, Source};

/// Returns one to three reasons, the strongest first. `name` gives the name of a product.
pub fn reasons<'a>(
    catalogue: &Catalogue,
    state: &UserState,
    candidate: &Candidate,
    name: impl Fn(u32) -> &'a str,
) -> Vec<String> {
    let mut reasons = Vec::new();
    if let Some(up) = state.product(candidate.product) {
        let gap = (up.last_day - up.first_day) / (up.orders.max(2) - 1) as f32;
        if up.orders > 2 && gap >= 1.5 {
            reasons.push(format!("You buy this every {gap:.0} days"));
        }
        let orders = if state.applied == 1 { "order" } else { "orders" };
        reasons.push(format!("In {} of your {} {orders}", up.orders, state.applied));
    }
    if candidate.source == Source::Seen {
        reasons.push("You looked at it".to_owned());
    }
    if let Some(held) = candidate.cart_best {
        reasons.push(format!("Goes with {}", name(held)));
    }
    if let (true, Some(best)) = (reasons.is_empty(), candidate.taste_best) {
        reasons.push(format!("Often bought with {}, which you buy", name(best.product)));
    }
    if reasons.is_empty() && candidate.source == Source::Visit {
        reasons.push("Others turned to it after what you looked at".to_owned());
    }
    if reasons.is_empty() && candidate.source == Source::Next {
        reasons.push("Bought next by customers who buy what you buy".to_owned());
    }
    if reasons.is_empty() {
        let stats = catalogue.get(candidate.product).map_or(0, |p| p.stats.orders);
        let share = 100.0 * stats as f32 / catalogue.orders.max(1) as f32;
        let popular = format!("Popular: in {share:.1} % of all orders");
        reasons.push(if stats > 0 { popular } else { "New in the shop".to_owned() });
    }
    reasons
}
