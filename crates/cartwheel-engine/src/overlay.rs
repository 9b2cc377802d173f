//! The live catalogue laid over a release's.

use std::cmp::Reverse;
use std::sync::Arc;

use cartwheel_catalogue::Product;
use cartwheel_events::ProductId;
use cartwheel_features::Catalogue;
use cartwheel_sessions::{CatalogueMark, Changes, Listing};
use rustc_hash::FxHashMap;

use crate::shared_list::SharedList;

/// Most new products that a request considers, the newest first.
const MAX_NEWEST: usize = 500;

/// What is known about each product beside the release: whether it may be shown, and the
/// shop's own fields. A request reads one overlay from start to end; a change makes another,
/// which shares all chunks that have not changed.
///
/// Products that the release does not contain get the indices after its own.
#[derive(Debug, Clone)]
pub(crate) struct Overlay {
    /// The version of the live catalogue that it reflects.
    version: u64,
    /// The same, for whoever builds the overlay again.
    mark: CatalogueMark,
    /// Products of the release; those after them are new.
    released: u32,
    /// By index.
    entries: SharedList<Entry>,
    /// Indices of the products that the release does not contain.
    added: Arc<FxHashMap<ProductId, u32>>,
    /// New products that may be shown at some time, the newest first.
    newest: Arc<Vec<u32>>,
    /// Whether the release describes any product.
    is_named: bool,
    /// Whether release or shop describe any product.
    has_catalogue: bool,
    /// Products that are not deleted.
    products: usize,
}

/// One product of the overlay.
#[derive(Debug, Clone)]
struct Entry {
    /// It may be shown from this moment on, UTC milliseconds.
    from_ms: i64,
    /// It may no longer be shown from this moment on.
    until_ms: i64,
    live: Live,
}

/// The live catalogue's entry of a product.
#[derive(Debug, Clone)]
enum Live {
    /// Nothing; the release describes it, unless it is unnamed.
    Unlisted { unnamed: bool },
    /// The shop's product, and when it was added.
    Listed { product: Arc<Product>, added_at_ms: i64 },
    /// It was deleted.
    Deleted,
}

impl Entry {
    const NEVER: (i64, i64) = (i64::MAX, i64::MIN);
    const ALWAYS: (i64, i64) = (i64::MIN, i64::MAX);

    fn new((from_ms, until_ms): (i64, i64), live: Live) -> Self {
        Self { from_ms, until_ms, live }
    }

    fn of(listing: &Listing) -> Self {
        let Some(product) = listing.product.clone() else {
            return Self::new(Self::NEVER, Live::Deleted);
        };
        let window = if product.hidden || !product.is_in_stock() {
            Self::NEVER
        } else {
            let from = product.available_from.map_or(i64::MIN, |time| time.as_ms());
            (from, product.available_until.map_or(i64::MAX, |time| time.as_ms()))
        };
        Self::new(window, Live::Listed { product, added_at_ms: listing.added_at_ms })
    }
}

impl Overlay {
    /// An overlay of `catalogue` with all listings of the live catalogue.
    pub(crate) fn new(catalogue: &Catalogue, all: Changes, accepts_unknown: bool) -> Self {
        let is_named = catalogue.products.iter().any(|product| !product.info.is_unnamed());
        let has_catalogue = is_named || all.listings.iter().any(|(_, l)| l.product.is_some());
        let shows_unknown = accepts_unknown || !has_catalogue;
        let entry = |product: &cartwheel_features::Product| {
            let unnamed = product.info.is_unnamed();
            let window = if unnamed && !shows_unknown { Entry::NEVER } else { Entry::ALWAYS };
            Entry::new(window, Live::Unlisted { unnamed })
        };
        let mut overlay = Self {
            version: 0,
            mark: CatalogueMark::default(),
            released: u32::try_from(catalogue.products.len()).unwrap_or(u32::MAX),
            entries: catalogue.products.iter().map(entry).collect(),
            added: Arc::default(),
            newest: Arc::default(),
            is_named,
            has_catalogue,
            products: catalogue.products.len(),
        };
        overlay.apply(catalogue, all);
        overlay.find_newest(catalogue);
        overlay
    }

    /// The overlay after changes. `None` if it has to be built anew:
    /// where only the shop describes products, the first of them hides all others, and the
    /// deletion of the last one shows them again.
    pub(crate) fn after(&self, catalogue: &Catalogue, changes: Changes) -> Option<Self> {
        let turns =
            |(_, listing): &(ProductId, Listing)| listing.product.is_some() != self.has_catalogue;
        if !self.is_named && changes.listings.iter().any(turns) {
            return None;
        }
        let mut overlay = self.clone();
        if overlay.apply(catalogue, changes) {
            overlay.find_newest(catalogue);
        }
        Some(overlay)
    }

    /// Replaces entries. Returns whether one of them is new.
    fn apply(&mut self, catalogue: &Catalogue, changes: Changes) -> bool {
        let Changes { version, mark, mut listings } = changes;
        // Indices decide between equal products: they follow from the products, not from when they
        // were taken over.
        listings.sort_by(|(a, one), (b, other)| (one.added_at_ms, a).cmp(&(other.added_at_ms, b)));
        let mut any_new = false;
        for (id, listing) in listings {
            let entry = Entry::of(&listing);
            let is_deleted = matches!(entry.live, Live::Deleted);
            let index = match catalogue.find(id.as_str()) {
                Some(index) => Some(index),
                None => self.added.get(&id).copied(),
            };
            match index {
                Some(index) => {
                    let was_deleted = self.live(index).is_none_or(|l| matches!(l, Live::Deleted));
                    self.products += usize::from(was_deleted);
                    self.products -= usize::from(is_deleted);
                    self.entries.set(index as usize, entry);
                    any_new |= is_new(catalogue, index);
                }
                // A deleted product that the release does not contain is not shown anyway.
                None if is_deleted => {}
                None => {
                    let index = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
                    Arc::make_mut(&mut self.added).insert(id, index);
                    self.entries.push(entry);
                    self.products += 1;
                    any_new = true;
                }
            }
        }
        (self.version, self.mark) = (version, mark);
        any_new
    }

    fn find_newest(&mut self, catalogue: &Catalogue) {
        let new = self.entries.iter().zip(0..).filter_map(|(entry, index)| match &entry.live {
            Live::Listed { product, added_at_ms } if is_new(catalogue, index) => {
                let since = product.created_at.map_or(*added_at_ms, |time| time.as_ms());
                (entry.from_ms < entry.until_ms).then_some((Reverse(since), index))
            }
            _ => None,
        });
        let mut new: Vec<(Reverse<i64>, u32)> = new.collect();
        if new.len() > MAX_NEWEST {
            new.select_nth_unstable(MAX_NEWEST);
            new.truncate(MAX_NEWEST);
        }
        new.sort_unstable();
        self.newest = Arc::new(new.into_iter().map(|(_, index)| index).collect());
    }

    /// The version of the live catalogue that it reflects.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// The state of the live catalogue that it reflects.
    pub(crate) fn mark(&self) -> CatalogueMark {
        self.mark
    }

    /// The number of indices.
    pub(crate) fn len(&self) -> u32 {
        u32::try_from(self.entries.len()).unwrap_or(u32::MAX)
    }

    /// The indices of the products that are not as in an earlier overlay of the same release.
    pub(crate) fn changed_since(&self, earlier: &Self) -> Vec<u32> {
        let is_same = |a: &Entry, b: &Entry| match (&a.live, &b.live) {
            (Live::Listed { product: a, .. }, Live::Listed { product: b, .. }) => Arc::ptr_eq(a, b),
            (Live::Unlisted { .. }, Live::Unlisted { .. }) => true,
            (Live::Deleted, Live::Deleted) => true,
            _ => false,
        };
        let differing = self.entries.differing(&earlier.entries, is_same);
        differing.into_iter().filter_map(|index| u32::try_from(index).ok()).collect()
    }

    /// Whether a product has the same texts as in another version, or is deleted in both.
    pub(crate) fn says_the_same(&self, other: &Self, index: u32) -> bool {
        if self.is_deleted(index) != other.is_deleted(index) {
            return false;
        }
        match (self.product(index), other.product(index)) {
            (Some(a), Some(b)) => {
                (&a.name, &a.brand, &a.tags, &a.categories)
                    == (&b.name, &b.brand, &b.tags, &b.categories)
            }
            (None, None) => true,
            _ => false,
        }
    }

    /// Whether a product may be shown at a moment. This is the one place that decides it.
    pub(crate) fn shows(&self, index: u32, now_ms: i64) -> bool {
        let entry = self.entries.get(index as usize);
        entry.is_some_and(|entry| entry.from_ms <= now_ms && now_ms < entry.until_ms)
    }

    /// The shop's own fields of a product, if the live catalogue has it.
    pub(crate) fn product(&self, index: u32) -> Option<&Arc<Product>> {
        match self.live(index)? {
            Live::Listed { product, .. } => Some(product),
            _ => None,
        }
    }

    /// When the live catalogue received a product, UTC milliseconds.
    pub(crate) fn added_at_ms(&self, index: u32) -> Option<i64> {
        match self.live(index)? {
            Live::Listed { added_at_ms, .. } => Some(*added_at_ms),
            _ => None,
        }
    }

    /// Whether a product was deleted.
    pub(crate) fn is_deleted(&self, index: u32) -> bool {
        matches!(self.live(index), Some(Live::Deleted))
    }

    /// Whether nothing but orders tells of a product.
    pub(crate) fn is_unnamed(&self, index: u32) -> bool {
        matches!(self.live(index), Some(Live::Unlisted { unnamed: true }))
    }

    fn live(&self, index: u32) -> Option<&Live> {
        Some(&self.entries.get(index as usize)?.live)
    }

    /// The index of a product that the release does not contain.
    pub(crate) fn added(&self, id: &ProductId) -> Option<u32> {
        self.added.get(id).copied()
    }

    /// The indices of the products that the release does not contain.
    pub(crate) fn added_indices(&self) -> std::ops::Range<u32> {
        self.released..self.len()
    }

    /// New products that may be shown at some time, the newest first, at most
    /// [`MAX_NEWEST`].
    pub(crate) fn newest(&self) -> &[u32] {
        &self.newest
    }

    /// The number of products that are not deleted.
    pub(crate) fn products(&self) -> usize {
        self.products
    }
}

/// Whether no order has taught anything about a product.
fn is_new(catalogue: &Catalogue, index: u32) -> bool {
    catalogue.get(index).is_none_or(|product| product.stats.orders == 0)
}
