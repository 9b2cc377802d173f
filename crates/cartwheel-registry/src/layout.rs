//! Names of the files in a lake that hold releases, models, feature sets and documents.
//!
//! Names are relative to the lake and separated by `/`: they are paths in a local lake and
//! keys in an object store.

use cartwheel_feature_set::files;

use crate::error::RegistryError;

/// The folder of releases.
pub const RELEASES: &str = "releases";
/// The release that serves, in [`RELEASES`].
pub const CURRENT: &str = "current.json";
/// The release that served before it, in [`RELEASES`].
pub const PREVIOUS: &str = "previous.json";

/// The folder of model bundles, one folder for each version.
pub const MODELS: &str = "models";
/// The model file, packed as SageMaker's XGBoost container takes it.
pub const ARCHIVE: &str = "model.tar.gz";
/// The model file in [`ARCHIVE`].
pub const MODEL: &str = "xgboost-model";
/// Mean and standard deviation of each column.
pub const SCALER: &str = "scaler.json";
/// Names of the columns.
pub const COLUMNS: &str = "features.json";
/// Metrics of training, round by round.
pub const METRICS: &str = "metrics.json";
/// The bundle's [`BundleManifest`](crate::BundleManifest). It is written last: a folder
/// without it is not a bundle.
pub const MANIFEST: &str = "manifest.json";
/// The gate's [`Evaluation`](crate::Evaluation) of the model.
pub const EVALUATION: &str = "evaluation.json";
/// The files of a bundle that a model is read from.
pub const BUNDLE: [&str; 4] = [MANIFEST, SCALER, COLUMNS, ARCHIVE];

/// The folder of feature sets, one folder for each version.
pub const FEATURES: &str = "features";
/// The folder of what trainings write besides bundles, one folder for each job.
pub const TRAINING: &str = "training";
/// The folder in [`FEATURES`] that notes which feature set each run built.
pub const RUNS: &str = "runs";

/// The folder of documents, one folder for each.
pub const DOCUMENTS: &str = "documents";
/// The folder of a document's earlier versions, in the document's folder.
pub const HISTORY: &str = "history";

/// The name of the release that serves.
pub fn current() -> String {
    format!("{RELEASES}/{CURRENT}")
}

/// The name of the release that served before it.
pub fn previous() -> String {
    format!("{RELEASES}/{PREVIOUS}")
}

/// The name of a file of a model's bundle.
///
/// # Errors
/// When `version` cannot be a version.
pub fn model_file(version: &str, file: &str) -> Result<String, RegistryError> {
    Ok(format!("{MODELS}/{}/{file}", plain(version)?))
}

/// The name of a feature set's manifest.
///
/// # Errors
/// When `version` cannot be a version.
pub fn set_manifest(version: &str) -> Result<String, RegistryError> {
    Ok(format!("{FEATURES}/{}/{}", plain(version)?, files::MANIFEST))
}

/// The names in the lake of some of the [`files`] of a feature set.
pub(crate) fn set_files(version: &str, names: &[&str]) -> Result<Vec<String>, RegistryError> {
    let version = plain(version)?;
    Ok(names.iter().map(|file| format!("{FEATURES}/{version}/{file}")).collect())
}

/// The name of the note of the feature set that a run built.
///
/// # Errors
/// When `run` cannot be the name of a run.
pub fn run_note(run: &str) -> Result<String, RegistryError> {
    Ok(format!("{FEATURES}/{RUNS}/{}.json", plain(run)?))
}

/// The name of the archive that a training job writes.
///
/// # Errors
/// When `job` cannot be the name of a job.
pub fn training_output(job: &str) -> Result<String, RegistryError> {
    Ok(format!("{TRAINING}/{}/output/{ARCHIVE}", plain(job)?))
}

/// The name of the newest version of a document.
///
/// # Errors
/// When `name` cannot be the name of a document.
pub fn document(name: &str) -> Result<String, RegistryError> {
    Ok(format!("{DOCUMENTS}/{}/{CURRENT}", plain(name)?))
}

/// The name of the folder of a document's earlier versions.
///
/// # Errors
/// When `name` cannot be the name of a document.
pub fn document_history(name: &str) -> Result<String, RegistryError> {
    Ok(format!("{DOCUMENTS}/{}/{HISTORY}", plain(name)?))
}

/// The name of an earlier version of a document.
///
/// # Errors
/// When `name` cannot be the name of a document.
pub fn document_version(name: &str, version: u64) -> Result<String, RegistryError> {
    Ok(format!("{}/{version}.json", document_history(name)?))
}

/// The number of the version that a file of a document's history holds.
pub fn version_of(file: &str) -> Option<u64> {
    file.strip_suffix(".json")?.parse().ok()
}

/// Admits names that stay in their folder: letters, digits, `-`, `_` and inner dots.
fn plain(name: &str) -> Result<&str, RegistryError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !name.is_empty() && !name.starts_with('.') && name.chars().all(allowed) {
        return Ok(name);
    }
    Err(RegistryError::Name(name.to_owned()))
}
