//! The live catalogue: every change of a product, folded from the stream.
//!
//! [`ProductStore`] is what the API and the stream's consumers need. [`LiveCatalogue`] keeps
//! all products in memory and writes them behind to a redb file of its own: unlike sessions,
//! products outlive the stream's retention.

#[cfg(any(test, feature = "conformance"))]
pub(crate) mod conformance;
mod consumer;
mod listing;
mod live;
mod mark;
mod redb_table;
mod state;
mod store;
mod unknown;

pub use consumer::consume_products;
pub use listing::Listing;
pub use live::{Changes, LiveCatalogue, MAX_PRODUCTS};
pub use mark::CatalogueMark;
pub use store::{ChangeError, ProductChange, ProductLock, ProductStore};
pub use unknown::{MAX_UNKNOWN, UnknownProduct};

#[cfg(test)]
mod tests;
