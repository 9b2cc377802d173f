//! Event types, ids and validation: the vocabulary that every other crate shares.
//!
//! A client's JSON becomes an [`Event`] ([`Event::from_json`]); the server stamps
//! it into a [`Record`], flat JSON with a `schema_version`, which is what the
//! stream stores and the lake keeps. What other products send becomes the same events
//! ([`Foreign::read`]). Pure: no I/O, no clock, no random numbers.

mod event;
mod foreign;
mod id;
mod record;

pub use event::{Event, EventKind, Invalid, Item, MAX_BATCH, MAX_ITEMS};
pub use foreign::{Foreign, Mapped};
pub use id::{InvalidId, MAX_ID, ProductId, UserId, check_id};
pub use record::{EventRecord, Impression, ImpressionItem, Record, RecordError, SCHEMA_VERSION};

#[cfg(test)]
mod tests;
