//! Opening: which segments there are, and where the last one ends.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use super::segment::{Found, HEADER, Segment, look, resync};
use super::{LogOptions, OpenError};

/// What opening found.
pub(super) struct Recovered {
    pub segments: BTreeMap<u64, Arc<Segment>>,
    pub shards: u32,
    /// Offset in the last segment where the next record goes.
    pub end: u64,
    pub next: u64,
    pub damaged: u64,
    pub torn_bytes: u64,
}

/// The scan of one segment.
struct Scan {
    end: usize,
    next: u64,
    damaged: u64,
}

pub(super) fn recover(dir: &Path, options: &LogOptions) -> Result<Recovered, OpenError> {
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
        let first = Segment::create(dir, 0, shards, options.segment_bytes);
        let first = first.map_err(|e| io(dir, e))?;
        return Ok(Recovered {
            segments: BTreeMap::from([(0, Arc::new(first))]),
            shards,
            end: HEADER,
            next: 0,
            damaged: 0,
            torn_bytes: 0,
        });
    };
    let bytes = last.read(0, last.bytes as usize).map_err(|e| io(&last.path, e))?;
    let scan = scan(&bytes, last.first, options.max_record_bytes);
    let torn_bytes = zero_tail(&last, &bytes, scan.end).map_err(|e| io(&last.path, e))?;
    if scan.damaged + torn_bytes > 0 {
        tracing::warn!(damaged = scan.damaged, torn_bytes, "the log's last segment was repaired");
    }
    Ok(Recovered {
        segments,
        shards,
        end: scan.end as u64,
        next: scan.next,
        damaged: scan.damaged,
        torn_bytes,
    })
}

fn scan(bytes: &[u8], first: u64, max_record: usize) -> Scan {
    let mut scan = Scan { end: HEADER as usize, next: first, damaged: 0 };
    let mut at = scan.end;
    loop {
        match look(bytes, at, max_record) {
            Found::Record(entry) => {
                at += entry.size();
                scan.end = at;
                scan.next = entry.sequence + 1;
            }
            // A whole record further on cannot be of a commit before this place was
            // written: what is missing here was lost, and is counted. Zeros count
            // too: a lost page reads as zeros.
            Found::End | Found::Short(_) | Found::Damaged => {
                match resync(bytes, at, max_record, scan.next..scan.next + bytes.len() as u64) {
                    Some(found) => {
                        scan.damaged += 1;
                        at = found;
                    }
                    None => return scan,
                }
            }
        }
    }
}

/// Zeroes what a torn write left behind the last record: new records would else
/// run into it.
fn zero_tail(segment: &Segment, bytes: &[u8], end: usize) -> io::Result<u64> {
    let Some(last) = bytes[end.min(bytes.len())..].iter().rposition(|&b| b != 0) else {
        return Ok(0);
    };
    segment.file.write_all_at(&vec![0; last + 1], end as u64)?;
    segment.file.sync_data()?;
    Ok(last as u64 + 1)
}
