//! Every model that was trained, and what became of it.

use std::io::{self, Write};
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bundle::BundleManifest;
use crate::release::{current, previous};

const EVALUATION: &str = "evaluation.json";

/// Where a model stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelStatus {
    /// Trained, not decided upon.
    Candidate,
    /// It answers requests.
    Serving,
    /// It answered before the one that does now.
    Previous,
    /// It served before that.
    Retired,
    /// It did not pass the gate.
    Rejected,
}

/// What the gate decided, and on what grounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The pipeline's execution that decided.
    pub run: String,
    /// Whether it passed.
    pub passed: bool,
    /// When, UTC milliseconds.
    pub decided_ms: i64,
    /// The figures.
    pub report: Value,
}

/// A model of the registry.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelRecord {
    /// Where it comes from: feature set, parameters, hash.
    #[serde(flatten)]
    pub manifest: BundleManifest,
    /// Where it stands.
    pub status: ModelStatus,
    /// When it was written, UTC milliseconds.
    pub created_ms: i64,
    /// Metrics of its last round of training.
    pub metrics: Value,
    /// What the gate decided.
    pub evaluation: Option<Evaluation>,
}

/// Notes what the gate decided on a model.
///
/// # Errors
/// When the file cannot be written.
pub fn decide(models: &Path, version: &str, evaluation: &Evaluation) -> io::Result<()> {
    let dir = models.join(version);
    let scratch = dir.join(format!(".{EVALUATION}-{}", std::process::id()));
    let mut file = std::fs::File::create(&scratch)?;
    file.write_all(&serde_json::to_vec_pretty(evaluation)?)?;
    file.sync_all()?;
    std::fs::rename(&scratch, dir.join(EVALUATION))?;
    std::fs::File::open(&dir)?.sync_all()
}

/// Every model, the newest first. What is no bundle is passed over.
///
/// # Errors
/// When the release cannot be read.
pub fn list(models: &Path, releases: &Path) -> io::Result<Vec<ModelRecord>> {
    let serving = current(releases)?.and_then(|release| release.model);
    let before = previous(releases)?.and_then(|release| release.model);
    let entries = match std::fs::read_dir(models) {
        Ok(entries) => entries.flatten().collect(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(e) => return Err(e),
    };
    let mut found: Vec<ModelRecord> = Vec::new();
    for dir in entries.iter().map(std::fs::DirEntry::path) {
        let path = dir.join("manifest.json");
        let Ok(bytes) = std::fs::read(&path) else { continue };
        let Ok(manifest) = serde_json::from_slice::<BundleManifest>(&bytes) else { continue };
        let written = std::fs::metadata(&path)?.modified()?;
        let created_ms = written.duration_since(UNIX_EPOCH).map_or(0, |age| age.as_millis() as i64);
        let evaluation = std::fs::read(dir.join(EVALUATION)).ok();
        let evaluation: Option<Evaluation> =
            evaluation.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let is = |version: &Option<String>| version.as_deref() == Some(&manifest.version);
        let status = match evaluation.as_ref().map(|evaluation| evaluation.passed) {
            _ if is(&serving) => ModelStatus::Serving,
            _ if is(&before) => ModelStatus::Previous,
            Some(true) => ModelStatus::Retired,
            Some(false) => ModelStatus::Rejected,
            None => ModelStatus::Candidate,
        };
        let metrics = std::fs::read(dir.join("metrics.json")).unwrap_or_default();
        let metrics: Value = serde_json::from_slice(&metrics).unwrap_or_default();
        let last = metrics.as_array().and_then(|rounds| rounds.last()).cloned();
        let metrics = last.unwrap_or_default();
        found.push(ModelRecord { manifest, status, created_ms, metrics, evaluation });
    }
    found.sort_by(|a, b| {
        b.created_ms.cmp(&a.created_ms).then_with(|| a.manifest.version.cmp(&b.manifest.version))
    });
    Ok(found)
}
