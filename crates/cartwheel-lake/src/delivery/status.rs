//! The status of delivery, shared with the readers that show it.

use std::collections::VecDeque;
use std::sync::Arc;

use cartwheel_stream::Sequence;
use parking_lot::{Mutex, MutexGuard};

/// Files that a snapshot lists.
const NEWEST_FILES: usize = 200;

/// A delivered file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveredFile {
    /// The file's shard.
    pub shard: u32,
    /// The first sequence number of the file's range.
    pub first: Sequence,
    /// The last sequence number of the file's range.
    pub last: Sequence,
    /// The file's path in the lake.
    pub path: String,
}

/// The progress and the counts of delivery at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeliverySnapshot {
    /// By shard: all records below this number are in the lake.
    pub next: Vec<Sequence>,
    /// Files written since the start.
    pub files: u64,
    /// When the newest file was written, UTC milliseconds.
    pub last_ms: Option<i64>,
    /// Records since the start that went to `errors/`.
    pub rejected: u64,
    /// Sequence numbers since the start that the stream's retention removed before delivery.
    /// Their records are missing in the lake.
    pub missed: u64,
    /// Why the last attempt failed. `None` after a success.
    pub error: Option<String>,
    /// Failed attempts in a row.
    pub failures: u32,
    /// The newest files, oldest first.
    pub newest: VecDeque<DeliveredFile>,
}

/// The status of a delivery. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct DeliveryStatus(Arc<Mutex<DeliverySnapshot>>);

impl DeliveryStatus {
    /// Returns the current status.
    pub fn now(&self) -> DeliverySnapshot {
        self.lock().clone()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, DeliverySnapshot> {
        self.0.lock()
    }

    /// Adds a file that was written at `now_ms`.
    pub(super) fn add(&self, file: DeliveredFile, now_ms: i64) {
        let mut status = self.lock();
        status.files += 1;
        status.last_ms = Some(now_ms);
        if status.newest.len() == NEWEST_FILES {
            status.newest.pop_front();
        }
        status.newest.push_back(file);
    }
}
