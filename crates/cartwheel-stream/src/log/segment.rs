//! A segment file and its records.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::disk::Disk;
use super::spare::scratch;

pub(super) const HEADER: u64 = 64;
pub(super) const RECORD_HEADER: usize = 32;
/// The shard of records that every reader skips.
pub(super) const NO_SHARD: u32 = u32::MAX;
/// The data of a record that skips sequence numbers.
pub(super) const PASSED_OVER: &[u8] = b"passed over";
const MAGIC: &[u8; 8] = b"CWLOG\0\0\x01";
/// No log reaches a larger sequence number, so such a number is damage.
pub(super) const LAST_SEQUENCE: u64 = 1 << 62;
/// Approximate distance between marked records, in bytes.
pub(super) const MARK_BYTES: u64 = 64 << 10;

/// An open segment.
#[derive(Debug)]
pub(super) struct Segment {
    pub path: PathBuf,
    pub file: File,
    pub first: u64,
    pub bytes: u64,
    /// Size with which the file was made; `None` for files of releases that did not write it down.
    pub made_bytes: Option<u64>,
    /// An upper bound of the end of the synced records.
    end: AtomicU64,
    /// Offsets of some records by sequence number, where readers can start.
    marks: Mutex<BTreeMap<u64, u64>>,
}

/// A record's header and the location of its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub sequence: u64,
    pub time_ms: i64,
    pub shard: u32,
    /// Offset of the data in the given bytes.
    pub data: usize,
    pub length: usize,
}

impl Entry {
    /// Returns the number of bytes from this record's header to the next one's.
    pub(super) fn size(self) -> usize {
        record_size(self.length)
    }
}

/// Returns the size of a record with `length` bytes of data.
pub(super) fn record_size(length: usize) -> usize {
    (RECORD_HEADER + length).next_multiple_of(8)
}

/// Appends an encoded record.
pub(super) fn encode(out: &mut Vec<u8>, sequence: u64, time_ms: i64, shard: u32, data: &[u8]) {
    let start = out.len();
    out.extend((data.len() as u32).to_le_bytes());
    out.extend([0; 4]);
    out.extend(sequence.to_le_bytes());
    out.extend(time_ms.to_le_bytes());
    out.extend(shard.to_le_bytes());
    out.extend([0; 4]);
    out.extend(data);
    let crc = crc32c::crc32c(&out[start + 8..]);
    out[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
    out.resize(start + record_size(data.len()), 0);
}

/// The content at an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Record(Entry),
    /// Zeros: nothing was written here.
    End,
    /// An intact record needs this many bytes, more than are available.
    Short(usize),
    Damaged,
}

fn word(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from(word(bytes, at)) | (u64::from(word(bytes, at + 4)) << 32)
}

/// Decodes the record at offset `at`.
pub(super) fn look(bytes: &[u8], at: usize, max_record: usize) -> Found {
    let Some(rest) = bytes.get(at..).filter(|rest| rest.len() >= RECORD_HEADER) else {
        return Found::Short(RECORD_HEADER);
    };
    let length = word(rest, 0) as usize;
    if length == 0 && rest[..RECORD_HEADER].iter().all(|&b| b == 0) {
        return Found::End;
    }
    if length == 0 || length > max_record {
        return Found::Damaged;
    }
    if rest.len() < RECORD_HEADER + length {
        return Found::Short(record_size(length));
    }
    if crc32c::crc32c(&rest[8..RECORD_HEADER + length]) != word(rest, 4) {
        return Found::Damaged;
    }
    let sequence = long(rest, 8);
    if sequence > LAST_SEQUENCE {
        return Found::Damaged;
    }
    Found::Record(Entry {
        sequence,
        time_ms: long(rest, 16) as i64,
        shard: word(rest, 24),
        data: at + RECORD_HEADER,
        length,
    })
}

/// Returns the first offset where there is, or may be, an intact record whose sequence number is in
/// `range`, and what is there: a record, or one that needs more than these bytes. Without either, the
/// offset is the first one that was not looked at.
pub(super) fn resync(
    bytes: &[u8],
    max_record: usize,
    range: &std::ops::Range<u64>,
) -> (usize, Found) {
    let mut at = 0;
    while at + RECORD_HEADER <= bytes.len() {
        // Checking the sequence number first avoids most checksums.
        if range.contains(&long(bytes, at + 8)) {
            let found = look(bytes, at, max_record);
            if matches!(found, Found::Record(_) | Found::Short(_)) {
                return (at, found);
            }
        }
        at += 8;
    }
    (at, Found::End)
}

impl Segment {
    /// Turns a file of zeros into a segment, and syncs it and its name.
    pub(super) fn create(
        disk: &dyn Disk,
        dir: &Path,
        file: File,
        first: u64,
        shards: u32,
    ) -> io::Result<Self> {
        let mut header = [0; HEADER as usize];
        header[..8].copy_from_slice(MAGIC);
        header[8..16].copy_from_slice(&first.to_le_bytes());
        header[16..20].copy_from_slice(&shards.to_le_bytes());
        let crc = crc32c::crc32c(&header[..20]);
        header[20..24].copy_from_slice(&crc.to_le_bytes());
        let bytes = file.metadata()?.len();
        header[24..32].copy_from_slice(&bytes.to_le_bytes());
        let crc = crc32c::crc32c(&header[..32]);
        header[32..36].copy_from_slice(&crc.to_le_bytes());
        let scratch = scratch(dir);
        disk.write(&file, &scratch, 0, &header)?;
        disk.sync(&file, &scratch)?;
        let path = dir.join(format!("{first:020}.log"));
        disk.rename(&scratch, &path)?;
        disk.sync_dir(dir)?;
        let (end, made_bytes) = (AtomicU64::new(HEADER), Some(bytes));
        Ok(Self { path, file, first, bytes, made_bytes, end, marks: Mutex::default() })
    }

    /// Opens a segment and checks its header. Also returns the number of shards.
    pub(super) fn open(path: &Path) -> io::Result<Result<(Self, u32), String>> {
        Self::check(path, File::options().read(true).write(true).open(path)?)
    }

    /// Opens a segment read-only.
    pub(super) fn open_to_read(path: &Path) -> io::Result<Result<(Self, u32), String>> {
        Self::check(path, File::open(path)?)
    }

    fn check(path: &Path, file: File) -> io::Result<Result<(Self, u32), String>> {
        let bytes = file.metadata()?.len();
        let mut header = [0; HEADER as usize];
        if bytes < HEADER {
            return Ok(Err("is shorter than a segment header".to_owned()));
        }
        file.read_exact_at(&mut header, 0)?;
        if header[..7] != MAGIC[..7] {
            return Ok(Err("is not a log segment".to_owned()));
        }
        if header[7] != MAGIC[7] {
            return Ok(Err(format!("has format {}; this release reads format 1", header[7])));
        }
        if crc32c::crc32c(&header[..20]) != word(&header, 20) {
            return Ok(Err("has a damaged header".to_owned()));
        }
        let (first, shards) = (long(&header, 8), word(&header, 16));
        let made_bytes = header[24..36].iter().any(|&b| b != 0).then(|| long(&header, 24));
        let size_holds = crc32c::crc32c(&header[..32]) == word(&header, 32);
        if first > LAST_SEQUENCE || made_bytes.is_some() && !size_holds {
            return Ok(Err("has a damaged header".to_owned()));
        }
        let path = path.to_owned();
        let end = AtomicU64::new(bytes);
        let marks = Mutex::default();
        Ok(Ok((Self { path, file, first, bytes, made_bytes, end, marks }, shards)))
    }

    /// Reads up to `length` bytes at an offset; fewer at the end of the file.
    pub(super) fn read(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.read_into(&mut bytes, offset, length)?;
        Ok(bytes)
    }

    /// As [`Self::read`], in the place of `bytes`.
    pub(super) fn read_into(
        &self,
        bytes: &mut Vec<u8>,
        offset: u64,
        length: usize,
    ) -> io::Result<()> {
        let length = (self.bytes.saturating_sub(offset)).min(length as u64) as usize;
        bytes.resize(length, 0);
        self.file.read_exact_at(bytes, offset)
    }

    /// Returns an upper bound of the end of the synced records.
    pub(super) fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    /// Allows readers to read up to `end`.
    pub(super) fn set_end(&self, end: u64) {
        self.end.store(end, Ordering::Release);
    }

    /// Remembers where a record starts.
    pub(super) fn mark(&self, sequence: u64, offset: u64) {
        self.marks.lock().insert(sequence, offset);
    }

    /// Returns the offset of the last marked record at or before a sequence number.
    pub(super) fn start_of(&self, sequence: u64) -> u64 {
        self.marks.lock().range(..=sequence).next_back().map_or(HEADER, |(_, &offset)| offset)
    }
}
