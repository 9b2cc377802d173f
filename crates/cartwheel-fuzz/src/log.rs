//! A segment file of the log: opened, read completely, written to, and opened again.

use std::path::Path;
use std::sync::OnceLock;

use cartwheel_events::{EventKind, EventRecord, ProductId, Record, UserId};
use cartwheel_stream::{Log, LogOptions, Stream};
use tokio::runtime::{Builder, Runtime};

use crate::scratch::scratch;

const SEGMENT_BYTES: u64 = 8 << 10;
const HEADER: usize = 64;
const RECORD_HEADER: usize = 32;
/// Number of shards that are read; a useful log has no more.
const SHARDS: u32 = 16;

/// Opens a log whose only segment is `bytes` after the first byte. If the first byte is odd, the
/// checksums of consecutive records are corrected first. Intact records at the start of the
/// segment must be read, both before and after a put and a reopening.
pub fn log(bytes: &[u8]) {
    let Some((&how, segment)) = bytes.split_first() else { return };
    let mut segment = segment.to_vec();
    segment.truncate(4 * SEGMENT_BYTES as usize);
    if how & 1 == 1 {
        seal(&mut segment);
    }
    let intact = intact(&segment);
    let Ok(dir) = scratch() else { return };
    let first = word(&segment, 8, 8).unwrap_or_default();
    if std::fs::write(dir.path().join(format!("{first:020}.log")), &segment).is_err() {
        return;
    }
    let Some(opened) = open(dir.path()) else { return };
    let before = runtime().block_on(sequences(&opened));
    for sequence in &intact {
        assert!(before.contains(sequence), "record {sequence} is intact but was not read");
    }
    // A log never writes decreasing numbers, and need not continue after them. Here only the
    // corrected checksums make them look valid.
    if !ascends(&segment) {
        return;
    }
    let put = runtime().block_on(opened.put(vec![record()]));
    // A log at the last sequence number, or without shards, refuses the put.
    let Some(Ok(position)) = put.into_iter().next() else { return };
    if position.shard >= SHARDS {
        return;
    }
    let position = position.sequence.as_u64().unwrap_or_default();
    // Larger numbers are read as damage, since no log reaches them.
    if position >= 1 << 62 {
        return;
    }
    assert!(before.iter().all(|&sequence| sequence < position), "{position} was assigned before");
    drop(opened);
    let Some(again) = open(dir.path()) else { panic!("the log cannot be opened again") };
    let after = runtime().block_on(sequences(&again));
    assert!(after.contains(&position), "the acknowledged record is missing");
    for sequence in &before {
        assert!(after.contains(sequence), "record {sequence} was read before and is missing");
    }
}

fn open(dir: &Path) -> Option<Log> {
    let mut options = LogOptions::new(|| 1_700_000_000_000);
    options.segment_bytes = SEGMENT_BYTES;
    options.max_record_bytes = 4 << 10;
    options.retention_ms = i64::MAX;
    Log::open(dir, options).ok()
}

/// Returns the sequence numbers of everything that can be read.
async fn sequences(log: &Log) -> Vec<u64> {
    let mut found = Vec::new();
    for shard in 0..log.shards().min(SHARDS) {
        let mut from = Default::default();
        loop {
            let Ok(batch) = log.read(shard, from, 100).await else {
                panic!("shard {shard} cannot be read");
            };
            let records = batch.records.iter().map(|(sequence, _)| *sequence);
            let rejected = batch.rejected.iter().map(|rejected| rejected.sequence);
            found.extend(records.chain(rejected).filter_map(|sequence| sequence.as_u64()));
            if batch.next == from || batch.is_empty() {
                break;
            }
            from = batch.next;
        }
    }
    found
}

fn record() -> Record {
    let (Ok(user_id), Ok(product_id)) = (UserId::new("u"), ProductId::new("p")) else {
        unreachable!("both ids are valid");
    };
    Record::Event(EventRecord {
        schema_version: 1,
        event_id: "e".to_owned(),
        user_id,
        anonymous_id: None,
        session_id: None,
        event: EventKind::View,
        product_ids: vec![product_id],
        quantities: vec![1],
        prices: vec![None],
        timestamp_ms: None,
        source: None,
        recommendation_id: None,
        received_at_ms: 1,
        query: None,
        country: None,
        backfilled_at_ms: None,
        carried: None,
        tied: None,
    })
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| match Builder::new_current_thread().build() {
        Ok(runtime) => runtime,
        Err(error) => panic!("the runtime cannot be created: {error}"),
    })
}

/// Reads a little-endian number of `length` bytes.
fn word(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(length)?)?;
    Some(bytes.iter().rev().fold(0, |number, &byte| (number << 8) | u64::from(byte)))
}

/// Returns the ranges of the consecutive records from the first one on.
fn chain(segment: &[u8]) -> impl Iterator<Item = std::ops::Range<usize>> {
    let mut at = HEADER;
    std::iter::from_fn(move || {
        let length = word(segment, at, 4)? as usize;
        let end = at + RECORD_HEADER + length;
        if length == 0 || end > segment.len() {
            return None;
        }
        let found = at..end;
        at = end.next_multiple_of(8);
        Some(found)
    })
}

/// Corrects the checksums, since no mutation would ever find valid ones.
fn seal(segment: &mut [u8]) {
    if segment.len() < HEADER {
        return;
    }
    let crc = crc32c::crc32c(&segment[..20]);
    segment[20..24].copy_from_slice(&crc.to_le_bytes());
    for found in chain(segment).collect::<Vec<_>>() {
        let crc = crc32c::crc32c(&segment[found.start + 8..found.end]);
        segment[found.start + 4..found.start + 8].copy_from_slice(&crc.to_le_bytes());
    }
}

/// Whether the sequence numbers of the consecutive records increase, starting at the segment's
/// first.
fn ascends(segment: &[u8]) -> bool {
    let first = word(segment, 8, 8).unwrap_or_default();
    let mut numbers = chain(segment).filter_map(|found| word(segment, found.start + 8, 8));
    let mut next = first;
    numbers.all(|number| {
        let ascends = number >= next;
        next = number.saturating_add(1);
        ascends
    })
}

/// Returns the sequence numbers of the intact records at the start of a segment, by the format
/// in the log's documentation.
fn intact(segment: &[u8]) -> Vec<u64> {
    let Some(first) = word(segment, 8, 8) else { return Vec::new() };
    let shards = word(segment, 16, 4).unwrap_or_default();
    let records = chain(segment).enumerate().map_while(|(at, found)| {
        let crc = word(segment, found.start + 4, 4)?;
        let sequence = word(segment, found.start + 8, 8)?;
        let shard = word(segment, found.start + 24, 4)?;
        let length = found.len() - RECORD_HEADER;
        let intact = crc == u64::from(crc32c::crc32c(&segment[found.start + 8..found.end]))
            && Some(sequence) == first.checked_add(at as u64)
            && length <= 4 << 10;
        intact.then_some((sequence, shard))
    });
    let read = |shard: u64| shard < shards.min(u64::from(SHARDS));
    records.filter(|&(_, shard)| read(shard)).map(|(sequence, _)| sequence).collect()
}
