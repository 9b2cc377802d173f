//! Compaction: merging the small parts of an hour into few large ones.
//!
//! A merged part covers the range of its sources and is in their folder, so that readers use it
//! instead of them from the moment that it appears. The sources are removed after a grace period,
//! for readers that listed them earlier. After a crash between any two steps, readers still see
//! every row, once.
//!
//! Compaction only touches parts below the delivered sequence number of their shard. Delivery
//! writes neither these parts again nor any part between them.

mod compactor;
mod dedup;
mod merge;
mod options;
mod plan;
mod superseded;

pub use compactor::{CompactionSummary, Compactor};
pub use options::CompactionOptions;
