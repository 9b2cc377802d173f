//! The durable progress of delivery.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use cartwheel_stream::Sequence;
use serde::{Deserialize, Serialize};

use crate::error::LakeError;

/// The progress of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct ShardProgress {
    /// All records below this number are in the lake.
    pub next: Sequence,
    /// The end of the range from `next` whose delivery has started.
    pub planned: Option<Sequence>,
    /// When the range was planned, UTC milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned_at_ms: Option<i64>,
}

/// The sequence numbers below which a checkpoint's file counts all records as delivered, by
/// shard.
pub(crate) fn delivered_by(checkpoint: &[u8]) -> io::Result<BTreeMap<u32, Sequence>> {
    let json = cartwheel_files::without_checksum(checkpoint.to_vec())?;
    let shards: BTreeMap<u32, ShardProgress> = serde_json::from_slice(&json)?;
    Ok(shards.into_iter().map(|(shard, progress)| (shard, progress.next)).collect())
}

/// The sequence number below which the file at `path` calls a record delivered, or plans to deliver
/// it; 0 without a file. The stream has assigned all numbers below it.
///
/// # Errors
/// When the file cannot be read or is damaged.
pub fn delivered_before(path: &Path) -> Result<Sequence, LakeError> {
    let checkpoint = Checkpoint::open(path, 0).map_err(|e| LakeError::file(path, e))?;
    let ends =
        checkpoint.shards.values().map(|shard| shard.next.max(shard.planned.unwrap_or_default()));
    Ok(ends.max().unwrap_or_default())
}

/// The progress of every shard, kept in a file.
#[derive(Debug)]
pub(super) struct Checkpoint {
    path: PathBuf,
    shards: BTreeMap<u32, ShardProgress>,
}

impl Checkpoint {
    /// Opens the file `path`, which need not exist, for a stream of `shards` shards.
    pub(super) fn open(path: &Path, shards: u32) -> io::Result<Self> {
        let mut progress: BTreeMap<u32, ShardProgress> = match cartwheel_files::read_checked(path) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(e) => return Err(e),
        };
        for shard in 0..shards {
            progress.entry(shard).or_default();
        }
        Ok(Self { path: path.to_owned(), shards: progress })
    }

    /// The progress of a shard.
    pub(super) fn shard(&self, shard: u32) -> ShardProgress {
        self.shards.get(&shard).copied().unwrap_or_default()
    }

    /// The next sequence number of each shard, with the shard.
    pub(super) fn next(&self) -> impl Iterator<Item = (u32, Sequence)> {
        self.shards.iter().map(|(&shard, progress)| (shard, progress.next))
    }

    /// Sets the progress of a shard in memory. The file follows with the next [`Self::save`].
    pub(super) fn advance(&mut self, shard: u32, progress: ShardProgress) {
        self.shards.insert(shard, progress);
    }

    /// Sets the progress of a shard, durably. If the file cannot be written, the progress in
    /// memory does not change.
    pub(super) fn save(&mut self, shard: u32, progress: ShardProgress) -> io::Result<()> {
        let mut shards = self.shards.clone();
        shards.insert(shard, progress);
        cartwheel_files::replace_checked(&self.path, &serde_json::to_vec(&shards)?)?;
        self.shards = shards;
        Ok(())
    }
}
