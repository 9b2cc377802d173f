//! Reads Parquet files in batches. Errors name the file.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use arrow_array::{RecordBatch, RecordBatchReader};
use cartwheel_lake::guarded;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::ColumnChunkMetaData;
use rayon::prelude::*;

/// Rows of a batch of a row group.
const BATCH: usize = 8192;

fn other(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::other(error)
}

/// Runs a reader of `path`, and adds the path to its errors.
fn reading<T>(path: &Path, read: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let named = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
    guarded(read).map_err(named)
}

fn open(path: &Path) -> io::Result<ParquetRecordBatchReaderBuilder<File>> {
    ParquetRecordBatchReaderBuilder::try_new(File::open(path)?).map_err(other)
}

/// The batches of a file or of one of its row groups.
pub(crate) struct Batches<'a> {
    path: &'a Path,
    reader: ParquetRecordBatchReader,
}

impl<'a> Batches<'a> {
    /// Reads a file in batches of `size` rows.
    pub(crate) fn of_file(path: &'a Path, size: usize) -> io::Result<Self> {
        let build = || open(path)?.with_batch_size(size).build().map_err(other);
        Ok(Self { path, reader: reading(path, build)? })
    }

    fn of_group(group: &'a RowGroup, columns: &[&str]) -> io::Result<Self> {
        let path = &group.path;
        let build = || {
            let opened = open(path)?.with_batch_size(BATCH);
            let columns = ProjectionMask::columns(opened.parquet_schema(), columns.iter().copied());
            let opened = opened.with_projection(columns);
            opened.with_row_groups(vec![group.index]).build().map_err(other)
        };
        Ok(Self { path, reader: reading(path, build)? })
    }

    /// Returns the number of columns.
    pub(crate) fn columns(&self) -> usize {
        self.reader.schema().fields().len()
    }
}

impl Iterator for Batches<'_> {
    type Item = io::Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        reading(self.path, || self.reader.next().transpose().map_err(other)).transpose()
    }
}

#[derive(Debug, Clone)]
struct RowGroup {
    path: PathBuf,
    /// Place in the file, from 0.
    index: usize,
    rows: u64,
    /// Entries of the lists of products, in tables that have them.
    entries: u64,
}

/// The row groups of some Parquet files, read in parallel.
#[derive(Debug, Clone)]
pub struct RowGroups(Vec<RowGroup>);

impl RowGroups {
    /// Lists the row groups of `files`.
    ///
    /// # Errors
    /// When a file is not a Parquet file; the error names it.
    pub fn of(files: &[PathBuf]) -> io::Result<Self> {
        let mut groups = Vec::new();
        for path in files {
            let builder = reading(path, || open(path))?;
            for (index, group) in builder.metadata().row_groups().iter().enumerate() {
                let rows = group.num_rows().unsigned_abs();
                let is_product = |column: &&ColumnChunkMetaData| {
                    column.column_path().parts().first().is_some_and(|name| name == "product_ids")
                };
                let products = group.columns().iter().find(is_product);
                let entries = products.map_or(0, |column| column.num_values().unsigned_abs());
                groups.push(RowGroup { path: path.clone(), index, rows, entries });
            }
        }
        Ok(Self(groups))
    }

    /// Returns the number of rows of all row groups.
    pub fn rows(&self) -> u64 {
        self.0.iter().map(|group| group.rows).sum()
    }

    /// Returns the number of products that the lists of all row groups name.
    pub(crate) fn entries(&self) -> u64 {
        self.0.iter().map(|group| group.entries).sum()
    }

    /// Calls `each` with the batches of every row group, of these columns, on all threads.
    ///
    /// # Errors
    /// The first error of a reader or of `each`.
    pub(crate) fn read(
        &self,
        columns: &[&str],
        each: impl Fn(Batches<'_>) -> io::Result<()> + Sync,
    ) -> io::Result<()> {
        self.0.par_iter().try_for_each(|group| each(Batches::of_group(group, columns)?))
    }
}
