//! The live catalogue of a data directory.

use anyhow::{Context as _, Result};
use cartwheel_lake::Lake;
use cartwheel_sessions::LiveCatalogue;

use crate::data_dir::DataDir;

/// Opens the live catalogue. If its file is new or was damaged, the delivered changes of the
/// lake come first; those that are not delivered are still in the stream.
///
/// # Errors
/// When the file cannot be opened, or the lake cannot be listed.
pub fn open_catalogue(data_dir: &DataDir, lake: &Lake) -> Result<LiveCatalogue> {
    let path = data_dir.catalogue();
    let catalogue =
        LiveCatalogue::open(&path).with_context(|| format!("open {}", path.display()))?;
    if catalogue.is_fresh() {
        apply_delivered(&catalogue, lake)?;
    }
    Ok(catalogue)
}

/// The catalogue as far as its changes are delivered. This works beside a running server, which
/// has the catalogue's own file open.
///
/// # Errors
/// When the lake cannot be listed.
pub fn delivered_catalogue(lake: &Lake) -> Result<LiveCatalogue> {
    let catalogue = LiveCatalogue::in_memory();
    apply_delivered(&catalogue, lake)?;
    Ok(catalogue)
}

fn apply_delivered(catalogue: &LiveCatalogue, lake: &Lake) -> Result<()> {
    let changes = lake.catalogue_changes()?;
    for problem in &changes.problems {
        tracing::error!(problem, "changes of products in this file are left out");
    }
    for (position, change) in &changes.newest {
        catalogue.apply(*position, change);
    }
    Ok(())
}
