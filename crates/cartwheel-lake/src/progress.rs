//! The progress of a compaction.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::LakeError;

/// How many folders a compaction has processed. It first erases users from all folders, and
/// then merges the parts of all folders; each step counts from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompactionProgress {
    /// Processed folders.
    pub done: u64,
    /// All folders.
    pub total: u64,
}

/// Fails once a compaction is to end.
pub(crate) fn go_on(stopped: &AtomicBool) -> Result<(), LakeError> {
    if stopped.load(Ordering::Acquire) { Err(LakeError::Stopped) } else { Ok(()) }
}
