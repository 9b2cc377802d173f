//! The manifest of the imports: which files are the imported tables.

use std::fmt;
use std::io;
use std::path::{Component, Path, PathBuf};

use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::dates::AssumedDates;
use crate::error::LakeError;
use crate::files::partition::{import_folder, is_import_folder};
use crate::files::walk::walk;
use crate::lake::Lake;

/// Which files are the imported tables.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Manifest {
    /// Identifies the content of the imported tables.
    pub id: String,
    /// The last day of data without dates, UTC milliseconds. `None` before the first such import.
    pub as_of_ms: Option<i64>,
    /// Parts of `orders`.
    pub orders: Vec<PathBuf>,
    /// Parts of `order_products`.
    pub order_products: Vec<PathBuf>,
    /// Parts of `products`.
    pub products: Vec<PathBuf>,
    /// Imported parts of `events`.
    #[serde(default)]
    pub events: Vec<PathBuf>,
    /// Parts of `baskets`: purchases whose customer is unknown.
    #[serde(default)]
    pub baskets: Vec<PathBuf>,
    /// The imports that these parts come from, oldest first.
    #[serde(default)]
    pub imports: Vec<ImportEntry>,
    /// The counts of the newest import.
    pub summary: ImportSummary,
}

/// An import whose data the lake holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportEntry {
    /// Hash of the imported content and of the options that decide how it is read.
    pub id: String,
    /// The form of the imported data.
    pub kind: ImportKind,
    /// The import's counts.
    pub summary: ImportSummary,
}

/// The form of imported data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportKind {
    /// Tables in the Instacart schema: orders by number, without dates.
    Instacart,
    /// Events and orders with their times.
    History,
}

/// The counts of an import.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ImportSummary {
    /// Imported orders of known users.
    pub orders: u64,
    /// Imported lines of these orders.
    pub lines: u64,
    /// Users of the imported orders and events.
    pub users: u64,
    /// Products of the catalogue.
    pub products: u64,
    /// Imported events other than orders.
    #[serde(default)]
    pub events: u64,
    /// Imported orders whose customer is unknown.
    #[serde(default)]
    pub baskets: u64,
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
            "{verb}: {} orders with {} lines of {} users, {} products",
            self.orders, self.lines, self.users, self.products
        )?;
        if self.events > 0 {
            write!(f, ", {} other events", self.events)?;
        }
        if self.baskets > 0 {
            write!(f, ", {} orders without a customer", self.baskets)?;
        }
        write!(f, "; {} rows rejected", self.rejected)?;
        if let Some(path) = &self.rejects {
            write!(f, ", see {}", path.display())?;
        }
        match &self.dates {
            Some(dates) => write!(f, "\n{dates}"),
            None => Ok(()),
        }
    }
}

impl Manifest {
    /// The names of the imported tables, which are folders of the lake.
    pub const TABLES: [&str; 5] = ["orders", "order_products", "products", "events", "baskets"];

    /// The parts of all imported tables.
    pub fn parts(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.orders, &self.order_products, &self.products, &self.events, &self.baskets]
            .into_iter()
            .flatten()
    }

    /// The parts of each imported table, by the table's name.
    pub(crate) fn tables_mut(&mut self) -> [(&'static str, &mut Vec<PathBuf>); 5] {
        let [orders, order_products, products, events, baskets] = Self::TABLES;
        [
            (orders, &mut self.orders),
            (order_products, &mut self.order_products),
            (products, &mut self.products),
            (events, &mut self.events),
            (baskets, &mut self.baskets),
        ]
    }

    /// Adds an import, and changes the id accordingly.
    pub(crate) fn add(&mut self, entry: ImportEntry) {
        self.summary = entry.summary.clone();
        self.imports.push(entry);
        self.id = self.content_id();
    }

    /// The parts of `events` of import `id`.
    pub(crate) fn events_of(&self, id: &str) -> Vec<PathBuf> {
        let folder = import_folder(id);
        let is_own = |part: &&PathBuf| is_in(part, &folder);
        self.events.iter().filter(is_own).cloned().collect()
    }

    /// Removes the imports for which `is_removed` returns true, with their parts.
    pub(crate) fn remove(&mut self, is_removed: impl Fn(&ImportEntry) -> bool) {
        let folders: Vec<String> = self
            .imports
            .extract_if(.., |entry| is_removed(entry))
            .map(|entry| import_folder(&entry.id))
            .collect();
        for (_, parts) in self.tables_mut() {
            parts.retain(|part| !folders.iter().any(|removed| is_in(part, removed)));
        }
        self.id = self.content_id();
    }

    /// The id of a single import, or a hash of several.
    fn content_id(&self) -> String {
        match self.imports.as_slice() {
            [only] => only.id.clone(),
            all => {
                let ids: Vec<&str> = all.iter().map(|entry| entry.id.as_str()).collect();
                hex::encode(&Sha256::digest(ids.join(" "))[..8])
            }
        }
    }
}

/// Whether a part lies in the folder of that name.
fn is_in(part: &Path, folder: &str) -> bool {
    part.parent().and_then(Path::file_name).is_some_and(|name| name == folder)
}

impl Lake {
    /// Reads the manifest of the imports, with paths that include the lake's directory. `None`
    /// before the first import.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged.
    pub fn import_manifest(&self) -> Result<Option<Manifest>, LakeError> {
        let path = self.dir().join(Manifest::NAME);
        let bytes = match cartwheel_files::read_checked(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(LakeError::file(&path, e)),
        };
        let mut manifest: Manifest =
            serde_json::from_slice(&bytes).map_err(|e| LakeError::file(&path, e))?;
        for part in manifest.tables_mut().into_iter().flat_map(|(_, parts)| parts) {
            if part.components().any(|step| !matches!(step, Component::Normal(_))) {
                let problem = format!("{} is not a path in the lake", part.display());
                return Err(LakeError::file(&path, io::Error::other(problem)));
            }
            *part = self.dir().join(&*part);
        }
        if manifest.imports.is_empty() && !manifest.orders.is_empty() {
            // Earlier releases wrote no list: they knew a single import.
            let (id, summary) = (manifest.id.clone(), manifest.summary.clone());
            manifest.imports.push(ImportEntry { id, kind: ImportKind::Instacart, summary });
        }
        Ok(Some(manifest))
    }

    /// Replaces the manifest, whose paths include the lake's directory. From then on readers see
    /// the files that it names.
    pub(crate) fn put_manifest(&self, mut manifest: Manifest) -> Result<(), LakeError> {
        for part in manifest.tables_mut().into_iter().flat_map(|(_, parts)| parts) {
            *part = self.relative(part).to_owned();
        }
        let bytes = serde_json::to_vec_pretty(&manifest);
        let bytes = bytes.map_err(|e| LakeError::file(Path::new(Manifest::NAME), e))?;
        self.put(Path::new(Manifest::NAME), cartwheel_files::with_checksum(&bytes).into())
    }

    /// Removes what an interrupted import has written. While another import is running, that one
    /// does it.
    ///
    /// # Errors
    /// When a file cannot be removed.
    pub fn remove_interrupted_imports(&self) -> Result<(), LakeError> {
        match self.try_lock("import")? {
            Some(_lock) => self.remove_unnamed_imports(),
            None => Ok(()),
        }
    }

    /// Removes the files of imports that the manifest does not name: another import or an
    /// erasure replaced them, or their import did not complete. The caller holds the import lock.
    pub(crate) fn remove_unnamed_imports(&self) -> Result<(), LakeError> {
        let mut manifest = self.import_manifest()?.unwrap_or_default();
        for (table, parts) in manifest.tables_mut() {
            let named: FxHashSet<PathBuf> = parts.drain(..).collect();
            let mut unnamed = Vec::new();
            walk(&self.dir().join(table), |folder, files| {
                if is_import_folder(folder) {
                    let before = unnamed.len();
                    let count = files.len();
                    unnamed.extend(files.into_iter().filter(|file| !named.contains(file)));
                    if unnamed.len() - before == count {
                        unnamed.push(folder.to_owned());
                    }
                }
                Ok(())
            })?;
            for path in unnamed {
                // Readers have their files open, and no new reader gets these paths.
                let removed = if path.is_dir() {
                    std::fs::remove_dir(&path)
                } else {
                    std::fs::remove_file(&path)
                };
                removed.map_err(|e| LakeError::file(&path, e))?;
            }
        }
        Ok(())
    }
}
