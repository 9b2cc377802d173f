//! The writer thread: group commit.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::queue::{Put, Records};
use super::segment::{HEADER, Segment, encode, record_size};
use super::shared::Shared;
use super::spare::{self, Spare};
use crate::position::Position;
use crate::stream::PutError;

/// Milliseconds to wait before trying a full disk again.
const FULL_PAUSE_MS: i64 = 1000;
/// Bytes of the buffer that are kept between commits.
const KEPT_BYTES: usize = 1 << 20;
const FULL: &str = "no space is left on the device";

pub(super) struct Writer {
    shared: Arc<Shared>,
    segment: Arc<Segment>,
    /// Offset of the next record.
    end: u64,
    next: u64,
    /// Encoded records; kept from commit to commit.
    buffer: Vec<u8>,
    spare: Option<Spare>,
    /// When the disk had no space for a new segment, in milliseconds.
    full_since_ms: Option<i64>,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, end: u64, next: u64) -> Self {
        let segments = shared.segments();
        // Recovery leaves at least one segment.
        let segment = segments.values().next_back().cloned();
        drop(segments);
        let Some(segment) = segment else { unreachable!("a log has a segment") };
        Self { shared, segment, end, next, buffer: Vec::new(), spare: None, full_since_ms: None }
    }

    pub(super) fn run(mut self) {
        self.write_all();
        if let Some(spare) = self.spare.take() {
            spare.give_up();
        }
        // An unused spare takes space; opening works without it.
        let _ = self.shared.disk.remove(&spare::scratch(&self.shared.dir));
    }

    fn write_all(&mut self) {
        while let Some(mut puts) = self.shared.queue.take() {
            if let Err(error) = self.commit(&mut puts) {
                tracing::error!(%error, "the log stops: a write or sync failed");
                let failed = PutError::Failed(error.to_string());
                for mut put in puts {
                    put.records.results = vec![Err(failed.clone()); put.records.entries.len()];
                    let _ = put.answer.send(put.records);
                }
                self.shared.queue.fail();
                return;
            }
            let gone = self.shared.recent.add(&puts);
            self.shared.synced.send_replace(self.next);
            for put in puts {
                // The caller may have gone away.
                let _ = put.answer.send(put.records);
            }
            drop(gone);
            self.look_ahead();
            // Who has just been answered may have more to put: where processors are short, they run
            // first, so that a commit takes more. Where not, this returns at once.
            std::thread::yield_now();
        }
    }

    /// Writes and syncs the puts. Their positions are durable once it returns.
    fn commit(&mut self, puts: &mut [Put]) -> io::Result<()> {
        let max_record = self.shared.options.max_record_bytes;
        let room = (self.shared.options.segment_bytes - HEADER) as usize;
        let now_ms = (self.shared.options.clock)();
        self.next = self.next.max(self.shared.least.load(Ordering::Acquire));
        let mut buffer = std::mem::take(&mut self.buffer);
        // Once a record finds no space, later ones are refused as well, to keep the order.
        let mut full: Option<PutError> = None;
        for put in puts {
            let Records { entries, results, .. } = &mut put.records;
            for (shard, data) in &*entries {
                let size = record_size(data.len());
                if data.is_empty() || data.len() > max_record || size > room {
                    results.push(Err(PutError::TooLarge));
                    continue;
                }
                if let Some(error) = &full {
                    results.push(Err(error.clone()));
                    continue;
                }
                if self.end + (buffer.len() + size) as u64 > self.segment.bytes {
                    self.flush(&mut buffer)?;
                    if let Err(error) = self.rotate(now_ms)? {
                        results.push(Err(error.clone()));
                        full = Some(error);
                        continue;
                    }
                }
                let sequence = self.next;
                encode(&mut buffer, sequence, now_ms, *shard, data);
                self.next += 1;
                results.push(Ok(Position { shard: *shard, sequence: sequence.into() }));
            }
        }
        self.flush(&mut buffer)?;
        buffer.shrink_to(KEPT_BYTES);
        self.buffer = buffer;
        Ok(())
    }

    fn flush(&mut self, buffer: &mut Vec<u8>) -> io::Result<()> {
        if buffer.is_empty() {
            return Ok(());
        }
        let (disk, segment) = (&self.shared.disk, &self.segment);
        disk.write(&segment.file, &segment.path, self.end, buffer)?;
        disk.sync(&segment.file, &segment.path)?;
        self.end += buffer.len() as u64;
        segment.set_end(self.end);
        buffer.clear();
        Ok(())
    }

    /// Starts a new segment and deletes old ones. The inner error says that space is missing.
    fn rotate(&mut self, now_ms: i64) -> io::Result<Result<(), PutError>> {
        let shared = self.shared.clone();
        if let Some(failed_ms) = self.full_since_ms
            && (failed_ms..failed_ms.saturating_add(FULL_PAUSE_MS)).contains(&now_ms)
        {
            return Ok(Err(PutError::Failed(FULL.to_owned())));
        }
        let spare = self.spare.take().map(Spare::take);
        let file = spare.unwrap_or_else(|| self.prepare()).or_else(|_| self.prepare());
        let file = match file {
            Ok(file) => file,
            Err(error) if is_full(&error) => {
                tracing::error!(%error, "no space for a new segment: puts are refused");
                self.full_since_ms = Some(now_ms);
                shared.queue.set_no_space(true);
                return Ok(Err(PutError::Failed(FULL.to_owned())));
            }
            Err(error) => return Err(error),
        };
        self.full_since_ms = None;
        shared.queue.set_no_space(false);
        let (dir, shards) = (&shared.dir, shared.shards);
        self.segment = Arc::new(Segment::create(&*shared.disk, dir, file, self.next, shards)?);
        self.end = HEADER;
        let mut segments = shared.segments.write();
        segments.insert(self.next, self.segment.clone());
        drop(segments);
        shared.retain(now_ms);
        Ok(Ok(()))
    }

    fn prepare(&self) -> io::Result<File> {
        let shared = &self.shared;
        let bytes = shared.options.segment_bytes;
        spare::prepare(&shared.dir, bytes, &*shared.disk, &AtomicBool::new(false))
    }

    /// Starts preparing the next segment's file once this segment is half full.
    fn look_ahead(&mut self) {
        if self.spare.is_none() && self.full_since_ms.is_none() && self.end > self.segment.bytes / 2
        {
            let shared = &self.shared;
            let bytes = shared.options.segment_bytes;
            // If the thread cannot be started, rotation prepares the file.
            self.spare = Spare::start(&shared.dir, bytes, shared.disk.clone()).ok();
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
