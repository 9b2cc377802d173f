//! The progress of an import.

/// The progress of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportStep {
    /// The sources are read.
    Read {
        /// Bytes read, before decompression.
        bytes: u64,
        /// Bytes of all sources. `None` if one of them is standard input.
        total: Option<u64>,
    },
    /// Orders and events are written.
    Write {
        /// Parts written.
        done: u64,
        /// All parts.
        total: u64,
    },
}
