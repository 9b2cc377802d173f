//! The error of reading and writing the lake.

use std::io;
use std::path::{Path, PathBuf};

/// Why the lake cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LakeError {
    /// A file cannot be read or written, or is damaged.
    #[error("lake: {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Work that only one process may do at a time is already running.
    #[error("lake: another {0} is running; try again when it has ended")]
    Busy(&'static str),
    /// A compaction was asked to end.
    #[error("lake: the compaction was stopped; the next one continues")]
    Stopped,
}

impl LakeError {
    pub(crate) fn file(path: &Path, source: impl Into<io::Error>) -> Self {
        Self::File { path: path.to_owned(), source: source.into() }
    }

    /// An error of the object store about the object at `path`.
    pub(crate) fn object(path: &Path, source: impl Into<object_store::Error>) -> Self {
        Self::file(path, io::Error::other(source.into()))
    }
}
