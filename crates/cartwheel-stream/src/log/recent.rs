//! The newest records of a log, as they were put: who reads at its end needs neither the disk nor a
//! decoder.

use std::collections::VecDeque;
use std::sync::Arc;

use cartwheel_events::Record;
use parking_lot::RwLock;

use super::queue::{Put, Records};
use crate::stream::Batch;

/// Most bytes of data whose records are kept: what a busy log takes in some hundred milliseconds,
/// which is how long readers wait for more.
const KEPT_BYTES: usize = 8 << 20;

/// The newest records, without a gap from the first one on.
#[derive(Default)]
pub(super) struct Recent(RwLock<Kept>);

#[derive(Default)]
struct Kept {
    entries: VecDeque<Entry>,
    /// The length of their data.
    bytes: usize,
}

pub(super) struct Entry {
    sequence: u64,
    shard: u32,
    bytes: usize,
    record: Arc<Record>,
}

impl Recent {
    /// Adds the records of puts that are synced. To be called before readers may see them. Returns
    /// what is no longer kept, to be dropped when nobody waits.
    pub(super) fn add(&self, puts: &[Put]) -> Vec<Entry> {
        let mut kept = self.0.write();
        for Put { records: Records { entries, decoded, results }, .. } in puts {
            for (at, ((shard, data), result)) in entries.iter().zip(results).enumerate() {
                let Some(sequence) = result.as_ref().ok().and_then(|at| at.sequence.as_u64())
                else {
                    continue;
                };
                match decoded.get(at) {
                    Some(record) => {
                        let (shard, bytes, record) = (*shard, data.len(), record.clone());
                        kept.bytes += bytes;
                        kept.entries.push_back(Entry { sequence, shard, bytes, record });
                    }
                    // Only the disk knows what it is.
                    None => *kept = Kept::default(),
                }
            }
        }
        let mut gone = Vec::new();
        while kept.bytes > KEPT_BYTES
            && let Some(entry) = kept.entries.pop_front()
        {
            kept.bytes -= entry.bytes;
            gone.push(entry);
        }
        gone
    }

    /// Forgets all records.
    pub(super) fn clear(&self) {
        *self.0.write() = Kept::default();
    }

    /// Reads up to `limit` records of a shard from `from` to below `synced`, those that are `wanted`.
    /// `None` if not all records from there on are kept.
    pub(super) fn read(
        &self,
        shard: u32,
        from: u64,
        synced: u64,
        limit: usize,
        wanted: fn(&Record) -> bool,
    ) -> Option<Batch> {
        let kept = self.0.read();
        if kept.entries.front()?.sequence > from {
            return None;
        }
        let start = kept.entries.partition_point(|entry| entry.sequence < from);
        let synced_ones = kept.entries.range(start..).take_while(|entry| entry.sequence < synced);
        let mut found = synced_ones.filter(|entry| entry.shard == shard && wanted(&entry.record));
        let of_entry = |entry: &Entry| (entry.sequence.into(), entry.record.clone());
        let records: Vec<_> = found.by_ref().take(limit).map(of_entry).collect();
        let next = found.next().map_or(synced, |entry| entry.sequence);
        Some(Batch { records, next: next.into(), ..Batch::default() })
    }
}
