//! What was just bought is not wanted again yet.
//!
//! This is for a page that somebody looks at. A question about an order that is being placed, as in
//! training and evaluation, does not ask it: an order on the same day often completes or repeats the
//! one before.

use cartwheel_features::{Context, UserState};

/// Whether a user may want a product at the moment of `context`: unless it was bought on the same
/// day, or the user buys it more than once a day on average.
pub fn is_due(state: &UserState, context: &Context, product: u32) -> bool {
    let (Some(own), Some(since)) = (state.product(product), context.days_since_prior) else {
        return true;
    };
    let days = state.days + since - own.last_day;
    let gaps = own.orders.saturating_sub(1) as f32;
    days >= 1.0 || (gaps > 0.0 && own.last_day - own.first_day < gaps)
}

/// Moves the entries of a list that are not due behind the others. They stay in it: a small shop
/// may have nothing else to show.
pub fn due_first<T>(ranked: Vec<T>, is_due: impl Fn(&T) -> bool) -> Vec<T> {
    let (mut due, others): (Vec<T>, Vec<T>) = ranked.into_iter().partition(is_due);
    due.extend(others);
    due
}

#[cfg(test)]
mod tests {
    use cartwheel_features::{Event, Line, Order};

    use super::*;

    fn bought(days: &[f32]) -> UserState {
        let mut state = UserState::default();
        for (number, &days) in (1..).zip(days) {
            let lines = vec![Line { product: 7, position: 1, reordered: None }];
            let context = Context { days_since_prior: Some(days), ..Context::default() };
            state.apply(Event::Order(&Order { number, context, lines }));
        }
        state
    }

    fn after(days: Option<f32>) -> Context {
        Context { days_since_prior: days, ..Context::default() }
    }

    #[test]
    fn a_product_is_due_on_the_next_day_or_for_a_user_who_buys_it_twice_a_day() {
        let weekly = bought(&[0.0, 7.0]);
        assert!(!is_due(&weekly, &after(Some(0.0)), 7));
        assert!(is_due(&weekly, &after(Some(1.0)), 7));
        assert!(is_due(&weekly, &after(None), 7), "the time since is unknown");
        assert!(is_due(&weekly, &after(Some(0.0)), 8), "never bought");
        assert!(!is_due(&bought(&[0.0]), &after(Some(0.0)), 7));
        assert!(is_due(&bought(&[0.0, 0.0, 1.0, 0.0]), &after(Some(0.0)), 7));
    }

    #[test]
    fn what_is_not_due_comes_last() {
        assert_eq!(due_first(vec![3, 8, 1, 9], |entry| *entry > 2), [3, 8, 9, 1]);
    }
}
