//! Trained models and their status.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bundle::BundleManifest;
use crate::release::Release;

/// The status of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelStatus {
    /// Trained; the gate has not decided.
    Candidate,
    /// Part of the current release.
    Serving,
    /// It ranks for a share of the shoppers, beside the model of the current release.
    Challenger,
    /// Part of the previous release.
    Previous,
    /// Accepted by the gate and since replaced.
    Retired,
    /// Rejected by the gate.
    Rejected,
}

/// The gate's decision on a model, with the figures behind it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The pipeline's execution that decided.
    pub run: String,
    /// Whether the model passed.
    pub passed: bool,
    /// Whether it passed by cross-validation only, until the gate can compare models.
    #[serde(default)]
    pub provisional: bool,
    /// Time of the decision, UTC milliseconds.
    pub decided_ms: i64,
    /// The figures.
    pub report: Value,
}

/// A model of the registry.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelRecord {
    /// Its origin: feature set, parameters, hash.
    #[serde(flatten)]
    pub manifest: BundleManifest,
    /// Its status.
    pub status: ModelStatus,
    /// Time of the bundle's manifest, UTC milliseconds.
    pub created_ms: i64,
    /// Metrics of its last round of training.
    pub metrics: Value,
    /// The gate's decision, if there is one.
    pub evaluation: Option<Evaluation>,
}

/// The content of the files that a [`ModelRecord`] is made from.
#[derive(Debug, Clone, Default)]
pub struct ModelFiles {
    /// `manifest.json`.
    pub manifest: Vec<u8>,
    /// Time of `manifest.json`, UTC milliseconds.
    pub created_ms: i64,
    /// `metrics.json`, if it exists.
    pub metrics: Option<Vec<u8>>,
    /// `evaluation.json`, if it exists.
    pub evaluation: Option<Vec<u8>>,
}

/// Makes the records of models, the newest first. Files without a readable manifest are
/// left out; damaged metrics and evaluations count as absent.
pub fn records(
    files: Vec<ModelFiles>,
    current: Option<&Release>,
    previous: Option<&Release>,
) -> Vec<ModelRecord> {
    let model = |release: Option<&Release>| release.and_then(|release| release.model.clone());
    let (serving, before) = (model(current), model(previous));
    let challenger = current.and_then(|release| release.challenger.as_ref());
    let challenger = challenger.map(|challenger| challenger.model.as_str());
    let record = |files: ModelFiles| {
        let manifest: BundleManifest = serde_json::from_slice(&files.manifest).ok()?;
        let evaluation = files.evaluation.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let roles = [
            (serving.as_deref(), ModelStatus::Serving),
            (challenger, ModelStatus::Challenger),
            (before.as_deref(), ModelStatus::Previous),
        ];
        let status = status(&manifest.version, &roles, &evaluation);
        let rounds = files.metrics.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        let last = rounds.as_ref().and_then(|rounds| rounds.as_array()?.last().cloned());
        Some(ModelRecord {
            manifest,
            status,
            created_ms: files.created_ms,
            metrics: last.unwrap_or_default(),
            evaluation,
        })
    };
    let mut records: Vec<ModelRecord> = files.into_iter().filter_map(record).collect();
    records.sort_by(|a, b| {
        b.created_ms.cmp(&a.created_ms).then_with(|| a.manifest.version.cmp(&b.manifest.version))
    });
    records
}

/// The first role that a model has in the releases, or the decision of the gate.
fn status(
    version: &str,
    roles: &[(Option<&str>, ModelStatus)],
    evaluation: &Option<Evaluation>,
) -> ModelStatus {
    if let Some((_, status)) = roles.iter().find(|(model, _)| *model == Some(version)) {
        return *status;
    }
    match evaluation.as_ref().map(|evaluation| evaluation.passed) {
        Some(true) => ModelStatus::Retired,
        Some(false) => ModelStatus::Rejected,
        None => ModelStatus::Candidate,
    }
}
