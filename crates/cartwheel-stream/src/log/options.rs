//! Options, statistics and errors of a log.

use std::io;
use std::path::PathBuf;

/// A function that returns the current time in UTC milliseconds.
pub type Clock = fn() -> i64;

/// Settings of a log.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// Number of shards of a new log; an existing log keeps its own.
    pub shards: u32,
    /// Size of a segment file in bytes.
    pub segment_bytes: u64,
    /// Age in milliseconds after which records may be deleted.
    pub retention_ms: i64,
    /// Maximum total size of the segments in bytes. Beyond it the oldest segments are deleted
    /// regardless of their age. Puts are refused while a consumer still needs them.
    pub max_bytes: u64,
    /// Consumers that read every record before retention deletes it. Until one of them sets its
    /// floor, it counts as having read nothing.
    pub consumers: &'static [&'static str],
    /// Maximum size of a record in bytes.
    pub max_record_bytes: usize,
    /// Maximum number of bytes waiting to be written.
    pub queue_bytes: usize,
    /// The clock that stamps records.
    pub clock: Clock,
}

impl LogOptions {
    /// Returns the default settings with the given clock.
    pub fn new(clock: Clock) -> Self {
        Self {
            shards: 4,
            segment_bytes: 64 << 20,
            retention_ms: 7 * 24 * 3_600_000,
            max_bytes: 16 << 30,
            consumers: &[],
            max_record_bytes: 1 << 20,
            queue_bytes: 64 << 20,
            clock,
        }
    }
}

/// Why a log cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has the log open.
    #[error("{0} is in use by another cartwheel process: stop it first")]
    Locked(PathBuf),
    /// A file is not a segment that this release reads.
    #[error("{path}: {problem}")]
    Segment {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// Statistics of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogStat {
    /// Oldest sequence number in the log.
    pub first: u64,
    /// Next sequence number to be assigned.
    pub next: u64,
    /// Number of segment files.
    pub segments: usize,
    /// Number of damaged places found since opening.
    pub damaged: u64,
    /// Number of bytes in the torn tail that opening zeroed.
    pub torn_bytes: u64,
}
