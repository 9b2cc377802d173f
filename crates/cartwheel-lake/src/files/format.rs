//! The formats of the lake's files.

use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

/// Rows of a row group. A row group is the unit that one thread of a reader takes.
const GROUP_ROWS: usize = 128 << 10;
/// Maximum number of bytes of a row group before compression, which bounds a writer's memory.
const GROUP_BYTES: usize = 64 << 20;

/// The format of a table's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Parquet,
    /// One JSON object a line.
    Ndjson,
}

impl Format {
    /// The extension of the files' names.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Ndjson => "ndjson",
        }
    }
}

/// The writer properties of every Parquet file of the lake.
pub(crate) fn writer_properties() -> WriterProperties {
    // Level 1 is fast, and it is the default of the crate.
    let level = ZstdLevel::try_new(1).unwrap_or_default();
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_max_row_group_bytes(Some(GROUP_BYTES))
        .build()
}
