//! Rows of the users' histories, as the fold takes them.

use cartwheel_features::{Action, Search};

/// The role of an order in the imported data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EvalSet {
    Prior,
    Train,
    Test,
}

/// An order without its lines.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OrderRow {
    /// Hash of the user id. Only a row of a partition has it.
    pub hash: u64,
    /// Only a row of a partition has it.
    pub user_id: String,
    /// Number of the order in the user's history, from 1.
    pub number: u32,
    pub eval_set: EvalSet,
    /// Local weekday, 0 = Sunday.
    pub dow: Option<u8>,
    /// Local hour.
    pub hour: Option<u8>,
    /// Days since the user's previous order.
    pub days: Option<f32>,
    /// When the order was placed, UTC milliseconds.
    pub at_ms: Option<i64>,
}

/// A line of an order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct LineRow {
    /// Hash of the user id. Only a row of a partition has it.
    pub hash: u64,
    /// Number of the order in the user's history.
    pub number: u32,
    /// Place of the product in the cart, from 1.
    pub position: u32,
    /// Catalogue index of the product.
    pub product: u32,
    /// Whether the user had bought the product before.
    pub reordered: Option<bool>,
}

impl LineRow {
    /// Its place in the order of the fold: user, order, position and product, the first three as one
    /// number, since most comparisons end there.
    pub(crate) fn place(&self) -> (u128, u32) {
        let order = u64::from(self.number) << 32 | u64::from(self.position);
        (u128::from(self.hash) << 64 | u128::from(order), self.product)
    }
}

/// A checkout, or the return of bought products.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CheckoutRow {
    /// Hash of the user id. Only a row of a partition has it.
    pub hash: u64,
    /// Only a row of a partition has it.
    pub user_id: String,
    /// When the server accepted it, UTC milliseconds.
    pub at_ms: i64,
    pub event_id: String,
    /// Catalogue indices, in the order in which the products were added.
    pub products: Vec<u32>,
    /// Number of pieces, parallel to `products`.
    pub pieces: Vec<u32>,
    /// Whether the products were given back, not bought.
    pub is_return: bool,
}

/// What a user did with a product besides buying it. The order of the fields is that of the fold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TouchRow {
    /// Hash of the user id. Only a row of a partition has it.
    pub hash: u64,
    /// When the server accepted it, UTC milliseconds.
    pub at_ms: i64,
    /// Hash of the event's id.
    pub event: u64,
    /// Place of the product in the event.
    pub place: u32,
    /// Catalogue index of the product.
    pub product: u32,
    /// What the user did.
    pub action: Action,
    /// Only a row of a partition has it.
    pub user_id: String,
}

/// A search. The order of the fields is that of the fold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SearchRow {
    /// Hash of the user id. Only a row of a partition has it.
    pub hash: u64,
    /// Its words and when the server accepted it.
    pub search: Search,
    /// Hash of the event's id.
    pub event: u64,
    /// Only a row of a partition has it.
    pub user_id: String,
}

/// Splits the rows that match off the front of a sorted slice.
pub(crate) fn split<'a, T>(rows: &mut &'a [T], matches: impl Fn(&T) -> bool) -> &'a [T] {
    let (head, tail) = rows.split_at(rows.partition_point(matches));
    *rows = tail;
    head
}

/// A purchase of an unknown customer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BasketRow {
    /// Hash of the purchase's id. Only a row of a partition has it.
    pub hash: u64,
    /// The time of the purchase, UTC milliseconds.
    pub at_ms: i64,
    /// Catalogue indices.
    pub products: Vec<u32>,
}

/// Rows of one or more users.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub orders: Vec<OrderRow>,
    pub lines: Vec<LineRow>,
    pub checkouts: Vec<CheckoutRow>,
    pub touches: Vec<TouchRow>,
    pub searches: Vec<SearchRow>,
    pub baskets: Vec<BasketRow>,
}

impl Rows {
    /// Whether there is no row of a user.
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty() && !self.tell_of_user()
    }

    /// Whether there is a history of a user. Lines without an order make none.
    pub(crate) fn tell_of_user(&self) -> bool {
        let Self { orders, lines: _, checkouts, touches, searches, baskets: _ } = self;
        !(orders.is_empty() && checkouts.is_empty() && touches.is_empty() && searches.is_empty())
    }
}
