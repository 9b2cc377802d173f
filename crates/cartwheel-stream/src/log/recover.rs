//! Recovery on opening: finds the segments and the end of the last one.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::disk::Disk;
use super::options::{LogOptions, OpenError};
use super::segment::{HEADER, NO_SHARD, RECORD_HEADER, Segment, encode};
use super::spare;
use super::walk::Walk;

/// Number of bytes per read.
const WINDOW: usize = 1 << 20;

/// The result of recovery.
pub(super) struct Recovered {
    pub segments: BTreeMap<u64, Arc<Segment>>,
    pub shards: u32,
    /// Offset of the next record in the last segment.
    pub end: u64,
    pub next: u64,
    /// Sequence numbers that were expected where the log is damaged.
    pub damaged: BTreeSet<u64>,
    pub torn_bytes: u64,
}

/// The result of scanning one segment.
struct Scan {
    end: u64,
    next: u64,
    damaged: BTreeSet<u64>,
}

pub(super) fn recover(
    dir: &Path,
    options: &LogOptions,
    disk: &dyn Disk,
) -> Result<Recovered, OpenError> {
    let io = |path: &Path, source| OpenError::Io { path: path.to_owned(), source };
    let mut segments = BTreeMap::new();
    let mut shards = options.shards.max(1);
    for entry in std::fs::read_dir(dir).map_err(|e| io(dir, e))? {
        let path = entry.map_err(|e| io(dir, e))?.path();
        if path.extension().is_none_or(|x| x != "log") {
            continue;
        }
        match Segment::open(&path).map_err(|e| io(&path, e))? {
            Ok((segment, its_shards)) => {
                shards = its_shards.max(1);
                segments.insert(segment.first, Arc::new(segment));
            }
            Err(problem) => return Err(OpenError::Segment { path, problem }),
        }
    }
    let Some(last) = segments.values().next_back().cloned() else {
        let first = create(dir, options, disk, 0, shards).map_err(|e| io(dir, e))?;
        return Ok(Recovered {
            segments: BTreeMap::from([(0, Arc::new(first))]),
            shards,
            end: HEADER,
            next: 0,
            damaged: BTreeSet::new(),
            torn_bytes: 0,
        });
    };
    let scan = scan(&last, options.max_record_bytes).map_err(|e| io(&last.path, e))?;
    let torn_bytes = zero_tail(disk, &last, scan.end).map_err(|e| io(&last.path, e))?;
    last.set_end(scan.end);
    if !scan.damaged.is_empty() || torn_bytes > 0 {
        let damaged = scan.damaged.len();
        tracing::warn!(damaged, torn_bytes, "the log's last segment was repaired");
    }
    let mut found = Recovered {
        segments,
        shards,
        end: scan.end,
        next: scan.next,
        damaged: scan.damaged,
        torn_bytes,
    };
    // A truncated file has lost as many bytes as it may have held.
    let cut_bytes = options.segment_bytes.saturating_sub(last.bytes);
    let lost = torn_bytes.max(cut_bytes) / RECORD_HEADER as u64;
    if torn_bytes + cut_bytes > 0 {
        pass_over(&mut found, &last, lost, (dir, options, disk)).map_err(|e| io(dir, e))?;
    }
    Ok(found)
}

/// Skips the next `lost` sequence numbers, so that they are never assigned again.
fn pass_over(
    found: &mut Recovered,
    last: &Segment,
    lost: u64,
    (dir, options, disk): (&Path, &LogOptions, &dyn Disk),
) -> io::Result<()> {
    let sequence = found.next + lost;
    let mut bytes = Vec::new();
    encode(&mut bytes, sequence, (options.clock)(), NO_SHARD, b"passed over");
    found.next = sequence + 1;
    if found.end + bytes.len() as u64 <= last.bytes {
        disk.write(&last.file, &last.path, found.end, &bytes)?;
        disk.sync(&last.file, &last.path)?;
        found.end += bytes.len() as u64;
        last.set_end(found.end);
    } else {
        let segment = create(dir, options, disk, found.next, found.shards)?;
        found.end = HEADER;
        found.segments.insert(found.next, Arc::new(segment));
    }
    Ok(())
}

fn create(
    dir: &Path,
    options: &LogOptions,
    disk: &dyn Disk,
    first: u64,
    shards: u32,
) -> io::Result<Segment> {
    let file = spare::prepare(dir, options.segment_bytes, disk, &AtomicBool::new(false))?;
    Segment::create(disk, dir, file, first, shards)
}

fn scan(segment: &Segment, max_record: usize) -> io::Result<Scan> {
    let mut walk = Walk::new(segment, HEADER, segment.bytes, WINDOW, max_record);
    let mut scan = Scan { end: HEADER, next: segment.first, damaged: BTreeSet::new() };
    loop {
        if let Some((entry, _)) = walk.next()? {
            scan.next = entry.sequence + 1;
            scan.end = walk.offset();
            continue;
        }
        // An intact record further on cannot be from a commit before this place was written,
        // so the records here were written and are lost. Zeros count as well, because a lost
        // page reads as zeros.
        if !walk.resync(scan.next..scan.next + segment.bytes)? {
            return Ok(scan);
        }
        scan.damaged.insert(scan.next);
    }
}

/// Zeroes a torn write after the last record, since new records would run into its remains.
/// Returns the number of bytes zeroed.
fn zero_tail(disk: &dyn Disk, segment: &Segment, end: u64) -> io::Result<u64> {
    let left = usize::try_from(segment.bytes.saturating_sub(end)).unwrap_or(usize::MAX);
    let bytes = segment.read(end, left)?;
    let Some(last) = bytes.iter().rposition(|&b| b != 0) else { return Ok(0) };
    disk.write(&segment.file, &segment.path, end, &vec![0; last + 1])?;
    disk.sync(&segment.file, &segment.path)?;
    Ok(last as u64 + 1)
}
