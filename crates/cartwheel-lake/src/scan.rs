//! Reading the columns of one Parquet file, batch by batch.

use std::fs::File;
use std::io;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt64Type};
use arrow_array::{Int64Array, ListArray, RecordBatch, StringArray, UInt64Array};
use arrow_schema::SchemaRef;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::guard::{caught, guarded};

/// A Parquet file whose footer was read.
type Opened = ParquetRecordBatchReaderBuilder<File>;

/// Opens a file and reads its footer.
fn open(path: &Path) -> io::Result<Opened> {
    ParquetRecordBatchReaderBuilder::try_new(File::open(path)?).map_err(io::Error::other)
}

/// Its columns and its rows, as its footer says.
pub(crate) fn shape(path: &Path) -> io::Result<(SchemaRef, u64)> {
    guarded(|| {
        let opened = open(path)?;
        let rows = opened.metadata().file_metadata().num_rows();
        Ok((opened.schema().clone(), u64::try_from(rows).unwrap_or_default()))
    })
}

/// Calls `on` with the batches of a file: all its columns, or those named.
pub(crate) fn scan(
    path: &Path,
    columns: Option<&[&str]>,
    mut on: impl FnMut(&RecordBatch) -> io::Result<()>,
) -> io::Result<()> {
    let mut batches = guarded(|| {
        let mut opened = open(path)?;
        if let Some(columns) = columns {
            let mask = ProjectionMask::columns(opened.parquet_schema(), columns.iter().copied());
            opened = opened.with_projection(mask);
        }
        opened.build().map_err(io::Error::other)
    })?;
    while let Some(batch) = guarded(|| batches.next().transpose().map_err(io::Error::other))? {
        caught(|| on(&batch))?;
    }
    Ok(())
}

fn missing(name: &str) -> io::Error {
    io::Error::other(format!("column {name} is missing"))
}

/// A column of texts.
pub(crate) fn texts<'a>(batch: &'a RecordBatch, name: &str) -> io::Result<&'a StringArray> {
    let column = batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
    column.ok_or_else(|| missing(name))
}

/// A column of times, or of other whole numbers.
pub(crate) fn numbers<'a>(batch: &'a RecordBatch, name: &str) -> io::Result<&'a Int64Array> {
    let column = batch.column_by_name(name);
    let column = column.and_then(|column| column.as_primitive_opt::<Int64Type>());
    column.ok_or_else(|| missing(name))
}

/// The sequence numbers; none in files of writers that know of none.
pub(crate) fn sequences(batch: &RecordBatch) -> Option<&UInt64Array> {
    batch.column_by_name("sequence")?.as_primitive_opt::<UInt64Type>()
}

/// A column of lists.
pub(crate) fn lists<'a>(batch: &'a RecordBatch, name: &str) -> io::Result<&'a ListArray> {
    let column = batch.column_by_name(name).and_then(|column| column.as_list_opt::<i32>());
    column.ok_or_else(|| missing(name))
}

/// The texts of one list.
pub(crate) fn list(lists: &ListArray, at: usize) -> io::Result<Vec<String>> {
    let values = lists.value(at);
    let values = values.as_string_opt::<i32>();
    let values = values.ok_or_else(|| io::Error::other("a list holds no texts"))?;
    Ok(values.iter().flatten().map(str::to_owned).collect())
}
