//! A shopper's orders as rows of the Instacart schema.

use std::fmt::Write;

use crate::shopper::History;

/// Header of orders.csv.
pub(crate) const ORDERS: &str = "order_id,user_id,eval_set,order_number,order_dow,\
                                 order_hour_of_day,days_since_prior_order\n";
/// Header of order_products.csv.
pub(crate) const LINES: &str = "order_id,product_id,add_to_cart_order,reordered\n";
/// The longest gap that the schema knows, in days.
const MAX_GAP: u32 = 30;

/// The rows of one shopper.
pub(crate) struct OrderRows {
    /// Rows of orders.csv.
    pub orders: String,
    /// Rows of order_products.csv.
    pub lines: String,
    /// Number of rows in `lines`.
    pub line_count: u64,
}

impl OrderRows {
    /// The rows of a shopper whose order ids start at `first_order`.
    pub(crate) fn new(history: &History, first_order: u64) -> Self {
        let mut rows = Self { orders: String::new(), lines: String::new(), line_count: 0 };
        let mut bought: Vec<u32> = Vec::new();
        let last = history.orders.len();
        for (order_id, (number, order)) in (first_order..).zip((1..).zip(&history.orders)) {
            let set = match (number == last, history.is_test) {
                (true, true) => "test",
                (true, false) => "train",
                _ => "prior",
            };
            let gap = order.gap.map_or(String::new(), |gap| format!("{}.0", gap.min(MAX_GAP)));
            // Writing to a string cannot fail.
            let _ = writeln!(
                rows.orders,
                "{order_id},{},{set},{number},{},{},{gap}",
                history.user + 1,
                order.dow,
                order.hour,
            );
            for (place, pick) in (1..).zip(&order.basket) {
                let found = bought.binary_search(&pick.product);
                if let Err(place) = found {
                    bought.insert(place, pick.product);
                }
                let flag = u8::from(found.is_ok());
                let _ = writeln!(rows.lines, "{order_id},{},{place},{flag}", pick.product + 1);
                rows.line_count += 1;
            }
        }
        rows
    }
}
