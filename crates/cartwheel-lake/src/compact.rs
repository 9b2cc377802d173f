//! Compaction: the small parts of an hour become few large ones.
//!
//! A merged part covers the range of its sources and lies beside them, so that readers
//! take it for them from the moment that it appears. The sources go after a grace
//! period, for readers that listed them before. A crash between any two steps leaves
//! every row in what readers see, once.
//!
//! Only parts below what each shard has delivered are touched: delivery writes none of
//! them again, and none between them.

use std::io::{self, BufReader, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use arrow_array::{Array, RecordBatch};
use cartwheel_stream::Sequence;
use rustc_hash::{FxHashMap, FxHashSet};
use sha2::{Digest, Sha256};

use crate::erasure::{Erased, Erasure, erase, next_line};
use crate::manifest::{Lake, LakeError};
use crate::parts::{Folder, Part, PartName, folders, hour_of};
use crate::rewrite::{RewriteError, Rewritten, rewrite};
use crate::scan::{numbers, scan, shape, texts};
use crate::upload::Upload;

const HOUR_MS: i64 = 3_600_000;
/// An event id is remembered for a day, which an hour and the 24 before it cover.
const REMEMBERED_HOURS: i64 = 24;

/// When parts are merged, and into what.
#[derive(Debug, Clone)]
pub struct CompactionOptions {
    /// An hour that is not over is compacted when a shard has more small parts than this.
    pub max_parts: usize,
    /// Most bytes of the parts that are merged into one.
    pub target_bytes: u64,
    /// Most rows of them.
    pub target_rows: u64,
    /// How long merged parts stay for readers that listed them before. An hour is over
    /// this long after its end.
    pub grace: Duration,
}

impl Default for CompactionOptions {
    fn default() -> Self {
        Self {
            max_parts: 16,
            target_bytes: 128 << 20,
            target_rows: 1 << 20,
            grace: Duration::from_secs(600),
        }
    }
}

/// How far a compaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompactionProgress {
    /// Folders that are done: of erasure first, then of compaction.
    pub done: u64,
    /// All of them.
    pub total: u64,
}

/// What a compaction did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Compacted {
    /// Parts that readers saw before.
    pub parts_before: u64,
    /// Parts that they see now.
    pub parts_after: u64,
    /// Rows of the merged parts.
    pub rows: u64,
    /// Rows left out because they stood there already.
    pub rows_dropped: u64,
    /// Bytes of the merged parts.
    pub bytes: u64,
    /// Files removed that had been merged before.
    pub removed: u64,
    /// What became of each erasure.
    pub erased: Vec<Erased>,
    /// Files that could not be read and were left as they are, each named.
    pub problems: Vec<String>,
}

/// Compacts a lake.
#[derive(Debug, Clone)]
pub struct Compactor {
    lake: Lake,
    options: CompactionOptions,
}

/// A delivered table and how its rows are told apart.
struct Table {
    name: &'static str,
    extension: &'static str,
    /// Beside `user_id`.
    key: &'static str,
}

const TABLES: [Table; 3] = [
    Table { name: "events", extension: "parquet", key: "event_id" },
    Table { name: "impressions", extension: "parquet", key: "recommendation_id" },
    Table { name: "errors", extension: "ndjson", key: "" },
];

impl Compactor {
    /// Compacts `lake`.
    pub fn new(lake: &Lake, options: CompactionOptions) -> Self {
        Self { lake: lake.clone(), options }
    }

    /// Erases what is to be erased, merges small parts, and removes those that were
    /// merged long enough ago. `delivered` says by shard below which sequence number
    /// everything is in the lake. It blocks: call it on a thread that may, and not from
    /// within an async task.
    ///
    /// # Errors
    /// When the lake cannot be listed or written, or another compaction is running. What
    /// was done until then counts, and the rest is done next time.
    pub fn compact(
        &self,
        now_ms: i64,
        delivered: &[Sequence],
        erasures: &[Erasure],
        progress: &mut dyn FnMut(CompactionProgress),
    ) -> Result<Compacted, LakeError> {
        let lock = self.lake.try_lock("compaction")?;
        let _lock = lock.ok_or(LakeError::Busy("compaction"))?;
        let mut out = Compacted::default();
        if !erasures.is_empty() {
            out.erased = erase(&self.lake, delivered, erasures, &mut out.problems, progress)?;
        }
        let found = |table: &Table| folders(&self.lake.dir().join(table.name), table.extension);
        let all = TABLES.iter().map(|table| Ok((table, found(table)?)));
        let all = all.collect::<Result<Vec<_>, LakeError>>()?;
        let total = all.iter().map(|(_, folders)| folders.len() as u64).sum();
        let mut done = 0;
        for (table, folders) in &all {
            for (at, folder) in folders.iter().enumerate() {
                let hour = Hour { folder, earlier: earlier(folder, &folders[..at]) };
                self.folder(table, &hour, now_ms, delivered, &mut out)?;
                done += 1;
                progress(CompactionProgress { done, total });
            }
        }
        Ok(out)
    }

    fn folder(
        &self,
        table: &Table,
        hour: &Hour<'_>,
        now_ms: i64,
        delivered: &[Sequence],
        out: &mut Compacted,
    ) -> Result<(), LakeError> {
        let folder = hour.folder;
        out.removed += self.remove_superseded(table, folder, now_ms, &mut out.problems)?;
        let live: Vec<&Part> = folder.live().collect();
        out.parts_before += live.len() as u64;
        out.parts_after += live.len() as u64;
        let grace = i64::try_from(self.options.grace.as_millis()).unwrap_or(i64::MAX);
        let over = hour_of(&folder.path)
            .is_some_and(|begin| begin.saturating_add(HOUR_MS).saturating_add(grace) <= now_ms);
        let mut candidates = self.candidates(table, &live, delivered, &mut out.problems);
        loop {
            let mut is_done = true;
            for run in runs(&candidates, over, &self.options) {
                let sources = &live[run.clone()];
                match self.merge(table, hour, sources) {
                    Ok(merged) => {
                        out.rows += merged.rows;
                        out.rows_dropped += merged.dropped;
                        out.bytes += merged.bytes;
                        out.parts_after -= sources.len() as u64 - 1;
                        candidates[run].iter_mut().for_each(|done| done.mergeable = false);
                    }
                    // The parts before it and after it can be merged, but not across it.
                    Err(RewriteError::Source { path, error }) => {
                        out.problems.push(format!("{}: {error}", path.display()));
                        for (part, candidate) in live.iter().zip(&mut candidates) {
                            candidate.mergeable &= part.path != path;
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

    /// Removes parts whose rows are in another one, once no reader can want them.
    fn remove_superseded(
        &self,
        table: &Table,
        folder: &Folder,
        now_ms: i64,
        problems: &mut Vec<String>,
    ) -> Result<u64, LakeError> {
        let mut removed = 0;
        let grace = i64::try_from(self.options.grace.as_millis()).unwrap_or(i64::MAX);
        let mut checked: FxHashSet<&Path> = FxHashSet::default();
        let mut refused: FxHashSet<&Path> = FxHashSet::default();
        for part in &folder.parts {
            let Some(by) = part.superseded_by.as_deref() else { continue };
            if checked.insert(by) {
                match is_whole(table, by) {
                    Ok(written_ms) if now_ms.saturating_sub(written_ms) >= grace => {}
                    Ok(_) => drop(refused.insert(by)),
                    Err(error) => {
                        refused.insert(by);
                        problems.push(format!("{}: {error}", by.display()));
                    }
                }
            }
            if !refused.contains(by) {
                self.lake.remove(self.lake.relative(&part.path))?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    fn candidates(
        &self,
        table: &Table,
        live: &[&Part],
        delivered: &[Sequence],
        problems: &mut Vec<String>,
    ) -> Vec<Candidate> {
        live.iter()
            .map(|part| {
                let Some(name) = part.name.filter(|name| name.settled(delivered)) else {
                    return Candidate::default();
                };
                match self.size(table, &part.path, live.len()) {
                    Ok((bytes, rows)) => {
                        Candidate { shard: name.shard, bytes, rows, mergeable: true }
                    }
                    Err(error) => {
                        problems.push(format!("{}: {error}", part.path.display()));
                        Candidate::default()
                    }
                }
            })
            .collect()
    }

    /// Bytes and rows of a part. Its rows need not be known where it is large already,
    /// or alone.
    fn size(&self, table: &Table, path: &Path, parts: usize) -> io::Result<(u64, u64)> {
        let bytes = std::fs::metadata(path)?.len();
        let is_counted = parts > 1 && table.extension == "parquet";
        let rows =
            if is_counted && bytes <= self.options.target_bytes { shape(path)?.1 } else { 0 };
        Ok((bytes, rows))
    }

    fn merge(
        &self,
        table: &Table,
        hour: &Hour<'_>,
        sources: &[&Part],
    ) -> Result<Rewritten, RewriteError> {
        let names = || sources.iter().filter_map(|part| part.name);
        let (Some(first), Some(last)) = (names().next(), names().map(|name| name.last).max())
        else {
            return Ok(Rewritten::default());
        };
        let name = PartName { last, ..first }.file(table.extension);
        let target = self.lake.relative(&hour.folder.path).join(name);
        let sources: Vec<PathBuf> = sources.iter().map(|part| part.path.clone()).collect();
        if table.extension != "parquet" {
            return concatenate(&self.lake, &sources, &target);
        }
        let mut seen = repeated(table, first.shard, &sources, &hour.earlier)?;
        rewrite(&self.lake, &sources, &target, false, |batch| {
            first_ones(batch, table.key, &mut seen)
        })
    }
}

/// A live part of a folder, in their order.
#[derive(Debug, Clone, Copy, Default)]
struct Candidate {
    shard: u32,
    bytes: u64,
    rows: u64,
    /// It may be merged with its neighbours. What may not lies in no merged range.
    mergeable: bool,
}

/// Which neighbours to merge.
fn runs(parts: &[Candidate], over: bool, options: &CompactionOptions) -> Vec<Range<usize>> {
    let is_small = |part: &Candidate| {
        part.mergeable
            && part.bytes <= options.target_bytes / 2
            && part.rows <= options.target_rows / 2
    };
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(first) = parts.get(at) {
        let (mut bytes, mut rows, mut end) = (0, 0, at);
        let mut is_full = false;
        while let Some(part) = parts.get(end).filter(|p| is_small(p) && p.shard == first.shard) {
            bytes += part.bytes;
            rows += part.rows;
            is_full = bytes > options.target_bytes || rows > options.target_rows;
            if is_full {
                break;
            }
            end += 1;
        }
        let count = end - at;
        if count > 1 && (over || is_full || count > options.max_parts) {
            found.push(at..end);
        }
        at = end.max(at + 1);
    }
    found
}

/// An hour of a table, and those before it in which an event may have come first.
struct Hour<'a> {
    folder: &'a Folder,
    earlier: Vec<&'a Folder>,
}

/// The folders of the hours that an event id is remembered for, before that of `folder`.
fn earlier<'a>(folder: &Folder, before: &'a [Folder]) -> Vec<&'a Folder> {
    let Some(begin) = hour_of(&folder.path) else { return Vec::new() };
    let oldest = begin - REMEMBERED_HOURS * HOUR_MS;
    before.iter().filter(|other| hour_of(&other.path).is_some_and(|at| at >= oldest)).collect()
}

/// Keys of rows in `sources` that earlier hours have too. Memory holds those of the sources
/// alone.
fn repeated(
    table: &Table,
    shard: u32,
    sources: &[PathBuf],
    earlier: &[&Folder],
) -> Result<FxHashSet<Key>, RewriteError> {
    let mut repeated = FxHashSet::default();
    if earlier.is_empty() {
        return Ok(repeated);
    }
    let columns = ["user_id", table.key, "received_at_ms"];
    let timed = |batch: &RecordBatch| -> io::Result<Vec<(Key, i64)>> {
        let (keys, received) = (keys(batch, table.key)?, numbers(batch, "received_at_ms")?);
        let timed = keys.into_iter().enumerate();
        Ok(timed.filter_map(|(at, key)| Some((key?, received.value(at)))).collect())
    };
    let mut own: FxHashMap<Key, i64> = FxHashMap::default();
    for path in sources {
        let bad = |error| RewriteError::Source { path: path.clone(), error };
        scan(path, Some(&columns), |batch| {
            for (key, at_ms) in timed(batch)? {
                let first = own.entry(key).or_insert(at_ms);
                *first = at_ms.min(*first);
            }
            Ok(())
        })
        .map_err(bad)?;
    }
    for part in earlier.iter().flat_map(|folder| folder.live()) {
        if part.name.is_some_and(|name| name.shard != shard) {
            continue;
        }
        // One that cannot be read is named where its own hour is looked at.
        let _ = scan(&part.path, Some(&columns), |batch| {
            let is_near = |(key, at_ms): &(Key, i64)| {
                own.get(key).is_some_and(|own_ms| own_ms - at_ms <= REMEMBERED_HOURS * HOUR_MS)
            };
            repeated.extend(timed(batch)?.into_iter().filter(is_near).map(|(key, _)| key));
            Ok(())
        });
    }
    Ok(repeated)
}

/// Half a SHA-256 in place of a row's texts: a million rows take little memory, and nobody
/// finds two keys with the same one.
type Key = [u8; 16];

/// Which rows have a key that was not seen before.
fn first_ones(batch: &RecordBatch, key: &str, seen: &mut FxHashSet<Key>) -> io::Result<Vec<bool>> {
    let keys = keys(batch, key)?;
    Ok(keys.into_iter().map(|key| key.is_none_or(|key| seen.insert(key))).collect())
}

/// The key of each row; none where a part of it is null.
fn keys(batch: &RecordBatch, key: &str) -> io::Result<Vec<Option<Key>>> {
    let (users, keys) = (texts(batch, "user_id")?, texts(batch, key)?);
    let of = |at: usize| {
        if users.is_null(at) || keys.is_null(at) {
            return None;
        }
        let mut hash = Sha256::new();
        hash.update((users.value(at).len() as u64).to_le_bytes());
        hash.update(users.value(at));
        hash.update(keys.value(at));
        let mut half = [0; 16];
        half.copy_from_slice(&hash.finalize()[..16]);
        Some(half)
    };
    Ok((0..batch.num_rows()).map(of).collect())
}

/// Reads all of a file, since others are removed on its account, and says when it was
/// written, UTC milliseconds.
fn is_whole(table: &Table, path: &Path) -> io::Result<i64> {
    let written = std::fs::metadata(path)?.modified()?;
    if table.extension == "parquet" {
        scan(path, None, |_| Ok(()))?;
    }
    let age = written.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(i64::try_from(age.as_millis()).unwrap_or(i64::MAX))
}

/// Writes files of lines one after the other.
fn concatenate(lake: &Lake, sources: &[PathBuf], target: &Path) -> Result<Rewritten, RewriteError> {
    let failed = |error| RewriteError::Target(LakeError::file(target, error));
    let mut upload = Upload::new(lake, target)?;
    let mut done = Rewritten::default();
    for path in sources {
        let bad = |error| RewriteError::Source { path: path.clone(), error };
        let mut reader = BufReader::new(std::fs::File::open(path).map_err(bad)?);
        let mut line = Vec::new();
        while next_line(&mut reader, &mut line).map_err(bad)? {
            upload.write_all(&line).map_err(failed)?;
            done.rows += 1;
        }
    }
    done.bytes = upload.finish().map_err(failed)?;
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_merged_up_to_the_target_and_never_across_a_part() {
        let options = CompactionOptions { max_parts: 3, target_bytes: 100, ..Default::default() };
        let part = |shard, bytes| Candidate { shard, bytes, rows: 1, mergeable: true };
        let fixed = Candidate::default();
        let runs = |parts: &[Candidate], over| -> Vec<(usize, usize)> {
            runs(parts, over, &options).into_iter().map(|run| (run.start, run.end)).collect()
        };
        assert_eq!(runs(&[], true), []);
        assert_eq!(runs(&[part(0, 9)], true), []);
        assert_eq!(runs(&[part(0, 9), part(0, 9), part(1, 9), part(1, 9)], true), [(0, 2), (2, 4)]);
        assert_eq!(runs(&[part(0, 9), fixed, part(0, 9)], true), []);
        assert_eq!(runs(&[part(0, 9), part(0, 51), part(0, 9), part(0, 9)], true), [(2, 4)]);
        assert_eq!(runs(&[part(0, 40); 5], true), [(0, 2), (2, 4)]);
        // The hour is not over: few stay, many or a full one are merged.
        assert_eq!(runs(&[part(0, 9); 3], false), []);
        assert_eq!(runs(&[part(0, 9); 4], false), [(0, 4)]);
        assert_eq!(runs(&[part(0, 40); 3], false), [(0, 2)]);
    }
}
