//! The error of an import.

use std::io;
use std::path::PathBuf;

use crate::error::LakeError;

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// A required file does not exist.
    #[error("{path}: no such file, plain or with .gz; it must hold {content}")]
    Missing {
        /// The plain file.
        path: PathBuf,
        /// The expected content.
        content: &'static str,
    },
    /// A file cannot be used at all.
    #[error("{path}: {problem}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// The cause.
        problem: String,
    },
    /// The lake holds imported data, and the caller did not say what happens to it.
    #[error(
        "the lake already holds imported data (the newest import has {orders} orders): choose to \
         append to it or to replace it"
    )]
    EarlierData {
        /// Orders of the newest import.
        orders: u64,
    },
    /// The lake cannot be read or written.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// A file cannot be read or written.
    #[error("import: {0}")]
    Io(#[from] io::Error),
}
