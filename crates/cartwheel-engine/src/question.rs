//! Questions to the engine.

use cartwheel_events::{ProductId, UserId};
use cartwheel_sessions::Session;

/// A request for recommendations.
#[derive(Debug)]
pub struct Query<'a> {
    /// The shopper.
    pub user_id: &'a UserId,
    /// The shopper's session. `None` without activity in the last seven days.
    pub session: Option<&'a Session>,
    /// The shopper's record, when the release does not hold it.
    pub record: Option<StoredRecord<'a>>,
    /// A cart that overrides the session's.
    pub cart: Option<Vec<ProductId>>,
    /// Maximum number of products in the answer, 1 to 100.
    pub limit: usize,
    /// Restrictions on the answer.
    pub filters: Filters,
    /// Whether to report how each feature contributed.
    pub explain: bool,
    /// The current time, UTC milliseconds.
    pub now_ms: i64,
}

impl Query<'_> {
    /// The cart to rank for: the query's own if it has one, otherwise the session's.
    pub fn cart_products(&self) -> Vec<ProductId> {
        match (&self.cart, self.session) {
            (Some(cart), _) => cart.clone(),
            (None, Some(session)) => session.cart_products(),
            (None, None) => Vec::new(),
        }
    }
}

/// A shopper's record that was read before the query.
#[derive(Debug, Clone, Copy)]
pub struct StoredRecord<'a> {
    /// The feature set that the record belongs to.
    pub feature_set: &'a str,
    /// The encoded `UserState`. `None` if the feature set has no such user.
    pub bytes: Option<&'a [u8]>,
}

/// Restrictions on an answer. An empty list restricts nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filters {
    /// Only these departments, by name.
    pub departments: Vec<String>,
    /// Only these aisles, by name.
    pub aisles: Vec<String>,
    /// None of these products.
    pub exclude_products: Vec<ProductId>,
    /// No product that the shopper has bought before.
    pub exclude_purchased: bool,
    /// Only products in stock.
    pub in_stock_only: bool,
}

/// A search of the catalogue. The default matches every product.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProductSearch {
    /// Words of the name, or the id.
    pub text: Option<String>,
    /// Only this department, by name.
    pub department: Option<String>,
    /// Only this aisle, by name.
    pub aisle: Option<String>,
}
