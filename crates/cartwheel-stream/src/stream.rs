//! The interface of a stream, as sessions and the API use it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use cartwheel_events::Record;

use crate::position::{Position, Sequence};

/// A boxed future.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why a record was not stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PutError {
    /// The stream accepts no more records for now; a later put may succeed.
    #[error("the stream accepts no more records for now")]
    Throttled,
    /// The stream has stopped.
    #[error("the stream has stopped")]
    Stopped,
    /// The record is larger than the stream allows.
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
    /// The reader is past the end of the stream, which must have lost records.
    #[error("shard {shard} ends at {end}, before the requested position {from}")]
    Beyond {
        /// The shard.
        shard: u32,
        /// The requested sequence number.
        from: Sequence,
        /// Sequence number of the shard's next record.
        end: Sequence,
    },
    /// The disk or the service failed.
    #[error("the stream failed: {0}")]
    Failed(String),
}

/// Stored data that is not a valid record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Its sequence number.
    pub sequence: Sequence,
    /// The data as stored.
    pub data: Vec<u8>,
    /// Why it is not a valid record.
    pub reason: String,
}

/// Records of a shard, in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Batch {
    /// Sequence numbers and records; empty at the end of the shard.
    pub records: Vec<(Sequence, Arc<Record>)>,
    /// Data among them that is not a valid record. Reading it again returns it again.
    pub rejected: Vec<Rejected>,
    /// How many sequence numbers, of all shards, after the requested one are no longer kept.
    pub missed: u64,
    /// The sequence number to continue reading from. It may skip numbers without a record.
    pub next: Sequence,
}

impl Batch {
    /// Adds the record in `data`, or rejects the data if it is not a valid record.
    pub fn add(&mut self, sequence: Sequence, data: &[u8]) {
        match Record::from_slice(data) {
            Ok(record) => self.records.push((sequence, Arc::new(record))),
            Err(error) => self.rejected.push(Rejected {
                sequence,
                data: data.to_vec(),
                reason: error.to_string(),
            }),
        }
    }

    /// Returns the number of records and rejected data.
    pub fn len(&self) -> usize {
        self.records.len() + self.rejected.len()
    }

    /// Whether the batch is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Whether a stream accepts records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamState {
    /// It accepts records.
    Ready,
    /// It accepts no records until a consumer reads on or the disk has space.
    Full,
    /// It accepts no more records: the disk failed, or the stream is closed.
    Stopped,
}

/// An ordered, durable stream of records.
pub trait Stream: Send + Sync {
    /// Returns the number of shards; they are numbered from 0.
    fn shards(&self) -> u32;

    /// Whether the stream accepts records now, as far as it knows without trying.
    fn state(&self) -> StreamState {
        StreamState::Ready
    }

    /// Stores records and returns one result per record, in their order. Records with a
    /// position are durable. Records of one user keep their order.
    fn put(&self, records: Vec<Record>) -> Pending<'_, Vec<Result<Position, PutError>>>;

    /// Reads up to `limit` records from sequence number `from`, or from the oldest kept if
    /// that is later.
    fn read(
        &self,
        shard: u32,
        from: Sequence,
        limit: usize,
    ) -> Pending<'_, Result<Batch, ReadError>>;

    /// As [`Self::read`], without impressions. They are long, and most readers make nothing of them.
    fn read_without_impressions(
        &self,
        shard: u32,
        from: Sequence,
        limit: usize,
    ) -> Pending<'_, Result<Batch, ReadError>> {
        Box::pin(async move {
            let mut batch = self.read(shard, from, limit).await?;
            batch.records.retain(|(_, record)| !matches!(**record, Record::Impression(_)));
            Ok(batch)
        })
    }

    /// Waits until `shard` may have a record at `from` or later.
    fn wait(&self, shard: u32, from: Sequence) -> Pending<'_, ()>;
}
