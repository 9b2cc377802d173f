//! Going through a segment's records, window by window.

use std::io;
use std::ops::Range;

use super::segment::{Entry, Found, Segment, look, resync};

/// Most bytes that are read at once, unless a record is larger.
const WINDOW: usize = 4 << 20;

/// A place in a segment.
pub(super) struct Walk<'a> {
    segment: &'a Segment,
    max_record: usize,
    /// Nothing from here on is looked at.
    stop: u64,
    /// Offset in the file of the first of `bytes`.
    start: u64,
    bytes: Vec<u8>,
    /// Offset in `bytes` of what comes next.
    at: usize,
    /// Bytes to be read next time.
    window: usize,
    /// Least sequence number that the next record may have.
    least: u64,
}

impl<'a> Walk<'a> {
    /// From `offset`, where a record begins, to `stop`. At first `window` bytes are read,
    /// then more at a time.
    pub(super) fn new(
        segment: &'a Segment,
        offset: u64,
        stop: u64,
        window: usize,
        max_record: usize,
    ) -> Self {
        let least = segment.first;
        Self { segment, max_record, stop, start: offset, bytes: Vec::new(), at: 0, window, least }
    }

    /// Where what comes next begins.
    pub(super) fn offset(&self) -> u64 {
        self.start + self.at as u64
    }

    /// The next record and its data; none where there is no whole one.
    pub(super) fn next(&mut self) -> io::Result<Option<(Entry, &[u8])>> {
        loop {
            match look(&self.bytes, self.at, self.max_record) {
                // Numbers only grow: a smaller one is no record of this log.
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

    /// Reads a window that begins with what comes next and holds at least `least` bytes.
    fn read(&mut self, least: usize) -> io::Result<()> {
        self.start = self.offset();
        self.at = 0;
        let length = self.window.max(least) as u64;
        let length = length.min(self.stop.saturating_sub(self.start));
        self.bytes = self.segment.read(self.start, length as usize)?;
        self.window = (self.window * 4).min(WINDOW);
        Ok(())
    }

    /// All that is left, from what comes next on.
    pub(super) fn rest(&mut self) -> io::Result<&[u8]> {
        self.read(usize::MAX)?;
        Ok(&self.bytes)
    }

    /// Goes on at the next whole record with a sequence number of `range`. Says whether
    /// there is one. Rare: so all that is left is looked at, whatever it takes.
    pub(super) fn resync(&mut self, range: Range<u64>) -> io::Result<bool> {
        let max_record = self.max_record;
        let found = resync(self.rest()?, 0, max_record, range);
        self.at = found.unwrap_or(0);
        Ok(found.is_some())
    }
}
