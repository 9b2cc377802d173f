//! Reading one shard's records.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use cartwheel_events::Record;

use super::Shared;
use super::segment::{Found, MARK_BYTES, Segment, look, resync};
use crate::stream::{Batch, ReadError};

/// Bytes looked at before a read gives what it has.
const WINDOW: usize = 4 << 20;

/// Up to `limit` records of `shard` from sequence `from`.
pub(super) fn read(
    shared: &Shared,
    shard: u32,
    from: u64,
    limit: usize,
) -> Result<Batch, ReadError> {
    let synced = *shared.synced.borrow();
    if shard >= shared.shards {
        return Err(ReadError::Failed(format!("there is no shard {shard}")));
    }
    if from > synced {
        return Err(ReadError::Beyond { shard, from, end: synced });
    }
    let mut batch = Batch { records: Vec::new(), next: from };
    while batch.next < synced && batch.records.len() < limit {
        let Some(segment) = segment_of(shared, batch.next) else { break };
        let before = batch.next;
        scan(shared, &segment, shard, synced, limit, &mut batch)?;
        if batch.next == before || !batch.records.is_empty() {
            break;
        }
    }
    Ok(batch)
}

/// The segment that holds `sequence`, or the oldest kept after it.
fn segment_of(shared: &Shared, sequence: u64) -> Option<Arc<Segment>> {
    let segments = shared.segments();
    let at_or_before = segments.range(..=sequence).next_back();
    at_or_before.or_else(|| segments.iter().next()).map(|(_, segment)| segment.clone())
}

/// Goes through one segment from `batch.next` on.
fn scan(
    shared: &Shared,
    segment: &Segment,
    shard: u32,
    synced: u64,
    limit: usize,
    batch: &mut Batch,
) -> Result<(), ReadError> {
    let failed = |e: std::io::Error| ReadError::Failed(format!("{}: {e}", segment.path.display()));
    let max_record = shared.options.max_record_bytes;
    let end = {
        let segments = shared.segments();
        let next = segments.range(segment.first + 1..).next();
        next.map_or(synced, |(&first, _)| first).min(synced)
    };
    let mut offset = segment.start_of(batch.next);
    let mut marked = offset;
    let mut sequence = segment.first.max(batch.next.min(end));
    while offset < segment.bytes && sequence < end && batch.records.len() < limit {
        let bytes = segment.read(offset, WINDOW).map_err(failed)?;
        let mut at = 0;
        loop {
            match look(&bytes, at, max_record) {
                Found::Record(entry) if entry.sequence >= end => {
                    batch.next = batch.next.max(end);
                    return Ok(());
                }
                Found::Record(entry) => {
                    if offset + at as u64 >= marked + MARK_BYTES {
                        marked = offset + at as u64;
                        segment.mark(entry.sequence, marked);
                    }
                    at += entry.size();
                    sequence = entry.sequence + 1;
                    if entry.sequence < batch.next {
                        continue;
                    }
                    batch.next = sequence;
                    if entry.shard == shard {
                        let data = &bytes[entry.data..entry.data + entry.length];
                        let record = Record::from_slice(data).map_err(|e| {
                            ReadError::Failed(format!("record {}: {e}", entry.sequence))
                        })?;
                        batch.records.push((entry.sequence, record));
                    }
                    if batch.records.len() >= limit {
                        return Ok(());
                    }
                }
                // The window ends within a record; the next one starts with it.
                Found::Short(_) if at > 0 => break,
                Found::Short(size) if size <= bytes.len() => break,
                _ => match resync(&bytes, at, max_record, sequence..end) {
                    Some(found) => {
                        shared.damaged.fetch_add(1, Ordering::Relaxed);
                        at = found;
                    }
                    None => {
                        at = bytes.len();
                        break;
                    }
                },
            }
        }
        if at == 0 {
            break;
        }
        offset += at as u64;
    }
    if sequence < end {
        // The segment is through, and its last records are not there.
        shared.damaged.fetch_add(1, Ordering::Relaxed);
    }
    batch.next = batch.next.max(end);
    Ok(())
}
