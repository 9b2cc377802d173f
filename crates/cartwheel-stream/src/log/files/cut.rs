//! Removes the newest records of a log, for a restore to a moment.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::super::options::OpenError;
use super::super::segment::{HEADER, Segment};
use super::super::walk::Walk;
use super::{LogFiles, WINDOW, failed};

/// Number of bytes that are zeroed at once.
const CHUNK: usize = 1 << 20;

impl LogFiles {
    /// Removes the first record that was put after `until_ms` (UTC milliseconds) and everything
    /// behind it. Returns the next sequence number. No process may have the log open; after an
    /// interruption, call it again.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn cut(dir: &Path, until_ms: i64) -> Result<u64, OpenError> {
        let files = Self::open(dir, 0)?;
        let (all, mut next) = (files.all()?, files.next);
        for (at, (_, path)) in all.iter().enumerate() {
            let segment = match Segment::open(path).map_err(failed(path))? {
                Ok((segment, _)) => segment,
                Err(problem) => return Err(OpenError::Segment { path: path.clone(), problem }),
            };
            let Some(offset) = end(&segment, until_ms, &mut next).map_err(failed(path))? else {
                continue;
            };
            // The newest first: a log has no gaps between its segments.
            for (_, later) in all[at + 1..].iter().rev() {
                std::fs::remove_file(later).map_err(failed(later))?;
            }
            let synced = File::open(dir).and_then(|dir| dir.sync_all());
            synced.map_err(failed(dir))?;
            zero(&segment, offset).map_err(failed(path))?;
            break;
        }
        Ok(next)
    }
}

/// The offset of the first record after `until_ms`, if the segment has one. Counts up `next`.
fn end(segment: &Segment, until_ms: i64, next: &mut u64) -> io::Result<Option<u64>> {
    let mut walk = Walk::new(segment, HEADER, segment.bytes, WINDOW);
    loop {
        let offset = walk.offset();
        if let Some((entry, _)) = walk.next()? {
            if entry.time_ms > until_ms {
                return Ok(Some(offset));
            }
            *next = entry.sequence + 1;
        } else if !walk.resync(*next..next.saturating_add(segment.bytes))? {
            return Ok(None);
        }
    }
}

/// Zeroes a segment from an offset on, and waits until that is on disk.
fn zero(segment: &Segment, from: u64) -> io::Result<()> {
    let zeros = vec![0; CHUNK];
    let mut at = from;
    while at < segment.bytes {
        let length = (segment.bytes - at).min(CHUNK as u64);
        segment.file.write_all_at(&zeros[..length as usize], at)?;
        at += length;
    }
    segment.file.sync_all()
}
