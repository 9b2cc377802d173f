//! The durable progress of delivery.
//!
//! The names of the lake's parts say how far it has come, too, and no number that is wrong in the
//! file can be right there. Where the two do not agree, the parts are believed
//! ([`Checkpoint::agree`]).

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use cartwheel_stream::Sequence;
use serde::{Deserialize, Serialize};

use crate::delivery::newest::{NewestRange, newest_ranges};
use crate::error::LakeError;
use crate::lake::Lake;

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
    /// The end of what earlier processes have delivered or planned, as the file says. They may have
    /// begun to write parts below it. It stays in the file while a range below it is repeated.
    #[serde(default)]
    pub seen: Sequence,
    /// Whether the lake's parts told what is planned, and not the file.
    #[serde(skip)]
    pub is_repair: bool,
}

impl ShardProgress {
    /// The end of what is known to be delivered or planned.
    fn end(&self) -> Sequence {
        self.next.max(self.planned.unwrap_or_default()).max(self.seen)
    }

    /// The progress after a range that ends before `end`.
    pub(super) fn after(self, end: Sequence) -> Self {
        match self.planned {
            // The rest of a plan that is longer than one delivery.
            Some(planned) if end < planned => Self { next: end, ..self },
            _ => Self { next: end, seen: self.seen, ..Self::default() },
        }
    }

    /// Corrects what does not agree with the newest range of which the lake has a part. Returns
    /// false if the lake has a part beyond what the file tells.
    fn agree(&mut self, newest: Option<NewestRange>, now_ms: i64) -> bool {
        self.seen = self.end();
        let end = newest.map_or(Sequence::default(), |range| range.end);
        let is_behind = end > self.seen;
        let stored = (self.next, self.planned);
        match newest {
            // What is planned has no part yet.
            Some(range) if range.end == self.next => {}
            // Everything below the newest range is in the lake, and a part of that range at least. The
            // others may be missing.
            Some(range) if !range.is_merged || self.planned == Some(range.end) => {
                (self.next, self.planned) = (range.first, Some(range.end));
                self.is_repair = (self.next, self.planned) != stored;
                self.planned_at_ms = range.errors_at_ms.or(self.planned_at_ms).or(Some(now_ms));
            }
            _ => self.next = end,
        }
        self.planned = self.planned.filter(|planned| *planned > self.next);
        self.seen = self.seen.max(end);
        !is_behind
    }
}

/// The sequence numbers below which a checkpoint's file counts all records as delivered, by
/// shard.
pub(crate) fn delivered_by(checkpoint: &[u8]) -> io::Result<BTreeMap<u32, Sequence>> {
    let json = cartwheel_files::without_checksum(checkpoint.to_vec())?;
    let shards: BTreeMap<u32, ShardProgress> = serde_json::from_slice(&json)?;
    Ok(shards.into_iter().map(|(shard, progress)| (shard, progress.next)).collect())
}

/// The sequence number below which the file at `path` calls a record delivered, or plans to deliver
/// it, or below which the lake has a record; 0 without any. The stream has assigned all numbers
/// below it, and delivery goes on from there.
///
/// # Errors
/// When the file cannot be read or is damaged, or the lake cannot be listed.
pub fn delivered_before(path: &Path, lake: &Lake) -> Result<Sequence, LakeError> {
    let checkpoint = Checkpoint::open(path, 0).map_err(|e| LakeError::file(path, e))?;
    let planned = checkpoint.shards.values().map(ShardProgress::end);
    let parts = newest_ranges(lake, |_| Ok(()))?;
    let ends = planned.chain(parts.values().map(|newest| newest.end));
    Ok(ends.max().unwrap_or_default())
}

/// The progress of every shard, kept in a file.
#[derive(Debug)]
pub(super) struct Checkpoint {
    path: PathBuf,
    shards: BTreeMap<u32, ShardProgress>,
    /// What the file has.
    stored: BTreeMap<u32, ShardProgress>,
}

impl Checkpoint {
    /// Opens the file `path`, which need not exist, for a stream of `shards` shards.
    pub(super) fn open(path: &Path, shards: u32) -> io::Result<Self> {
        let mut progress: BTreeMap<u32, ShardProgress> = match cartwheel_files::read_checked(path) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(e) if e.kind() == io::ErrorKind::InvalidData => {
                const HINT: &str =
                    "You can also remove the file: the names of the lake's parts tell the same";
                return Err(io::Error::new(e.kind(), format!("{e}. {HINT}")));
            }
            Err(e) => return Err(e),
        };
        for shard in 0..shards {
            progress.entry(shard).or_default();
        }
        Ok(Self { path: path.to_owned(), stored: progress.clone(), shards: progress })
    }

    /// Corrects what does not agree with the newest ranges of which the lake has parts, and stores
    /// the progress if it was behind them.
    pub(super) fn agree(
        &mut self,
        newest: &BTreeMap<u32, NewestRange>,
        now_ms: i64,
    ) -> io::Result<()> {
        let mut all_agree = true;
        for (shard, progress) in &mut self.shards {
            let stored = progress.next;
            if !progress.agree(newest.get(shard).copied(), now_ms) {
                all_agree = false;
                tracing::warn!(
                    shard,
                    %stored,
                    next = %progress.next,
                    path = %self.path.display(),
                    "the file is older than the lake's parts, or missing: delivery goes on after them"
                );
            }
        }
        if all_agree { Ok(()) } else { self.store(self.shards.clone()) }
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
        self.store(shards.clone())?;
        self.shards = shards;
        Ok(())
    }

    fn store(&mut self, shards: BTreeMap<u32, ShardProgress>) -> io::Result<()> {
        cartwheel_files::replace_checked(&self.path, &serde_json::to_vec(&shards)?)?;
        self.stored = shards;
        Ok(())
    }

    /// The number from which a process that starts next may read.
    pub(super) fn floor(&self) -> Sequence {
        let all = self.shards.values().chain(self.stored.values());
        all.map(|progress| progress.next).min().unwrap_or_default()
    }
}
