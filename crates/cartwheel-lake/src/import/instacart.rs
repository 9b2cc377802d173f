//! Importing a folder of CSV files in the Instacart schema.
//!
//! The orders are read first. Of each order only user and number stay in memory, which its
//! lines need. Lines and products stream through.

use std::path::{Path, PathBuf};

use crate::files::partition::DAY_MS;
use crate::files::staged::remove_staged;
use crate::import::error::ImportError;
use crate::import::products::CategoryNames;
use crate::import::schemas;
use crate::import::source::ShopFiles;
use crate::import::state::Import;
use crate::lake::Lake;
use crate::manifest::{ImportSummary, Manifest};
use crate::rejects::Rejects;
use crate::tables::IMPORTED;

/// How to import.
#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// The last day of the data, UTC milliseconds, from which orders are dated backwards. By
    /// default it is the day of the first import, or today if this is the first one.
    pub as_of_ms: Option<i64>,
    /// The current time, UTC milliseconds.
    pub now_ms: i64,
}

/// The progress of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportProgress {
    /// Bytes read, as they are on disk.
    pub bytes: u64,
    /// Bytes of all files.
    pub total_bytes: u64,
}

/// Imports the folder `dir`. The lake changes at the end, all at once or not at all. Another
/// import waits until this one has ended.
///
/// # Errors
/// When a required file is missing or a file is unusable. Wrong rows are not an error: they are
/// counted and written to a rejects file.
pub fn instacart(
    lake: &Lake,
    dir: &Path,
    options: &ImportOptions,
    progress: &mut dyn FnMut(ImportProgress),
) -> Result<ImportSummary, ImportError> {
    let files = ShopFiles::find(dir)?;
    let id = files.digest(options.as_of_ms)?;
    let _lock = lake.lock("import")?;
    for table in IMPORTED {
        remove_staged(&lake.dir().join(table))?;
    }
    let previous = lake.import_manifest()?;
    if let Some(same) = previous.as_ref().filter(|manifest| manifest.id == id) {
        return Ok(ImportSummary { unchanged: true, ..same.summary.clone() });
    }
    let today_ms = options.now_ms - options.now_ms.rem_euclid(DAY_MS);
    let first_ms = previous.as_ref().map(|manifest| manifest.as_of_ms);
    let as_of_ms = options.as_of_ms.or(first_ms).unwrap_or(today_ms);
    let total_bytes = files.total_bytes();
    let mut read = 0;
    let mut tick = |bytes: u64| {
        read += bytes;
        progress(ImportProgress { bytes: read, total_bytes });
    };

    let rejects = Rejects::new(&lake.dir().join("rejects").join(format!("{id}.csv")));
    let mut import = Import::new(lake, format!("import={id}"), rejects);
    let (orders, dates) = import.orders(&files.orders, as_of_ms, &mut tick)?;
    let names = CategoryNames {
        aisles: import.names(files.aisles.as_deref(), ["aisle_id", "aisle"], &mut tick)?,
        departments: import.names(
            files.departments.as_deref(),
            ["department_id", "department"],
            &mut tick,
        )?,
    };
    let mut products = import.writer("products", schemas::products());
    if let Some(path) = &files.products {
        import.products(path, &names, &mut products, &mut tick)?;
    }
    let order_products = import.lines(&files.lines, &mut products, &mut tick)?;
    let products = products.finish()?;

    let summary = ImportSummary {
        orders: import.orders.len() as u64,
        lines: import.lines,
        users: import.users.len() as u64,
        products: import.products.len() as u64,
        rejected: import.rejects.count,
        rejects: import.rejects.finish()?,
        unchanged: false,
        dates: Some(dates),
    };
    let manifest =
        Manifest { id, as_of_ms, orders, order_products, products, summary: summary.clone() };
    lake.put_manifest(&manifest)?;
    if let Some(previous) = previous {
        remove_parts(&previous);
    }
    Ok(summary)
}

/// Removes the folders of an import that is no longer current.
fn remove_parts(manifest: &Manifest) {
    for parts in [&manifest.orders, &manifest.order_products, &manifest.products] {
        if let Some(folder) = parts.first().and_then(|part: &PathBuf| part.parent()) {
            // Readers have their files open, and no reader looks at files that stay.
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}
