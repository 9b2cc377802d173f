//! What the sessions and the API need of a stream.

use std::future::Future;
use std::pin::Pin;

use cartwheel_events::Record;

use crate::position::{Position, Sequence};

/// An answer to be awaited.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why a record was not stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PutError {
    /// More records than the stream takes now; later it may.
    #[error("the stream takes no more records now")]
    Throttled,
    /// The stream stops.
    #[error("the stream stops")]
    Stopped,
    /// The record is larger than the stream takes.
    #[error("the record is too large")]
    TooLarge,
    /// The disk or the service failed.
    #[error("the stream failed: {0}")]
    Failed(String),
}

/// Why records were not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The reader is ahead of the stream, which must have lost records.
    #[error("shard {shard} ends at {end}, before {from}, from where it was to be read")]
    Beyond {
        /// The shard.
        shard: u32,
        /// From where it was to be read.
        from: Sequence,
        /// Sequence number of its next record.
        end: Sequence,
    },
    /// The disk or the service failed.
    #[error("the stream failed: {0}")]
    Failed(String),
}

/// Stored data that is no record, whoever put it there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Its sequence number.
    pub sequence: Sequence,
    /// The data as it is stored.
    pub data: Vec<u8>,
    /// Why it is no record.
    pub reason: String,
}

/// Records of a shard, in their order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Batch {
    /// Sequence numbers and records; none at the end of the shard.
    pub records: Vec<(Sequence, Record)>,
    /// What lies among them and is no record: reading it again gives it again.
    pub rejected: Vec<Rejected>,
    /// Sequence numbers of all shards from where it was to be read that are no longer
    /// kept.
    pub missed: u64,
    /// From where to read on. It may pass over numbers that hold no record.
    pub next: Sequence,
}

impl Batch {
    /// Adds the record that `data` holds at `sequence`, or that it holds none.
    pub fn add(&mut self, sequence: Sequence, data: &[u8]) {
        match Record::from_slice(data) {
            Ok(record) => self.records.push((sequence, record)),
            Err(error) => self.rejected.push(Rejected {
                sequence,
                data: data.to_vec(),
                reason: error.to_string(),
            }),
        }
    }

    /// Records and what is none.
    pub fn len(&self) -> usize {
        self.records.len() + self.rejected.len()
    }

    /// Whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Whether a stream takes records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamState {
    /// It does.
    Ready,
    /// Not before a consumer has read on, or the disk has space.
    Full,
    /// No more: the disk has failed, or it is closed.
    Stopped,
}

/// Ordered by user, durable before the answer.
pub trait Stream: Send + Sync {
    /// Number of shards; they are numbered from 0.
    fn shards(&self) -> u32;

    /// Whether it takes records now, as far as it knows without trying.
    fn state(&self) -> StreamState {
        StreamState::Ready
    }

    /// Stores the records and gives one result each, in their order. Those with a
    /// position are durable. Records of one user keep their order.
    fn put(&self, records: Vec<Record>) -> Pending<'_, Vec<Result<Position, PutError>>>;

    /// Reads up to `limit` records from sequence number `from`, or from the oldest
    /// kept.
    fn read(
        &self,
        shard: u32,
        from: Sequence,
        limit: usize,
    ) -> Pending<'_, Result<Batch, ReadError>>;

    /// Waits until `shard` may hold a record at `from` or later.
    fn wait(&self, shard: u32, from: Sequence) -> Pending<'_, ()>;
}
