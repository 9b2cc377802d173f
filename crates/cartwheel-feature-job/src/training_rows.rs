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
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use crate::assemble::{Labelled, RowKey};
use crate::batches::Batches;

/// Rows of a batch: few enough that a batch stays in the cache while its columns are gathered.
const BATCH: usize = 1024;

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
    let width = FEATURES.len();
    let column = |name: &str| Field::new(name, DataType::Float32, false);
    let fields = std::iter::once("label").chain(FEATURES).map(column).collect();
    let batches = data.labels.chunks(BATCH).zip(data.rows.chunks(BATCH * width));
    let batches = batches.map(|(labels, rows)| {
        let feature = |at: usize| {
            let values = rows.iter().skip(at).step_by(width).copied();
            Arc::new(Float32Array::from_iter_values(values)) as ArrayRef
        };
        let labels = Arc::new(Float32Array::from(labels.to_vec())) as ArrayRef;
        std::iter::once(labels).chain((0..width).map(feature)).collect()
    });
    encode(fields, batches)
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
