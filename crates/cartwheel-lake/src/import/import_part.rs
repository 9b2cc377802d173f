//! A part of an import that takes rows piece by piece, so that memory holds few of them.

use std::io;

use arrow_array::RecordBatch;
use bytes::Bytes;
use cartwheel_events::EventRecord;
use parquet::arrow::ArrowWriter;

use crate::delivery::encode::imported_batch;
use crate::files::checksum;
use crate::files::format::writer_properties;
use crate::import::baskets::{Basket, baskets_batch};

/// A part of an imported table.
pub struct ImportPart<R> {
    batch: fn(&[R]) -> io::Result<RecordBatch>,
    /// The encoded rows, once there are any.
    writer: Option<ArrowWriter<Vec<u8>>>,
}

impl ImportPart<EventRecord> {
    /// A part of `events`. A record's `received_at_ms` is the event's own time.
    pub fn events() -> Self {
        Self { batch: imported_batch, writer: None }
    }
}

impl ImportPart<Basket> {
    /// A part of `baskets`.
    pub fn baskets() -> Self {
        Self { batch: baskets_batch, writer: None }
    }
}

impl<R> ImportPart<R> {
    /// Adds rows.
    ///
    /// # Errors
    /// When they cannot be encoded.
    pub fn write(&mut self, rows: &[R]) -> io::Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let batch = (self.batch)(rows)?;
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => {
                let properties = Some(writer_properties());
                let writer = ArrowWriter::try_new(Vec::new(), batch.schema(), properties);
                self.writer.insert(writer.map_err(io::Error::other)?)
            }
        };
        writer.write(&batch).map_err(io::Error::other)
    }

    /// The part as a file. `None` if it has no rows.
    pub(super) fn finish(self) -> io::Result<Option<Bytes>> {
        let Some(writer) = self.writer else { return Ok(None) };
        let mut bytes = writer.into_inner().map_err(io::Error::other)?;
        checksum::seal(0, &mut bytes)?;
        Ok(Some(bytes.into()))
    }
}
