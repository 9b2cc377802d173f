//! How records flow from the stream to its consumers.

use cartwheel_stream::Sequence;

/// Where records of the stream are, as the process with the consumers sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Flow {
    /// Shards of the stream.
    pub shards: u32,
    /// Records of the stream that the sessions' consumer has not read.
    pub sessions_waiting: u64,
    /// Records of the stream that are not in the lake.
    pub delivery_waiting: u64,
    /// Records since the start that were none, and went to the lake's errors.
    pub rejected: u64,
    /// Sequence numbers since the start that the stream no longer held for delivery.
    pub missed: u64,
    /// Damaged places of the stream that were passed over since the start.
    pub damaged: u64,
    /// Files written since the start.
    pub files: u64,
    /// When the last of them was written, UTC milliseconds.
    pub last_ms: Option<i64>,
    /// Why the last try failed.
    pub error: Option<String>,
    /// By shard: everything before it is in the lake.
    pub delivered: Vec<Sequence>,
    /// The last files, the newest last: shard, first and last sequence number, path.
    pub parts: Vec<Part>,
}

/// A file of the lake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The shard.
    pub shard: u32,
    /// Its first record.
    pub first: Sequence,
    /// Its last record.
    pub last: Sequence,
    /// Its path in the lake.
    pub path: String,
}
