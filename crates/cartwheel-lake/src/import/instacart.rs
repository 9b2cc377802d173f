//! Importing a folder of CSV files in the Instacart schema.
//!
//! The orders are read first. Of each order only user and number stay in memory, which its
//! lines need. Lines and products stream through.

use std::path::Path;

use crate::files::partition::{DAY_MS, import_folder};
use crate::import::error::ImportError;
use crate::import::new_import::{EarlierImports, NewImport, Started};
use crate::import::products::CategoryNames;
use crate::import::schemas;
use crate::import::source::ShopFiles;
use crate::import::state::Import;
use crate::lake::Lake;
use crate::manifest::{ImportKind, ImportSummary};
use crate::rejects::Rejects;

/// How to import.
#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// The last day of the data, UTC milliseconds, from which orders are dated backwards. By
    /// default it is the day of the first import, or today if this is the first one.
    pub as_of_ms: Option<i64>,
    /// The current time, UTC milliseconds.
    pub now_ms: i64,
    /// What happens to data that was imported before.
    pub earlier: EarlierImports,
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
    let started = NewImport::start(lake, &id, ImportKind::Instacart, options.earlier)?;
    let new = match started {
        Started::Unchanged(summary) => return Ok(summary),
        Started::New(new) => new,
    };
    let today_ms = options.now_ms - options.now_ms.rem_euclid(DAY_MS);
    let as_of_ms = options.as_of_ms.or(new.earlier().as_of_ms).unwrap_or(today_ms);
    let total_bytes = files.total_bytes();
    let mut read = 0;
    let mut tick = |bytes: u64| {
        read += bytes;
        progress(ImportProgress { bytes: read, total_bytes });
    };

    let rejects = Rejects::new(&lake.dir().join("rejects").join(format!("{id}.csv")));
    let mut import = Import::new(lake, import_folder(&id), rejects);
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
        dates,
        ..ImportSummary::default()
    };
    new.add_parts("orders", orders);
    new.add_parts("order_products", order_products);
    new.add_parts("products", products);
    new.publish(summary, Some(as_of_ms))
}
