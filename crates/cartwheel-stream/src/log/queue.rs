//! The puts that wait for the writer.

use std::collections::VecDeque;
use std::sync::Arc;

use cartwheel_events::Record;
use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use super::options::LogOptions;
use super::segment::record_size;
use crate::position::Position;
use crate::stream::{PutError, StreamState};

/// Maximum number of bytes per commit.
const COMMIT_BYTES: usize = 8 << 20;

/// The records of one put with their results, and the channel that returns both. The memory is
/// allocated and freed by the caller's thread: freeing it in the writer's would take longer for
/// both.
pub(super) struct Put {
    pub records: Records,
    pub answer: oneshot::Sender<Records>,
}

/// The records of one put.
pub(super) struct Records {
    /// Shards and data.
    pub entries: Vec<(u32, Vec<u8>)>,
    /// What the data is, of each entry or of none.
    pub decoded: Vec<Arc<Record>>,
    /// One result for each, once they are written.
    pub results: Vec<Result<Position, PutError>>,
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
    put.records.entries.iter().map(|(_, data)| record_size(data.len())).sum()
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
    pub(super) fn set_no_space(&self, no_space: bool) {
        self.state.lock().no_space = no_space;
    }

    /// Sets whether puts are refused. Returns the previous value.
    pub(super) fn set_full(&self, full: bool) -> bool {
        std::mem::replace(&mut self.state.lock().full, full)
    }

    /// Waits for puts and takes them, up to the size of a commit. Returns `None` once the
    /// queue is closed and empty.
    pub(super) fn take(&self) -> Option<Vec<Put>> {
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
    pub(super) fn fail(&self) {
        let mut state = self.state.lock();
        state.stopped = true;
        state.bytes = 0;
        // Dropping a sender tells its caller that the log has stopped.
        state.puts.clear();
    }
}
