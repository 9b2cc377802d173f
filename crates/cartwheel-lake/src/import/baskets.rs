//! The table `baskets`: purchases and returns whose customer is unknown.
//!
//! They count for popularity and for what is bought together, and belong to no user.

use std::io;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use cartwheel_events::Item;

use crate::delivery::encode::{ItemColumns, batch};

/// A purchase, or a return, of an unknown customer.
#[derive(Debug, Clone, PartialEq)]
pub struct Basket {
    /// The order's id.
    pub basket_id: String,
    /// Whether the products were given back, not bought.
    pub is_return: bool,
    /// The products, without repeats.
    pub items: Vec<Item>,
    /// The time of the order, UTC milliseconds.
    pub ordered_at_ms: i64,
}

/// The batch of baskets.
pub(super) fn baskets_batch(baskets: &[Basket]) -> io::Result<RecordBatch> {
    let mut items = ItemColumns::default();
    for basket in baskets {
        items.push(
            basket.items.iter().map(|item| (item.product_id.as_str(), item.quantity, item.price)),
        );
    }
    let [products, quantities, prices] = items.finish();
    let texts = |values: Vec<&str>| Arc::new(StringArray::from(values)) as ArrayRef;
    let kind = |basket: &Basket| if basket.is_return { "return" } else { "checkout" };
    let times = baskets.iter().map(|basket| basket.ordered_at_ms);
    batch(vec![
        ("basket_id", texts(baskets.iter().map(|basket| &*basket.basket_id).collect())),
        ("event", texts(baskets.iter().map(kind).collect())),
        ("product_ids", products),
        ("quantities", quantities),
        ("prices", prices),
        ("ordered_at_ms", Arc::new(Int64Array::from_iter_values(times))),
    ])
}
