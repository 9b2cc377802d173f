//! Training rows as Parquet: float32 columns only, the label first.

use std::io;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_array::{ArrayRef, Float32Array, RecordBatch, StringArray, UInt32Array};
use arrow_schema::{DataType, Field, Schema};
use cartwheel_features::{Catalogue, Example};
use cartwheel_recommend::FEATURES;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, compute_leaves};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use rayon::prelude::*;

use crate::assemble::{Labelled, RowKey};
use crate::batches::Batches;

/// Rows of a batch: few enough that a batch stays in the cache while its columns are gathered.
const BATCH: usize = 1024;
/// Rows of a row group, whose columns are encoded side by side.
const ROW_GROUP: usize = 1 << 20;
/// Columns that a thread encodes at a time: about a line of the cache, which it reads once.
const COLUMNS: usize = 12;

fn other(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::other(error)
}

fn properties() -> io::Result<WriterProperties> {
    let level = ZstdLevel::try_new(1).map_err(other)?;
    Ok(WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_dictionary_enabled(false)
        // Training reads all rows.
        .set_statistics_enabled(EnabledStatistics::None)
        .build())
}

fn encode(fields: Vec<Field>, batches: impl Iterator<Item = Vec<ArrayRef>>) -> io::Result<Vec<u8>> {
    let schema = Arc::new(Schema::new(fields));
    let mut writer =
        ArrowWriter::try_new(Vec::new(), schema.clone(), Some(properties()?)).map_err(other)?;
    for columns in batches {
        let batch = RecordBatch::try_new(schema.clone(), columns).map_err(other)?;
        writer.write(&batch).map_err(other)?;
    }
    writer.into_inner().map_err(other)
}

/// Encodes labels and scaled features.
pub(crate) fn encode_rows(data: &Labelled) -> io::Result<Vec<u8>> {
    in_groups(data, ROW_GROUP)
}

fn in_groups(data: &Labelled, row_group: usize) -> io::Result<Vec<u8>> {
    let width = FEATURES.len();
    let fields: Vec<Field> = std::iter::once("label")
        .chain(FEATURES)
        .map(|name| Field::new(name, DataType::Float32, false))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let writer =
        ArrowWriter::try_new(Vec::new(), schema.clone(), Some(properties()?)).map_err(other)?;
    let (mut file, groups) = writer.into_serialized_writer().map_err(other)?;
    let parts = data.labels.chunks(row_group).zip(data.rows.chunks(row_group * width));
    for (at, (labels, rows)) in parts.enumerate() {
        // The values of a column from a row on.
        let values = |column: usize, from: usize| -> Float32Array {
            let to = labels.len().min(from + BATCH);
            match column.checked_sub(1) {
                None => Float32Array::from(labels[from..to].to_vec()),
                Some(feature) => {
                    let of_rows = rows[from * width..to * width].iter().skip(feature);
                    Float32Array::from_iter_values(of_rows.step_by(width).copied())
                }
            }
        };
        let encode = |(block, mut writers): (usize, Vec<ArrowColumnWriter>)| {
            for from in (0..labels.len()).step_by(BATCH) {
                for (column, writer) in (block * COLUMNS..).zip(&mut writers) {
                    let values = Arc::new(values(column, from)) as ArrayRef;
                    compute_leaves(schema.field(column), &values)?
                        .iter()
                        .try_for_each(|leaf| writer.write(leaf))?;
                }
            }
            writers.into_iter().map(ArrowColumnWriter::close).collect()
        };
        let mut writers = groups.create_column_writers(at).map_err(other)?.into_iter();
        let blocks = std::iter::from_fn(|| {
            let block: Vec<ArrowColumnWriter> = writers.by_ref().take(COLUMNS).collect();
            (!block.is_empty()).then_some(block)
        });
        let blocks: Vec<(usize, Vec<ArrowColumnWriter>)> = blocks.enumerate().collect();
        let encoded: Vec<Vec<ArrowColumnChunk>> = blocks
            .into_par_iter()
            .with_max_len(1)
            .map(encode)
            .collect::<parquet::errors::Result<_>>()
            .map_err(other)?;
        let mut group = file.next_row_group().map_err(other)?;
        for chunk in encoded.into_iter().flatten() {
            chunk.append_to_row_group(&mut group).map_err(other)?;
        }
        group.close().map_err(other)?;
    }
    file.into_inner().map_err(other)
}

/// Encodes user, order, cart size and product of each row.
pub(crate) fn encode_keys(
    data: &Labelled,
    examples: &[Example],
    catalogue: &Catalogue,
) -> io::Result<Vec<u8>> {
    let fields = vec![
        Field::new("user_id", DataType::Utf8, false),
        Field::new("order_number", DataType::UInt32, false),
        Field::new("cart_size", DataType::UInt32, false),
        Field::new("product_id", DataType::Utf8, false),
    ];
    let batches = data.keys.chunks(BATCH).map(|keys| {
        let example = |key: &RowKey| &examples[key.example as usize];
        let product = |key: &RowKey| &catalogue.products[key.product as usize].info.product_id;
        let users = keys.iter().map(|key| &example(key).user_id);
        let numbers = keys.iter().map(|key| example(key).order_number);
        let sizes = keys.iter().map(|key| key.cart_size);
        vec![
            Arc::new(StringArray::from_iter_values(users)) as ArrayRef,
            Arc::new(UInt32Array::from_iter_values(numbers)),
            Arc::new(UInt32Array::from_iter_values(sizes)),
            Arc::new(StringArray::from_iter_values(keys.iter().map(product))),
        ]
    });
    encode(fields, batches)
}

/// Reads training rows: the labels, and the features row-major.
///
/// # Errors
/// When the file cannot be read or has other columns; the error names it.
pub fn read_rows(path: &Path) -> io::Result<(Vec<f32>, Vec<f32>)> {
    let unfit = |why: &str| io::Error::other(format!("{}: {why}", path.display()));
    let width = FEATURES.len();
    let batches = Batches::of_file(path, BATCH)?;
    if batches.columns() != width + 1 {
        return Err(unfit("the columns are those of another release: build a new feature set"));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_back_from_any_number_of_row_groups() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rows.parquet");
        for (rows, row_group) in [(0, 4), (1, 4), (8, 4), (BATCH + 7, BATCH - 1)] {
            let cells = rows * FEATURES.len();
            let data = Labelled {
                rows: (0..cells).map(|cell| cell as f32 / 3.0).collect(),
                labels: (0..rows).map(|row| (row % 2) as f32).collect(),
                keys: Vec::new(),
            };
            std::fs::write(&path, in_groups(&data, row_group).unwrap()).unwrap();
            assert_eq!(read_rows(&path).unwrap(), (data.labels, data.rows), "{rows}");
        }
    }
}
