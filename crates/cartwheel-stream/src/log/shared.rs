//! The state that the writer and the readers of a log share.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use tokio::sync::watch;

use super::disk::Disk;
use super::options::LogOptions;
use super::queue::Queue;
use super::recent::Recent;
use super::segment::Segment;

/// State that the writer and the readers share.
pub(super) struct Shared {
    pub(super) dir: PathBuf,
    pub(super) options: LogOptions,
    pub(super) shards: u32,
    /// By first sequence number.
    pub(super) segments: RwLock<BTreeMap<u64, Arc<Segment>>>,
    /// The first sequence number that is not synced yet.
    pub(super) synced: watch::Sender<u64>,
    pub(super) queue: Queue,
    pub(super) recent: Recent,
    /// Next sequence number that each consumer needs.
    pub(super) floors: Mutex<BTreeMap<String, u64>>,
    /// No record gets a smaller number.
    pub(super) least: AtomicU64,
    /// Held while old segments are deleted.
    pub(super) retaining: Mutex<()>,
    /// Damaged places, by the sequence number that was expected there.
    pub(super) damaged: Mutex<BTreeSet<u64>>,
    pub(super) torn_bytes: u64,
    pub(super) disk: Arc<dyn Disk>,
}

/// Maximum number of damaged places that are counted separately.
const MAX_DAMAGED: usize = 10_000;

impl Shared {
    /// Counts a damaged place once, regardless of how often it is read.
    pub(super) fn count_damage(&self, sequence: u64) {
        let mut damaged = self.damaged.lock();
        if damaged.len() < MAX_DAMAGED && damaged.insert(sequence) {
            tracing::error!(sequence, "the log is damaged: records from here on are missing");
        }
    }

    pub(super) fn segments(&self) -> RwLockReadGuard<'_, BTreeMap<u64, Arc<Segment>>> {
        self.segments.read()
    }

    /// Returns the total size of all segments in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.segments().values().map(|segment| segment.bytes).sum()
    }
}
