//! The models of a data directory: list, deploy, roll back.

use std::future::Future;

use anyhow::{Context as _, Result};
use cartwheel_engine::deployment::{self, DeploymentError};
use cartwheel_registry::{LocalRegistry, ModelRecord, Release};

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

/// Deploys a model, as [`deployment::deploy`] does. Blocks.
///
/// # Errors
/// When the model does not exist or cannot serve.
pub fn deploy(data_dir: &DataDir, version: &str) -> Result<Release> {
    wait(deployment::deploy(&LocalRegistry::new(data_dir.lake()), version))
}

/// Makes a model the challenger, as [`deployment::challenge`] does. Blocks.
///
/// # Errors
/// When the model does not exist or cannot serve, or no other model serves.
pub fn challenge(data_dir: &DataDir, version: &str, percent: u8) -> Result<Release> {
    wait(deployment::challenge(&LocalRegistry::new(data_dir.lake()), version, percent))
}

/// Rolls back to the previous release, as [`deployment::rollback`] does. Blocks.
///
/// # Errors
/// When there is no previous release, or it cannot serve.
pub fn rollback(data_dir: &DataDir) -> Result<Release> {
    wait(deployment::rollback(&LocalRegistry::new(data_dir.lake()))).context("rollback")
}

/// Waits for the local registry, which blocks and needs no reactor.
fn wait(deployed: impl Future<Output = Result<Release, DeploymentError>>) -> Result<Release> {
    Ok(tokio::runtime::Builder::new_current_thread().build()?.block_on(deployed)?)
}
