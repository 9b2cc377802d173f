//! Dropping events that were delivered before.
//!
//! The server recognizes a repeated event id for a day. An event that comes again later than
//! that is another event and is kept.

use std::io;
use std::path::PathBuf;

use arrow_array::{Array, RecordBatch};
use rustc_hash::{FxHashMap, FxHashSet};
use sha2::{Digest, Sha256};

use crate::files::partition::{HOUR_MS, hour_start_ms};
use crate::files::parts::Folder;
use crate::files::rewrite::RewriteError;
use crate::files::scan::{numbers, scan, texts};

/// Earlier hours that may hold the same events. Together with the hour itself they cover a day.
const DEDUP_HOURS: i64 = 24;

/// The first half of a SHA-256 hash of a row's user and key. It takes the place of the texts so
/// that a million rows need little memory, and collisions are practically impossible.
pub(super) type RowKey = [u8; 16];

/// Returns the folders of earlier hours that may hold the same events as `folder`. `before` are
/// the folders before it, by path.
pub(super) fn hours_before<'a>(folder: &Folder, before: &'a [Folder]) -> Vec<&'a Folder> {
    let Some(start_ms) = hour_start_ms(&folder.path) else { return Vec::new() };
    let oldest_ms = start_ms - DEDUP_HOURS * HOUR_MS;
    let is_near = |other: &&Folder| hour_start_ms(&other.path).is_some_and(|at| at >= oldest_ms);
    before.iter().filter(is_near).collect()
}

/// Marks the rows of a batch whose key is not in `seen`, and adds their keys. Rows without a key
/// are marked too.
pub(super) fn first_occurrences(
    batch: &RecordBatch,
    key_column: &str,
    seen: &mut FxHashSet<RowKey>,
) -> io::Result<Vec<bool>> {
    let keys = row_keys(batch, key_column)?;
    Ok(keys.into_iter().map(|key| key.is_none_or(|key| seen.insert(key))).collect())
}

/// Returns the keys of rows in `sources` that the `earlier` hours hold too. Memory holds the
/// keys of the sources alone.
pub(super) fn keys_in_earlier_hours(
    key_column: &str,
    shard: u32,
    sources: &[PathBuf],
    earlier: &[&Folder],
) -> Result<FxHashSet<RowKey>, RewriteError> {
    let mut repeated = FxHashSet::default();
    if earlier.is_empty() {
        return Ok(repeated);
    }
    let columns = ["user_id", key_column, "received_at_ms"];
    let mut first_ms: FxHashMap<RowKey, i64> = FxHashMap::default();
    for path in sources {
        let bad = |error| RewriteError::Source { path: path.clone(), error };
        scan(path, Some(&columns), |batch| {
            for TimedKey { key, received_at_ms } in timed_keys(batch, key_column)? {
                let first = first_ms.entry(key).or_insert(received_at_ms);
                *first = received_at_ms.min(*first);
            }
            Ok(())
        })
        .map_err(bad)?;
    }
    for part in earlier.iter().flat_map(|folder| folder.live()) {
        if part.name.is_some_and(|name| name.shard != shard) {
            continue;
        }
        // An unreadable part is reported when its own hour is compacted.
        let _ = scan(&part.path, Some(&columns), |batch| {
            let is_repeated = |timed: &TimedKey| {
                let first = first_ms.get(&timed.key);
                first.is_some_and(|at| at - timed.received_at_ms <= DEDUP_HOURS * HOUR_MS)
            };
            let timed = timed_keys(batch, key_column)?.into_iter();
            repeated.extend(timed.filter(is_repeated).map(|timed| timed.key));
            Ok(())
        });
    }
    Ok(repeated)
}

/// The key of a row and when the server accepted its record.
struct TimedKey {
    key: RowKey,
    received_at_ms: i64,
}

/// The rows of a batch that have a key.
fn timed_keys(batch: &RecordBatch, key_column: &str) -> io::Result<Vec<TimedKey>> {
    let (keys, received) = (row_keys(batch, key_column)?, numbers(batch, "received_at_ms")?);
    let timed = |(row, key): (usize, Option<RowKey>)| {
        Some(TimedKey { key: key?, received_at_ms: received.value(row) })
    };
    Ok(keys.into_iter().enumerate().filter_map(timed).collect())
}

/// The key of each row. `None` if its user or key column is null.
fn row_keys(batch: &RecordBatch, key_column: &str) -> io::Result<Vec<Option<RowKey>>> {
    let (users, keys) = (texts(batch, "user_id")?, texts(batch, key_column)?);
    let row_key = |row: usize| {
        if users.is_null(row) || keys.is_null(row) {
            return None;
        }
        let mut hash = Sha256::new();
        hash.update((users.value(row).len() as u64).to_le_bytes());
        hash.update(users.value(row));
        hash.update(keys.value(row));
        let mut half = [0; 16];
        half.copy_from_slice(&hash.finalize()[..16]);
        Some(half)
    };
    Ok((0..batch.num_rows()).map(row_key).collect())
}
