//! What a user does with products besides buying them.

use serde::{Deserialize, Serialize};

/// Touches that a state keeps, the newest.
pub const MAX_TOUCHES: usize = 64;
/// A visit ends when nothing happens for this long, in milliseconds: the half hour of web analytics.
pub const VISIT_GAP_MS: i64 = 30 * 60_000;

/// A user's action on a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Action {
    /// Looked at it.
    View = 0,
    /// Put it into the cart.
    Add = 1,
    /// Took it out of the cart.
    Remove = 2,
    /// Bought it. A purchase is an [`Order`](crate::Order); only a recorded visit has it as an
    /// action.
    Buy = 3,
}

impl Action {
    /// The action with a number, if there is one.
    pub fn from_number(number: u8) -> Option<Self> {
        [Self::View, Self::Add, Self::Remove, Self::Buy].into_iter().find(|a| *a as u8 == number)
    }
}

/// An action of a user on a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touch {
    /// Catalogue index of the product.
    pub product: u32,
    /// What the user did.
    pub action: Action,
    /// When, UTC milliseconds.
    pub at_ms: i64,
}

/// Splits touches, oldest first, into visits.
pub fn visits(touches: &[Touch]) -> impl Iterator<Item = &[Touch]> {
    touches.chunk_by(|a, b| b.at_ms.saturating_sub(a.at_ms) <= VISIT_GAP_MS)
}

/// The products in the cart after some touches, oldest first.
pub fn cart_of(touches: &[Touch]) -> Vec<u32> {
    let mut cart = Vec::new();
    for touch in touches {
        match touch.action {
            Action::Add if !cart.contains(&touch.product) => cart.push(touch.product),
            Action::Remove | Action::Buy => cart.retain(|&product| product != touch.product),
            Action::Add | Action::View => {}
        }
    }
    cart
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(product: u32, action: Action, minute: i64) -> Touch {
        Touch { product, action, at_ms: minute * 60_000 }
    }

    #[test]
    fn half_an_hour_of_silence_ends_a_visit() {
        let touches = [0, 10, 40, 71, 72].map(|minute| touch(1, Action::View, minute));
        let lengths: Vec<usize> = visits(&touches).map(<[Touch]>::len).collect();
        assert_eq!(lengths, [3, 2]);
        assert_eq!(visits(&[]).count(), 0);
    }

    #[test]
    fn the_cart_follows_from_the_actions() {
        let actions = [
            touch(1, Action::View, 0),
            touch(1, Action::Add, 1),
            touch(2, Action::Add, 2),
            touch(1, Action::Add, 3),
            touch(3, Action::Remove, 4),
            touch(2, Action::Remove, 5),
        ];
        assert_eq!(cart_of(&actions), [1]);
        assert_eq!(cart_of(&actions[..3]), [1, 2]);
    }
}
