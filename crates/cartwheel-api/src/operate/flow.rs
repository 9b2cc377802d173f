//! How records flow from the stream to its consumers.

use cartwheel_stream::Sequence;

/// How far the consumers of the stream have read, as their process sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Flow {
    /// The number of shards.
    pub shards: u32,
    /// Records that the sessions' consumer has not read.
    pub sessions_waiting: u64,
    /// Records that are not in the lake.
    pub delivery_waiting: u64,
    /// Malformed records since the start, written to the lake's errors.
    pub rejected: u64,
    /// Records since the start that the stream had deleted before they were delivered.
    pub missed: u64,
    /// Damaged places in the stream that were skipped since the start.
    pub damaged: u64,
    /// Files written since the start.
    pub files: u64,
    /// The time of the last file, UTC milliseconds.
    pub last_ms: Option<i64>,
    /// Why the last attempt failed.
    pub error: Option<String>,
    /// By shard, the first sequence number that is not in the lake.
    pub delivered: Vec<Sequence>,
    /// The last files, newest last.
    pub parts: Vec<Part>,
}

/// A file of the lake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The shard.
    pub shard: u32,
    /// The sequence number of its first record.
    pub first: Sequence,
    /// The sequence number of its last record.
    pub last: Sequence,
    /// Its path in the lake.
    pub path: String,
}
