//! The writer thread: group commit.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use super::segment::{HEADER, Segment, encode, record_size};
use super::spare::{self, Spare};
use super::{LogOptions, Shared};
use crate::position::Position;
use crate::stream::{PutError, StreamState};

/// Maximum number of bytes per commit.
const COMMIT_BYTES: usize = 8 << 20;
/// Milliseconds to wait before trying a full disk again.
const FULL_PAUSE_MS: i64 = 1000;
const FULL: &str = "no space is left on the device";

/// The records of one put, and the channel for the results.
pub(super) struct Put {
    /// Shards and data.
    pub entries: Vec<(u32, Vec<u8>)>,
    pub answer: oneshot::Sender<Vec<Result<Position, PutError>>>,
}

/// The puts that wait for the writer; bounded in bytes.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    puts: VecDeque<Put>,
    bytes: usize,
    stopped: bool,
    full: bool,
    /// The disk has no space. Puts are still tried, since that is how space is noticed.
    no_space: bool,
}

fn bytes_of(put: &Put) -> usize {
    put.entries.iter().map(|(_, data)| record_size(data.len())).sum()
}

impl Queue {
    /// Adds a put, or returns why it is refused.
    pub(super) fn push(&self, put: Put, options: &LogOptions) -> Result<(), PutError> {
        let bytes = bytes_of(&put);
        let mut state = self.state.lock();
        if state.stopped {
            return Err(PutError::Stopped);
        }
        if state.full || state.bytes + bytes > options.queue_bytes {
            return Err(PutError::Throttled);
        }
        state.bytes += bytes;
        state.puts.push_back(put);
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    pub(super) fn close(&self) {
        self.state.lock().stopped = true;
        self.changed.notify_one();
    }

    pub(super) fn is_full(&self) -> bool {
        self.state.lock().full
    }

    pub(super) fn state(&self) -> StreamState {
        let state = self.state.lock();
        match (state.stopped, state.full || state.no_space) {
            (true, _) => StreamState::Stopped,
            (_, true) => StreamState::Full,
            _ => StreamState::Ready,
        }
    }

    /// Sets whether the disk lacks space for another segment.
    fn set_no_space(&self, no_space: bool) {
        self.state.lock().no_space = no_space;
    }

    /// Sets whether puts are refused. Returns the previous value.
    pub(super) fn set_full(&self, full: bool) -> bool {
        std::mem::replace(&mut self.state.lock().full, full)
    }

    /// Waits for puts and takes them, up to the size of a commit. Returns `None` once the
    /// queue is closed and empty.
    fn take(&self) -> Option<Vec<Put>> {
        let mut state = self.state.lock();
        while state.puts.is_empty() && !state.stopped {
            self.changed.wait(&mut state);
        }
        let mut taken = Vec::new();
        let mut bytes = 0;
        while let Some(put) = state.puts.front() {
            let more = bytes_of(put);
            if !taken.is_empty() && bytes + more > COMMIT_BYTES {
                break;
            }
            bytes += more;
            taken.extend(state.puts.pop_front());
        }
        state.bytes -= bytes;
        (!taken.is_empty()).then_some(taken)
    }

    /// Stops the queue and fails the waiting puts.
    fn fail(&self) {
        let mut state = self.state.lock();
        state.stopped = true;
        state.bytes = 0;
        // Dropping a sender tells its caller that the log has stopped.
        state.puts.clear();
    }
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    segment: Arc<Segment>,
    /// Offset of the next record.
    end: u64,
    next: u64,
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
        Self { shared, segment, end, next, spare: None, full_since_ms: None }
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
        while let Some(puts) = self.shared.queue.take() {
            let mut answers = Vec::with_capacity(puts.len());
            match self.commit(&puts) {
                Ok(results) => answers.extend(results),
                Err(error) => {
                    tracing::error!(%error, "the log stops: a write or sync failed");
                    let failed = PutError::Failed(error.to_string());
                    for put in puts {
                        let results = vec![Err(failed.clone()); put.entries.len()];
                        let _ = put.answer.send(results);
                    }
                    self.shared.queue.fail();
                    return;
                }
            }
            self.shared.synced.send_replace(self.next);
            for (put, results) in puts.into_iter().zip(answers) {
                // The caller may have gone away.
                let _ = put.answer.send(results);
            }
            self.look_ahead();
        }
    }

    /// Writes and syncs the puts. The returned positions are durable.
    fn commit(&mut self, puts: &[Put]) -> io::Result<Vec<Vec<Result<Position, PutError>>>> {
        let max_record = self.shared.options.max_record_bytes;
        let room = (self.shared.options.segment_bytes - HEADER) as usize;
        let now_ms = (self.shared.options.clock)();
        let mut buffer = Vec::new();
        let mut all = Vec::with_capacity(puts.len());
        // Once a record finds no space, later ones are refused as well, to keep the order.
        let mut full: Option<PutError> = None;
        for put in puts {
            let mut results = Vec::with_capacity(put.entries.len());
            for (shard, data) in &put.entries {
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
            all.push(results);
        }
        self.flush(&mut buffer)?;
        Ok(all)
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
