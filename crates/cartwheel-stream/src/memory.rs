//! An in-memory stream for tests.

use std::collections::VecDeque;
use std::sync::Arc;

use cartwheel_events::Record;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::position::{Position, Sequence, shard_of};
use crate::stream::{Batch, Pending, PutError, ReadError, Stream};

/// Keeps records in memory; they are lost when the process ends.
#[derive(Debug)]
pub struct MemoryStream {
    shards: Vec<Mutex<VecDeque<Arc<Record>>>>,
    changed: Notify,
}

impl MemoryStream {
    /// Creates an empty stream with `shards` shards.
    pub fn new(shards: u32) -> Self {
        let shards = (0..shards.max(1)).map(|_| Mutex::default()).collect();
        Self { shards, changed: Notify::new() }
    }

    /// Returns every record, shard by shard.
    pub fn records(&self) -> Vec<Record> {
        let of_shard = |shard: &Mutex<VecDeque<Arc<Record>>>| {
            shard.lock().iter().map(|record| (**record).clone()).collect::<Vec<_>>()
        };
        self.shards.iter().flat_map(of_shard).collect()
    }
}

impl Stream for MemoryStream {
    fn shards(&self) -> u32 {
        self.shards.len() as u32
    }

    fn put(&self, records: Vec<Record>) -> Pending<'_, Vec<Result<Position, PutError>>> {
        Box::pin(async move {
            let put = |record: Record| {
                let index = shard_of(&record.partition_key(), self.shards()) as usize;
                let mut shard = self.shards[index].lock();
                shard.push_back(Arc::new(record));
                Ok(Position { shard: index as u32, sequence: (shard.len() as u64 - 1).into() })
            };
            // Yields before and after storing, as waiting for a disk would.
            tokio::task::yield_now().await;
            let results = records.into_iter().map(put).collect();
            tokio::task::yield_now().await;
            self.changed.notify_waiters();
            results
        })
    }

    fn read(
        &self,
        shard: u32,
        from: Sequence,
        limit: usize,
    ) -> Pending<'_, Result<Batch, ReadError>> {
        Box::pin(async move {
            let Some(records) = self.shards.get(shard as usize).map(Mutex::lock) else {
                return Err(ReadError::Failed(format!("there is no shard {shard}")));
            };
            let end = records.len() as u64;
            let Some(from) = from.as_u64().filter(|from| *from <= end) else {
                return Err(ReadError::Beyond { shard, from, end: end.into() });
            };
            let found = (from..end)
                .map(Sequence::from)
                .zip(records.range(from as usize..).cloned())
                .take(limit);
            let records: Vec<(Sequence, Arc<Record>)> = found.collect();
            let next = Sequence::from(from + records.len() as u64);
            Ok(Batch { records, next, ..Batch::default() })
        })
    }

    fn wait(&self, shard: u32, from: Sequence) -> Pending<'_, ()> {
        Box::pin(async move {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Register before checking, so that a put in between is not missed.
            changed.as_mut().enable();
            let end = self.shards.get(shard as usize).map_or(0, |shard| shard.lock().len());
            if Sequence::from(end as u64) <= from {
                changed.await;
            }
        })
    }
}
