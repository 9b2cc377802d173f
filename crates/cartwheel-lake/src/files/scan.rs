//! Reading the columns of a Parquet file, batch by batch.

use std::fs::File;
use std::io;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, UInt64Type};
use arrow_array::{Float64Array, Int64Array, ListArray, RecordBatch, StringArray, UInt64Array};
use arrow_schema::SchemaRef;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;

use crate::files::checksum;
use crate::files::guard::{caught, guarded};

/// Opens a file and reads its footer.
fn open(path: &Path) -> io::Result<ParquetRecordBatchReaderBuilder<File>> {
    ParquetRecordBatchReaderBuilder::try_new(File::open(path)?).map_err(io::Error::other)
}

/// As [`open`], and checks the file's checksum.
fn open_checked(path: &Path) -> io::Result<ParquetRecordBatchReaderBuilder<File>> {
    let opened = open(path)?;
    checksum::check(&File::open(path)?, opened.metadata().file_metadata())?;
    Ok(opened)
}

/// The content of a file's footer.
pub(crate) struct Footer {
    pub schema: SchemaRef,
    /// Rows of the file.
    pub rows: u64,
}

/// Reads the footer of a file.
pub(crate) fn footer(path: &Path) -> io::Result<Footer> {
    guarded(|| {
        let opened = open(path)?;
        let rows = opened.metadata().file_metadata().num_rows();
        let rows = u64::try_from(rows).unwrap_or_default();
        Ok(Footer { schema: opened.schema().clone(), rows })
    })
}

/// Calls `visit` with the batches of a file, with all columns or only the named ones.
pub(crate) fn scan(
    path: &Path,
    columns: Option<&[&str]>,
    visit: impl FnMut(&RecordBatch) -> io::Result<()>,
) -> io::Result<()> {
    scan_groups(path, columns, |_| true, visit)
}

/// Like [`scan`], without the row groups in which all times of the column `time` are before
/// `from_ms`, as far as the statistics of the file tell.
pub(crate) fn scan_since(
    path: &Path,
    columns: &[&str],
    time: &str,
    from_ms: i64,
    visit: impl FnMut(&RecordBatch) -> io::Result<()>,
) -> io::Result<()> {
    let may_be_since = |group: &RowGroupMetaData| {
        let column = group.columns().iter().find(|c| c.column_path().string() == time);
        match column.and_then(|column| column.statistics()) {
            Some(Statistics::Int64(times)) => times.max_opt().is_none_or(|max| *max >= from_ms),
            _ => true,
        }
    };
    scan_groups(path, Some(columns), may_be_since, visit)
}

fn scan_groups(
    path: &Path,
    columns: Option<&[&str]>,
    is_wanted: impl Fn(&RowGroupMetaData) -> bool,
    mut visit: impl FnMut(&RecordBatch) -> io::Result<()>,
) -> io::Result<()> {
    let mut batches = guarded(|| {
        let mut opened = open_checked(path)?;
        let groups = opened.metadata().row_groups();
        let wanted: Vec<usize> = (0..groups.len()).filter(|at| is_wanted(&groups[*at])).collect();
        if wanted.len() < groups.len() {
            opened = opened.with_row_groups(wanted);
        }
        if let Some(columns) = columns {
            let mask = ProjectionMask::columns(opened.parquet_schema(), columns.iter().copied());
            opened = opened.with_projection(mask);
        }
        opened.build().map_err(io::Error::other)
    })?;
    while let Some(batch) = guarded(|| batches.next().transpose().map_err(io::Error::other))? {
        caught(|| visit(&batch))?;
    }
    Ok(())
}

fn missing(name: &str) -> io::Error {
    io::Error::other(format!("column {name} is missing or has another type"))
}

/// A column of texts.
pub(crate) fn texts<'a>(batch: &'a RecordBatch, name: &str) -> io::Result<&'a StringArray> {
    let column = batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
    column.ok_or_else(|| missing(name))
}

/// A column of texts that files of earlier releases lack.
pub(crate) fn optional_texts<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a StringArray> {
    batch.column_by_name(name)?.as_string_opt::<i32>()
}

/// A column of 64-bit integers, such as times.
pub(crate) fn numbers<'a>(batch: &'a RecordBatch, name: &str) -> io::Result<&'a Int64Array> {
    let column = batch.column_by_name(name);
    let column = column.and_then(|column| column.as_primitive_opt::<Int64Type>());
    column.ok_or_else(|| missing(name))
}

/// A column of floating-point numbers.
pub(crate) fn floats<'a>(batch: &'a RecordBatch, name: &str) -> io::Result<&'a Float64Array> {
    let column = batch.column_by_name(name);
    let column = column.and_then(|column| column.as_primitive_opt::<Float64Type>());
    column.ok_or_else(|| missing(name))
}

/// The column of sequence numbers. `None` in files of writers that have no sequence numbers.
pub(crate) fn sequences(batch: &RecordBatch) -> Option<&UInt64Array> {
    batch.column_by_name("sequence")?.as_primitive_opt::<UInt64Type>()
}

/// A column of lists.
pub(crate) fn lists<'a>(batch: &'a RecordBatch, name: &str) -> io::Result<&'a ListArray> {
    let column = batch.column_by_name(name).and_then(|column| column.as_list_opt::<i32>());
    column.ok_or_else(|| missing(name))
}

/// The texts of the list in row `row`.
pub(crate) fn list_texts(lists: &ListArray, row: usize) -> io::Result<Vec<String>> {
    let values = lists.value(row);
    let values = values.as_string_opt::<i32>();
    let values = values.ok_or_else(|| io::Error::other("a list's values are not texts"))?;
    Ok(values.iter().flatten().map(str::to_owned).collect())
}

/// The numbers of the list in row `row`. A number that is not positive counts as 1.
pub(crate) fn list_counts(lists: &ListArray, row: usize) -> io::Result<Vec<u32>> {
    let values = lists.value(row);
    let values = values.as_primitive_opt::<Int32Type>();
    let values = values.ok_or_else(|| io::Error::other("a list's values are not numbers"))?;
    Ok(values.iter().map(|n| n.and_then(|n| u32::try_from(n).ok()).unwrap_or(1).max(1)).collect())
}
