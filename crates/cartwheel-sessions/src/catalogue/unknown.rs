//! Products that only events name.

use std::collections::BTreeMap;

use cartwheel_events::ProductId;
use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};

/// Most unknown products that are counted one by one.
pub const MAX_UNKNOWN: usize = 10_000;

/// How often events named a product that the catalogue does not contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnknownProduct {
    /// Events that name it.
    pub events: u64,
    /// When the first of them was accepted, UTC milliseconds.
    pub first_ms: i64,
    /// When the last of them was accepted, UTC milliseconds.
    pub last_ms: i64,
}

/// Counts unknown products, at most [`MAX_UNKNOWN`] of them. Later ones are not counted until
/// earlier ones are named or ignored.
#[derive(Debug, Default)]
pub(crate) struct UnknownProducts {
    counts: BTreeMap<ProductId, UnknownProduct>,
    /// Products whose count is not written yet, also those that were removed.
    dirty: FxHashSet<ProductId>,
}

impl UnknownProducts {
    pub(crate) fn new(counts: BTreeMap<ProductId, UnknownProduct>) -> Self {
        Self { counts, dirty: FxHashSet::default() }
    }

    pub(crate) fn counts(&self) -> &BTreeMap<ProductId, UnknownProduct> {
        &self.counts
    }

    /// Counts an event that was accepted at `now_ms`, UTC milliseconds, and names a product.
    pub(crate) fn count(&mut self, id: &ProductId, now_ms: i64) {
        if let Some(count) = self.counts.get_mut(id) {
            count.events += 1;
            count.first_ms = count.first_ms.min(now_ms);
            count.last_ms = count.last_ms.max(now_ms);
        } else if self.counts.len() < MAX_UNKNOWN {
            let first = UnknownProduct { events: 1, first_ms: now_ms, last_ms: now_ms };
            self.counts.insert(id.clone(), first);
        } else {
            return;
        }
        self.dirty.insert(id.clone());
    }

    /// Forgets a product that was named or ignored.
    pub(crate) fn remove(&mut self, id: &ProductId) {
        if self.counts.remove(id).is_some() {
            self.dirty.insert(id.clone());
        }
    }

    /// Takes the unwritten counts; `None` for a product that was removed.
    pub(crate) fn take_dirty(&mut self) -> Vec<(ProductId, Option<UnknownProduct>)> {
        let dirty = std::mem::take(&mut self.dirty);
        dirty.into_iter().map(|id| (id.clone(), self.counts.get(&id).copied())).collect()
    }

    /// Marks counts as unwritten again.
    pub(crate) fn mark_dirty(&mut self, ids: impl IntoIterator<Item = ProductId>) {
        self.dirty.extend(ids);
    }
}
