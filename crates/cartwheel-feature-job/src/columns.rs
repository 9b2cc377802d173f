//! Columns of an Arrow batch, by name and type.

use std::io;

use arrow_array::cast::AsArray;
use arrow_array::types::ArrowPrimitiveType;
use arrow_array::{
    Array, ArrayRef, BinaryArray, ListArray, PrimitiveArray, RecordBatch, StringArray,
};

fn column<'a>(batch: &'a RecordBatch, name: &str) -> io::Result<&'a ArrayRef> {
    batch.column_by_name(name).ok_or_else(|| io::Error::other(format!("column {name} is missing")))
}

/// The error for a column of the wrong type.
pub(crate) fn mistyped(name: &str) -> io::Error {
    io::Error::other(format!("column {name} has the wrong type"))
}

pub(crate) fn strings<'a>(batch: &'a RecordBatch, name: &str) -> io::Result<&'a StringArray> {
    column(batch, name)?.as_string_opt().ok_or_else(|| mistyped(name))
}

/// A column that tables of earlier releases lack.
pub(crate) fn optional_strings<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a StringArray> {
    batch.column_by_name(name)?.as_string_opt()
}

pub(crate) fn numbers<'a, T: ArrowPrimitiveType>(
    batch: &'a RecordBatch,
    name: &str,
) -> io::Result<&'a PrimitiveArray<T>> {
    column(batch, name)?.as_primitive_opt().ok_or_else(|| mistyped(name))
}

pub(crate) fn binaries<'a>(batch: &'a RecordBatch, name: &str) -> io::Result<&'a BinaryArray> {
    column(batch, name)?.as_binary_opt().ok_or_else(|| mistyped(name))
}

pub(crate) fn lists<'a>(batch: &'a RecordBatch, name: &str) -> io::Result<&'a ListArray> {
    column(batch, name)?.as_list_opt().ok_or_else(|| mistyped(name))
}

pub(crate) fn optional_lists<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a ListArray> {
    batch.column_by_name(name)?.as_list_opt()
}

/// Returns the number at a row, `None` where the column is null.
pub(crate) fn optional<T: ArrowPrimitiveType>(
    column: &PrimitiveArray<T>,
    at: usize,
) -> Option<T::Native> {
    column.is_valid(at).then(|| column.value(at))
}
