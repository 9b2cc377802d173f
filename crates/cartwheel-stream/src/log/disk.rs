//! What the log does to the disk, told before it is done: tests note it, or fail it.

use std::io;
use std::path::Path;

/// One step.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step<'a> {
    /// A file of zeros is made.
    Prepare,
    /// Records are written at an offset of a segment.
    #[cfg_attr(not(test), expect(dead_code, reason = "only tests look into it"))]
    Write { path: &'a Path, offset: u64, data: &'a [u8] },
    /// A segment's records are synced.
    Sync,
}

/// Sees every step; an error takes its place.
pub(crate) trait Disk: Send + Sync {
    fn before(&self, step: Step<'_>) -> io::Result<()>;
}

/// The disk as it is.
pub(super) struct Plain;

impl Disk for Plain {
    fn before(&self, _: Step<'_>) -> io::Result<()> {
        Ok(())
    }
}
