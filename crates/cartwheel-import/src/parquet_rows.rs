//! The rows of a Parquet file as nested values.

use std::fs::File;
use std::io;

use cartwheel_lake::guarded;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use serde_json::{Map, Value};

/// An error of reading, in words that say what to do.
pub(crate) fn readable(error: &io::Error) -> String {
    let text = error.to_string();
    match text.contains("Disabled feature") {
        true => {
            "the Parquet file is compressed in another way than zstd or snappy: write it again \
                 with one of them"
                .to_owned()
        }
        false => format!("the Parquet file is damaged: {text}"),
    }
}

/// Reads the rows of a file in batches of at most `size`. `each` returns whether to go on.
///
/// # Errors
/// When the file is damaged.
pub(crate) fn for_each_batch(
    file: File,
    size: usize,
    mut each: impl FnMut(Vec<Value>) -> bool,
) -> io::Result<()> {
    let reader = guarded(|| SerializedFileReader::new(file).map_err(io::Error::other))?;
    for index in 0..reader.num_row_groups() {
        let group = guarded(|| reader.get_row_group(index).map_err(io::Error::other))?;
        let mut rows = guarded(|| group.get_row_iter(None).map_err(io::Error::other))?;
        loop {
            let batch = guarded(|| {
                let rows = rows.by_ref().take(size);
                rows.map(|row| row.map(|row| object(&row)).map_err(io::Error::other)).collect()
            });
            let batch: Vec<Value> = batch?;
            if batch.is_empty() {
                break;
            }
            if !each(batch) {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn object(row: &Row) -> Value {
    let fields = row.get_column_iter().map(|(name, field)| (name.clone(), value(field)));
    Value::Object(fields.collect::<Map<_, _>>())
}

/// A value as JSON: times as milliseconds or microseconds since 1970, whose size tells which.
fn value(field: &Field) -> Value {
    match field {
        Field::Null
        | Field::Bytes(_)
        | Field::TimeMillis(_)
        | Field::TimeMicros(_)
        | Field::MapInternal(_) => Value::Null,
        Field::Bool(flag) => (*flag).into(),
        Field::Byte(n) => (*n).into(),
        Field::Short(n) => (*n).into(),
        Field::Int(n) => (*n).into(),
        Field::Long(n) | Field::TimestampMillis(n) | Field::TimestampMicros(n) => (*n).into(),
        Field::UByte(n) => (*n).into(),
        Field::UShort(n) => (*n).into(),
        Field::UInt(n) => (*n).into(),
        Field::ULong(n) => (*n).into(),
        Field::Float16(x) => f64::from(*x).into(),
        // Its shortest decimal form is what was meant.
        Field::Float(x) => x.to_string().parse::<f64>().unwrap_or_default().into(),
        Field::Double(x) => (*x).into(),
        Field::Date(_) | Field::Decimal(_) => {
            // 2026-01-31 or 12.50.
            let text = field.to_string();
            text.split(' ').next().unwrap_or_default().into()
        }
        Field::Str(text) => text.as_str().into(),
        Field::Group(row) => object(row),
        Field::ListInternal(list) => list.elements().iter().map(value).collect(),
    }
}
