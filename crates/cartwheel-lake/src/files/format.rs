//! The formats of the lake's files.

use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use crate::files::checksum;

/// Rows of a row group. A row group is the unit that one thread of a reader takes.
const GROUP_ROWS: usize = 128 << 10;
/// Maximum number of bytes of a row group before compression, which bounds a writer's memory.
const GROUP_BYTES: usize = 64 << 20;
/// Columns whose values hardly repeat within a part, so that a dictionary of them is work in vain.
const WITHOUT_DICTIONARY: [&str; 2] = ["event_id", "recommendation_id"];
/// Columns of numbers that grow from row to row, of which the differences are stored.
const GROWING: [&str; 3] = ["timestamp_ms", "received_at_ms", "sequence"];

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

/// The writer properties of every Parquet file of the lake. What is written with them is sealed by
/// [`checksum::seal`].
pub(crate) fn writer_properties() -> WriterProperties {
    // Level 1 is fast, and it is the default of the crate.
    let level = ZstdLevel::try_new(1).unwrap_or_default();
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        // Readers choose row groups, not pages.
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_created_by(checksum::WRITER.to_owned())
        .set_key_value_metadata(Some(checksum::placeholder()))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_max_row_group_bytes(Some(GROUP_BYTES));
    for name in WITHOUT_DICTIONARY {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(name), false);
    }
    for name in GROWING {
        let column = ColumnPath::from(name);
        properties = properties
            .set_column_dictionary_enabled(column.clone(), false)
            .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED);
    }
    properties.build()
}
