//! The models of a data directory: list, deploy, roll back.

use anyhow::{Context as _, Result};
use cartwheel_engine::Opened;
use cartwheel_registry::{ModelRecord, Release};

use crate::data_dir::DataDir;

/// Lists every model, newest first.
///
/// # Errors
/// When the registry cannot be read.
pub fn list(data_dir: &DataDir) -> Result<Vec<ModelRecord>> {
    Ok(cartwheel_registry::list(&data_dir.models(), &data_dir.releases())?)
}

/// Finds a model.
///
/// # Errors
/// When it does not exist.
pub fn find(data_dir: &DataDir, version: &str) -> Result<ModelRecord> {
    let found = list(data_dir)?.into_iter().find(|model| model.manifest.version == version);
    found.with_context(|| format!("there is no model {version:?}: see `cartwheel models list`"))
}

/// Serves a model: with the serving features if they have its columns, else with
/// those it was trained on.
pub fn deploy(data_dir: &DataDir, version: &str) -> Result<Release> {
    let model = find(data_dir, version)?.manifest;
    let current = cartwheel_registry::current(&data_dir.releases())?;
    let features = current.filter(|release| release.schema_hash == model.schema_hash);
    let release = Release {
        feature_set: features.map_or(model.feature_set, |release| release.feature_set),
        model: Some(model.version),
        schema_hash: model.schema_hash,
    };
    Opened::open(&data_dir.lake(), &release, "UTC").context("the model cannot serve")?;
    cartwheel_registry::publish(&data_dir.releases(), &release)?;
    Ok(release)
}

/// Serves the previous release again; where its features are no longer there, its model
/// with those that are.
pub fn rollback(data_dir: &DataDir) -> Result<Release> {
    let previous = cartwheel_registry::previous(&data_dir.releases())?;
    if let Some(Release { feature_set, model: Some(model), .. }) = previous
        && !data_dir.features().join(feature_set).exists()
    {
        return deploy(data_dir, &model).context("rollback");
    }
    cartwheel_registry::rollback(&data_dir.releases()).context("rollback")
}
