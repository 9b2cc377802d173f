//! Running a compaction.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cartwheel_stream::Sequence;

use crate::compaction::merge::{Hour, merge};
use crate::compaction::options::CompactionOptions;
use crate::compaction::plan::{Candidate, plan_merges};
use crate::compaction::superseded::remove_superseded;
use crate::erasure::{Erasure, ErasureResult, erase};
use crate::error::LakeError;
use crate::files::format::Format;
use crate::files::partition::{HOUR_MS, hour_start_ms};
use crate::files::parts::{Part, folders};
use crate::files::rewrite::RewriteError;
use crate::files::scan::footer;
use crate::lake::Lake;
use crate::progress::{CompactionProgress, go_on};
use crate::tables::{DELIVERED, DeliveredTable};

/// The counts of a compaction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CompactionSummary {
    /// Live parts before.
    pub parts_before: u64,
    /// Live parts after.
    pub parts_after: u64,
    /// Rows of the merged parts.
    pub rows: u64,
    /// Rows that were dropped as duplicates.
    pub rows_dropped: u64,
    /// Dropped rows whose event differs from the one that was stored first under its id: a client
    /// has used the id for two events.
    pub rows_conflicting: u64,
    /// Bytes of the merged parts.
    pub bytes: u64,
    /// Superseded parts that were removed.
    pub removed: u64,
    /// The result of each erasure.
    pub erasures: Vec<ErasureResult>,
    /// Files that could not be read and were left as they are, each with its path and the error.
    pub problems: Vec<String>,
}

/// The compactor of a lake.
#[derive(Debug, Clone)]
pub struct Compactor {
    lake: Lake,
    options: CompactionOptions,
    stopped: Arc<AtomicBool>,
}

impl Compactor {
    /// A compactor of `lake`.
    pub fn new(lake: &Lake, options: CompactionOptions) -> Self {
        Self { lake: lake.clone(), options, stopped: Arc::default() }
    }

    /// Ends the compaction that is running after the file at which it is, and every later one of
    /// this compactor and its clones at once: nothing is lost, and another one continues.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
    }

    /// Erases users, merges small parts, and removes parts that were merged long enough ago.
    ///
    /// `delivered` holds for each shard the sequence number below which all records are in the
    /// lake. The call blocks: do not call it within an async task.
    ///
    /// # Errors
    /// When the lake cannot be listed or written, another compaction is running, or this one is
    /// stopped. The next compaction continues with the rest.
    pub fn compact(
        &self,
        now_ms: i64,
        delivered: &[Sequence],
        erasures: &[Erasure],
        progress: &mut dyn FnMut(CompactionProgress),
    ) -> Result<CompactionSummary, LakeError> {
        let lock = self.lake.try_lock("compaction")?;
        let _lock = lock.ok_or(LakeError::Busy("compaction"))?;
        let mut summary = CompactionSummary::default();
        if !erasures.is_empty() {
            let problems = &mut summary.problems;
            summary.erasures =
                erase(&self.lake, delivered, erasures, problems, &self.stopped, progress)?;
        }
        let list =
            |table: &DeliveredTable| folders(&self.lake.dir().join(table.name), table.format);
        let all = DELIVERED.iter().map(|table| Ok((table, list(table)?)));
        let all = all.collect::<Result<Vec<_>, LakeError>>()?;
        let total = all.iter().map(|(_, folders)| folders.len() as u64).sum();
        let mut done = 0;
        for (table, folders) in &all {
            for (at, folder) in folders.iter().enumerate() {
                go_on(&self.stopped)?;
                let hour = Hour::new(folder, &folders[..at]);
                self.compact_hour(table, &hour, now_ms, delivered, &mut summary)?;
                done += 1;
                progress(CompactionProgress { done, total });
            }
        }
        Ok(summary)
    }

    fn compact_hour(
        &self,
        table: &DeliveredTable,
        hour: &Hour<'_>,
        now_ms: i64,
        delivered: &[Sequence],
        summary: &mut CompactionSummary,
    ) -> Result<(), LakeError> {
        let folder = hour.folder;
        let grace_ms = self.options.grace_ms();
        let problems = &mut summary.problems;
        summary.removed +=
            remove_superseded(&self.lake, table.format, folder, now_ms, grace_ms, problems)?;
        let live: Vec<&Part> = folder.live().collect();
        summary.parts_before += live.len() as u64;
        summary.parts_after += live.len() as u64;
        let is_over = hour_start_ms(&folder.path)
            .is_some_and(|start| start.saturating_add(HOUR_MS).saturating_add(grace_ms) <= now_ms);
        let mut candidates = self.candidates(table.format, &live, delivered, problems);
        loop {
            let mut is_done = true;
            for run in plan_merges(&candidates, is_over, &self.options) {
                go_on(&self.stopped)?;
                let sources = &live[run.clone()];
                match merge(&self.lake, table, hour, sources) {
                    Ok(merged) => {
                        summary.rows += merged.rows;
                        summary.rows_dropped += merged.dropped;
                        summary.rows_conflicting += merged.conflicting;
                        if merged.conflicting > 0 {
                            tracing::warn!(
                                rows = merged.conflicting,
                                folder = %folder.path.display(),
                                "clients have used event ids again for other events: these were dropped"
                            );
                        }
                        summary.bytes += merged.bytes;
                        summary.parts_after -= sources.len() as u64 - 1;
                        candidates[run].iter_mut().for_each(|part| part.is_mergeable = false);
                    }
                    // Plan again: the parts on either side of the unreadable part can be merged,
                    // but not across it.
                    Err(RewriteError::Source { path, error }) => {
                        summary.problems.push(format!("{}: {error}", path.display()));
                        for (part, candidate) in live.iter().zip(&mut candidates) {
                            candidate.is_mergeable &= part.path != path;
                        }
                        is_done = false;
                        break;
                    }
                    Err(RewriteError::Target(error)) => return Err(error),
                }
            }
            if is_done {
                return Ok(());
            }
        }
    }

    fn candidates(
        &self,
        format: Format,
        live: &[&Part],
        delivered: &[Sequence],
        problems: &mut Vec<String>,
    ) -> Vec<Candidate> {
        live.iter()
            .map(|part| {
                let Some(name) = part.name.filter(|name| name.is_settled(delivered)) else {
                    return Candidate::default();
                };
                match self.size(format, &part.path, live.len()) {
                    Ok(PartSize { bytes, rows }) => {
                        Candidate { shard: name.shard, bytes, rows, is_mergeable: true }
                    }
                    Err(error) => {
                        problems.push(format!("{}: {error}", part.path.display()));
                        Candidate::default()
                    }
                }
            })
            .collect()
    }

    /// The size of a part. Its rows are only read if they can matter: not if the part is alone in
    /// its folder or large already.
    fn size(&self, format: Format, path: &Path, parts: usize) -> io::Result<PartSize> {
        let bytes = std::fs::metadata(path)?.len();
        let is_counted =
            parts > 1 && format == Format::Parquet && bytes <= self.options.target_bytes;
        let rows = if is_counted { footer(path)?.rows } else { 0 };
        Ok(PartSize { bytes, rows })
    }
}

struct PartSize {
    bytes: u64,
    /// 0 if the rows do not matter.
    rows: u64,
}
