//! Shoppers' sessions: one fold over the stream, kept in memory over redb.
//!
//! [`Session::apply`] is the only definition of a session. `/submit` applies its
//! own event at once and the consumer applies the same record again; the
//! session's sequence number makes the second time change nothing.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod consumer;
mod session;
mod sessions;
mod store;
mod users;

pub use consumer::{ConsumeError, consume_sessions};
pub use session::{
    CartItem, DEDUP_MS, EventId, MAX_CART, MAX_CHECKOUTS, MAX_RECENT, MAX_VIEWS, RecentEvent,
    SESSION_MS, Session, SessionCheckout, event_hash,
};
pub use sessions::{Sessions, UserLock};
pub use store::{SessionStore, SessionTable, StoreError};
pub use users::{Shopper, UserStore};

#[cfg(test)]
mod tests;
