//! Access to the live catalogue, in this process or in a service.

use std::collections::BTreeMap;

use cartwheel_events::{ProductId, ProductRecord};
use cartwheel_stream::{Pending, Position, PutError, Stream};

use crate::catalogue::listing::Listing;
use crate::catalogue::unknown::UnknownProduct;
use crate::session_table::StoreError;
use crate::user_locks::UserLock;

/// The locks of some products. Dropping it releases them.
#[derive(Debug)]
pub struct ProductLock {
    pub(crate) _lock: UserLock,
}

/// A change of a product, and the listing that it builds on.
#[derive(Debug, Clone, PartialEq)]
pub struct ProductChange {
    /// The position of the product's listing when the change was made; `None` if it had none.
    pub before: Option<Position>,
    /// The product after the change.
    pub record: ProductRecord,
}

/// Why a change of a product was not stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// The stream or the service did not accept it.
    #[error(transparent)]
    Put(#[from] PutError),
    /// The product has changed since its listing was read. Read it again and repeat the change.
    #[error("the product has changed since its listing was read")]
    Raced,
}

/// Stores the live catalogue.
pub trait ProductStore: Send + Sync {
    /// Waits for the locks of `products`, and takes over what other processes have changed. A caller
    /// holds them from reading listings to putting changes, so that a change builds on the one
    /// before it.
    fn lock<'a>(
        &'a self,
        products: &'a [ProductId],
    ) -> Pending<'a, Result<ProductLock, StoreError>>;

    /// Reads the listing of each of `products`, in their order.
    fn find<'a>(
        &'a self,
        products: &'a [ProductId],
    ) -> Pending<'a, Result<Vec<Option<Listing>>, StoreError>>;

    /// Stores changes durably, each on condition that its product is still as it was, and applies
    /// them. Returns one result each, in their order. A request names a product once. Where the
    /// stream is the record of all changes, they are put into `stream`.
    fn put<'a>(
        &'a self,
        stream: &'a dyn Stream,
        changes: Vec<ProductChange>,
    ) -> Pending<'a, Vec<Result<Position, ChangeError>>>;

    /// Reads up to `limit` listings by ascending product id, beginning after `after`.
    fn page<'a>(
        &'a self,
        after: Option<&'a ProductId>,
        limit: usize,
    ) -> Pending<'a, Result<Vec<(ProductId, Listing)>, StoreError>>;

    /// The number of products that it may hold, if it holds as many.
    fn full(&self) -> Option<usize>;

    /// Reads how often events named products that the catalogue does not contain, by id.
    fn unknown(&self) -> Pending<'_, Result<BTreeMap<ProductId, UnknownProduct>, StoreError>>;
}
