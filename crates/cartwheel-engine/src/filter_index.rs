//! An index of the catalogue for filter expressions, kept beside the catalogue.
//!
//! The first request with an expression starts to build the index of its catalogue, and later ones
//! select from it. A product that has changed since is decided on by itself, and so are all of
//! them while there is no index: a change is in effect at once, and nobody waits for an index. When
//! many products have changed, another one is built.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use cartwheel_filter::{Condition, Index};
use parking_lot::{Mutex, RwLock};
use roaring::RoaringBitmap;
use rustc_hash::FxHashMap;

use crate::overlay::Overlay;
use crate::release::Opened;

/// Changed products from which on another index is built.
const MAX_CHANGED: u64 = 2_000;
/// Most selections that are kept: of a million products they take 32 MB.
const MAX_SELECTIONS: usize = 256;

/// The newest index. Copies share it.
#[derive(Clone, Default)]
pub(crate) struct FilterIndex(Arc<State>);

#[derive(Default)]
struct State {
    indexed: RwLock<Option<Arc<Indexed>>>,
    is_building: AtomicBool,
}

/// The index of a release and of a version of the live catalogue.
struct Indexed {
    opened: Weak<Opened>,
    overlay: Arc<Overlay>,
    index: Index,
    selections: Mutex<Selections>,
    /// The products that have changed until a version of the live catalogue.
    changed: Mutex<(u64, Arc<RoaringBitmap>)>,
}

/// The products that fulfil a condition, as of an index.
pub(crate) struct Selected {
    found: Arc<RoaringBitmap>,
    changed: Arc<RoaringBitmap>,
}

impl Selected {
    /// Whether a product fulfils the condition; `None` if it has to be decided on by itself.
    pub(crate) fn contains(&self, product: u32) -> Option<bool> {
        (!self.changed.contains(product)).then(|| self.found.contains(product))
    }
}

/// A release with a version of the live catalogue.
#[derive(Clone)]
pub(crate) struct Edition {
    pub(crate) opened: Arc<Opened>,
    pub(crate) overlay: Arc<Overlay>,
}

impl FilterIndex {
    /// Selects the products of an edition that fulfil a condition at `now_ms`, UTC milliseconds.
    /// `None` while there is no index of its release; one is then being built by `build`.
    pub(crate) fn select(
        &self,
        edition: Edition,
        condition: &Condition,
        now_ms: i64,
        build: impl FnOnce() -> Index + Send + 'static,
    ) -> Option<Selected> {
        let indexed = self.0.indexed.read().clone();
        let indexed = indexed.filter(|i| std::ptr::eq(i.opened.as_ptr(), &*edition.opened));
        let Some(indexed) = indexed else {
            self.build_aside(edition, build);
            return None;
        };
        let changed = indexed.changed_in(&edition.overlay);
        if changed.len() > MAX_CHANGED {
            self.build_aside(edition, build);
        }
        Some(Selected { found: indexed.select(condition, now_ms), changed })
    }

    /// Builds an index in the background, unless one is being built.
    fn build_aside(&self, edition: Edition, build: impl FnOnce() -> Index + Send + 'static) {
        if self.0.is_building.swap(true, Ordering::AcqRel) {
            return;
        }
        let (index, building) = (self.clone(), Building(self.clone()));
        let build = move || {
            let _building = building;
            index.put(&edition, build());
        };
        if let Err(error) = std::thread::Builder::new().name("filter-index".into()).spawn(build) {
            tracing::warn!(%error, "cannot build the index of filters; filters are slower");
        }
    }

    /// Uses the index of an edition from now on.
    pub(crate) fn put(&self, edition: &Edition, index: Index) {
        let indexed = Indexed {
            opened: Arc::downgrade(&edition.opened),
            overlay: edition.overlay.clone(),
            index,
            selections: Mutex::default(),
            changed: Mutex::new((edition.overlay.version(), Arc::default())),
        };
        *self.0.indexed.write() = Some(Arc::new(indexed));
    }
}

/// Lets the next index be built once this one is, or has failed.
struct Building(FilterIndex);

impl Drop for Building {
    fn drop(&mut self) {
        self.0.0.is_building.store(false, Ordering::Release);
    }
}

impl Indexed {
    /// The products that have changed since the index was built.
    fn changed_in(&self, overlay: &Overlay) -> Arc<RoaringBitmap> {
        let mut changed = self.changed.lock();
        let version = overlay.version();
        if changed.0 != version {
            let products = overlay.changed_since(&self.overlay).into_iter().collect();
            *changed = (version, Arc::new(products));
        }
        changed.1.clone()
    }

    fn select(&self, condition: &Condition, now_ms: i64) -> Arc<RoaringBitmap> {
        let select = || Arc::new(condition.select(&self.index, now_ms));
        if condition.depends_on_time() {
            return select();
        }
        let key = condition.to_string();
        if let Some(found) = self.selections.lock().get(&key) {
            return found;
        }
        let found = select();
        self.selections.lock().put(key, found.clone());
        found
    }
}

/// The selections that were used last, by their condition.
#[derive(Default)]
struct Selections {
    uses: u64,
    /// Each with the number of its last use.
    by_condition: FxHashMap<String, (u64, Arc<RoaringBitmap>)>,
}

impl Selections {
    fn get(&mut self, condition: &str) -> Option<Arc<RoaringBitmap>> {
        self.uses += 1;
        let (used, found) = self.by_condition.get_mut(condition)?;
        *used = self.uses;
        Some(found.clone())
    }

    fn put(&mut self, condition: String, found: Arc<RoaringBitmap>) {
        if self.by_condition.len() >= MAX_SELECTIONS {
            let oldest = self.by_condition.iter().min_by_key(|(_, (used, _))| *used);
            if let Some(oldest) = oldest.map(|(condition, _)| condition.clone()) {
                self.by_condition.remove(&oldest);
            }
        }
        self.by_condition.insert(condition, (self.uses, found));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selections_that_were_used_last_are_kept() {
        let mut selections = Selections::default();
        let most = MAX_SELECTIONS as u32;
        for number in 0..=most {
            // The first one is asked for again and again.
            let _ = selections.get("0");
            let found: RoaringBitmap = [number].into_iter().collect();
            selections.put(number.to_string(), Arc::new(found));
        }
        assert_eq!(selections.by_condition.len(), MAX_SELECTIONS);
        let found = |selections: &mut Selections, n: u32| {
            selections.get(&n.to_string()).map(|found| found.contains(n))
        };
        assert_eq!(found(&mut selections, 0), Some(true));
        assert_eq!(found(&mut selections, 1), None);
        assert_eq!(found(&mut selections, most), Some(true));
    }
}
