//! Shoppers' sessions: one fold over the stream, kept in memory over redb.
//!
//! [`Session::apply`] is the only definition of a session. `/submit` applies its
//! own event at once and the consumer applies the same record again; the
//! session's sequence number makes the second time change nothing.

mod consumer;
mod memory;
mod session;
mod sessions;
mod store;
mod stream;

pub use consumer::{ConsumeError, consume_sessions};
pub use memory::MemoryStream;
pub use session::{
    CartItem, DEDUP_MS, MAX_CART, MAX_CHECKOUTS, MAX_RECENT, MAX_VIEWS, Position, RecentEvent,
    SESSION_MS, Session, SessionCheckout, event_hash,
};
pub use sessions::{Sessions, UserLock};
pub use store::{SessionStore, StoreError, UserStore};
pub use stream::{Batch, Pending, PutError, ReadError, Stream};

#[cfg(test)]
mod tests;
