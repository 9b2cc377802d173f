//! The tables of the lake, and which files they consist of.

use std::path::PathBuf;

use crate::error::LakeError;
use crate::files::format::Format;
use crate::files::parts::live_parts;
use crate::lake::Lake;

/// The tables that only imports fill. The manifest names their files, and imported parts of
/// `events`.
pub(crate) const IMPORTED: [&str; 4] = ["orders", "order_products", "products", "baskets"];

/// A table that delivery appends to.
#[derive(Debug)]
pub(crate) struct DeliveredTable {
    pub name: &'static str,
    pub format: Format,
    /// The column that identifies a row together with `user_id`. `None` for lines, which have no
    /// identity, and for rows that belong to no user.
    pub key: Option<&'static str>,
}

/// The tables that delivery appends to.
pub(crate) const DELIVERED: [DeliveredTable; 4] = [
    DeliveredTable { name: "events", format: Format::Parquet, key: Some("event_id") },
    DeliveredTable { name: "impressions", format: Format::Parquet, key: Some("recommendation_id") },
    DeliveredTable { name: "catalogue", format: Format::Parquet, key: None },
    DeliveredTable { name: "errors", format: Format::Ndjson, key: None },
];

impl Lake {
    /// The files of a Parquet table that readers use.
    pub(crate) fn table_files(&self, table: &str) -> Result<Vec<PathBuf>, LakeError> {
        let mut files = self.delivered_files(table)?;
        if let Some(mut manifest) = self.import_manifest()? {
            let imported = manifest.tables_mut().into_iter().find(|(name, _)| *name == table);
            files.extend(imported.into_iter().flat_map(|(_, parts)| std::mem::take(parts)));
        }
        Ok(files)
    }

    /// Whether the lake holds nothing from which features could be built: neither an import nor
    /// delivered events or products.
    ///
    /// # Errors
    /// When a folder or the manifest cannot be read.
    pub fn is_empty(&self) -> Result<bool, LakeError> {
        Ok(self.import_manifest()?.is_none()
            && self.delivered_files("events")?.is_empty()
            && self.delivered_files("catalogue")?.is_empty())
    }

    /// The delivered files of a Parquet table that readers use; none of a table that only imports
    /// fill.
    pub(crate) fn delivered_files(&self, table: &str) -> Result<Vec<PathBuf>, LakeError> {
        if IMPORTED.contains(&table) {
            return Ok(Vec::new());
        }
        live_parts(&self.dir().join(table))
    }
}
