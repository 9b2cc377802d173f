//! The embedded stream: a segmented log, synced before it answers.
//!
//! # On disk
//!
//! All shards share one sequence of segment files, so that a commit is one
//! `fdatasync` however many shards it touches. All numbers are little-endian.
//!
//! ```text
//! <first sequence, 20 digits>.log
//!   header, 64 bytes   "CWLOG\0\0\1"  magic and format version
//!                      u64 first sequence, u32 shards, u32 CRC32C of the 20 bytes before
//!                      zeros
//!   records            u32 length of the data, u32 CRC32C of all that follows
//!                      u64 sequence, i64 time (UTC ms), u32 shard, u32 zero
//!                      data, zeros to the next multiple of 8
//!   zeros              to the end of the file
//! ```
//!
//! A segment is written full of zeros and synced before its first record: a
//! commit then changes no metadata, which is what makes `fdatasync` cheap.
//! Sequence numbers start at 0, grow by one over all shards and never depend on
//! the clock.
//!
//! # Rules
//!
//! - One thread writes. It takes all that waits, writes it at once, syncs once and
//!   then answers (group commit). Readers see synced records only.
//! - The next segment's file is filled with zeros by a thread of its own once the
//!   last one is half full. A disk without space for it refuses puts until it has.
//! - A failed write or sync stops the log for good: the page cache may have lost
//!   the pages, so that a second sync would lie. A restart reads what the disk has.
//! - Opening scans the last segment. Bytes after the last whole record that hold no
//!   later whole record are a torn tail, never acknowledged, and are zeroed. A bad
//!   record with whole ones behind it is damage: it is counted and passed over.
//! - A torn tail may have been a damaged last record, which somebody has read. Its
//!   sequence numbers are not given again: a record of no shard (`u32::MAX`) passes
//!   over as many as the lost bytes can have held.
//! - Sequence numbers only grow within the log: a whole record with a smaller one than
//!   the record before it is damage.
//! - An erased record is overwritten where it lies by one of no shard and the same size.
//! - Retention deletes the oldest segments, one by one, and none that a consumer with a
//!   floor has not read; puts are refused meanwhile. A reader is told what it missed.

mod disk;
mod erase;
mod files;
mod reader;
mod recover;
mod retain;
mod segment;
mod spare;
mod walk;
mod writer;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use cartwheel_events::Record;
use tokio::sync::{oneshot, watch};

use crate::position::{Position, Sequence, shard_of};
use crate::stream::{Batch, Pending, PutError, ReadError, Stream, StreamState};
pub(crate) use disk::Disk;
#[cfg(any(test, feature = "conformance"))]
pub(crate) use disk::Step;
pub use files::{Damage, LogFiles, StoredEntry, Verified};
use segment::Segment;
use writer::{Put, Writer};

/// UTC milliseconds, from outside.
pub type Clock = fn() -> i64;

/// How the log is kept.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// Shards of a new log; an old one keeps its own.
    pub shards: u32,
    /// Size of a segment file in bytes.
    pub segment_bytes: u64,
    /// Records older than this may go, in milliseconds.
    pub retention_ms: i64,
    /// Most bytes of all segments. Beyond them the oldest go, whatever their age;
    /// while a consumer still needs those, puts are throttled.
    pub max_bytes: u64,
    /// Largest record in bytes.
    pub max_record_bytes: usize,
    /// Most bytes that wait to be written.
    pub queue_bytes: usize,
    /// The clock that stamps records.
    pub clock: Clock,
}

impl LogOptions {
    /// The usual sizes, with the given clock.
    pub fn new(clock: Clock) -> Self {
        Self {
            shards: 4,
            segment_bytes: 64 << 20,
            retention_ms: 7 * 24 * 3_600_000,
            max_bytes: 16 << 30,
            max_record_bytes: 1 << 20,
            queue_bytes: 64 << 20,
            clock,
        }
    }
}

/// Why a log does not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has it open.
    #[error("{0} is in use by another cartwheel process: stop it first")]
    Locked(PathBuf),
    /// A segment is not one of this release.
    #[error("{path}: {problem}")]
    Segment {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The disk failed.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Figures of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogStat {
    /// Oldest sequence number kept.
    pub first: u64,
    /// Next sequence number to be written.
    pub next: u64,
    /// Segment files.
    pub segments: usize,
    /// Damaged places passed over since opening.
    pub damaged: u64,
    /// Bytes of a torn tail that opening zeroed.
    pub torn_bytes: u64,
}

/// What writer and readers share.
struct Shared {
    dir: PathBuf,
    options: LogOptions,
    shards: u32,
    /// By first sequence number.
    segments: RwLock<BTreeMap<u64, Arc<Segment>>>,
    /// Next sequence number that is not yet synced.
    synced: watch::Sender<u64>,
    queue: writer::Queue,
    /// Next sequence that each consumer needs.
    floors: Mutex<BTreeMap<String, u64>>,
    /// Held by whoever deletes old segments.
    retaining: Mutex<()>,
    /// Damaged places, by the sequence number that was to be read there.
    damaged: Mutex<BTreeSet<u64>>,
    torn_bytes: u64,
    disk: Arc<dyn Disk>,
}

/// The embedded stream.
pub struct Log {
    shared: Arc<Shared>,
    writer: Mutex<Option<std::thread::JoinHandle<()>>>,
    lock: File,
}

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Log {
    /// Opens the log in `dir`, or makes one, and repairs its tail.
    ///
    /// # Errors
    /// When it is in use, not of this format, or the disk fails.
    pub fn open(dir: &Path, options: LogOptions) -> Result<Self, OpenError> {
        Self::open_on(Arc::new(disk::Plain), dir, options)
    }

    pub(crate) fn open_on(
        disk: Arc<dyn Disk>,
        dir: &Path,
        options: LogOptions,
    ) -> Result<Self, OpenError> {
        let io = |source| OpenError::Io { path: dir.to_owned(), source };
        std::fs::create_dir_all(dir).map_err(io)?;
        let lock = File::create(dir.join("lock")).map_err(io)?;
        if lock.try_lock().is_err() {
            return Err(OpenError::Locked(dir.to_owned()));
        }
        let found = recover::recover(dir, &options, &*disk)?;
        let next = found.next;
        let shared = Arc::new(Shared {
            dir: dir.to_owned(),
            shards: found.shards,
            segments: RwLock::new(found.segments),
            synced: watch::Sender::new(next),
            queue: writer::Queue::default(),
            floors: Mutex::default(),
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

    /// Keeps every record from `next` on, whatever its age, until `consumer` says
    /// a later number.
    pub fn set_floor(&self, consumer: &str, next: u64) {
        guard(&self.shared.floors).insert(consumer.to_owned(), next);
        if self.shared.queue.is_full() {
            self.shared.retain((self.shared.options.clock)());
        }
    }

    /// Puts data that may be no record, as a fault would.
    #[cfg(any(test, feature = "conformance"))]
    pub async fn put_bytes(&self, user: &str, data: Vec<u8>) -> Result<Position, PutError> {
        let entries = vec![(shard_of(user, self.shared.shards), data)];
        self.put_entries(entries).await.pop().unwrap_or(Err(PutError::Stopped))
    }

    fn put_entries(
        &self,
        entries: Vec<(u32, Vec<u8>)>,
    ) -> Pending<'_, Vec<Result<Position, PutError>>> {
        let count = entries.len();
        let (answer, answered) = oneshot::channel();
        // Taken here, not when first polled: the order of calls is the order kept.
        let queued = self.shared.queue.push(Put { entries, answer }, &self.shared.options);
        Box::pin(async move {
            if let Err(error) = queued {
                return vec![Err(error); count];
            }
            answered.await.unwrap_or_else(|_| vec![Err(PutError::Stopped); count])
        })
    }

    /// Figures of now.
    pub fn stat(&self) -> LogStat {
        let segments = self.shared.segments();
        LogStat {
            first: segments.keys().next().copied().unwrap_or(0),
            next: *self.shared.synced.borrow(),
            segments: segments.len(),
            damaged: guard(&self.shared.damaged).len() as u64,
            torn_bytes: self.shared.torn_bytes,
        }
    }

    /// Writes what waits, then takes no more.
    pub fn close(&self) {
        self.shared.queue.close();
        if let Some(thread) = guard(&self.writer).take()
            && thread.join().is_err()
        {
            tracing::error!("the log's writer panicked");
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.close();
        // Closing the file is not enough: a process forked meanwhile holds it too.
        if let Err(error) = self.lock.unlock() {
            tracing::warn!(%error, "the log's lock was not given back");
        }
    }
}

/// Most damaged places that are told apart.
const DAMAGED: usize = 10_000;

impl Shared {
    /// Counts a damaged place, once however often it is read.
    fn count_damage(&self, sequence: u64) {
        let mut damaged = guard(&self.damaged);
        if damaged.len() < DAMAGED && damaged.insert(sequence) {
            tracing::error!(sequence, "the log is damaged: records from here on are missing");
        }
    }

    fn segments(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<u64, Arc<Segment>>> {
        self.segments.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes of all segments.
    fn bytes(&self) -> u64 {
        self.segments().len() as u64 * self.options.segment_bytes
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
        let entry = |r: &Record| (shard_of(r.user_id().as_str(), shards), r.to_vec());
        self.put_entries(records.iter().map(entry).collect())
    }

    fn read(
        &self,
        shard: u32,
        from: Sequence,
        limit: usize,
    ) -> Pending<'_, Result<Batch, ReadError>> {
        let shared = self.shared.clone();
        Box::pin(async move {
            let read =
                tokio::task::spawn_blocking(move || reader::read(&shared, shard, from, limit));
            read.await.unwrap_or_else(|e| Err(ReadError::Failed(e.to_string())))
        })
    }

    fn wait(&self, _shard: u32, from: Sequence) -> Pending<'_, ()> {
        let mut synced = self.shared.synced.subscribe();
        Box::pin(async move {
            // An error means that the log is gone: there is nothing to wait for.
            let _ = synced.wait_for(|next| Sequence::from(*next) > from).await;
        })
    }
}
