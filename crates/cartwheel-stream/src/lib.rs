//! The event stream: the [`Stream`] trait and its embedded form, the durable [`Log`].

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod log;
mod memory;
mod position;
#[cfg(any(test, feature = "conformance"))]
pub mod simulation;
mod stream;

pub use log::{
    Clock, Damage, Log, LogFiles, LogOptions, LogStat, OpenError, StoredEntry, Verified,
};
pub use memory::MemoryStream;
pub use position::{Position, Sequence, SequenceError, shard_of};
pub use stream::{Batch, Pending, PutError, ReadError, Rejected, Stream, StreamState};

#[cfg(test)]
mod tests;
