//! Schemas of the tables, and the writer of their parts.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::manifest::Lake;

/// Rows of one row group: what one thread reads at a time.
pub(crate) const GROUP_ROWS: usize = 128 << 10;
/// Most bytes of one row group before they are compressed: what a writer holds.
const GROUP_BYTES: usize = 64 << 20;
/// Rows of one part.
const PART_ROWS: usize = 1 << 20;

fn schema(fields: &[(&str, DataType, bool)]) -> SchemaRef {
    let field =
        |(name, kind, null): &(&str, DataType, bool)| Field::new(*name, kind.clone(), *null);
    Arc::new(Schema::new(fields.iter().map(field).collect::<Vec<_>>()))
}

pub(crate) fn orders() -> SchemaRef {
    use DataType::{Float32, Int32, Int64, Utf8};
    schema(&[
        ("order_id", Utf8, false),
        ("user_id", Utf8, false),
        ("eval_set", Utf8, false),
        ("order_number", Int32, false),
        ("ordered_at_ms", Int64, true),
        ("order_dow", Int32, true),
        ("order_hour_of_day", Int32, true),
        ("days_since_prior_order", Float32, true),
    ])
}

/// User and order number stand beside the line, so that a reader that groups by
/// user needs no join.
pub(crate) fn order_products() -> SchemaRef {
    use DataType::{Int32, Utf8};
    schema(&[
        ("order_id", Utf8, false),
        ("product_id", Utf8, false),
        ("add_to_cart_order", Int32, false),
        ("reordered", Int32, true),
        ("user_id", Utf8, false),
        ("order_number", Int32, false),
    ])
}

pub(crate) fn products() -> SchemaRef {
    use DataType::Utf8;
    schema(&[
        ("product_id", Utf8, false),
        ("product_name", Utf8, false),
        ("aisle_id", Utf8, false),
        ("aisle", Utf8, false),
        ("department_id", Utf8, false),
        ("department", Utf8, false),
    ])
}

/// How every file of the lake is written.
pub(crate) fn properties() -> WriterProperties {
    // Fast, and the default level of this crate.
    let level = ZstdLevel::try_new(1).unwrap_or_default();
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_max_row_group_bytes(Some(GROUP_BYTES))
        .build()
}

/// Writes batches into parts of bounded size.
pub(crate) struct PartWriter<'a> {
    lake: &'a Lake,
    /// Folder relative to the lake.
    folder: PathBuf,
    schema: SchemaRef,
    open: Option<(ArrowWriter<Vec<u8>>, usize)>,
    parts: Vec<PathBuf>,
}

impl<'a> PartWriter<'a> {
    pub(crate) fn new(lake: &'a Lake, folder: PathBuf, schema: SchemaRef) -> Self {
        Self { lake, folder, schema, open: None, parts: Vec::new() }
    }

    pub(crate) fn write(&mut self, columns: Vec<ArrayRef>) -> io::Result<()> {
        let batch = RecordBatch::try_new(self.schema.clone(), columns).map_err(io::Error::other)?;
        if self.open.as_ref().is_some_and(|(_, rows)| rows + batch.num_rows() > PART_ROWS) {
            self.close()?;
        }
        let (writer, rows) = match &mut self.open {
            Some(open) => open,
            None => {
                let writer =
                    ArrowWriter::try_new(Vec::new(), self.schema.clone(), Some(properties()));
                self.open.insert((writer.map_err(io::Error::other)?, 0))
            }
        };
        writer.write(&batch).map_err(io::Error::other)?;
        *rows += batch.num_rows();
        Ok(())
    }

    /// Puts the open part into the lake.
    fn close(&mut self) -> io::Result<()> {
        let Some((writer, _)) = self.open.take() else { return Ok(()) };
        let bytes = writer.into_inner().map_err(io::Error::other)?;
        let path = self.folder.join(format!("part-{:05}.parquet", self.parts.len()));
        self.lake.put(&path, bytes.into()).map_err(io::Error::other)?;
        self.parts.push(path);
        Ok(())
    }

    /// The parts written, relative to the lake.
    pub(crate) fn finish(mut self) -> io::Result<Vec<PathBuf>> {
        self.close()?;
        Ok(self.parts)
    }
}
