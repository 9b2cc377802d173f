//! Reading one shard's records.

use std::sync::Arc;

use super::Shared;
use super::segment::{Found, MARK_BYTES, Segment, look, resync};
use crate::position::Sequence;
use crate::stream::{Batch, ReadError};

/// Bytes that a read takes from the disk at first: what is new is little, mostly.
const FIRST_WINDOW: usize = 64 << 10;
/// Most bytes that it takes at once, unless a record is larger.
const WINDOW: usize = 4 << 20;

/// Up to `limit` records of `shard` from sequence `from`.
pub(super) fn read(
    shared: &Shared,
    shard: u32,
    from: Sequence,
    limit: usize,
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
        scan(shared, &segment, shard, synced, limit, &mut batch, &mut next)?;
        if next == before || !batch.is_empty() {
            break;
        }
    }
    batch.next = next.into();
    Ok(batch)
}

/// The segment that holds `sequence`, or the oldest kept after it.
fn segment_of(shared: &Shared, sequence: u64) -> Option<Arc<Segment>> {
    let segments = shared.segments();
    let at_or_before = segments.range(..=sequence).next_back();
    at_or_before.or_else(|| segments.iter().next()).map(|(_, segment)| segment.clone())
}

/// Goes through one segment from `next` on, and moves that on.
fn scan(
    shared: &Shared,
    segment: &Segment,
    shard: u32,
    synced: u64,
    limit: usize,
    batch: &mut Batch,
    next: &mut u64,
) -> Result<(), ReadError> {
    let failed = |e: std::io::Error| ReadError::Failed(format!("{}: {e}", segment.path.display()));
    let max_record = shared.options.max_record_bytes;
    let end = {
        let segments = shared.segments();
        let later = segments.range(segment.first + 1..).next();
        later.map_or(synced, |(&first, _)| first).min(synced)
    };
    let stop = segment.end();
    let mut offset = segment.start_of(*next);
    let mut marked = offset;
    let mut window = FIRST_WINDOW;
    let mut sequence = segment.first.max((*next).min(end));
    while offset < stop && sequence < end {
        let bytes = segment.read(offset, window.min((stop - offset) as usize)).map_err(failed)?;
        let is_last = offset + bytes.len() as u64 >= stop;
        let mut at = 0;
        // What the window holds whole; the next window starts behind it.
        let damaged = loop {
            match look(&bytes, at, max_record) {
                Found::Record(entry) if entry.sequence >= end => {
                    *next = (*next).max(end);
                    return Ok(());
                }
                Found::Record(entry) => {
                    if offset + at as u64 >= marked + MARK_BYTES {
                        marked = offset + at as u64;
                        segment.mark(entry.sequence, marked);
                    }
                    at += entry.size();
                    sequence = entry.sequence + 1;
                    if entry.sequence >= *next {
                        *next = sequence;
                        if entry.shard == shard {
                            let data = &bytes[entry.data..entry.data + entry.length];
                            batch.add(entry.sequence.into(), data);
                        }
                        if batch.len() >= limit {
                            return Ok(());
                        }
                    }
                    if sequence >= end {
                        break false;
                    }
                }
                Found::Short(size) if !is_last => {
                    window = window.max(size);
                    break false;
                }
                _ => break true,
            }
        };
        offset += at as u64;
        window = (window * 4).min(WINDOW.max(window));
        if damaged {
            // Rare: so all that is left is looked at, whatever it takes.
            let rest = stop.saturating_sub(offset) as usize;
            let rest = segment.read(offset, rest).map_err(failed)?;
            let Some(found) = resync(&rest, 0, max_record, sequence..end) else { break };
            shared.count_damage(sequence);
            offset += found as u64;
        }
    }
    if sequence < end {
        // The segment is through, and its last records are not there.
        shared.count_damage(sequence);
    }
    *next = (*next).max(end);
    Ok(())
}
