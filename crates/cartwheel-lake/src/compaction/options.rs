//! The options of a compaction.

use std::time::Duration;

/// Which parts are merged, and when superseded parts are removed.
#[derive(Debug, Clone)]
pub struct CompactionOptions {
    /// The small parts of a shard in an hour that is not over are merged if there are more than
    /// this.
    pub max_parts: usize,
    /// Maximum number of bytes of the parts that are merged into one.
    pub target_bytes: u64,
    /// Maximum number of rows of the parts that are merged into one.
    pub target_rows: u64,
    /// How long superseded parts stay for readers that listed them earlier. An hour is over this
    /// long after its end.
    pub grace: Duration,
}

impl Default for CompactionOptions {
    fn default() -> Self {
        Self {
            max_parts: 16,
            target_bytes: 128 << 20,
            target_rows: 1 << 20,
            grace: Duration::from_secs(600),
        }
    }
}

impl CompactionOptions {
    pub(super) fn grace_ms(&self) -> i64 {
        i64::try_from(self.grace.as_millis()).unwrap_or(i64::MAX)
    }
}
