//! Exporting everything that the lake stores of one user.

use std::io;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int32Type, Int64Type, UInt64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use rustc_hash::FxHashMap;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::erasure::{rejected_records_of, rejected_rows_of};
use crate::error::LakeError;
use crate::files::format::Format;
use crate::files::parts::{Folder, PartsRead, folders, read_parts};
use crate::files::scan::{scan, texts};
use crate::files::walk::files_below;
use crate::lake::Lake;

/// The stored records of a user. Each record's fields are the columns of its table.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct UserRecords {
    /// Imported orders by number, each with its `lines`.
    pub orders: Vec<Value>,
    /// Events by the time of their acceptance.
    pub events: Vec<Value>,
    /// Impressions by time, each with its placement.
    pub impressions: Vec<Value>,
    /// Malformed records that hold the user's id.
    pub errors: Vec<Value>,
    /// Rows that imports rejected and that hold the user's id.
    pub rejects: Vec<Value>,
    /// Whether a table has more rows than the limit.
    pub truncated: bool,
    /// Files that could not be read, each with its path and the error. They may hold more.
    pub problems: Vec<String>,
}

impl Lake {
    /// Reads the stored records of a user, at most `limit` rows of each table.
    ///
    /// # Errors
    /// When a folder cannot be listed, or the manifest of the import is damaged.
    pub fn user_records(&self, user_id: &str, limit: usize) -> Result<UserRecords, LakeError> {
        let mut out = UserRecords::default();
        let mut orders = self.rows_of(user_id, "orders", "order_number", limit, &mut out)?;
        let lines =
            self.rows_of(user_id, "order_products", "add_to_cart_order", limit, &mut out)?;
        let mut by_order: FxHashMap<String, Vec<Value>> = FxHashMap::default();
        for line in lines {
            let order = line["order_id"].as_str().unwrap_or_default().to_owned();
            by_order.entry(order).or_default().push(line);
        }
        for order in &mut orders {
            let lines = by_order.remove(order["order_id"].as_str().unwrap_or_default());
            order["lines"] = Value::Array(lines.unwrap_or_default());
        }
        out.orders = orders;
        out.events = self.rows_of(user_id, "events", "received_at_ms", limit, &mut out)?;
        out.impressions =
            self.rows_of(user_id, "impressions", "received_at_ms", limit, &mut out)?;
        let of_errors = |path: &Path, found: &mut Vec<Value>| {
            rejected_records_of(path, user_id, limit + 1, found)
        };
        let errors = || {
            let folders = folders(&self.dir().join("errors"), Format::Ndjson)?;
            Ok(folders.iter().flat_map(Folder::live).map(|part| part.path.clone()).collect())
        };
        out.errors = self.lines_of(errors, of_errors, limit, &mut out)?;
        let of_rejects =
            |path: &Path, found: &mut Vec<Value>| rejected_rows_of(path, user_id, limit + 1, found);
        let rejects = || files_below(&self.dir().join("rejects"));
        out.rejects = self.lines_of(rejects, of_rejects, limit, &mut out)?;
        Ok(out)
    }

    /// Reads the user's lines of some files. Sets `truncated` and `problems` of `out`.
    fn lines_of(
        &self,
        list: impl FnMut() -> Result<Vec<PathBuf>, LakeError>,
        read: impl FnMut(&Path, &mut Vec<Value>) -> io::Result<()>,
        limit: usize,
        out: &mut UserRecords,
    ) -> Result<Vec<Value>, LakeError> {
        let PartsRead { content: mut lines, problems } = read_parts(list, read)?;
        out.problems.extend(problems);
        out.truncated |= lines.len() > limit;
        lines.truncate(limit);
        Ok(lines)
    }

    /// Reads the user's rows of a table. Sets `truncated` and `problems` of `out`.
    fn rows_of(
        &self,
        user_id: &str,
        table: &str,
        order_by: &str,
        limit: usize,
        out: &mut UserRecords,
    ) -> Result<Vec<Value>, LakeError> {
        // One row more shows whether the limit cuts any off.
        let read = |path: &Path, rows: &mut Vec<Value>| read(path, user_id, limit + 1, rows);
        let mut rows = self.lines_of(|| self.table_files(table), read, limit, out)?;
        let key = |row: &Value| (row[order_by].as_i64(), row["sequence"].as_u64());
        rows.sort_by_key(key);
        Ok(rows)
    }
}

/// Adds the rows of a user until there are `limit`. It reads the column of ids first, and the
/// other columns only of files that hold the user. (The reader could skip single rows, but it
/// may do that forever in a damaged file.)
fn read(path: &Path, user_id: &str, limit: usize, rows: &mut Vec<Value>) -> io::Result<()> {
    if rows.len() >= limit {
        return Ok(());
    }
    let mut has_user = false;
    scan(path, Some(&["user_id"]), |batch| {
        has_user |= texts(batch, "user_id")?.iter().flatten().any(|user| user == user_id);
        Ok(())
    })?;
    if !has_user {
        return Ok(());
    }
    let before = rows.len();
    let read = scan(path, None, |batch| {
        for (at, user) in texts(batch, "user_id")?.iter().enumerate() {
            if user == Some(user_id) && rows.len() < limit {
                rows.push(row(batch, at));
            }
        }
        Ok(())
    });
    read.inspect_err(|_| rows.truncate(before))
}

/// A row as a JSON object.
fn row(batch: &RecordBatch, at: usize) -> Value {
    let schema = batch.schema();
    let fields = schema.fields().iter().zip(batch.columns());
    let fields = fields.map(|(field, column)| (field.name().clone(), value(column, at)));
    Value::Object(fields.collect::<Map<_, _>>())
}

/// A cell as JSON. A type that no table of the lake has becomes null.
fn value(column: &dyn Array, at: usize) -> Value {
    if column.is_null(at) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value(at).into(),
        DataType::Int32 => column.as_primitive::<Int32Type>().value(at).into(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(at).into(),
        DataType::UInt64 => column.as_primitive::<UInt64Type>().value(at).into(),
        DataType::Float32 => column.as_primitive::<Float32Type>().value(at).into(),
        DataType::Float64 => column.as_primitive::<Float64Type>().value(at).into(),
        DataType::List(_) => {
            let list = column.as_list::<i32>().value(at);
            (0..list.len()).map(|at| value(&*list, at)).collect::<Vec<_>>().into()
        }
        _ => Value::Null,
    }
}
