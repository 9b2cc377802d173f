//! Iterates over a segment's records, window by window.

use std::cell::Cell;
use std::io;
use std::ops::Range;

use super::segment::{Entry, Found, RECORD_HEADER, Segment, look, resync};

/// Maximum number of bytes per read, unless a record is larger.
const WINDOW: usize = 4 << 20;

/// Most bytes of a window whose memory is kept for the next walk.
const KEPT: usize = 1 << 20;

thread_local! {
    /// Readers come back for every few new records: fresh memory would cost more than reading them.
    static BYTES: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A position in a segment.
pub(super) struct Walk<'a> {
    segment: &'a Segment,
    /// As long as the file: records that were put under another limit are records too.
    max_record: usize,
    /// The end of the range to read.
    stop: u64,
    /// Offset of `bytes` in the file.
    start: u64,
    bytes: Vec<u8>,
    /// Offset of the next record in `bytes`.
    at: usize,
    /// Number of bytes of the next read.
    window: usize,
    /// Smallest sequence number that the next record may have.
    least: u64,
}

impl<'a> Walk<'a> {
    /// Starts at `offset`, where a record starts, and ends at `stop`. The first read takes
    /// `window` bytes, later ones more.
    pub(super) fn new(segment: &'a Segment, offset: u64, stop: u64, window: usize) -> Self {
        let least = segment.first;
        let max_record = usize::try_from(segment.bytes).unwrap_or(usize::MAX);
        Self { segment, max_record, stop, start: offset, bytes: Vec::new(), at: 0, window, least }
    }

    /// Returns the offset of the next record in the file.
    pub(super) fn offset(&self) -> u64 {
        self.start + self.at as u64
    }

    /// Returns the next record and its data, or `None` if there is no intact record here.
    pub(super) fn next(&mut self) -> io::Result<Option<(Entry, &[u8])>> {
        loop {
            match look(&self.bytes, self.at, self.max_record) {
                // Numbers only increase, so a smaller one is not a record of this log.
                Found::Record(entry) if entry.sequence >= self.least => {
                    self.at += entry.size();
                    self.least = entry.sequence.saturating_add(1);
                    return Ok(Some((entry, &self.bytes[entry.data..entry.data + entry.length])));
                }
                Found::Short(size) if self.start + (self.bytes.len() as u64) < self.stop => {
                    self.read(size)?;
                }
                _ => return Ok(None),
            }
        }
    }

    /// Reads a window of at least `least` bytes that starts at the next record.
    fn read(&mut self, least: usize) -> io::Result<()> {
        self.start = self.offset();
        self.at = 0;
        let length = self.window.max(least) as u64;
        let length = length.min(self.stop.saturating_sub(self.start));
        if self.bytes.is_empty() {
            self.bytes = BYTES.take();
        }
        self.segment.read_into(&mut self.bytes, self.start, length as usize)?;
        self.window = (self.window * 4).min(WINDOW);
        Ok(())
    }

    /// Skips to the next intact record with a sequence number in `range`, or stays here if there is
    /// none. Returns whether there is one.
    pub(super) fn resync(&mut self, range: Range<u64>) -> io::Result<bool> {
        let here = self.offset();
        let mut from = here + 8;
        while from + RECORD_HEADER as u64 <= self.stop {
            (self.start, self.at) = (from, 0);
            self.read(RECORD_HEADER)?;
            match resync(&self.bytes, self.max_record, &range) {
                (at, Found::Record(_)) => {
                    self.at = at;
                    return Ok(true);
                }
                // It may be intact, and is larger than the window.
                (at, Found::Short(size)) => {
                    let start = self.offset() + at as u64;
                    self.at = at;
                    self.read(size)?;
                    if matches!(look(&self.bytes, 0, self.max_record), Found::Record(_)) {
                        return Ok(true);
                    }
                    from = start + 8;
                }
                (at, _) => from = self.offset() + at as u64,
            }
        }
        (self.start, self.at) = (here, 0);
        self.bytes.clear();
        Ok(false)
    }
}

impl Drop for Walk<'_> {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        if !bytes.is_empty() {
            bytes.truncate(KEPT);
            bytes.shrink_to(KEPT);
            BYTES.set(bytes);
        }
    }
}
