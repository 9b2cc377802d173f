//! Dropping events that were delivered before.
//!
//! The server recognizes the last 64 event ids of a shopper for a day. An id that comes again behind
//! 64 others is stored twice, and its later rows are dropped here. If the later event has other
//! content, the client has used the id for two events, which is counted. An event that comes again
//! later than a day is another event and is kept.

use std::collections::hash_map::Entry;
use std::hash::{Hash as _, Hasher as _};
use std::io;
use std::path::PathBuf;

use arrow_array::{Array, RecordBatch};
use rustc_hash::{FxHashMap, FxHasher};
use sha2::{Digest, Sha256};

use crate::files::partition::{HOUR_MS, hour_start_ms};
use crate::files::parts::Folder;
use crate::files::rewrite::RewriteError;
use crate::files::scan::{list_texts, lists, numbers, scan, texts};

/// Earlier hours that may hold the same events. Together with the hour itself they cover a day.
const DEDUP_HOURS: i64 = 24;

/// The first half of a SHA-256 hash of a row's user and key. It takes the place of the texts so
/// that a million rows need little memory, and collisions are practically impossible.
pub(super) type RowKey = [u8; 16];

/// The hash of what a client reports with an event.
type Content = u64;

/// The rows of which one is written, by their keys.
#[derive(Debug, Default)]
pub(super) struct Seen {
    contents: FxHashMap<RowKey, Content>,
    /// Dropped rows whose content differs from that of the row that is kept.
    pub conflicting: u64,
}

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
    seen: &mut Seen,
) -> io::Result<Vec<bool>> {
    let (keys, contents) = (row_keys(batch, key_column)?, contents(batch)?);
    let mut is_first = |(key, content): (Option<RowKey>, Content)| {
        let Some(key) = key else { return true };
        match seen.contents.entry(key) {
            Entry::Vacant(new) => {
                new.insert(content);
                true
            }
            Entry::Occupied(first) => {
                seen.conflicting += u64::from(*first.get() != content);
                false
            }
        }
    };
    Ok(keys.into_iter().zip(contents).map(&mut is_first).collect())
}

/// The content of each row of `events`; the same for all rows of other tables, whose keys the
/// server makes.
fn contents(batch: &RecordBatch) -> io::Result<Vec<Content>> {
    if batch.column_by_name("event").is_none() {
        return Ok(vec![0; batch.num_rows()]);
    }
    let (kinds, products) = (texts(batch, "event")?, lists(batch, "product_ids")?);
    let content = |row: usize| {
        let mut hash = FxHasher::default();
        (!kinds.is_null(row)).then(|| kinds.value(row)).hash(&mut hash);
        if !products.is_null(row) {
            list_texts(products, row)?.hash(&mut hash);
        }
        Ok(hash.finish())
    };
    (0..batch.num_rows()).map(content).collect()
}

/// Returns the keys of rows in `sources` that the `earlier` hours hold too. Memory holds the
/// keys of the sources alone.
pub(super) fn keys_in_earlier_hours(
    key_column: &str,
    shard: u32,
    sources: &[PathBuf],
    earlier: &[&Folder],
) -> Result<Seen, RewriteError> {
    let mut repeated = Seen::default();
    if earlier.is_empty() {
        return Ok(repeated);
    }
    let columns = ["user_id", key_column, "received_at_ms", "event", "product_ids"];
    let mut first_ms: FxHashMap<RowKey, i64> = FxHashMap::default();
    for path in sources {
        let bad = |error| RewriteError::Source { path: path.clone(), error };
        scan(path, Some(&columns), |batch| {
            for TimedKey { key, received_at_ms, .. } in timed_keys(batch, key_column)? {
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
            let rows = timed_keys(batch, key_column)?;
            let contents = contents(batch)?;
            for timed in rows.iter().filter(|timed| is_repeated(timed)) {
                repeated.contents.entry(timed.key).or_insert(contents[timed.row]);
            }
            Ok(())
        });
    }
    Ok(repeated)
}

/// The key of a row and when the server accepted its record.
struct TimedKey {
    row: usize,
    key: RowKey,
    received_at_ms: i64,
}

/// The rows of a batch that have a key.
fn timed_keys(batch: &RecordBatch, key_column: &str) -> io::Result<Vec<TimedKey>> {
    let (keys, received) = (row_keys(batch, key_column)?, numbers(batch, "received_at_ms")?);
    let timed = |(row, key): (usize, Option<RowKey>)| {
        Some(TimedKey { row, key: key?, received_at_ms: received.value(row) })
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
