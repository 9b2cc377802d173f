//! Writing the parts of an imported table.

use std::io;
use std::path::PathBuf;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::SchemaRef;
use parquet::arrow::ArrowWriter;

use crate::files::checksum;
use crate::files::format::writer_properties;
use crate::lake::Lake;

/// Rows of a batch.
pub(super) const BATCH_ROWS: usize = 65_536;
/// Maximum number of rows of a part.
const PART_ROWS: usize = 1 << 20;

/// A writer of batches into parts of bounded size.
pub(super) struct PartWriter<'a> {
    lake: &'a Lake,
    /// The folder of the parts, relative to the lake.
    folder: PathBuf,
    schema: SchemaRef,
    open: Option<OpenPart>,
    parts: Vec<PathBuf>,
}

/// A part in memory that takes more rows.
struct OpenPart {
    writer: ArrowWriter<Vec<u8>>,
    rows: usize,
}

impl<'a> PartWriter<'a> {
    pub(super) fn new(lake: &'a Lake, folder: PathBuf, schema: SchemaRef) -> Self {
        Self { lake, folder, schema, open: None, parts: Vec::new() }
    }

    /// Writes a batch of the schema's columns.
    pub(super) fn write(&mut self, columns: Vec<ArrayRef>) -> io::Result<()> {
        let batch = RecordBatch::try_new(self.schema.clone(), columns).map_err(io::Error::other)?;
        if self.open.as_ref().is_some_and(|part| part.rows + batch.num_rows() > PART_ROWS) {
            self.close()?;
        }
        let part = match &mut self.open {
            Some(part) => part,
            None => {
                let properties = Some(writer_properties());
                let writer = ArrowWriter::try_new(Vec::new(), self.schema.clone(), properties);
                self.open.insert(OpenPart { writer: writer.map_err(io::Error::other)?, rows: 0 })
            }
        };
        part.writer.write(&batch).map_err(io::Error::other)?;
        part.rows += batch.num_rows();
        Ok(())
    }

    /// Puts the open part into the lake.
    fn close(&mut self) -> io::Result<()> {
        let Some(part) = self.open.take() else { return Ok(()) };
        let mut bytes = part.writer.into_inner().map_err(io::Error::other)?;
        checksum::seal(0, &mut bytes)?;
        let path = self.folder.join(format!("part-{:05}.parquet", self.parts.len()));
        self.lake.put(&path, bytes.into()).map_err(io::Error::other)?;
        self.parts.push(path);
        Ok(())
    }

    /// Closes the last part and returns all parts, relative to the lake.
    pub(super) fn finish(mut self) -> io::Result<Vec<PathBuf>> {
        self.close()?;
        Ok(self.parts)
    }
}
