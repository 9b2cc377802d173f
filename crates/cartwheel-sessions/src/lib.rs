//! Shoppers' sessions and the live catalogue: folds over the stream, in memory and in redb files.
//!
//! [`Session::apply`] is the only definition of a session. `/submit` applies its own event
//! at once, and the consumer applies the same record again. The session's sequence number
//! makes the second time change nothing. Imported events have no sequence number and are
//! recognized by their ids.

mod cache;
mod catalogue;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod consumer;
mod dedup;
mod fingerprint;
mod imported_events;
mod imports;
mod redb_table;
mod session;
mod session_table;
mod sessions;
mod tie;
mod user_locks;
mod user_store;

pub use catalogue::{
    CatalogueMark, ChangeError, Changes, Listing, LiveCatalogue, MAX_PRODUCTS, MAX_UNKNOWN,
    ProductChange, ProductLock, ProductStore, UnknownProduct, consume_products,
};
pub use consumer::{ConsumeError, consume_sessions};
pub use dedup::{DEDUP_MS, RecentEvent, event_hash};
pub use imported_events::{ImportedEvents, ShopperEvents};
pub use redb_table::RedbSessionTable;
pub use session::{
    CartChange, CartItem, MAX_CART, MAX_CART_CHANGES, MAX_CHECKED_OUT, MAX_CHECKOUTS, MAX_RECENT,
    MAX_SEARCHES, MAX_VIEWS, ProductView, SESSION_MS, Session, SessionCheckout, SessionSearch,
};
pub use session_table::{SessionTable, StoreError};
pub use sessions::Sessions;
pub use user_locks::UserLock;
pub use user_store::{Shopper, UserStore};

#[cfg(test)]
mod tests;
