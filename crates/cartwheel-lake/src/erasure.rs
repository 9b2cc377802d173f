//! Erasing users: the list of pending erasures, and the removal of users from every table.

mod erase;
mod imported;
mod lines;
mod pending;
mod tombstones;
mod users;

pub use erase::ErasureResult;
pub(crate) use erase::erase;
pub(crate) use lines::{for_each_id, rejected_records_of, rejected_rows_of};
pub use pending::{Erasure, ErasureError, ErasureList, Erasures, PendingErasure};
pub use tombstones::{Tombstone, append_tombstones, bury, parse_tombstones, read_tombstones};
