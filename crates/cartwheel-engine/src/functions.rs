//! The functions of the state machine. Each takes the `Payload` of its task in
//! `infra/pipeline.asl.json` and returns the value that the next state reads.

mod error;
mod notice;
mod publish;

use std::io;

use cartwheel_feature_set::{FeatureSet, Manifest};
use cartwheel_forest::Forest;
use cartwheel_recommend::FEATURES;
use cartwheel_registry::{Artifacts, BundleParts, Pending, Registry, extract, pack};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::deployment::{DeploymentError, serving_model};
use crate::evaluation;
use crate::gate::{GateSettings, JudgedBy, ServingModel, judged_by};
use crate::search::{SearchRecord, SearchStep, step};
use crate::verdict::{judge, summary};

pub use error::{BoxError, FunctionError};
pub use notice::Notify;
pub use publish::{EndpointInput, EndpointMode, Publish, publish};

/// The records of a feature set's users, and the place that requests read them from.
pub trait UserRecords: Send + Sync {
    /// Lists the parts that the records of a feature set are stored in.
    fn parts<'a>(&'a self, feature_set: &'a str) -> Pending<'a, Result<Vec<String>, BoxError>>;

    /// Loads one part. Loading it again changes nothing.
    fn load<'a>(
        &'a self,
        feature_set: &'a str,
        part: &'a str,
    ) -> Pending<'a, Result<Loaded, BoxError>>;
}

/// What was loaded from a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Loaded {
    /// Users with a record in the part.
    pub users: usize,
    /// Items of the user store that their records take, where they are written to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<usize>,
}

/// The payload of `load`.
#[derive(Debug, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase")]
pub enum Load {
    /// Names the feature set that a run built, and the parts of its user records.
    List {
        /// The lake, `s3://bucket`.
        lake: String,
        /// The run.
        run: String,
        /// The gate's settings.
        #[serde(default)]
        gate: GateSettings,
    },
    /// Loads a part.
    Load {
        /// The lake, `s3://bucket`.
        lake: String,
        /// Version of the feature set.
        feature_set: String,
        /// A part that `List` named.
        part: String,
    },
    /// Decides the next step of the search for hyperparameters.
    Search(Box<SearchStep>),
}

impl Load {
    /// The lake.
    pub fn lake(&self) -> &str {
        match self {
            Self::List { lake, .. } | Self::Load { lake, .. } => lake,
            Self::Search(step) => &step.lake,
        }
    }
}

/// Lists the parts of user records, loads one, or searches for hyperparameters. The list says
/// what a model of the feature set is judged by, and which folds of cross-validation are trained
/// for that.
///
/// # Errors
/// When the run has not built a feature set, or a part cannot be read or written. The same
/// call may be repeated.
pub async fn load(
    registry: &dyn Registry,
    users: &dyn UserRecords,
    payload: Load,
) -> Result<Value, FunctionError> {
    match payload {
        Load::List { run, gate, .. } => {
            let built = registry.built_by(&run).await?;
            let version = built.ok_or(FunctionError::NotBuilt(run))?;
            let manifest = manifest(registry, &version).await?;
            let parts = users.parts(&manifest.version).await.map_err(FunctionError::Users)?;
            let judged_by = judged_by(&manifest, &gate);
            let hyperparameters = manifest.hyperparameters();
            let folds = match judged_by {
                JudgedBy::CrossValidation => manifest.cross_folds,
                JudgedBy::Gate | JudgedBy::Nothing => Vec::new(),
            };
            Ok(json!({
                "feature_set": manifest.version,
                "parts": parts,
                "judged_by": judged_by,
                "folds": folds,
                "hyperparameters": hyperparameters,
            }))
        }
        Load::Load { feature_set, part, .. } => {
            let loaded = users.load(&feature_set, &part).await.map_err(FunctionError::Users)?;
            Ok(serde_json::to_value(loaded)?)
        }
        Load::Search(payload) => {
            let manifest = manifest(registry, &payload.feature_set).await?;
            Ok(serde_json::to_value(step(&payload, &manifest))?)
        }
    }
}

async fn manifest(registry: &dyn Registry, version: &str) -> Result<Manifest, FunctionError> {
    let manifest = registry.feature_set(version).await?;
    Ok(manifest.ok_or_else(|| DeploymentError::NoFeatureSet(version.to_owned()))?)
}

/// The payload of `evaluate`.
#[derive(Debug, Deserialize)]
pub struct Evaluate {
    /// The lake, `s3://bucket`.
    pub lake: String,
    /// Version of the feature set that the model was trained on.
    pub feature_set: String,
    /// The `model.tar.gz` of the training job, an address in the lake.
    pub artifacts: String,
    /// The hyperparameters of the training job.
    #[serde(default)]
    pub hyperparameters: Value,
    /// What the search for hyperparameters tried.
    #[serde(default)]
    pub search: Option<SearchRecord>,
    /// The models of cross-validation; empty if the gate judges.
    #[serde(default)]
    pub folds: Vec<FoldArtifacts>,
    /// The gate's settings.
    #[serde(default)]
    pub gate: GateSettings,
}

/// The model of one fold of cross-validation.
#[derive(Debug, Deserialize)]
pub struct FoldArtifacts {
    /// The fold.
    pub fold: u32,
    /// The `model.tar.gz` of its training job, an address in the lake.
    pub artifacts: String,
}

impl Evaluate {
    /// The name of an archive in the lake, `None` if it is somewhere else.
    pub fn inside<'a>(&self, artifacts: &'a str) -> Option<&'a str> {
        artifacts.strip_prefix(self.lake.trim_end_matches('/'))?.strip_prefix('/')
    }
}

/// The output of training jobs.
#[derive(Debug, Default)]
pub struct Archives {
    /// The archive of [`Evaluate::artifacts`].
    pub model: Vec<u8>,
    /// The archives of [`Evaluate::folds`], in the same order.
    pub folds: Vec<Vec<u8>>,
}

/// Evaluates a model on users of its feature set, and judges it: by the gate users against
/// the serving model or popularity, or by cross-validation if there are folds. The archive of
/// the model becomes a bundle of the registry. Evaluation takes all cores until it is done.
///
/// # Errors
/// When a file is missing or the model cannot be evaluated.
pub async fn evaluate(
    registry: &dyn Registry,
    archives: &Archives,
    payload: Evaluate,
) -> Result<Value, FunctionError> {
    let version = payload.feature_set.as_str();
    let artifacts = match payload.folds.is_empty() {
        true => Artifacts::Gate(version),
        false => Artifacts::CrossValidation(version),
    };
    let copy = registry.local_copy(artifacts).await?;
    let set = FeatureSet::open(&copy.feature_set(version))?;
    let damaged = |artifacts: &String| {
        let artifacts = artifacts.clone();
        move |source| FunctionError::Archive { artifacts, source }
    };
    let model = extract(&archives.model).map_err(damaged(&payload.artifacts))?;
    let mut folds = Vec::new();
    for (fold, archive) in payload.folds.iter().zip(&archives.folds) {
        let forest = extract(archive)
            .and_then(|model| Forest::from_bytes(&model).map_err(io::Error::other))
            .map_err(damaged(&fold.artifacts))?;
        folds.push((fold.fold, forest));
    }
    let bundle = pack(&BundleParts {
        model: &model,
        scaler: &set.scaler()?,
        features: &FEATURES,
        metrics: json!([]),
        parameters: payload.hyperparameters,
        feature_set: &set.manifest.version,
        schema_hash: &set.manifest.schema_hash,
    })?;
    registry.put_bundle(&bundle).await?;
    let version = bundle.version.as_str();
    let serving = serving_model(registry, &set.manifest.schema_hash).await?;
    let report = if folds.is_empty() {
        let standard = ServingModel::standard(serving.as_ref());
        let mut versions = vec![version];
        versions.extend(standard.filter(|standard| *standard != version));
        let bundles = registry.local_copy(Artifacts::Models(&versions)).await?;
        evaluation::evaluate(&bundles.models(), &set, Some(version), standard)?
    } else {
        evaluation::cross_validate(&set, version, folds)?
    };
    let verdict = judge(&report, &set.manifest, &payload.gate, serving.as_ref());
    Ok(summary(version, &report, &verdict, &set.manifest, payload.search.as_ref())?)
}
