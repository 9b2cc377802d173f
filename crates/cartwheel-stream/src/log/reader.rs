//! Reads the records of one shard.

use std::sync::Arc;

use cartwheel_events::Record;

use super::segment::{Entry, MARK_BYTES, Segment};
use super::shared::Shared;
use super::walk::Walk;
use crate::position::Sequence;
use crate::stream::{Batch, ReadError};

/// Number of bytes of the first read; usually there is little new data.
const FIRST_WINDOW: usize = 64 << 10;

/// Which records a reader wants.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    /// Tells it by a record's data, so that it need not be decoded,
    pub(super) data: fn(&[u8]) -> bool,
    /// and of a record that is decoded already.
    pub(super) record: fn(&Record) -> bool,
}

/// As [`read`], without the disk. `None` if not all of these records are in memory.
pub(super) fn read_recent(
    shared: &Shared,
    shard: u32,
    from: Sequence,
    limit: usize,
    wanted: Wanted,
) -> Option<Batch> {
    let synced = *shared.synced.borrow();
    let from = from.as_u64().filter(|from| *from <= synced && shard < shared.shards)?;
    // The reader of the disk counts what is missing.
    let is_kept = shared.segments().keys().next().is_some_and(|oldest| *oldest <= from);
    if !is_kept {
        return None;
    }
    shared.recent.read(shard, from, synced, limit, wanted.record)
}

/// Reads up to `limit` records of `shard` from sequence number `from`: those that are `wanted`.
pub(super) fn read(
    shared: &Shared,
    shard: u32,
    from: Sequence,
    limit: usize,
    wanted: Wanted,
) -> Result<Batch, ReadError> {
    let synced = *shared.synced.borrow();
    if shard >= shared.shards {
        return Err(ReadError::Failed(format!("there is no shard {shard}")));
    }
    let Some(next) = from.as_u64().filter(|from| *from <= synced) else {
        return Err(ReadError::Beyond { shard, from, end: synced.into() });
    };
    let oldest = shared.segments().keys().next().copied().unwrap_or(0);
    let missed = oldest.saturating_sub(next);
    let mut batch = Batch { missed, ..Batch::default() };
    let mut next = next.max(oldest);
    while next < synced && batch.len() < limit {
        let Some(segment) = segment_of(shared, next) else { break };
        let before = next;
        let is_wanted = |entry: &Entry, data: &[u8]| entry.shard == shard && (wanted.data)(data);
        scan(shared, &segment, is_wanted, synced, limit, &mut batch, &mut next)?;
        if next == before || !batch.is_empty() {
            break;
        }
    }
    batch.next = next.into();
    Ok(batch)
}

/// Returns the segment that holds `sequence`, or the oldest segment if none does.
fn segment_of(shared: &Shared, sequence: u64) -> Option<Arc<Segment>> {
    let segments = shared.segments();
    let at_or_before = segments.range(..=sequence).next_back();
    at_or_before.or_else(|| segments.iter().next()).map(|(_, segment)| segment.clone())
}

/// Reads one segment from `next` on, and advances `next`.
fn scan(
    shared: &Shared,
    segment: &Segment,
    is_wanted: impl Fn(&Entry, &[u8]) -> bool,
    synced: u64,
    limit: usize,
    batch: &mut Batch,
    next: &mut u64,
) -> Result<(), ReadError> {
    let failed = |e: std::io::Error| ReadError::Failed(format!("{}: {e}", segment.path.display()));
    let end = {
        let segments = shared.segments();
        let later = segments.range(segment.first + 1..).next();
        later.map_or(synced, |(&first, _)| first).min(synced)
    };
    let mut marked = segment.start_of(*next);
    let mut walk = Walk::new(segment, marked, segment.end(), FIRST_WINDOW);
    let mut sequence = segment.first.max((*next).min(end));
    while sequence < end {
        let offset = walk.offset();
        match walk.next().map_err(failed)? {
            // Not synced yet.
            Some((entry, _)) if entry.sequence >= end => {
                sequence = end;
            }
            Some((entry, data)) => {
                if offset >= marked + MARK_BYTES {
                    marked = offset;
                    segment.mark(entry.sequence, offset);
                }
                sequence = entry.sequence + 1;
                if entry.sequence >= *next {
                    *next = sequence;
                    if is_wanted(&entry, data) {
                        batch.add(entry.sequence.into(), data);
                    }
                    if batch.len() >= limit {
                        return Ok(());
                    }
                }
            }
            None => {
                // Damage is counted here, or below if the rest of the segment is lost.
                if !walk.resync(sequence..end).map_err(failed)? {
                    break;
                }
                shared.count_damage(sequence);
            }
        }
    }
    if sequence < end {
        // The segment has ended, but its last records are missing.
        shared.count_damage(sequence);
    }
    *next = (*next).max(end);
    Ok(())
}
