//! The log's files, read and written by their format alone: nothing here is the log's
//! own code, so that a mistake of that cannot hide itself.
//!
//! A segment has a header of 64 bytes. A record has one of 32: u32 length of the data,
//! u32 CRC32C of what follows, u64 sequence, i64 time, u32 shard, u32 zero; its data is
//! padded with zeros to a multiple of 8. All numbers are little-endian.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

/// Bytes of a segment's header.
pub const HEADER: usize = 64;
/// Bytes of a record's.
const RECORD_HEADER: usize = 32;

/// Where a record lies in its segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Of its header.
    pub start: usize,
    /// Of its data.
    pub data: usize,
    /// Behind its data, before the padding.
    pub end: usize,
    /// Its number.
    pub sequence: u64,
    /// Its shard.
    pub shard: u32,
}

impl Span {
    /// Where the next record starts.
    pub fn next(&self) -> usize {
        self.end.next_multiple_of(8)
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from(word(bytes, at)) | (u64::from(word(bytes, at + 4)) << 32)
}

/// The records of a whole segment.
pub fn records(segment: &[u8]) -> Result<Vec<Span>> {
    let mut spans = Vec::new();
    let mut start = HEADER;
    while start + RECORD_HEADER <= segment.len() && word(segment, start) > 0 {
        let data = start + RECORD_HEADER;
        let end = data + word(segment, start) as usize;
        ensure!(end <= segment.len(), "a record ends behind its segment");
        ensure!(crc32c(&segment[start + 8..end]) == word(segment, start + 4), "a CRC is wrong");
        let (sequence, shard) = (long(segment, start + 8), word(segment, start + 24));
        spans.push(Span { start, data, end, sequence, shard });
        start = end.next_multiple_of(8);
    }
    Ok(spans)
}

/// Gives a record other data of the same length, with a CRC that fits.
pub fn replace(segment: &mut [u8], span: Span, data: impl Fn(usize) -> u8) {
    for (at, byte) in segment[span.data..span.end].iter_mut().enumerate() {
        *byte = data(at);
    }
    let crc = crc32c(&segment[span.start + 8..span.end]);
    segment[span.start + 4..span.start + 8].copy_from_slice(&crc.to_le_bytes());
}

/// The segment files of a log, the oldest first.
pub fn segments(stream: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(stream)? {
        let path = entry?.path();
        if path.extension().is_some_and(|x| x == "log") {
            paths.push(path);
        }
    }
    paths.sort_unstable();
    Ok(paths)
}

/// CRC-32C (Castagnoli, RFC 3720), bit by bit.
pub fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg())
        })
    })
}
