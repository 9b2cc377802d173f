//! Orders after the end of a set: the first of each user judges a model of the set.

use cartwheel_features::{Example, Order, UserState};
use rustc_hash::FxHashSet;

/// The example of an order, from what was known when the set ended. Nothing is known of the cart.
pub(crate) fn example(user_id: &str, state: &UserState, order: &Order) -> Example {
    let mut basket: Vec<u32> = order.lines.iter().map(|line| line.product).collect();
    let mut seen = FxHashSet::default();
    basket.retain(|product| seen.insert(*product));
    Example {
        user_id: user_id.to_owned(),
        order_number: order.number,
        state: state.clone(),
        context: order.context,
        cart: None,
        basket,
    }
}
