//! How much of a list goes to products that are new to the customer.

use cartwheel_features::UserState;

/// The least share of a list that goes to products which the customer has not bought, 0 to 1.
///
/// Of the first `k` products of an answer, at least `k` times the share, rounded down, are new to
/// the customer; apart from that, products come in the order of their probabilities. At 0 the
/// answer is that order, at 1 it has only new products.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Discovery(f32);

impl Discovery {
    /// The order of the probabilities.
    pub const NONE: Self = Self(0.0);
    /// New products only.
    pub const ALL: Self = Self(1.0);

    /// Takes a share, which is limited to 0 to 1.
    pub fn new(share: f32) -> Self {
        Self(if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) })
    }

    /// Whether there is any demand for new products.
    pub fn is_wanted(self) -> bool {
        self > Self::NONE
    }

    /// Whether an answer may hold a product.
    pub fn admits(self, state: &UserState, product: u32) -> bool {
        self < Self::ALL || state.product(product).is_none()
    }

    /// Rearranges a list that is in the order of the probabilities. `is_new` tells of its entries
    /// whether the customer has not bought them.
    pub fn arrange<T>(self, ranked: Vec<T>, is_new: impl Fn(&T) -> bool) -> Vec<T> {
        if !self.is_wanted() {
            return ranked;
        }
        let (mut new, mut known): (Vec<_>, Vec<_>) =
            ranked.into_iter().enumerate().partition(|(_, entry)| is_new(entry));
        new.reverse();
        known.reverse();
        let mut out = Vec::with_capacity(new.len() + known.len());
        let mut shown = 0;
        loop {
            let due = (f64::from(self.0) * (out.len() + 1) as f64).floor() as usize;
            let new_is_next = match (new.last(), known.last()) {
                (None, None) => return out,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (Some((new_place, _)), Some((place, _))) => shown < due || new_place < place,
            };
            shown += usize::from(new_is_next);
            let next = if new_is_next { new.pop() } else { known.pop() };
            out.extend(next.map(|(_, entry)| entry));
        }
    }
}

#[cfg(test)]
mod tests {
    use cartwheel_features::{Event, Line, Order};

    use super::*;

    /// Products 0 to 9 by probability, of which the user has bought the first six.
    fn arranged(share: f32) -> Vec<u32> {
        let line = |product| Line { product, position: 1, reordered: None };
        let mut state = UserState::default();
        let lines = (0..6).map(line).collect();
        state.apply(Event::Order(&Order { number: 1, lines, ..Order::default() }));
        let discovery = Discovery::new(share);
        let shown = (0..10).filter(|&product| discovery.admits(&state, product));
        discovery.arrange(shown.collect(), |&product| state.product(product).is_none())
    }

    #[test]
    fn the_share_of_new_products_grows_with_the_setting() {
        assert_eq!(arranged(0.0), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(arranged(0.3), [0, 1, 2, 6, 3, 4, 7, 5, 8, 9]);
        assert_eq!(arranged(0.5), [0, 6, 1, 7, 2, 8, 3, 9, 4, 5]);
        assert_eq!(arranged(1.0), [6, 7, 8, 9]);
        assert_eq!(arranged(f32::NAN), arranged(0.0));
        let new_in_four = |share| arranged(share)[..4].iter().filter(|&&p| p > 5).count();
        let counts: Vec<usize> = (0..=20).map(|n| new_in_four(n as f32 / 20.0)).collect();
        assert!(counts.is_sorted(), "{counts:?}");
    }
}
