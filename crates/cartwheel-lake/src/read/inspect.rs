//! Inspecting the tables: their files, columns and first rows.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use parking_lot::Mutex;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::error::LakeError;
use crate::files::format::Format;
use crate::files::guard::guarded;
use crate::files::parts::{PartsRead, read_parts};
use crate::files::scan::footer;
use crate::lake::Lake;
use crate::tables::{DELIVERED, IMPORTED};

/// Maximum number of characters of a value in a sample.
const MAX_VALUE: usize = 200;

/// A Parquet file of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFile {
    /// The file's path in the lake.
    pub path: PathBuf,
    /// The file's rows.
    pub rows: u64,
    /// The file's size in bytes.
    pub bytes: u64,
    /// When the file was written, UTC milliseconds.
    pub written_ms: i64,
}

/// A table and its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The table's name.
    pub name: &'static str,
    /// The table's files, newest first.
    pub files: Vec<TableFile>,
    /// Files that could not be read, each with its path and the error.
    pub problems: Vec<String>,
}

/// A column of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The column's name.
    pub name: String,
    /// The name of the column's Arrow type.
    pub kind: String,
    /// Whether the column may be null.
    pub nullable: bool,
}

/// The first rows of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sample {
    /// The file's columns.
    pub columns: Vec<Column>,
    /// Values as texts, by row and column. `None` is null.
    pub rows: Vec<Vec<Option<String>>>,
}

/// Inspects a lake. It opens each file once, and again after erasure replaced it.
#[derive(Debug)]
pub struct Inspector {
    lake: Lake,
    /// The files opened so far, by their path in the lake.
    opened: Mutex<FxHashMap<PathBuf, TableFile>>,
}

impl Inspector {
    /// An inspector of `lake`.
    pub fn new(lake: Lake) -> Self {
        Self { lake, opened: Mutex::default() }
    }

    /// The inspected lake.
    pub fn lake(&self) -> &Lake {
        &self.lake
    }

    /// Lists every table, including those without files.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub fn tables(&self) -> Result<Vec<Table>, LakeError> {
        table_names().map(|name| self.inspect(name)).collect()
    }

    /// Returns the table of that name. `None` if there is no such table.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub fn table(&self, name: &str) -> Result<Option<Table>, LakeError> {
        let found = table_names().find(|table| *table == name);
        found.map(|name| self.inspect(name)).transpose()
    }

    fn inspect(&self, name: &'static str) -> Result<Table, LakeError> {
        let read = |path: &Path, files: &mut Vec<TableFile>| {
            files.push(self.file(path)?);
            Ok(())
        };
        let PartsRead { content: mut files, problems } =
            read_parts(|| self.lake.table_files(name), read)?;
        self.forget_removed(name, &files);
        files.sort_by(|a, b| (b.written_ms, &b.path).cmp(&(a.written_ms, &a.path)));
        Ok(Table { name, files, problems })
    }

    /// Forgets the files of a table that are no longer there.
    fn forget_removed(&self, table: &str, files: &[TableFile]) {
        let present: FxHashSet<&Path> = files.iter().map(|file| file.path.as_path()).collect();
        let is_kept = |path: &Path| !path.starts_with(table) || present.contains(path);
        self.opened.lock().retain(|path, _| is_kept(path));
    }

    fn file(&self, path: &Path) -> io::Result<TableFile> {
        let metadata = std::fs::metadata(path)?;
        let written = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let written_ms =
            written.map_or(0, |age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        let bytes = metadata.len();
        let name = path.strip_prefix(self.lake.dir()).unwrap_or(path);
        let opened = self.opened.lock().get(name).cloned();
        let is_current = |file: &TableFile| (file.bytes, file.written_ms) == (bytes, written_ms);
        if let Some(file) = opened.filter(is_current) {
            return Ok(file);
        }
        let rows = footer(path)?.rows;
        let file = TableFile { path: name.to_owned(), rows, bytes, written_ms };
        self.opened.lock().insert(name.to_owned(), file.clone());
        Ok(file)
    }

    /// Reads the first rows of a file. `path` is relative to the lake.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn sample(&self, path: &Path, rows: usize) -> Result<Sample, LakeError> {
        let path = self.lake.dir().join(path);
        guarded(|| sample(&path, rows)).map_err(|error| LakeError::file(&path, error))
    }
}

/// The names of the tables whose files are Parquet.
fn table_names() -> impl Iterator<Item = &'static str> {
    let delivered = DELIVERED.iter().filter(|table| table.format == Format::Parquet);
    IMPORTED.into_iter().chain(delivered.map(|table| table.name))
}

fn sample(path: &Path, rows: usize) -> io::Result<Sample> {
    let schema = footer(path)?.schema;
    let columns = schema.fields().iter().map(|field| Column {
        name: field.name().clone(),
        kind: field.data_type().to_string(),
        nullable: field.is_nullable(),
    });
    let reader = SerializedFileReader::new(File::open(path)?)?;
    let mut sampled = Vec::new();
    for row in reader.get_row_iter(None)?.take(rows) {
        sampled.push(row?.get_column_iter().map(|(_, value)| text(value)).collect());
    }
    Ok(Sample { columns: columns.collect(), rows: sampled })
}

/// A value as text, shortened to [`MAX_VALUE`]. `None` for null.
fn text(value: &Field) -> Option<String> {
    let text = match value {
        Field::Null => return None,
        Field::Str(text) => text.clone(),
        other => other.to_string(),
    };
    let mut characters = text.chars();
    let mut kept: String = characters.by_ref().take(MAX_VALUE).collect();
    if characters.next().is_some() {
        kept.push('…');
    }
    Some(kept)
}
