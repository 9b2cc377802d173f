//! The one thread that writes: group commit.

use std::collections::VecDeque;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use tokio::sync::oneshot;

use super::segment::{HEADER, RECORD_HEADER, Segment, encode, record_size};
use super::{LogOptions, Shared, guard};
use crate::position::Position;
use crate::stream::PutError;

/// Most bytes of one commit.
const COMMIT_BYTES: usize = 8 << 20;

/// Records that one call puts, and who waits for them.
pub(super) struct Put {
    /// Shard and data.
    pub entries: Vec<(u32, Vec<u8>)>,
    pub answer: oneshot::Sender<Vec<Result<Position, PutError>>>,
}

/// What waits for the writer: bounded in bytes.
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
}

fn bytes_of(put: &Put) -> usize {
    put.entries.iter().map(|(_, data)| record_size(data.len())).sum()
}

impl Queue {
    /// Adds a put, or says why not.
    pub(super) fn push(&self, put: Put, options: &LogOptions) -> Result<(), PutError> {
        let bytes = bytes_of(&put);
        let mut state = guard(&self.state);
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
        guard(&self.state).stopped = true;
        self.changed.notify_one();
    }

    pub(super) fn is_full(&self) -> bool {
        guard(&self.state).full
    }

    fn set_full(&self, full: bool) {
        guard(&self.state).full = full;
    }

    /// All that waits, up to a commit's bytes; none when closed and empty.
    fn take(&self) -> Option<Vec<Put>> {
        let mut state = guard(&self.state);
        while state.puts.is_empty() && !state.stopped {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
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

    /// Takes no more; answers what waits.
    fn fail(&self) {
        let mut state = guard(&self.state);
        state.stopped = true;
        state.bytes = 0;
        // Dropping an answer's sender tells its caller that the log has stopped.
        state.puts.clear();
    }
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    segment: Arc<Segment>,
    /// Where the next record goes.
    end: u64,
    next: u64,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, end: u64, next: u64) -> Self {
        let segments = shared.segments();
        // Recovery leaves at least one segment.
        let segment = segments.values().next_back().cloned();
        drop(segments);
        let Some(segment) = segment else { unreachable!("a log has a segment") };
        Self { shared, segment, end, next }
    }

    pub(super) fn run(mut self) {
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
                // A caller that has gone needs no answer.
                let _ = put.answer.send(results);
            }
        }
    }

    /// Writes and syncs; what it returns is durable.
    fn commit(&mut self, puts: &[Put]) -> io::Result<Vec<Vec<Result<Position, PutError>>>> {
        let max_record = self.shared.options.max_record_bytes;
        let room = (self.shared.options.segment_bytes - HEADER) as usize;
        let now_ms = (self.shared.options.clock)();
        let mut buffer = Vec::new();
        let mut all = Vec::with_capacity(puts.len());
        for put in puts {
            let mut results = Vec::with_capacity(put.entries.len());
            for (shard, data) in &put.entries {
                let size = record_size(data.len());
                if data.is_empty() || data.len() > max_record || size > room {
                    results.push(Err(PutError::TooLarge));
                    continue;
                }
                if self.end + (buffer.len() + size) as u64 > self.segment.bytes {
                    self.flush(&mut buffer)?;
                    self.rotate(now_ms)?;
                }
                let sequence = self.next;
                encode(&mut buffer, sequence, now_ms, *shard, data);
                self.next += 1;
                results.push(Ok(Position { shard: *shard, sequence }));
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
        self.segment.file.write_all_at(buffer, self.end)?;
        self.segment.file.sync_data()?;
        self.end += buffer.len() as u64;
        buffer.clear();
        Ok(())
    }

    /// Starts a new segment and lets old ones go.
    fn rotate(&mut self, now_ms: i64) -> io::Result<()> {
        let shared = &self.shared;
        let bytes = shared.options.segment_bytes;
        let segment = Segment::create(&shared.dir, self.next, shared.shards, bytes)?;
        self.segment = Arc::new(segment);
        self.end = HEADER;
        shared
            .segments
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(self.next, self.segment.clone());
        self.shared.retain(now_ms)
    }
}

impl Shared {
    /// Deletes segments that are too old and that every consumer has read.
    /// Refuses puts while even then too many bytes are kept.
    pub(super) fn retain(&self, now_ms: i64) -> io::Result<()> {
        self.drop_old(now_ms)?;
        let next_segment = self.bytes() + self.options.segment_bytes;
        self.queue.set_full(next_segment > self.options.max_bytes);
        Ok(())
    }

    fn drop_old(&self, now_ms: i64) -> io::Result<()> {
        let floor = guard(&self.floors).values().min().copied().unwrap_or(u64::MAX);
        loop {
            let segments = self.segments();
            let mut firsts = segments.iter();
            let (Some((&first, oldest)), Some((&second, _))) = (firsts.next(), firsts.next())
            else {
                return Ok(());
            };
            let mut header = [0; RECORD_HEADER];
            oldest.file.read_exact_at(&mut header, HEADER)?;
            let mut time = [0; 8];
            time.copy_from_slice(&header[16..24]);
            let age = now_ms.saturating_sub(i64::from_le_bytes(time));
            if second > floor || age < self.options.retention_ms {
                return Ok(());
            }
            let path = oldest.path.clone();
            drop(segments);
            let mut segments = self.segments.write().unwrap_or_else(PoisonError::into_inner);
            segments.remove(&first);
            drop(segments);
            std::fs::remove_file(path)?;
        }
    }
}
