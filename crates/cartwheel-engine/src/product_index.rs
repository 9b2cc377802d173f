//! The full-text index over a release and the live catalogue, and how it follows changes.
//!
//! A search after a change adds a segment with the changed products, so that it finds them at once.
//! After some changes, a thread makes the whole index anew while searches go on with the old one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cartwheel_catalogue::Attribute;
use cartwheel_search::{Document, Index};
use cartwheel_sessions::LiveCatalogue;
use parking_lot::{Mutex, RwLock};

use crate::shop::{Shop, stated_stock};

/// Segments after which the index is made anew.
const MAX_SEGMENTS: usize = 16;
/// Changed products after which it is made anew.
const MAX_CHANGED: usize = 1000;
/// Most changed products that a search adds itself. After more, searches see the products as they
/// were until the index is made anew.
const MAX_ADDED: usize = 5000;

/// The index over one release with the live catalogue laid over it.
pub(crate) struct ProductIndex {
    live: Option<Arc<LiveCatalogue>>,
    current: RwLock<Option<Indexed>>,
    /// Held by the search that brings the index up to date.
    updating: Mutex<()>,
    is_renewing: AtomicBool,
    /// Whether more products have changed than a search adds, until the index is made anew.
    is_behind: AtomicBool,
}

/// An index, and what it covers.
#[derive(Clone)]
struct Indexed {
    index: Index,
    /// The version of the live catalogue that it reflects.
    version: u64,
    /// Products that have changed since it was made.
    changed: usize,
}

impl ProductIndex {
    /// An index that the first search makes.
    pub(crate) fn new(live: Option<Arc<LiveCatalogue>>) -> Self {
        Self {
            live,
            current: RwLock::default(),
            updating: Mutex::default(),
            is_renewing: AtomicBool::default(),
            is_behind: AtomicBool::default(),
        }
    }

    /// The index for the products of a shop.
    pub(crate) fn of(self: &Arc<Self>, shop: &Shop) -> Index {
        let version = shop.overlay.version();
        let is_current = |indexed: &Indexed| indexed.version >= version;
        if let Some(indexed) = self.current.read().as_ref().filter(|i| is_current(i)) {
            return indexed.index.clone();
        }
        let _updating = self.updating.lock();
        let known = self.current.read().clone();
        let indexed = match known {
            Some(indexed) if is_current(&indexed) => return indexed.index,
            Some(indexed) if self.is_behind.load(Ordering::Acquire) => return indexed.index,
            Some(indexed) => self.updated(indexed, shop),
            None => Indexed { index: made(shop), version, changed: 0 },
        };
        *self.current.write() = Some(indexed.clone());
        indexed.index
    }

    /// The index with the products that have changed since its version.
    fn updated(self: &Arc<Self>, before: Indexed, shop: &Shop) -> Indexed {
        let changes = self.live.as_ref().map(|live| live.changed_since(before.version).listings);
        let changed = changes.into_iter().flatten().filter_map(|(id, _)| shop.find(&id));
        let changed: Vec<u32> = changed.collect();
        let products = before.index.products();
        if changed.len() > products {
            return Indexed { index: made(shop), version: shop.overlay.version(), changed: 0 };
        }
        let total = before.changed + changed.len();
        if total > MAX_CHANGED || before.index.segments() >= MAX_SEGMENTS {
            self.is_behind.store(changed.len() > MAX_ADDED, Ordering::Release);
            self.renew(shop);
        }
        if changed.len() > MAX_ADDED {
            return before;
        }
        let documents: Vec<Document<'_>> =
            changed.into_iter().filter_map(|key| document(shop, key)).collect();
        let index = match documents.is_empty() {
            true => before.index,
            false => before.index.with(documents.into_iter()),
        };
        Indexed { index, version: shop.overlay.version(), changed: total }
    }

    /// Makes the index anew in a thread, unless one is at it.
    fn renew(self: &Arc<Self>, shop: &Shop) {
        if self.is_renewing.swap(true, Ordering::AcqRel) {
            return;
        }
        let (renewing, shop) = (Renewing(Arc::clone(self)), shop.clone());
        let thread = std::thread::Builder::new().name("search-index".to_owned());
        let started = thread.spawn(move || {
            let made = Indexed { index: made(&shop), version: shop.overlay.version(), changed: 0 };
            let _updating = renewing.0.updating.lock();
            // Changes since that version are added by the next search.
            *renewing.0.current.write() = Some(made);
        });
        if let Err(error) = started {
            tracing::error!(%error, "cannot start a thread that makes the index of searches anew");
        }
    }
}

/// A thread that makes the index anew, until it ends for whatever reason.
struct Renewing(Arc<ProductIndex>);

impl Drop for Renewing {
    fn drop(&mut self) {
        self.0.is_behind.store(false, Ordering::Release);
        self.0.is_renewing.store(false, Ordering::Release);
    }
}

/// An index over all products of a shop.
fn made(shop: &Shop) -> Index {
    // In the order of the numbers by which searches ask whether a product may be shown.
    let mut keys: Vec<u32> = shop.indices().collect();
    keys.sort_unstable();
    Index::new(keys.into_iter().filter_map(|key| document(shop, key)))
}

/// A product as the index sees it; `None` if it is deleted, or nobody has described it and its
/// name is its id.
fn document(shop: &Shop, key: u32) -> Option<Document<'_>> {
    let label = shop.label(key).filter(|_| !shop.overlay.is_deleted(key))?;
    let live = shop.live(key);
    let categories = live.map_or(&[][..], |product| &product.categories);
    let between = categories.get(1..categories.len().saturating_sub(1)).unwrap_or_default();
    let attributes = live.into_iter().flat_map(|product| product.attributes.values());
    let texts = attributes.flat_map(|attribute| match attribute {
        Attribute::Text(text) => std::slice::from_ref(text),
        Attribute::List(texts) => texts,
        Attribute::Flag(_) | Attribute::Number(_) => &[],
    });
    let catalogue = &shop.opened.catalogue;
    let orders = |key: u32| catalogue.get(key).map_or(0.0, |product| product.stats.orders as f32);
    let most = catalogue.popular.first().map_or(0.0, |&best| orders(best)).max(1.0);
    Some(Document {
        key,
        id: label.product_id,
        name: if shop.overlay.is_unnamed(key) { "" } else { label.name },
        brand: live.and_then(|product| product.brand.as_deref()),
        department: label.department,
        aisle: label.aisle,
        categories: between.iter().map(String::as_str).collect(),
        tags: live.map_or_else(Vec::new, |p| p.tags.iter().map(String::as_str).collect()),
        attributes: texts.map(String::as_str).collect(),
        price: live.and_then(|product| product.price),
        is_in_stock: stated_stock(live) == Some(true),
        popularity: orders(key).ln_1p() / most.ln_1p(),
    })
}
