//! The embedded stream: a segmented log that syncs before it acknowledges.
//!
//! # On disk
//!
//! All shards share one sequence of segment files, so a commit is one `fdatasync` however
//! many shards it touches. All numbers are little-endian.
//!
//! ```text
//! <first sequence, 20 digits>.log
//!   header, 64 bytes   "CWLOG\0\0\1"  magic and format version
//!                      u64 first sequence, u32 shards, u32 CRC32C of the 20 bytes before
//!                      u64 size of the file, u32 CRC32C of the 32 bytes before
//!                      zeros
//!   records            u32 length of the data, u32 CRC32C of all that follows
//!                      u64 sequence, i64 time (UTC ms), u32 shard, u32 zero
//!                      data, zeros to the next multiple of 8
//!   zeros              to the end of the file
//! ```
//!
//! A segment is filled with zeros and synced before its first record is written. A commit
//! then changes no metadata, which makes `fdatasync` cheap. Sequence numbers start at 0,
//! increase by one across all shards, and never depend on the clock.
//!
//! # Rules
//!
//! - A single thread writes. It takes all waiting puts, writes them at once, syncs once and
//!   then answers (group commit). Readers see synced records only.
//! - The newest records stay decoded in memory, for readers at the end of the log. They are forgotten when
//!   users are erased.
//! - When the last segment is half full, a second thread fills the next segment's file with
//!   zeros. If the disk has no space for it, puts fail until it does.
//! - A failed write or sync stops the log for good: the pages now count as clean, so a second
//!   sync could report success falsely.
//! - What a start reads may be in memory alone: written and never synced, or after a failed sync.
//!   Opening therefore writes the last segment again as it read it, and syncs it and the names,
//!   before anything is read or put. Earlier segments were synced before the last one got its name.
//! - Opening scans the last segment. Bytes after the last intact record, with no later intact
//!   record behind them, are a torn tail: they were never acknowledged and are zeroed. A
//!   damaged record with intact records behind it is counted and skipped.
//! - A torn tail may also be a damaged last record that a reader has already seen. Its
//!   sequence numbers are therefore not reused: a record without a shard (`u32::MAX`) skips
//!   as many numbers as the lost bytes could have held.
//! - A log that ends before a consumer's checkpoint has lost records. [`Log::skip_to`] then skips
//!   the numbers that the consumer has seen.
//! - Sequence numbers only increase. An intact record with a smaller number than the record
//!   before it counts as damage.
//! - An erased record is overwritten in place by a record without a shard, of the same size.
//! - Retention deletes the oldest segments, one at a time, but none that a consumer of the options,
//!   or another one that has set a floor, has not read; puts are refused instead. A reader learns how many records it
//!   missed.

mod disk;
mod erase;
mod files;
mod options;
mod queue;
mod reader;
mod recent;
mod recover;
mod retain;
mod segment;
mod shared;
mod spare;
mod walk;
mod writer;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cartwheel_events::Record;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{oneshot, watch};

use crate::position::{Position, Sequence, shard_of};
use crate::stream::{Batch, Pending, PutError, ReadError, Stream, StreamState};
pub(crate) use disk::Disk;
#[cfg(any(test, feature = "conformance"))]
pub(crate) use disk::Step;
pub use files::{Damage, LogFiles, StoredEntry, Verified};
pub use options::{Clock, LogOptions, LogStat, OpenError};
use queue::{Put, Queue, Records};
use reader::Wanted;
use recent::Recent;
use segment::{NO_SHARD, PASSED_OVER};
use shared::Shared;
use writer::Writer;

/// The embedded stream.
pub struct Log {
    shared: Arc<Shared>,
    writer: Mutex<Option<std::thread::JoinHandle<()>>>,
    lock: File,
}

impl Log {
    /// Opens the log in `dir`, or creates one, and repairs its tail.
    ///
    /// # Errors
    /// When the log is in use or not of this format, or a file cannot be read or written.
    pub fn open(dir: &Path, options: LogOptions) -> Result<Self, OpenError> {
        Self::open_on(Arc::new(disk::RealDisk), dir, options)
    }

    pub(crate) fn open_on(
        disk: Arc<dyn Disk>,
        dir: &Path,
        options: LogOptions,
    ) -> Result<Self, OpenError> {
        let io = |source| OpenError::Io { path: dir.to_owned(), source };
        cartwheel_files::create_dir(dir).map_err(io)?;
        let lock = File::create(dir.join("lock")).map_err(io)?;
        if lock.try_lock().is_err() {
            return Err(OpenError::Locked(dir.to_owned()));
        }
        let found = recover::recover(dir, &options, &*disk)?;
        let next = found.next;
        let floors = options.consumers.iter().map(|consumer| ((*consumer).to_owned(), 0)).collect();
        let shared = Arc::new(Shared {
            dir: dir.to_owned(),
            shards: found.shards,
            segments: RwLock::new(found.segments),
            synced: watch::Sender::new(next),
            queue: Queue::default(),
            recent: Recent::default(),
            floors: Mutex::new(floors),
            least: AtomicU64::new(0),
            retaining: Mutex::default(),
            damaged: Mutex::new(found.damaged),
            torn_bytes: found.torn_bytes,
            disk,
            options,
        });
        let writer = Writer::new(shared.clone(), found.end, next);
        let thread = std::thread::Builder::new().name("log-writer".to_owned());
        let thread = thread.spawn(move || writer.run()).map_err(io)?;
        Ok(Self { shared, writer: Mutex::new(Some(thread)), lock })
    }

    /// Keeps every record from `next` on, regardless of its age, until `consumer` sets a
    /// later number.
    pub fn set_floor(&self, consumer: &str, next: u64) {
        self.shared.floors.lock().insert(consumer.to_owned(), next);
        if self.shared.queue.is_full() {
            self.shared.retain((self.shared.options.clock)());
        }
    }

    /// Never assigns a sequence number below `next`, to be called before the first put: a consumer
    /// that has read up to there would miss the record. Without effect if the log is that far.
    /// Returns once this is durable.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub async fn skip_to(&self, next: u64) -> Result<(), PutError> {
        let end = *self.shared.synced.borrow();
        if end >= next {
            return Ok(());
        }
        tracing::error!(end, next, "the log ends before a checkpoint: records are lost");
        self.shared.least.store(next - 1, Ordering::Release);
        let entries = vec![(NO_SHARD, PASSED_OVER.to_vec())];
        let put =
            self.put_entries(entries, Vec::new()).await.pop().unwrap_or(Err(PutError::Stopped));
        put.map(drop)
    }

    /// Puts data that may not be a record, for fault injection.
    #[cfg(any(test, feature = "conformance"))]
    pub async fn put_bytes(&self, user: &str, data: Vec<u8>) -> Result<Position, PutError> {
        let entries = vec![(shard_of(user, self.shared.shards), data)];
        self.put_entries(entries, Vec::new()).await.pop().unwrap_or(Err(PutError::Stopped))
    }

    fn put_entries(
        &self,
        entries: Vec<(u32, Vec<u8>)>,
        decoded: Vec<Arc<Record>>,
    ) -> Pending<'_, Vec<Result<Position, PutError>>> {
        let count = entries.len();
        let (answer, answered) = oneshot::channel();
        // Queued here and not when first polled, so that the order of calls is kept.
        let records = Records { entries, decoded, results: Vec::with_capacity(count) };
        let queued = self.shared.queue.push(Put { records, answer }, &self.shared.options);
        Box::pin(async move {
            if let Err(error) = queued {
                return vec![Err(error); count];
            }
            match answered.await {
                Ok(records) => records.results,
                Err(_) => vec![Err(PutError::Stopped); count],
            }
        })
    }

    /// Returns the log's current statistics.
    pub fn stat(&self) -> LogStat {
        let segments = self.shared.segments();
        LogStat {
            first: segments.keys().next().copied().unwrap_or(0),
            next: *self.shared.synced.borrow(),
            segments: segments.len(),
            damaged: self.shared.damaged.lock().len() as u64,
            torn_bytes: self.shared.torn_bytes,
        }
    }

    /// Writes the waiting records, then stops the log.
    pub fn close(&self) {
        self.shared.queue.close();
        if let Some(thread) = self.writer.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the log's writer panicked");
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.close();
        // Closing the file is not enough: a child process forked meanwhile shares the lock.
        if let Err(error) = self.lock.unlock() {
            tracing::warn!(%error, "the log's lock file cannot be unlocked");
        }
    }
}

impl Log {
    /// Reads the records that are `wanted`; the others are not decoded.
    fn read_records(
        &self,
        shard: u32,
        from: Sequence,
        limit: usize,
        wanted: Wanted,
    ) -> Pending<'_, Result<Batch, ReadError>> {
        let shared = self.shared.clone();
        Box::pin(async move {
            if let Some(batch) = reader::read_recent(&shared, shard, from, limit, wanted) {
                // Nothing waits here: a reader that goes on and on would leave no time to others.
                tokio::task::yield_now().await;
                return Ok(batch);
            }
            let read = move || reader::read(&shared, shard, from, limit, wanted);
            let read = tokio::task::spawn_blocking(read);
            read.await.unwrap_or_else(|e| Err(ReadError::Failed(e.to_string())))
        })
    }
}

impl Stream for Log {
    fn shards(&self) -> u32 {
        self.shared.shards
    }

    fn state(&self) -> StreamState {
        self.shared.queue.state()
    }

    fn put(&self, records: Vec<Record>) -> Pending<'_, Vec<Result<Position, PutError>>> {
        let shards = self.shared.shards;
        let entry = |r: &Record| (shard_of(&r.partition_key(), shards), r.to_vec());
        let entries: Vec<(u32, Vec<u8>)> = records.iter().map(entry).collect();
        let is_same = |(r, (_, data)): (&Record, &(u32, Vec<u8>))| {
            Record::from_slice(data).is_ok_and(|read| read == *r)
        };
        debug_assert!(
            records.iter().zip(&entries).all(is_same),
            "what is read from memory is what the disk has"
        );
        self.put_entries(entries, records.into_iter().map(Arc::new).collect())
    }

    fn read(
        &self,
        shard: u32,
        from: Sequence,
        limit: usize,
    ) -> Pending<'_, Result<Batch, ReadError>> {
        self.read_records(shard, from, limit, Wanted { data: |_| true, record: |_| true })
    }

    fn read_without_impressions(
        &self,
        shard: u32,
        from: Sequence,
        limit: usize,
    ) -> Pending<'_, Result<Batch, ReadError>> {
        let wanted = Wanted {
            data: |data| !Record::looks_like_impression(data),
            record: |record| !matches!(record, Record::Impression(_)),
        };
        self.read_records(shard, from, limit, wanted)
    }

    fn wait(&self, _shard: u32, from: Sequence) -> Pending<'_, ()> {
        let mut synced = self.shared.synced.subscribe();
        Box::pin(async move {
            // An error means that the log is gone, so there is nothing to wait for.
            let _ = synced.wait_for(|next| Sequence::from(*next) > from).await;
        })
    }
}
