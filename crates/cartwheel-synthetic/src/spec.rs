//! The size of a shop, what was written, and what can go wrong.

use std::io;
use std::path::PathBuf;

use serde::Serialize;

/// Minimum number of orders per user.
pub(crate) const MIN_ORDERS: u64 = 3;
/// Maximum number of orders per user.
const MAX_ORDERS: u64 = 100;

/// The size of the shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShopSpec {
    /// Number of users, 1 to 10,000,000.
    pub users: u32,
    /// Number of products, 100 to 100,000.
    pub products: u32,
    /// Number of orders of all users, 3 to 100 per user.
    pub orders: u64,
    /// Seed; the same seed writes the same shop.
    pub seed: u64,
}

impl Default for ShopSpec {
    fn default() -> Self {
        Self { users: 2_000, products: 2_000, orders: 30_000, seed: 1 }
    }
}

impl ShopSpec {
    /// Checks the ranges.
    pub(crate) fn check(&self) -> Result<(), GenerateError> {
        let bad = |text: String| Err(GenerateError::Spec(text));
        if !(1..=10_000_000).contains(&self.users) {
            return bad(format!("{} users are out of range: expected 1 to 10000000", self.users));
        }
        if !(100..=100_000).contains(&self.products) {
            return bad(format!(
                "{} products are out of range: expected 100 to 100000",
                self.products
            ));
        }
        let least = u64::from(self.users) * MIN_ORDERS;
        let most = u64::from(self.users) * MAX_ORDERS;
        if !(least..=most).contains(&self.orders) {
            return bad(format!(
                "{} orders are out of range: expected {least} to {most} for {} users",
                self.orders, self.users
            ));
        }
        Ok(())
    }
}

/// Counts of what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Users.
    pub users: u32,
    /// Products.
    pub products: u32,
    /// Orders.
    pub orders: u64,
    /// Order lines.
    pub lines: u64,
    /// Views, searches, changes of carts and returns; the Instacart schema has none.
    pub events: u64,
}

impl Summary {
    /// All users, products and orders, and nothing else yet.
    pub(crate) fn new(spec: &ShopSpec) -> Self {
        let ShopSpec { users, products, orders, .. } = *spec;
        Self { users, products, orders, lines: 0, events: 0 }
    }
}

/// Why the shop could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// A number is out of range.
    #[error("{0}")]
    Spec(String),
    /// A file cannot be written.
    #[error("cannot write {path}: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}
