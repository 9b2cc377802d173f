//! An index of the catalogue for filter expressions and for products that are alike, kept beside the
//! catalogue.
//!
//! The first request with an expression starts to build the index of its catalogue, and later ones
//! select from it. A product that has changed since is decided on by itself, and so are all of
//! them while there is no index: a change is in effect at once, and nobody waits for an index. When
//! many products have changed, another one is built.

use std::borrow::Borrow;
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use cartwheel_filter::{Condition, Index};
use parking_lot::{Mutex, RwLock};
use roaring::RoaringBitmap;
use rustc_hash::FxHashMap;

use crate::alike::Alike;
use crate::overlay::Overlay;
use crate::release::Opened;

/// Changed products from which on another index is built.
const MAX_CHANGED: u64 = 2_000;
/// Most selections that are kept: of a million products they take 32 MB.
const MAX_SELECTIONS: usize = 256;
/// Most products whose list of those alike is kept, of some 10 kB each.
const MAX_ALIKE: usize = 2_048;

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
    selections: Mutex<Recent<String, RoaringBitmap>>,
    alike: Mutex<AlikeLists>,
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

    /// All products that may fulfil the condition.
    pub(crate) fn possible(&self) -> impl Iterator<Item = u32> {
        (&*self.found | &*self.changed).into_iter()
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
        let (indexed, changed) = self.current(edition, build)?;
        Some(Selected { found: indexed.select(condition, now_ms), changed })
    }

    /// What a product of an edition is alike to, from `make` unless it is kept. Nothing is kept while
    /// there is no index of its release; one is then being built by `build`.
    pub(crate) fn alike(
        &self,
        edition: Edition,
        product: u32,
        make: impl FnOnce() -> Alike,
        build: impl FnOnce() -> Index + Send + 'static,
    ) -> Arc<Alike> {
        let overlay = edition.overlay.clone();
        let Some((indexed, _)) = self.current(edition, build) else { return Arc::new(make()) };
        if let Some(alike) = indexed.alike.lock().of(&overlay).get(&product) {
            return alike;
        }
        let made = Arc::new(make());
        indexed.alike.lock().of(&overlay).put(product, made.clone());
        made
    }

    /// The index for an edition, and the products that have changed since it was built.
    fn current(
        &self,
        edition: Edition,
        build: impl FnOnce() -> Index + Send + 'static,
    ) -> Option<(Arc<Indexed>, Arc<RoaringBitmap>)> {
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
        Some((indexed, changed))
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
            selections: Mutex::new(Recent::new(MAX_SELECTIONS)),
            alike: Mutex::new(AlikeLists::new(edition.overlay.clone())),
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

/// What the products that were asked for last are alike to, as of a version of the live catalogue.
struct AlikeLists {
    overlay: Arc<Overlay>,
    lists: Recent<u32, Alike>,
}

impl AlikeLists {
    fn new(overlay: Arc<Overlay>) -> Self {
        Self { overlay, lists: Recent::new(MAX_ALIKE) }
    }

    /// The lists as of a version: none, if the texts of a product are others.
    fn of(&mut self, overlay: &Arc<Overlay>) -> &mut Recent<u32, Alike> {
        if overlay.version() != self.overlay.version() {
            let changed = overlay.changed_since(&self.overlay);
            if changed.into_iter().any(|product| !overlay.says_the_same(&self.overlay, product)) {
                self.lists = Recent::new(MAX_ALIKE);
            }
            self.overlay = overlay.clone();
        }
        &mut self.lists
    }
}

/// What was used last, by its key.
struct Recent<K, V> {
    most: usize,
    uses: u64,
    /// Each with the number of its last use.
    by_key: FxHashMap<K, (u64, Arc<V>)>,
}

impl<K: Eq + Hash + Clone, V> Recent<K, V> {
    fn new(most: usize) -> Self {
        Self { most, uses: 0, by_key: FxHashMap::default() }
    }

    fn get<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<Arc<V>>
    where
        K: Borrow<Q>,
    {
        self.uses += 1;
        let (used, found) = self.by_key.get_mut(key)?;
        *used = self.uses;
        Some(found.clone())
    }

    fn put(&mut self, key: K, found: Arc<V>) {
        if self.by_key.len() >= self.most {
            let oldest = self.by_key.iter().min_by_key(|(_, (used, _))| *used);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.by_key.remove(&oldest);
            }
        }
        self.by_key.insert(key, (self.uses, found));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_last_is_kept() {
        let mut recent = Recent::new(256);
        for number in 0..=256 {
            // The first one is asked for again and again.
            let _ = recent.get(&0);
            recent.put(number, Arc::new(number));
        }
        assert_eq!(recent.by_key.len(), 256);
        assert_eq!(recent.get(&0), Some(Arc::new(0)));
        assert_eq!(recent.get(&1), None);
        assert_eq!(recent.get(&256), Some(Arc::new(256)));
    }
}
