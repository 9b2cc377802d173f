//! An import that is being written: its parts, and the moment in which they become visible.

use std::path::{Path, PathBuf};

use cartwheel_events::EventRecord;
use parking_lot::Mutex;

use crate::files::partition::import_folder;
use crate::files::staged::remove_staged;
use crate::import::baskets::Basket;
use crate::import::error::ImportError;
use crate::import::import_part::ImportPart;
use crate::import::part_writer::PartWriter;
use crate::import::products::{Product, write_products};
use crate::import::schemas;
use crate::lake::{Lake, Lock};
use crate::manifest::{ImportEntry, ImportKind, ImportSummary, Manifest};
use crate::read::products::ProductRow;
use crate::rejects::{RejectedRow, Rejects};

/// What happens to data that was imported before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EarlierImports {
    /// It stays, and the new data is added.
    Keep,
    /// It is removed.
    Replace,
    /// The data of the same kind is removed; the rest stays.
    ReplaceKind,
    /// It is an error if there is any.
    Refuse,
}

/// The beginning of an import.
pub enum Started {
    /// The lake holds this import already; it has these counts.
    Unchanged(ImportSummary),
    /// The import can be written.
    New(Box<NewImport>),
}

/// An import that is being written. No reader sees anything of it before [`Self::commit`], and
/// dropping it removes what was written. Another import waits until this one ends.
pub struct NewImport {
    lake: Lake,
    _lock: Lock,
    id: String,
    kind: ImportKind,
    /// The manifest without the imports that this one replaces.
    earlier: Manifest,
    /// Parts by table.
    parts: Mutex<Vec<(&'static str, PathBuf)>>,
    is_committed: bool,
}

impl NewImport {
    /// Starts the import `id`, a hash of its content and options.
    ///
    /// # Errors
    /// When there is earlier data and `earlier` refuses that, or the lake cannot be read.
    pub fn start(
        lake: &Lake,
        id: &str,
        kind: ImportKind,
        earlier: EarlierImports,
    ) -> Result<Started, ImportError> {
        let lock = lake.lock("import")?;
        let mut manifest = lake.import_manifest()?.unwrap_or_default();
        if let Some(same) = manifest.imports.iter().find(|entry| entry.id == id) {
            let summary = ImportSummary { unchanged: true, ..same.summary.clone() };
            return Ok(Started::Unchanged(summary));
        }
        match earlier {
            EarlierImports::Keep => {}
            EarlierImports::Replace => manifest.remove(|_| true),
            EarlierImports::ReplaceKind => manifest.remove(|entry| entry.kind == kind),
            EarlierImports::Refuse => {
                if let Some(newest) = manifest.imports.last() {
                    return Err(ImportError::EarlierData { orders: newest.summary.orders });
                }
            }
        }
        // A killed import leaves parts behind that no manifest names.
        lake.remove_unnamed_imports()?;
        for (table, _) in manifest.tables_mut() {
            let folder = lake.dir().join(table).join(import_folder(id));
            remove_staged(&folder)?;
        }
        Ok(Started::New(Box::new(Self {
            lake: lake.clone(),
            _lock: lock,
            id: id.to_owned(),
            kind,
            earlier: manifest,
            parts: Mutex::default(),
            is_committed: false,
        })))
    }

    /// The import's folder in a table, relative to the lake.
    pub(super) fn folder(&self, table: &str) -> PathBuf {
        Path::new(table).join(import_folder(&self.id))
    }

    /// The manifest without the imports that this one replaces.
    pub(super) fn earlier(&self) -> &Manifest {
        &self.earlier
    }

    /// Adds parts that are written, relative to the lake.
    pub(super) fn add_parts(&self, table: &'static str, parts: Vec<PathBuf>) {
        self.parts.lock().extend(parts.into_iter().map(|part| (table, part)));
    }

    /// Writes part `number` of `events`, unless it is empty.
    ///
    /// # Errors
    /// When the part cannot be written.
    pub fn write_events(
        &self,
        number: usize,
        part: ImportPart<EventRecord>,
    ) -> Result<(), ImportError> {
        self.write("events", number, part.finish()?)
    }

    /// Writes part `number` of `baskets`, unless it is empty.
    ///
    /// # Errors
    /// When the part cannot be written.
    pub fn write_baskets(
        &self,
        number: usize,
        part: ImportPart<Basket>,
    ) -> Result<(), ImportError> {
        self.write("baskets", number, part.finish()?)
    }

    /// Writes the products that the import names.
    ///
    /// # Errors
    /// When a part cannot be written.
    pub fn write_products(&self, products: Vec<ProductRow>) -> Result<(), ImportError> {
        let folder = self.folder("products");
        let mut writer = PartWriter::new(&self.lake, folder, schemas::products());
        let products: Vec<Product> = products.into_iter().map(Product::from).collect();
        write_products(&mut writer, &products)?;
        self.add_parts("products", writer.finish()?);
        Ok(())
    }

    fn write(
        &self,
        table: &'static str,
        number: usize,
        content: Option<bytes::Bytes>,
    ) -> Result<(), ImportError> {
        let Some(content) = content else { return Ok(()) };
        let path = self.folder(table).join(format!("part-{number:05}.parquet"));
        self.lake.put(&path, content)?;
        self.add_parts(table, vec![path]);
        Ok(())
    }

    /// Writes the rejected rows and makes the import visible, all of it at once. `rejected` may
    /// hold fewer rows than `summary` counts.
    ///
    /// # Errors
    /// When a file cannot be written; the lake is then unchanged.
    pub fn commit(
        self,
        mut summary: ImportSummary,
        rejected: &[RejectedRow],
    ) -> Result<ImportSummary, ImportError> {
        let path = self.lake.dir().join("rejects").join(format!("{}.csv", self.id));
        let mut rejects = Rejects::new(&path);
        for row in rejected {
            rejects.add(&row.file, row.line.parse().unwrap_or(0), &row.reason, &row.row)?;
        }
        summary.rejects = rejects.finish()?;
        self.publish(summary, None)
    }

    /// Replaces the manifest. `as_of_ms` is given by imports of data without dates.
    pub(super) fn publish(
        mut self,
        summary: ImportSummary,
        as_of_ms: Option<i64>,
    ) -> Result<ImportSummary, ImportError> {
        let mut manifest = self.earlier.clone();
        manifest.as_of_ms = as_of_ms.or(manifest.as_of_ms);
        let mut parts = std::mem::take(self.parts.get_mut());
        parts.sort_unstable();
        for (table, all) in manifest.tables_mut() {
            let own = parts.iter().filter(|(name, _)| *name == table);
            all.extend(own.map(|(_, part)| self.lake.dir().join(part)));
        }
        let (id, kind) = (self.id.clone(), self.kind);
        manifest.add(ImportEntry { id, kind, summary: summary.clone() });
        self.lake.put_manifest(manifest)?;
        self.is_committed = true;
        // The parts of replaced imports; a file that stays is removed by the next import.
        if let Err(error) = self.lake.remove_unnamed_imports() {
            tracing::warn!(%error, "the parts of an earlier import remain");
        }
        Ok(summary)
    }
}

impl Drop for NewImport {
    fn drop(&mut self) {
        if !self.is_committed
            && let Err(error) = self.lake.remove_unnamed_imports()
        {
            tracing::warn!(%error, "the parts of an incomplete import remain");
        }
    }
}
