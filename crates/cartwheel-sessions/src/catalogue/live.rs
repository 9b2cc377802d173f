//! The live catalogue of this process: in memory, written behind to a redb file.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use cartwheel_events::{EventRecord, ProductId, ProductRecord, Record};
use cartwheel_stream::{Pending, Position, PutError, Sequence, Stream};
use parking_lot::{Mutex, RwLock};

use crate::catalogue::listing::Listing;
use crate::catalogue::mark::CatalogueMark;
use crate::catalogue::redb_table::RedbCatalogue;
use crate::catalogue::state::State;
use crate::catalogue::store::{ChangeError, ProductChange, ProductLock, ProductStore};
use crate::catalogue::unknown::UnknownProduct;
use crate::session_table::StoreError;
use crate::user_locks::UserLocks;

/// Most products of the live catalogue, deleted ones included.
pub const MAX_PRODUCTS: usize = 1_000_000;

/// Listings that have changed, and the state to which they lead.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Counts the changes of the catalogue since it was opened.
    pub version: u64,
    /// The same state, for whoever builds it again.
    pub mark: CatalogueMark,
    /// The listings.
    pub listings: Vec<(ProductId, Listing)>,
}

/// Every product that was changed through the stream, as it is now.
///
/// The API applies a record as soon as it is durable, and the consumer applies it again, which
/// changes nothing. Listings and checkpoints are written together: a change that was not
/// written when the process died is replayed from the stream.
pub struct LiveCatalogue {
    state: RwLock<State>,
    /// [`State::version`], for readers that have seen everything.
    version: AtomicU64,
    /// `None` keeps everything in memory.
    table: Option<RedbCatalogue>,
    /// Held while the table is written, so that commits keep their order.
    writing: Mutex<()>,
    locks: UserLocks,
}

impl std::fmt::Debug for LiveCatalogue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveCatalogue").field("products", &self.len()).finish_non_exhaustive()
    }
}

impl LiveCatalogue {
    /// Opens the file at `path`, or creates it. A damaged file is replaced by an empty one.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let (table, loaded) = RedbCatalogue::open(path)?;
        Ok(Self::over(State::new(loaded), Some(table)))
    }

    /// Writes the stored listings and checkpoints, as they are at one moment, to a new file at
    /// `path`, for a backup. A catalogue that is not stored writes nothing.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn copy_to(&self, path: &Path) -> Result<(), StoreError> {
        self.table.as_ref().map_or(Ok(()), |table| table.copy_to(path))
    }

    /// An empty catalogue that is not stored.
    pub fn in_memory() -> Self {
        Self::over(State::default(), None)
    }

    fn over(state: State, table: Option<RedbCatalogue>) -> Self {
        Self {
            version: AtomicU64::new(state.version()),
            state: RwLock::new(state),
            table,
            writing: Mutex::default(),
            locks: UserLocks::new(),
        }
    }

    /// Whether the stream was never read, because the file is new or was damaged. Its products
    /// then come from the lake, before the stream is replayed.
    pub fn is_fresh(&self) -> bool {
        self.state.read().is_fresh()
    }

    /// The highest checkpoint of a shard: every number below it has been assigned. 0 without one.
    pub fn newest_checkpoint(&self) -> Sequence {
        self.state.read().newest_checkpoint()
    }

    /// The number of products, deleted ones included.
    pub fn len(&self) -> usize {
        self.state.read().listings.len()
    }

    /// Whether there is no product.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The listing of a product.
    pub fn get(&self, product_id: &ProductId) -> Option<Listing> {
        self.state.read().listings.get(product_id).cloned()
    }

    /// Counts the changes. It is cheap, so that every request can compare it.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The listings that changed after `version`, and perhaps others.
    pub fn changed_since(&self, version: u64) -> Changes {
        let state = self.state.read();
        let listings = state.changed_since(version);
        Changes { version: state.version(), mark: state.mark(), listings }
    }

    /// Applies a record unless it is already applied. A product that cannot be read is
    /// skipped; delivery stores such a record among the errors.
    pub fn apply(&self, position: Position, record: &ProductRecord) {
        let mut state = self.state.write();
        if let Err(error) = state.apply(position, record) {
            let id = &record.product_id;
            tracing::error!(product = %id, %error, "a change of a product cannot be read");
        }
        self.version.store(state.version(), Ordering::Release);
    }

    /// Whether a change builds on the newest listing of its product.
    pub fn is_current(&self, change: &ProductChange) -> bool {
        let state = self.state.read();
        let listing = state.listings.get(&change.record.product_id);
        listing.map(|listing| listing.position) == change.before
    }

    /// Takes over a listing of another process, unless there is a newer one.
    pub fn restore(&self, product_id: &ProductId, listing: Listing) {
        let mut state = self.state.write();
        state.restore(product_id, listing);
        self.version.store(state.version(), Ordering::Release);
    }

    /// The products that only events name, by id.
    pub fn unknown_products(&self) -> BTreeMap<ProductId, UnknownProduct> {
        self.state.read().unknown.counts().clone()
    }

    /// Counts the products of an event that neither this catalogue nor `is_known` contains.
    pub(crate) fn count(&self, event: &EventRecord, is_known: impl Fn(&ProductId) -> bool) {
        let unlisted: Vec<&ProductId> = {
            let listings = &self.state.read().listings;
            event.product_ids.iter().filter(|id| !listings.contains_key(*id)).collect()
        };
        // No lock is held here: `is_known` may read this catalogue.
        let unknown: Vec<&ProductId> = unlisted.into_iter().filter(|id| !is_known(id)).collect();
        if !unknown.is_empty() {
            let State { listings, unknown: counts, .. } = &mut *self.state.write();
            let unknown = unknown.into_iter().filter(|id| !listings.contains_key(*id));
            unknown.for_each(|id| counts.count(id, event.received_at_ms));
        }
    }

    pub(crate) fn checkpoint(&self, shard: u32) -> Sequence {
        self.state.read().checkpoint(shard)
    }

    pub(crate) fn advance(&self, shard: u32, next: Sequence) {
        self.state.write().advance(shard, next);
    }

    pub(crate) fn has_unwritten_listings(&self) -> bool {
        self.state.read().has_unwritten_listings()
    }

    /// Writes changed listings, counts and checkpoints in one transaction. Blocks for as long
    /// as a disk sync takes.
    ///
    /// # Errors
    /// When the file cannot be written; then everything stays unwritten.
    pub(crate) fn flush(&self) -> Result<(), StoreError> {
        let Some(table) = &self.table else { return Ok(()) };
        let _writing = self.writing.lock();
        let commit = self.state.write().take_unwritten();
        if commit.is_empty() {
            return Ok(());
        }
        table.commit(&commit).inspect_err(|_| self.state.write().put_back(commit))
    }
}

impl ProductStore for LiveCatalogue {
    fn lock<'a>(
        &'a self,
        products: &'a [ProductId],
    ) -> Pending<'a, Result<ProductLock, StoreError>> {
        Box::pin(async move { Ok(ProductLock { _lock: self.locks.lock(products).await }) })
    }

    fn find<'a>(
        &'a self,
        products: &'a [ProductId],
    ) -> Pending<'a, Result<Vec<Option<Listing>>, StoreError>> {
        let state = self.state.read();
        let found = products.iter().map(|id| state.listings.get(id).cloned()).collect();
        Box::pin(std::future::ready(Ok(found)))
    }

    fn put<'a>(
        &'a self,
        stream: &'a dyn Stream,
        changes: Vec<ProductChange>,
    ) -> Pending<'a, Vec<Result<Position, ChangeError>>> {
        Box::pin(async move {
            let current: Vec<bool> = changes.iter().map(|change| self.is_current(change)).collect();
            let holds = changes.iter().zip(&current).filter(|(_, is_current)| **is_current);
            let records: Vec<&ProductRecord> = holds.map(|(change, _)| &change.record).collect();
            if records.is_empty() {
                return vec![Err(ChangeError::Raced); changes.len()];
            }
            let puts = stream.put(records.iter().map(|&r| Record::Product(r.clone())).collect());
            let puts = puts.await;
            for (put, record) in puts.iter().zip(records) {
                if let Ok(position) = put {
                    self.apply(*position, record);
                }
            }
            let mut puts = puts.into_iter();
            let mut next = || puts.next().unwrap_or(Err(PutError::Stopped));
            let result = |is_current| match is_current {
                true => next().map_err(ChangeError::from),
                false => Err(ChangeError::Raced),
            };
            current.into_iter().map(result).collect()
        })
    }

    fn page<'a>(
        &'a self,
        after: Option<&'a ProductId>,
        limit: usize,
    ) -> Pending<'a, Result<Vec<(ProductId, Listing)>, StoreError>> {
        use std::ops::Bound;
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let state = self.state.read();
        let range = state.listings.range::<ProductId, _>((start, Bound::Unbounded)).take(limit);
        let page = range.map(|(id, listing)| (id.clone(), listing.clone())).collect();
        Box::pin(std::future::ready(Ok(page)))
    }

    fn full(&self) -> Option<usize> {
        (self.len() >= MAX_PRODUCTS).then_some(MAX_PRODUCTS)
    }

    fn unknown(&self) -> Pending<'_, Result<BTreeMap<ProductId, UnknownProduct>, StoreError>> {
        Box::pin(std::future::ready(Ok(self.unknown_products())))
    }
}
