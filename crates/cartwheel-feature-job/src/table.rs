//! Training rows as Parquet: float32 columns only, label first.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_array::{
    ArrayRef, Float32Array, RecordBatch, RecordBatchReader, StringArray, UInt32Array,
};
use arrow_schema::{DataType, Field, Schema};
use cartwheel_features::{Catalogue, Example};
use cartwheel_lake::guarded;
use cartwheel_recommend::FEATURES;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use rayon::prelude::*;

use crate::assemble::Labelled;

const BATCH: usize = 65_536;

fn other(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::other(error)
}

fn properties() -> io::Result<WriterProperties> {
    let level = ZstdLevel::try_new(1).map_err(other)?;
    Ok(WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_dictionary_enabled(false)
        .build())
}

fn write(
    path: &Path,
    schema: Schema,
    batches: impl Iterator<Item = Vec<ArrayRef>>,
) -> io::Result<()> {
    let schema = Arc::new(schema);
    let file = File::create(path)?;
    let mut writer =
        ArrowWriter::try_new(file, schema.clone(), Some(properties()?)).map_err(other)?;
    for columns in batches {
        let batch = RecordBatch::try_new(schema.clone(), columns).map_err(other)?;
        writer.write(&batch).map_err(other)?;
    }
    writer.into_inner().map_err(other)?.sync_all()
}

/// Writes scaled rows and, beside them, whose they are.
pub(crate) fn write_rows(
    dir: &Path,
    name: &str,
    data: &Labelled,
    examples: &[Example],
    catalogue: &Catalogue,
) -> io::Result<()> {
    let width = FEATURES.len();
    let column = |name: &str| Field::new(name, DataType::Float32, false);
    let fields = std::iter::once("label").chain(FEATURES).map(column);
    let batches = data.labels.chunks(BATCH).zip(data.rows.chunks(BATCH * width));
    let batches = batches.map(|(labels, rows)| {
        let feature = |at: usize| {
            let values = rows.iter().skip(at).step_by(width).copied();
            Arc::new(Float32Array::from_iter_values(values)) as ArrayRef
        };
        let labels = Arc::new(Float32Array::from(labels.to_vec())) as ArrayRef;
        std::iter::once(labels).chain((0..width).map(feature)).collect()
    });
    let path = dir.join(name);
    write(&path.with_extension("parquet"), Schema::new(fields.collect::<Vec<_>>()), batches)?;

    let keys = vec![
        Field::new("user_id", DataType::Utf8, false),
        Field::new("order_number", DataType::UInt32, false),
        Field::new("cart_size", DataType::UInt32, false),
        Field::new("product_id", DataType::Utf8, false),
    ];
    let batches = data.keys.chunks(BATCH).map(|keys| {
        let example = |key: &(u32, u32, u32)| &examples[key.0 as usize];
        let product = |key: &(u32, u32, u32)| &catalogue.products[key.2 as usize].info.product_id;
        vec![
            Arc::new(StringArray::from_iter_values(keys.iter().map(|k| &example(k).user_id))) as _,
            Arc::new(UInt32Array::from_iter_values(keys.iter().map(|k| example(k).order_number)))
                as _,
            Arc::new(UInt32Array::from_iter_values(keys.iter().map(|k| k.1))) as _,
            Arc::new(StringArray::from_iter_values(keys.iter().map(product))) as _,
        ]
    });
    write(&dir.join(format!("{name}_keys.parquet")), Schema::new(keys), batches)
}

/// Runs a reader of `path`, whose errors name it.
fn reading<T>(path: &Path, read: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let named = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
    guarded(read).map_err(named)
}

fn open(path: &Path) -> io::Result<ParquetRecordBatchReaderBuilder<File>> {
    ParquetRecordBatchReaderBuilder::try_new(File::open(path)?).map_err(other)
}

/// The batches of a file, or of a row group of it; errors name the file.
pub struct Batches<'a> {
    path: &'a Path,
    reader: ParquetRecordBatchReader,
}

impl<'a> Batches<'a> {
    fn of(path: &'a Path, group: Option<usize>, size: usize) -> io::Result<Self> {
        let reader = reading(path, || {
            let opened = open(path)?.with_batch_size(size);
            let opened = match group {
                Some(group) => opened.with_row_groups(vec![group]),
                None => opened,
            };
            opened.build().map_err(other)
        })?;
        Ok(Self { path, reader })
    }
}

impl Iterator for Batches<'_> {
    type Item = io::Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        reading(self.path, || self.reader.next().transpose().map_err(other)).transpose()
    }
}

/// Reads rows back: labels, and features row-major.
///
/// # Errors
/// When the file cannot be read or has other columns; the error names it.
pub fn read_rows(path: &Path) -> io::Result<(Vec<f32>, Vec<f32>)> {
    let unfit = |why: &str| io::Error::other(format!("{}: {why}", path.display()));
    let width = FEATURES.len();
    let batches = Batches::of(path, None, BATCH)?;
    if batches.reader.schema().fields().len() != width + 1 {
        return Err(unfit("it was written by another release"));
    }
    let (mut labels, mut rows) = (Vec::new(), Vec::new());
    for batch in batches {
        let batch = batch?;
        let start = rows.len();
        rows.resize(start + batch.num_rows() * width, 0.0);
        for (at, column) in batch.columns().iter().enumerate() {
            let values = column.as_primitive_opt::<Float32Type>();
            let values = values.ok_or_else(|| unfit("a column is not float32"))?;
            match at.checked_sub(1) {
                None => labels.extend_from_slice(values.values()),
                Some(at) => {
                    let cells = rows[start..].iter_mut().skip(at).step_by(width);
                    cells.zip(values.values()).for_each(|(cell, &value)| *cell = value);
                }
            }
        }
    }
    Ok((labels, rows))
}

/// The row groups of some files, read in parallel.
#[derive(Debug, Clone)]
pub struct RowGroups(Vec<(PathBuf, usize, u64)>);

impl RowGroups {
    /// Lists the row groups of `files`.
    ///
    /// # Errors
    /// When a file is not Parquet; the error names it.
    pub fn of(files: &[PathBuf]) -> io::Result<Self> {
        let mut groups = Vec::new();
        for path in files {
            let builder = reading(path, || open(path))?;
            for (at, group) in builder.metadata().row_groups().iter().enumerate() {
                groups.push((path.clone(), at, group.num_rows().unsigned_abs()));
            }
        }
        Ok(Self(groups))
    }

    /// Rows in all.
    pub fn rows(&self) -> u64 {
        self.0.iter().map(|g| g.2).sum()
    }

    /// Calls `each` with a reader of every row group, on all threads.
    ///
    /// # Errors
    /// The first error of a reader or of `each`.
    pub fn read(&self, each: impl Fn(Batches<'_>) -> io::Result<()> + Sync) -> io::Result<()> {
        let groups = self.0.par_iter();
        groups.try_for_each(|(path, at, _)| each(Batches::of(path, Some(*at), 8192)?))
    }
}
