//! Retention: deletes old segments.

use std::io;
use std::os::unix::fs::FileExt;

use super::segment::{HEADER, RECORD_HEADER, Segment};
use super::shared::Shared;

/// Maximum number of segments deleted for their age at a time. Segments are created one at
/// a time, so the log still shrinks to its retention. A clock that jumps ahead by a year
/// deletes two segments and not all of them.
const MAX_AGED: usize = 2;

impl Shared {
    /// Deletes the oldest segments while they are too old or the log is too large, if every
    /// consumer has read them. Refuses puts while the log remains too large.
    pub(super) fn retain(&self, now_ms: i64) {
        // The writer and a consumer may call this at the same time.
        let _alone = self.retaining.lock();
        if let Err(error) = self.drop_old(now_ms) {
            tracing::error!(%error, "an old segment cannot be deleted");
        }
        let full = self.is_over();
        if self.queue.set_full(full) != full {
            let floors = self.floors.lock();
            let slowest = floors.iter().min_by_key(|(_, next)| **next);
            match (full, slowest) {
                (true, Some((consumer, next))) => tracing::error!(
                    consumer,
                    next,
                    "the log is full: puts are refused until the consumer reads on"
                ),
                _ => tracing::info!(full, "the log accepts puts again"),
            }
        }
    }

    /// Whether one more segment would exceed the maximum size.
    fn is_over(&self) -> bool {
        self.bytes() + self.options.segment_bytes > self.options.max_bytes
    }

    fn drop_old(&self, now_ms: i64) -> io::Result<()> {
        let floor = self.floors.lock().values().min().copied().unwrap_or(u64::MAX);
        let mut aged = 0;
        loop {
            let (oldest, second) = {
                let segments = self.segments();
                let mut two = segments.values().cloned();
                let (Some(oldest), Some(second)) = (two.next(), two.next()) else { break };
                (oldest, second)
            };
            // The oldest segment's records are no younger than the second's first.
            let age = first_time_ms(&second)?.map_or(0, |time| now_ms.saturating_sub(time));
            let over = self.is_over();
            let old = age >= self.options.retention_ms && aged < MAX_AGED;
            if second.first > floor || !(over || old) {
                break;
            }
            aged += usize::from(!over);
            self.disk.remove(&oldest.path)?;
            // One at a time: a power cut must not leave an older segment before a gap.
            self.disk.sync_dir(&self.dir)?;
            self.segments.write().remove(&oldest.first);
        }
        Ok(())
    }
}

/// Returns when the first record of a segment was put, or `None` if the segment is empty.
fn first_time_ms(segment: &Segment) -> io::Result<Option<i64>> {
    let mut header = [0; RECORD_HEADER];
    segment.file.read_exact_at(&mut header, HEADER)?;
    let mut time = [0; 8];
    time.copy_from_slice(&header[16..24]);
    Ok(header.iter().any(|&b| b != 0).then(|| i64::from_le_bytes(time)))
}
