//! What the tables hold, for people to look at.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use rustc_hash::FxHashMap;

use crate::manifest::{Lake, LakeError};

/// Tables whose files an import's manifest names.
const IMPORTED: [&str; 3] = ["orders", "order_products", "products"];
/// Tables whose files delivery adds to.
const DELIVERED: [&str; 2] = ["events", "impressions"];
/// Most characters of a value in a sample.
const MAX_VALUE: usize = 200;

/// A Parquet file of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFile {
    /// Its path in the lake.
    pub path: PathBuf,
    /// Its rows.
    pub rows: u64,
    /// Its bytes.
    pub bytes: u64,
    /// When it was written, UTC milliseconds.
    pub written_ms: i64,
}

/// A table and its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// The newest first.
    pub files: Vec<TableFile>,
}

/// A column's name, type, and whether it may be null.
pub type Column = (String, String, bool);

/// The first rows of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sample {
    /// Its columns.
    pub columns: Vec<Column>,
    /// Values as texts, by row and column.
    pub rows: Vec<Vec<Option<String>>>,
}

/// Looks at a lake. Files never change, so that each is opened once.
#[derive(Debug)]
pub struct Inspector {
    lake: Lake,
    rows: Mutex<FxHashMap<PathBuf, u64>>,
}

impl Inspector {
    /// Looks at `lake`.
    pub fn new(lake: Lake) -> Self {
        Self { lake, rows: Mutex::default() }
    }

    /// The lake.
    pub fn lake(&self) -> &Lake {
        &self.lake
    }

    /// Every table, also those without files.
    ///
    /// # Errors
    /// When a folder or a file cannot be read.
    pub fn tables(&self) -> Result<Vec<Table>, LakeError> {
        IMPORTED.iter().chain(&DELIVERED).map(|&name| self.named(name)).collect()
    }

    /// A table by its name.
    ///
    /// # Errors
    /// When a folder or a file cannot be read.
    pub fn table(&self, name: &str) -> Result<Option<Table>, LakeError> {
        let known = IMPORTED.iter().chain(&DELIVERED).find(|known| **known == name);
        known.map(|name| self.named(name)).transpose()
    }

    fn named(&self, name: &'static str) -> Result<Table, LakeError> {
        let paths = if DELIVERED.contains(&name) {
            parts(&self.lake.dir().join(name))?
        } else {
            let manifest = self.lake.import_manifest()?;
            let paths = manifest.map(|manifest| match name {
                "orders" => manifest.orders,
                "order_products" => manifest.order_products,
                _ => manifest.products,
            });
            paths.unwrap_or_default()
        };
        let mut files: Vec<TableFile> =
            paths.iter().map(|path| self.file(path)).collect::<Result<_, _>>()?;
        files.sort_by(|a, b| (b.written_ms, &b.path).cmp(&(a.written_ms, &a.path)));
        Ok(Table { name, files })
    }

    fn file(&self, path: &Path) -> Result<TableFile, LakeError> {
        let failed = |error: io::Error| LakeError::file(path, error);
        let metadata = std::fs::metadata(path).map_err(failed)?;
        let written = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let known = self.rows.lock().unwrap_or_else(PoisonError::into_inner).get(path).copied();
        let rows = match known {
            Some(rows) => rows,
            None => {
                let reader = open(path).map_err(failed)?;
                let rows = reader.metadata().file_metadata().num_rows();
                let rows = u64::try_from(rows).unwrap_or_default();
                let mut all = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
                all.insert(path.to_owned(), rows);
                rows
            }
        };
        Ok(TableFile {
            path: path.strip_prefix(self.lake.dir()).unwrap_or(path).to_owned(),
            rows,
            bytes: metadata.len(),
            written_ms: written.map_or(0, |age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX)),
        })
    }

    /// The first rows of a file of the lake.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn sample(&self, path: &Path, rows: usize) -> Result<Sample, LakeError> {
        let path = self.lake.dir().join(path);
        let failed = |error: io::Error| LakeError::file(&path, error);
        let other = |error: parquet::errors::ParquetError| failed(io::Error::other(error));
        let file = File::open(&path).map_err(failed)?;
        let schema = ParquetRecordBatchReaderBuilder::try_new(file).map_err(other)?;
        let columns = schema.schema().fields().iter();
        let columns =
            columns.map(|f| (f.name().clone(), f.data_type().to_string(), f.is_nullable()));
        let reader = open(&path).map_err(failed)?;
        let mut sampled = Vec::new();
        for row in reader.get_row_iter(None).map_err(other)?.take(rows) {
            let row = row.map_err(other)?;
            sampled.push(row.get_column_iter().map(|(_, value)| text(value)).collect());
        }
        Ok(Sample { columns: columns.collect(), rows: sampled })
    }
}

fn open(path: &Path) -> io::Result<SerializedFileReader<File>> {
    SerializedFileReader::new(File::open(path)?).map_err(io::Error::other)
}

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

/// Every Parquet file below a folder; none where it does not exist.
pub(crate) fn parts(folder: &Path) -> Result<Vec<PathBuf>, LakeError> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(LakeError::file(&folder, e)),
        };
        for entry in entries {
            let path = entry.map_err(|e| LakeError::file(&folder, e))?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|x| x == "parquet") {
                found.push(path);
            }
        }
    }
    Ok(found)
}
