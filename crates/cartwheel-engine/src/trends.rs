//! What shoppers turn to now: decayed counts of the events of the stream.
//!
//! The counts live in memory only. After a start they are made again from the records that
//! the stream keeps.

use std::sync::Arc;

use cartwheel_events::{EventKind, EventRecord, ProductId};
use cartwheel_recommend::Trending;
use parking_lot::RwLock;

/// Products that are counted.
const CAPACITY: usize = 10_000;

/// Decayed counts by product. Copies share them.
#[derive(Debug, Clone)]
pub struct Trends(Arc<RwLock<Trending<ProductId>>>);

impl Default for Trends {
    fn default() -> Self {
        Self(Arc::new(RwLock::new(Trending::new(CAPACITY))))
    }
}

impl Trends {
    /// Counts an event. It counts for nothing if it says nothing about demand.
    pub fn add(&self, event: &EventRecord) {
        if let Some(weight) = weight(event.event) {
            let mut counts = self.0.write();
            for product in &event.product_ids {
                counts.add(product.clone(), weight, event.received_at_ms);
            }
        }
    }

    /// The products that `keep` accepts with their counts at `now_ms`, largest first.
    pub(crate) fn top(
        &self,
        now_ms: i64,
        limit: usize,
        keep: impl Fn(&ProductId) -> bool,
    ) -> Vec<(ProductId, f64)> {
        self.0.read().top(now_ms, limit, keep)
    }

    /// Forgets every event, before all are counted again.
    pub fn clear(&self) {
        *self.0.write() = Trending::new(CAPACITY);
    }
}

/// How much an event counts for each of its products.
fn weight(event: EventKind) -> Option<f64> {
    match event {
        EventKind::View => Some(1.0),
        EventKind::AddToCart => Some(3.0),
        EventKind::Checkout => Some(5.0),
        _ => None,
    }
}
