//! The tables of the lake, and which files they consist of.

use std::path::PathBuf;

use crate::error::LakeError;
use crate::files::format::Format;
use crate::files::parts::live_parts;
use crate::lake::Lake;

/// The tables that an import replaces as a whole. Its manifest names their files.
pub(crate) const IMPORTED: [&str; 3] = ["orders", "order_products", "products"];

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
        if !IMPORTED.contains(&table) {
            return live_parts(&self.dir().join(table));
        }
        let Some(manifest) = self.import_manifest()? else { return Ok(Vec::new()) };
        Ok(match table {
            "orders" => manifest.orders,
            "order_products" => manifest.order_products,
            _ => manifest.products,
        })
    }
}
