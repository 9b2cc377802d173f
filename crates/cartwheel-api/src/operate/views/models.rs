//! Models as the API shows them.

use std::collections::BTreeMap;

use cartwheel_engine::{Report, SearchRecord, SourceSearch, Verdict};
use serde::Serialize;
use utoipa::ToSchema;

/// The status of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ModelStatus {
    /// Trained; the gate has not decided.
    Candidate,
    /// It serves.
    Serving,
    /// It ranks for a share of the shoppers, beside the serving model.
    Challenger,
    /// It served before the current model.
    Previous,
    /// It served earlier.
    Retired,
    /// The gate rejected it.
    Rejected,
}

/// The gate's decision with its report.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ModelEvaluation {
    /// The run of the pipeline that decided.
    pub run: String,
    /// Whether the model passed.
    pub passed: bool,
    /// The decision with its reason, advice and figures; null in decisions of early versions.
    pub verdict: Option<Verdict>,
    /// The time of the decision, UTC milliseconds.
    pub decided_ms: i64,
    /// The report; null if it cannot be read.
    pub report: Option<Report>,
    /// What the search for hyperparameters tried; null in decisions of early versions.
    pub search: Option<SearchRecord>,
    /// How the parameters of the sources of the model's feature set were chosen; null in decisions of
    /// early versions.
    pub sources: Option<SourceSearch>,
}

/// A model.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Model)]
pub struct ModelView {
    /// The version.
    pub version: String,
    /// The status.
    pub status: ModelStatus,
    /// The time of training, UTC milliseconds.
    pub created_ms: i64,
    /// The feature set it was trained on.
    pub feature_set: String,
    /// The hash of its columns.
    pub schema_hash: String,
    /// SHA-256 of the model file, in hexadecimal.
    pub model_sha256: String,
    /// Hyperparameters, by name.
    pub parameters: BTreeMap<String, String>,
    /// The reason of the gate's verdict in one sentence, or the quality if it has none.
    pub verdict: String,
    /// The gate's decision, if it has decided.
    pub evaluation: Option<ModelEvaluation>,
}

/// A metric over the rounds of training.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct LearningCurve {
    /// The metric, such as `auc` or `logloss`.
    pub metric: String,
    /// Values on the training rows, one per round.
    pub train: Vec<f64>,
    /// Values on the validation rows; empty without validation rows.
    pub valid: Vec<f64>,
}

/// The importance of a feature in a model.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct FeatureImportance {
    /// The feature.
    pub feature: String,
    /// The sum of the loss reductions of its splits.
    pub gain: f64,
    /// The number of its splits.
    pub splits: u64,
}

/// A model in detail.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ModelDetail {
    /// The model's entry in the list.
    #[serde(flatten)]
    pub model: ModelView,
    /// The number of trees.
    pub trees: u64,
    /// Learning curves, one per metric.
    pub learning: Vec<LearningCurve>,
    /// Features by falling gain.
    pub importance: Vec<FeatureImportance>,
}

/// A feature set with the model that ranks on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Release)]
pub struct ReleaseView {
    /// The version of the feature set.
    pub feature_set: String,
    /// The version of the model; null before the first training.
    pub model: Option<String>,
    /// The hash of the columns that both share.
    pub schema_hash: String,
}

impl ReleaseView {
    /// The release's name in `EngineStatus::release` and in impressions.
    pub(crate) fn name(&self) -> String {
        format!("{}+{}", self.feature_set, self.model.as_deref().unwrap_or("none"))
    }
}
