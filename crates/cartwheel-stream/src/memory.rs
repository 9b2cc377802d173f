//! A stream in memory: for tests of whatever stands over a stream.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cartwheel_events::Record;
use tokio::sync::Notify;

use crate::position::{Position, Sequence, shard_of};
use crate::stream::{Batch, Pending, PutError, ReadError, Stream};

/// Keeps records in memory and loses them with the process.
#[derive(Debug)]
pub struct MemoryStream {
    shards: Vec<Mutex<VecDeque<Record>>>,
    changed: Notify,
}

impl MemoryStream {
    /// An empty stream of `shards` shards.
    pub fn new(shards: u32) -> Self {
        let shards = (0..shards.max(1)).map(|_| Mutex::default()).collect();
        Self { shards, changed: Notify::new() }
    }

    /// Every record, shard by shard.
    pub fn records(&self) -> Vec<Record> {
        self.shards.iter().flat_map(|shard| guard(shard).clone()).collect()
    }
}

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stream for MemoryStream {
    fn shards(&self) -> u32 {
        self.shards.len() as u32
    }

    fn put(&self, records: Vec<Record>) -> Pending<'_, Vec<Result<Position, PutError>>> {
        Box::pin(async move {
            let put = |record: Record| {
                let index = shard_of(record.user_id().as_str(), self.shards()) as usize;
                let mut shard = guard(&self.shards[index]);
                shard.push_back(record);
                Ok(Position { shard: index as u32, sequence: (shard.len() as u64 - 1).into() })
            };
            // As with a disk, others run before the records are stored and after.
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
            let Some(records) = self.shards.get(shard as usize).map(guard) else {
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
            let records: Vec<(Sequence, Record)> = found.collect();
            let next = Sequence::from(from + records.len() as u64);
            Ok(Batch { records, next, ..Batch::default() })
        })
    }

    fn wait(&self, shard: u32, from: Sequence) -> Pending<'_, ()> {
        Box::pin(async move {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Listen first, then look: a put in between is not missed.
            changed.as_mut().enable();
            let end = self.shards.get(shard as usize).map_or(0, |shard| guard(shard).len());
            if Sequence::from(end as u64) <= from {
                changed.await;
            }
        })
    }
}
