//! The progress of a compaction.

/// How many folders a compaction has processed. It first erases users from all folders, and
/// then merges the parts of all folders; each step counts from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompactionProgress {
    /// Processed folders.
    pub done: u64,
    /// All folders.
    pub total: u64,
}
