//! Delivery: from the stream to the lake, each record once.
//!
//! A delivery of a shard covers a range of sequence numbers. The range is planned in the
//! checkpoint before its parts are written, and a planned range is delivered again after a crash.
//! The parts of a range have the same names and the same content however often they are written,
//! so that repeating a delivery changes nothing.
//!
//! Malformed records, and records that cannot be encoded, go to `errors/` with the reason, and
//! the shard continues. A lake that cannot be written is another case: the range is retried until
//! it succeeds.

mod backoff;
mod bisect;
mod checkpoint;
mod consumer;
pub(crate) mod encode;
mod encode_products;
mod error;
mod newest;
mod poison;
mod range;
mod status;
mod writer;

#[cfg(test)]
pub(crate) use backoff::backoff;
pub use checkpoint::delivered_before;
pub(crate) use checkpoint::delivered_by;
pub use consumer::{Delivery, DeliveryOptions};
#[cfg(test)]
pub(crate) use encode::{StreamRow, encode_events};
pub use error::DeliveryError;
pub use status::{DeliveredFile, DeliverySnapshot, DeliveryStatus};
