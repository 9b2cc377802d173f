//! Ties of guests to users, as records carry them to both sessions.
//!
//! A guest and a user may live on different shards, whose records have no common order. A tie is
//! therefore two records: one of the user with all that goes over, one of the guest that lets go
//! of it. Each session follows from its own records alone, whichever was stored or replayed first.

use serde::{Deserialize, Serialize};

use crate::id::{ProductId, UserId};

/// What goes over from a guest's session to the user's.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Carried {
    /// Products in the cart with their quantities, in the order in which they were added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cart: Vec<(ProductId, u32)>,
    /// Viewed products with their times, UTC milliseconds, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub views: Vec<(ProductId, i64)>,
    /// Changes of the cart, oldest first: the product, whether it was put into the cart, and the
    /// time, UTC milliseconds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cart_changes: Vec<(ProductId, bool, i64)>,
    /// Texts of searches with their times, UTC milliseconds, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub searches: Vec<(String, i64)>,
    /// Purchases, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checkouts: Vec<CarriedCheckout>,
}

/// A purchase that goes over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarriedCheckout {
    /// The event's id, which is also the order's.
    pub event_id: String,
    /// When the server accepted it, UTC milliseconds.
    pub received_at_ms: i64,
    /// The products, in the order in which they were added.
    pub items: Vec<ProductId>,
}

impl Carried {
    /// Tells whether nothing goes over.
    pub fn is_empty(&self) -> bool {
        let Self { cart, views, cart_changes, searches, checkouts } = self;
        cart.is_empty()
            && views.is_empty()
            && cart_changes.is_empty()
            && searches.is_empty()
            && checkouts.is_empty()
    }
}

/// The guest's side of a tie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tied {
    /// The user to whom the guest is tied.
    pub user_id: UserId,
    /// The sequence number before which everything of the guest has gone over, in decimal.
    pub until: String,
}
