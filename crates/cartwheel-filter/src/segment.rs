//! Conditions on who asks.

use std::fmt;

use crate::ast::Node;
use crate::bind::{Shopper, bind};
use crate::check::Request;
use crate::context::Context;
use crate::error::FilterError;
use crate::evaluate::value;
use crate::item::Item;

/// A condition on the shopper, the cart and the context of a request, such as
/// `user.orders > 3 and context.country = "DE"`. It is checked before there is a request: a value
/// that the request does not give is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    root: Node,
}

impl Segment {
    /// Reads a text of at most [`MAX_LENGTH`](crate::MAX_LENGTH) characters.
    ///
    /// # Errors
    /// As [`Expression::parse`](crate::Expression::parse), and a field of a product.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let request = Request { context: None, has_shopper: true, has_products: false };
        request.read(text).map(|root| Self { root })
    }

    /// Whether a shopper belongs to it.
    pub fn holds(&self, shopper: &Shopper<'_>, context: &Context) -> bool {
        let bound = bind(&self.root, shopper, context);
        value(&bound, &Item::unknown(""), 0).is_true()
    }
}

impl fmt::Display for Segment {
    /// Writes a text that is read as the same condition.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn holds(text: &str, orders: u32, context: Value) -> bool {
        let Value::Object(values) = context else { unreachable!() };
        let shopper = Shopper { is_guest: orders == 0, orders, cart: Vec::new() };
        Segment::parse(text).unwrap().holds(&shopper, &Context::from_json(values).unwrap())
    }

    #[test]
    fn a_segment_knows_the_shopper_and_whatever_the_request_gives() {
        assert!(holds("user.orders > 2", 3, json!({})));
        assert!(!holds("user.orders > 2", 2, json!({})));
        assert!(holds("user.is_guest and cart.size = 0", 0, json!({})));
        let german = "context.country = 'DE' or 'club' in context.cards";
        assert!(holds(german, 1, json!({"country": "DE"})));
        assert!(holds(german, 1, json!({"country": "AT", "cards": ["club"]})));
        assert!(!holds(german, 1, json!({})));
        assert!(!holds(german, 1, json!({"country": 3, "cards": true})), "of other kinds");
        assert!(holds("not has(context.country)", 1, json!({})));
        let written = Segment::parse(german).unwrap().to_string();
        assert_eq!(Segment::parse(&written).unwrap().to_string(), written);
    }

    #[test]
    fn fields_of_products_are_refused_at_their_place() {
        let error = Segment::parse("user.orders > 0 and price < 3").unwrap_err();
        assert_eq!(error.position(), 21);
        assert!(error.to_string().contains("price belongs to a product"), "{error}");
        assert_eq!(error.expected(), "names of `user`, `cart` and `context`");
        assert_eq!(Segment::parse("user.order > 0").unwrap_err().suggestion(), Some("user.orders"));
        assert!(Segment::parse("cart.size").is_err(), "a number is no condition");
    }
}
