//! Access to the live catalogue, in this process or in a service.

use std::collections::BTreeMap;

use cartwheel_events::{ProductId, ProductRecord};
use cartwheel_stream::{Pending, Position};

use crate::catalogue::listing::Listing;
use crate::catalogue::unknown::UnknownProduct;
use crate::session_table::StoreError;
use crate::user_locks::UserLock;

/// The locks of some products. Dropping it releases them.
#[derive(Debug)]
pub struct ProductLock {
    pub(crate) _lock: UserLock,
}

/// Stores the live catalogue.
///
/// A record that is already applied is skipped, so a replay changes nothing.
pub trait ProductStore: Send + Sync {
    /// Waits for the locks of `products`. A caller holds them from reading listings over
    /// putting records to applying them, so that a change builds on the one before it. Returns
    /// `None` when several processes accept changes.
    fn lock<'a>(&'a self, products: &'a [ProductId]) -> Pending<'a, Option<ProductLock>>;

    /// Reads the listing of each of `products`, in their order.
    fn find<'a>(
        &'a self,
        products: &'a [ProductId],
    ) -> Pending<'a, Result<Vec<Option<Listing>>, StoreError>>;

    /// Applies records, those of one product in their order.
    fn apply<'a>(
        &'a self,
        records: &'a [(Position, ProductRecord)],
    ) -> Pending<'a, Result<(), StoreError>>;

    /// Reads up to `limit` listings by ascending product id, beginning after `after`.
    fn page<'a>(
        &'a self,
        after: Option<&'a ProductId>,
        limit: usize,
    ) -> Pending<'a, Result<Vec<(ProductId, Listing)>, StoreError>>;

    /// Whether products may be added.
    fn has_room(&self) -> bool;

    /// Reads how often events named products that the catalogue does not contain, by id.
    fn unknown(&self) -> Pending<'_, Result<BTreeMap<ProductId, UnknownProduct>, StoreError>>;
}
