//! Recovery on opening: finds the segments and the end of the last one.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::disk::Disk;
use super::options::{LogOptions, OpenError};
use super::segment::{
    HEADER, LAST_SEQUENCE, NO_SHARD, PASSED_OVER, RECORD_HEADER, Segment, encode,
};
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
    let scan = scan(&last).map_err(|e| io(&last.path, e))?;
    let torn_bytes = settle(disk, dir, &last, scan.end).map_err(|e| io(&last.path, e))?;
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
    let cut_bytes = last.made_bytes.unwrap_or(options.segment_bytes).saturating_sub(last.bytes);
    if torn_bytes + cut_bytes > 0 {
        let lost = torn_bytes.max(cut_bytes) / RECORD_HEADER as u64;
        // A truncated file takes no more records: the next opening has nothing to skip.
        let room = if cut_bytes > 0 { 0 } else { last.bytes.saturating_sub(scan.end) };
        pass_over(&mut found, &last, lost, room, (dir, options, disk)).map_err(|e| io(dir, e))?;
    }
    Ok(found)
}

/// Skips the next `lost` sequence numbers, so that they are never assigned again.
fn pass_over(
    found: &mut Recovered,
    last: &Segment,
    lost: u64,
    room: u64,
    (dir, options, disk): (&Path, &LogOptions, &dyn Disk),
) -> io::Result<()> {
    let sequence = found.next + lost;
    let mut bytes = Vec::new();
    encode(&mut bytes, sequence, (options.clock)(), NO_SHARD, PASSED_OVER);
    found.next = sequence + 1;
    if bytes.len() as u64 <= room {
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

fn scan(segment: &Segment) -> io::Result<Scan> {
    let mut walk = Walk::new(segment, HEADER, segment.bytes, WINDOW);
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
        if !walk.resync(scan.next..LAST_SEQUENCE + 1)? {
            return Ok(scan);
        }
        scan.damaged.insert(scan.next);
    }
}

/// Returns the place of the last byte that is not zero.
fn last_set(bytes: &[u8]) -> Option<usize> {
    const BLOCK: usize = 4096;
    // Whole blocks are looked at with vector instructions: nearly all are zeros.
    let is_set = |block: &[u8]| block.iter().fold(0, |all, byte| all | byte) != 0;
    let blocks = bytes.chunks(BLOCK).rposition(is_set)?;
    let end = bytes.len().min((blocks + 1) * BLOCK);
    bytes[..end].iter().rposition(|&byte| byte != 0)
}

/// Writes the segment again as it was read, with zeros after the last record, since new records would
/// run into the remains of a torn write. Then everything that was read is on the disk. Returns the
/// number of bytes after the last record that were not zero.
fn settle(disk: &dyn Disk, dir: &Path, segment: &Segment, end: u64) -> io::Result<u64> {
    let (mut bytes, mut at, mut torn) = (Vec::new(), 0, 0);
    while at < segment.bytes {
        segment.read_into(&mut bytes, at, WINDOW)?;
        let kept = (end.saturating_sub(at) as usize).min(bytes.len());
        if let Some(last) = last_set(&bytes[kept..]) {
            torn = at + (kept + last) as u64 + 1 - end;
        }
        bytes[kept..].fill(0);
        disk.write(&segment.file, &segment.path, at, &bytes)?;
        at += bytes.len() as u64;
    }
    disk.sync(&segment.file, &segment.path)?;
    // A name may be newer than the last sync of the directory.
    disk.sync_dir(dir)?;
    Ok(torn)
}
