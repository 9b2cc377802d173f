//! The manifest of the import: which files are the imported tables.

use std::fmt;
use std::io;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::dates::AssumedDates;
use crate::error::LakeError;
use crate::lake::Lake;

/// The manifest's path in the lake.
const CURRENT: &str = "imports/current.json";

/// Which files are the imported tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Hash of the imported files' content.
    pub id: String,
    /// The last day of the data, UTC milliseconds.
    pub as_of_ms: i64,
    /// Parts of `orders`.
    pub orders: Vec<PathBuf>,
    /// Parts of `order_products`.
    pub order_products: Vec<PathBuf>,
    /// Parts of `products`.
    pub products: Vec<PathBuf>,
    /// The import's counts.
    pub summary: ImportSummary,
}

/// The counts of an import.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ImportSummary {
    /// Imported orders.
    pub orders: u64,
    /// Imported order lines.
    pub lines: u64,
    /// Users of these orders.
    pub users: u64,
    /// Products of the catalogue.
    pub products: u64,
    /// Rejected rows.
    pub rejected: u64,
    /// The file with the rejected rows and their reasons.
    pub rejects: Option<PathBuf>,
    /// Whether the same files were already imported.
    pub unchanged: bool,
    /// What the dates of the orders assume; `None` in imports of early versions.
    #[serde(default)]
    pub dates: Option<AssumedDates>,
}

impl fmt::Display for ImportSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.unchanged { "Already imported, unchanged" } else { "Imported" };
        write!(
            f,
            "{verb}: {} orders with {} lines of {} users, {} products; {} rows rejected",
            self.orders, self.lines, self.users, self.products, self.rejected
        )?;
        if let Some(path) = &self.rejects {
            write!(f, ", see {}", path.display())?;
        }
        match &self.dates {
            Some(dates) => write!(f, "\n{dates}"),
            None => Ok(()),
        }
    }
}

impl Lake {
    /// Reads the manifest of the import, with paths that include the lake's directory. `None`
    /// before the first import.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged.
    pub fn import_manifest(&self) -> Result<Option<Manifest>, LakeError> {
        let path = self.dir().join(CURRENT);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(LakeError::file(&path, e)),
        };
        let mut manifest: Manifest =
            serde_json::from_slice(&bytes).map_err(|e| LakeError::file(&path, e))?;
        let parts = [&mut manifest.orders, &mut manifest.order_products, &mut manifest.products];
        for part in parts.into_iter().flatten() {
            if part.components().any(|step| !matches!(step, Component::Normal(_))) {
                let problem = format!("{} is not a path in the lake", part.display());
                return Err(LakeError::file(&path, io::Error::other(problem)));
            }
            *part = self.dir().join(&*part);
        }
        Ok(Some(manifest))
    }

    /// Replaces the manifest; its paths are relative to the lake. From then on readers see the
    /// files that it names.
    pub(crate) fn put_manifest(&self, manifest: &Manifest) -> Result<(), LakeError> {
        let bytes = serde_json::to_vec_pretty(manifest);
        let bytes = bytes.map_err(|e| LakeError::file(Path::new(CURRENT), e))?;
        self.put(Path::new(CURRENT), bytes.into())
    }
}
