//! Delivered events, read by the lake's layout alone: which parts count, and their rows.
//!
//! A part is named `part-<shard>-<first>-<last>.parquet`. One whose range lies within
//! that of another of the same shard and folder was merged into that, and waits to be
//! removed.

use std::cmp::Reverse;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use arrow_array::cast::AsArray;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// Shard, first and last sequence number.
fn range(path: &Path) -> Option<(u64, u64, u64)> {
    let mut fields = path.file_stem()?.to_str()?.strip_prefix("part-")?.split('-');
    let mut number = || fields.next()?.parse().ok();
    Some((number()?, number()?, number()?))
}

/// Every file below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found
}

/// The parts of delivered events that count.
pub fn parts(data: &Path) -> Vec<PathBuf> {
    parts_of(data, "events")
}

/// The parts of a delivered table that count.
fn parts_of(data: &Path, table: &str) -> Vec<PathBuf> {
    let mut paths = files(&data.join("lake").join(table));
    paths.retain(|path| path.extension().is_some_and(|x| x == "parquet"));
    // By folder and shard, the widest of those that begin together first: what a part
    // covers follows it.
    let key = |path: &PathBuf| {
        let range = range(path).map(|(shard, first, last)| (shard, first, Reverse(last)));
        (path.parent().map(Path::to_owned), range)
    };
    paths.sort_by_cached_key(key);
    let mut covering: Option<(PathBuf, u64, u64)> = None;
    paths.retain(|path| {
        let (Some((shard, _, last)), Some(folder)) = (range(path), path.parent()) else {
            return true;
        };
        let covered = covering
            .as_ref()
            .is_some_and(|(its, of, to)| its == folder && *of == shard && last <= *to);
        if !covered {
            covering = Some((folder.to_owned(), shard, last));
        }
        !covered
    });
    paths
}

/// The ids of all delivered events. Every part that can be seen has to be whole.
pub fn event_ids(data: &Path) -> Result<Vec<String>> {
    Ok(texts(data, "events", "event_id")?.into_iter().map(Option::unwrap_or_default).collect())
}

/// A column of texts of a delivered table. Every part that can be seen has to be whole.
pub fn texts(data: &Path, table: &str, column: &str) -> Result<Vec<Option<String>>> {
    let mut texts = Vec::new();
    for path in parts_of(data, table) {
        read(&path, column, &mut texts).with_context(|| path.display().to_string())?;
    }
    Ok(texts)
}

/// Adds a column of texts of a part.
///
/// # Errors
/// When the part is not whole.
pub fn read(path: &Path, name: &str, texts: &mut Vec<Option<String>>) -> Result<()> {
    for batch in ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?.build()? {
        let batch = batch?;
        let column = batch.column_by_name(name);
        let column = column.and_then(|column| column.as_string_opt::<i32>());
        let column = column.with_context(|| format!("there are no texts {name}"))?;
        texts.extend(column.iter().map(|text| text.map(str::to_owned)));
    }
    Ok(())
}

/// Reads through what orders are made of.
///
/// # Errors
/// When that is not possible.
pub fn read_checkouts(path: &Path) -> Result<()> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?;
    let wanted = ["user_id", "event_id", "event", "product_ids", "received_at_ms"];
    let columns = ProjectionMask::columns(builder.parquet_schema(), wanted);
    for batch in builder.with_projection(columns).build()? {
        let batch = batch?;
        for name in wanted {
            batch.column_by_name(name).with_context(|| format!("there is no {name}"))?;
        }
    }
    Ok(())
}

/// Rows of all delivered events, by the parts' footers alone.
pub fn rows(data: &Path) -> Result<u64> {
    let mut rows = 0;
    for path in parts(data) {
        let file = match File::open(&path) {
            Ok(file) => file,
            // It was merged into another one meanwhile: the next look finds that.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(error).context(path.display().to_string()),
        };
        let part = ParquetRecordBatchReaderBuilder::try_new(file);
        let part = part.with_context(|| path.display().to_string())?;
        rows += u64::try_from(part.metadata().file_metadata().num_rows())?;
    }
    Ok(rows)
}
