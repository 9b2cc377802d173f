//! How far delivery is: durably, and for people to look at.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cartwheel_stream::Sequence;
use serde::{Deserialize, Serialize};

/// Files that a status names.
const SHOWN_FILES: usize = 200;

/// How far one shard is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// Everything before it is in the lake.
    pub next: Sequence,
    /// The delivery from `next` up to here has begun.
    pub planned: Option<Sequence>,
    /// When it was planned, UTC milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned_at_ms: Option<i64>,
}

/// How far every shard is; none before the first delivery.
pub(crate) fn read(checkpoint: &Path) -> io::Result<BTreeMap<u32, Progress>> {
    match std::fs::read(checkpoint) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(e) => Err(e),
    }
}

/// Writes a small file anew, whole or not at all, and waits for it.
pub(crate) fn write(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let scratch = path.with_extension("new");
    let dir = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(dir)?;
    let mut file = std::fs::File::create(&scratch)?;
    file.write_all(&serde_json::to_vec(value)?)?;
    file.sync_all()?;
    std::fs::rename(&scratch, path)?;
    std::fs::File::open(dir)?.sync_all()
}

/// A file that was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveredFile {
    /// The shard.
    pub shard: u32,
    /// Sequence number of its first record, or of one before it.
    pub first: Sequence,
    /// Sequence number of its last record, or of one after it.
    pub last: Sequence,
    /// Its path in the lake.
    pub path: String,
}

/// How far delivery is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delivered {
    /// By shard: everything before it is in the lake.
    pub next: Vec<Sequence>,
    /// Files written since the start.
    pub files: u64,
    /// When the last of them was written, UTC milliseconds.
    pub last_ms: Option<i64>,
    /// Records since the start that went to `errors/`.
    pub rejected: u64,
    /// Sequence numbers since the start that the stream no longer kept when they were
    /// to be delivered: records among them are lost to the lake.
    pub missed: u64,
    /// Why the last try failed; none after a success.
    pub error: Option<String>,
    /// Tries that failed in a row.
    pub failures: u32,
    /// The last files, the newest last.
    pub newest: VecDeque<DeliveredFile>,
}

/// Shows how far a delivery is. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct DeliveryStatus(Arc<Mutex<Delivered>>);

impl DeliveryStatus {
    /// How far it is now.
    pub fn now(&self) -> Delivered {
        self.shared().clone()
    }

    pub(crate) fn shared(&self) -> MutexGuard<'_, Delivered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, file: DeliveredFile, now_ms: i64) {
        let mut shown = self.shared();
        shown.files += 1;
        shown.last_ms = Some(now_ms);
        if shown.newest.len() == SHOWN_FILES {
            shown.newest.pop_front();
        }
        shown.newest.push_back(file);
    }
}
