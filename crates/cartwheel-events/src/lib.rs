//! Event types, ids and validation, shared by every other crate.
//!
//! [`Event::from_borrowed`] validates a client's JSON. The server stamps the event into a
//! [`Record`]: flat JSON with a `schema_version`, stored in the stream and in the lake.
//! [`Foreign::read`] converts events in the formats of other products. The crate is pure:
//! no I/O, no clock, no random numbers.

mod country;
mod event;
mod foreign;
mod id;
mod record;
mod tie;

pub use country::{COUNTRY_EXPECTED, Country, InvalidCountry};
pub use event::{Event, EventKind, Invalid, Item, MAX_BATCH, MAX_ITEMS, MAX_QUERY};
pub use foreign::{Foreign, Mapped, shopify_order};
pub use id::{GUEST, ID_EXPECTED, InvalidId, MAX_ID, ProductId, UserId, check_id};
pub use record::{
    EventRecord, Impression, ImpressionItem, ProductRecord, Record, RecordError, SCHEMA_VERSION,
};
pub use serde_json_borrow::Value as BorrowedJson;
pub use tie::{Carried, CarriedCheckout, Tied};

#[cfg(test)]
mod tests;
