//! Models as the API shows them.

use std::collections::BTreeMap;

use cartwheel_engine::Report;
use serde::Serialize;
use utoipa::ToSchema;

/// Where a model stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
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
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ModelEvaluation {
    /// The run that decided.
    pub run: String,
    /// Whether it passed.
    pub passed: bool,
    /// When, UTC milliseconds.
    pub decided_ms: i64,
    /// The figures; null where they cannot be read.
    pub report: Option<Report>,
}

/// A model.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Model)]
pub struct ModelView {
    /// Its name.
    pub version: String,
    /// Where it stands.
    pub status: ModelStatus,
    /// When it was written, UTC milliseconds.
    pub created_ms: i64,
    /// The feature set it was trained on.
    pub feature_set: String,
    /// Hash of its columns.
    pub schema_hash: String,
    /// SHA-256 of the model file, hexadecimal.
    pub model_sha256: String,
    /// Hyperparameters, by name.
    pub parameters: BTreeMap<String, String>,
    /// One sentence on what it is worth.
    pub verdict: String,
    /// What the gate decided, if it has.
    pub evaluation: Option<ModelEvaluation>,
}

/// A metric over the rounds of training.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct LearningCurve {
    /// Such as `auc` or `logloss`.
    pub metric: String,
    /// On the training rows, one value a round.
    pub train: Vec<f64>,
    /// On the validation rows; empty without any.
    pub valid: Vec<f64>,
}

/// What a feature did for a model.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct FeatureImportance {
    /// The feature.
    pub feature: String,
    /// Loss that its splits saved, summed.
    pub gain: f64,
    /// Splits on it.
    pub splits: u64,
}

/// All of a model.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ModelDetail {
    /// As in the list.
    #[serde(flatten)]
    pub model: ModelView,
    /// Trees.
    pub trees: u64,
    /// One a metric.
    pub learning: Vec<LearningCurve>,
    /// By gain, falling.
    pub importance: Vec<FeatureImportance>,
}

/// A feature set and a model that serve together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Release)]
pub struct ReleaseView {
    /// Version of the feature set.
    pub feature_set: String,
    /// Version of the model; null before the first training.
    pub model: Option<String>,
    /// Hash of the columns that both agree on.
    pub schema_hash: String,
}

impl ReleaseView {
    /// Its name in `EngineStatus::release` and in impressions.
    pub(crate) fn name(&self) -> String {
        format!("{}+{}", self.feature_set, self.model.as_deref().unwrap_or("none"))
    }
}
