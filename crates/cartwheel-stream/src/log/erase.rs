//! Erases users' records from the log.
//!
//! A record is overwritten in place by one without a shard and of the same size. Nothing
//! moves, so positions and readers remain valid.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;

use cartwheel_events::Record;

use super::Log;
use super::segment::{HEADER, NO_SHARD, RECORD_HEADER, Segment, encode};
use super::shared::Shared;
use super::walk::Walk;

/// Number of bytes of the first read.
const WINDOW: usize = 1 << 20;

/// By user: records with a smaller sequence number are erased.
type Erased<'a> = BTreeMap<&'a str, u64>;

impl Log {
    /// Overwrites the records of users, each with the sequence number below which its records go,
    /// including data that is not a record but contains the user's id. Reads the log once, however
    /// many users there are. Returns how many records were overwritten, once that is on disk. After an
    /// interruption, call it again.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn erase<'a>(&self, users: impl IntoIterator<Item = (&'a str, u64)>) -> io::Result<u64> {
        let mut erased = Erased::new();
        for (user, before) in users {
            let least = erased.entry(user).or_default();
            *least = before.max(*least);
        }
        let before = erased.values().copied().max().unwrap_or(0);
        let segments: Vec<_> =
            self.shared.segments().range(..before).map(|s| s.1.clone()).collect();
        let mut count = 0;
        for segment in segments {
            count += self.shared.erase(&segment, &erased, before)?;
        }
        // Readers do not get them from memory either.
        self.shared.recent.clear();
        Ok(count)
    }
}

/// Whether the data with a sequence number belongs to a user who is erased.
fn is_erased(data: &[u8], sequence: u64, erased: &Erased<'_>) -> bool {
    match Record::from_slice(data) {
        Ok(record) => {
            let before = record.user_id().and_then(|id| erased.get(id.as_str()));
            before.is_some_and(|before| sequence < *before)
        }
        Err(_) => erased.iter().any(|(user, before)| sequence < *before && contains(data, user)),
    }
}

/// Whether data contains the user's id, but not as part of another id.
fn contains(data: &[u8], user: &str) -> bool {
    let of_id =
        |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_alphanumeric() || b"._:@-".contains(b));
    data.windows(user.len()).enumerate().any(|(at, found)| {
        found == user.as_bytes()
            && !of_id(at.checked_sub(1).and_then(|before| data.get(before)))
            && !of_id(data.get(at + user.len()))
    })
}

impl Shared {
    fn erase(&self, segment: &Segment, erased: &Erased<'_>, before: u64) -> io::Result<u64> {
        let max_record = self.options.max_record_bytes;
        let mut walk = Walk::new(segment, HEADER, segment.end(), WINDOW);
        let mut found: Vec<(u64, Vec<u8>)> = Vec::new();
        let mut earlier = 0;
        let mut sequence = segment.first;
        while sequence < before {
            let offset = walk.offset();
            if let Some((entry, data)) = walk.next()? {
                sequence = entry.sequence + 1;
                if entry.shard != NO_SHARD && is_erased(data, entry.sequence, erased) {
                    found.push((offset, filler(entry.sequence, entry.time_ms, entry.length)));
                }
                if entry.shard == NO_SHARD && data.iter().all(|&b| b == b' ') {
                    // Perhaps of an erasure whose sync failed or never came: in memory alone.
                    earlier += 1;
                    found.push((offset, filler(entry.sequence, entry.time_ms, entry.length)));
                }
                continue;
            }
            // Damage here may be the result of an interrupted erasure.
            let lost = sequence;
            let whole = walk.resync(sequence..u64::MAX)?;
            let end = if whole { walk.offset() } else { segment.end() };
            let mut gap = segment.read(offset, (end - offset) as usize)?;
            let length = gap.len().saturating_sub(RECORD_HEADER);
            if length > 0 && erased.keys().any(|user| contains(&gap, user)) {
                // A gap may exceed the record limit. The filler covers its start; the zeros
                // after it are skipped.
                gap.fill(0);
                let piece = filler(lost, 0, length.min(max_record));
                gap[..piece.len()].copy_from_slice(&piece);
                found.push((offset, gap));
            }
            if !whole {
                break;
            }
        }
        if found.is_empty() {
            return Ok(0);
        }
        // Uses its own file: a failed sync must not consume the error of the writer's file.
        let file = File::options().write(true).open(&segment.path)?;
        for (offset, data) in &found {
            self.disk.write(&file, &segment.path, *offset, data)?;
        }
        self.disk.sync(&file, &segment.path)?;
        Ok(found.len() as u64 - earlier)
    }
}

/// Encodes a record without a shard and with `length` bytes of data.
fn filler(sequence: u64, time_ms: i64, length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(&mut bytes, sequence, time_ms, NO_SHARD, &vec![b' '; length]);
    bytes
}
