//! What the tables hold, for people to look at.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::UNIX_EPOCH;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::guard::guarded;
use crate::manifest::{Lake, LakeError};
use crate::parts::{parts, read_parts};
use crate::scan::shape;

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
    /// Files that could not be read, each named.
    pub problems: Vec<String>,
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

/// Looks at a lake. A file is opened once, and again when erasure replaced it.
#[derive(Debug)]
pub struct Inspector {
    lake: Lake,
    known: Mutex<FxHashMap<PathBuf, TableFile>>,
}

impl Inspector {
    /// Looks at `lake`.
    pub fn new(lake: Lake) -> Self {
        Self { lake, known: Mutex::default() }
    }

    /// The lake.
    pub fn lake(&self) -> &Lake {
        &self.lake
    }

    /// Every table, also those without files.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub fn tables(&self) -> Result<Vec<Table>, LakeError> {
        IMPORTED.iter().chain(&DELIVERED).map(|&name| self.named(name)).collect()
    }

    /// A table by its name.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub fn table(&self, name: &str) -> Result<Option<Table>, LakeError> {
        let known = IMPORTED.iter().chain(&DELIVERED).find(|known| **known == name);
        known.map(|name| self.named(name)).transpose()
    }

    fn named(&self, name: &'static str) -> Result<Table, LakeError> {
        let list = || -> Result<Vec<PathBuf>, LakeError> {
            if DELIVERED.contains(&name) {
                return parts(&self.lake.dir().join(name));
            }
            let Some(manifest) = self.lake.import_manifest()? else { return Ok(Vec::new()) };
            Ok(match name {
                "orders" => manifest.orders,
                "order_products" => manifest.order_products,
                _ => manifest.products,
            })
        };
        let read = |path: &Path, files: &mut Vec<TableFile>| {
            files.push(self.file(path)?);
            Ok(())
        };
        let (mut files, problems) = read_parts(list, read)?;
        self.forget(name, &files);
        files.sort_by(|a, b| (b.written_ms, &b.path).cmp(&(a.written_ms, &a.path)));
        Ok(Table { name, files, problems })
    }

    fn known(&self) -> MutexGuard<'_, FxHashMap<PathBuf, TableFile>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Files of a table that are no longer there need not be remembered.
    fn forget(&self, name: &str, files: &[TableFile]) {
        let there: FxHashSet<&Path> = files.iter().map(|file| file.path.as_path()).collect();
        self.known().retain(|path, _| !path.starts_with(name) || there.contains(path.as_path()));
    }

    fn file(&self, path: &Path) -> io::Result<TableFile> {
        let metadata = std::fs::metadata(path)?;
        let written = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let written_ms =
            written.map_or(0, |age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        let bytes = metadata.len();
        let name = path.strip_prefix(self.lake.dir()).unwrap_or(path);
        let known = self.known().get(name).cloned();
        if let Some(known) = known.filter(|k| (k.bytes, k.written_ms) == (bytes, written_ms)) {
            return Ok(known);
        }
        let file = TableFile { path: name.to_owned(), rows: shape(path)?.1, bytes, written_ms };
        self.known().insert(name.to_owned(), file.clone());
        Ok(file)
    }

    /// The first rows of a file of the lake.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn sample(&self, path: &Path, rows: usize) -> Result<Sample, LakeError> {
        let path = self.lake.dir().join(path);
        guarded(|| sample(&path, rows)).map_err(|error| LakeError::file(&path, error))
    }
}

fn sample(path: &Path, rows: usize) -> io::Result<Sample> {
    let (schema, _) = shape(path)?;
    let columns = schema.fields().iter();
    let columns = columns.map(|f| (f.name().clone(), f.data_type().to_string(), f.is_nullable()));
    let reader = SerializedFileReader::new(File::open(path)?)?;
    let mut sampled = Vec::new();
    for row in reader.get_row_iter(None)?.take(rows) {
        sampled.push(row?.get_column_iter().map(|(_, value)| text(value)).collect());
    }
    Ok(Sample { columns: columns.collect(), rows: sampled })
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
