//! The functions of the state machine. Each takes the `Payload` of its task in
//! `infra/pipeline.asl.json` and returns the value that the next state reads.

use std::error::Error;
use std::io;

use cartwheel_ambient::Clock;
use cartwheel_feature_set::{FeatureSet, SetError};
use cartwheel_recommend::FEATURES;
use cartwheel_registry::{
    Artifacts, BundleError, BundleParts, Evaluation, Pending, Registry, RegistryError, extract,
    pack,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::deployment::{self, DeploymentError, serving_model};
use crate::evaluation::{Refused, evaluate as judge};
use crate::gate::summary;

/// An error of any kind.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Why a function failed. The text becomes the cause of the task's failure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FunctionError {
    /// The payload differs from what the state machine sends.
    #[error("payload: {0}")]
    Payload(#[from] serde_json::Error),
    /// The registry does not answer.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The release was not published.
    #[error(transparent)]
    Deployment(#[from] DeploymentError),
    /// The run has not built a feature set.
    #[error("the run {0:?} has not built a feature set")]
    NotBuilt(String),
    /// The feature set cannot be read.
    #[error(transparent)]
    Set(#[from] SetError),
    /// The output of training is not an archive with a model.
    #[error("{artifacts}: {source}")]
    Archive {
        /// The archive.
        artifacts: String,
        /// What is wrong with it.
        source: io::Error,
    },
    /// The bundle cannot be packed.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The model cannot be evaluated.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The user records cannot be listed or loaded.
    #[error("user records: {0}")]
    Users(BoxError),
}

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
}

impl Load {
    /// The lake.
    pub fn lake(&self) -> &str {
        match self {
            Self::List { lake, .. } | Self::Load { lake, .. } => lake,
        }
    }
}

/// Lists the parts of user records, or loads one.
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
        Load::List { run, .. } => {
            let built = registry.built_by(&run).await?;
            let version = built.ok_or(FunctionError::NotBuilt(run))?;
            let manifest = registry.feature_set(&version).await?;
            let missing = || DeploymentError::NoFeatureSet(version.clone());
            let manifest = manifest.ok_or_else(missing)?;
            let parts = users.parts(&manifest.version).await.map_err(FunctionError::Users)?;
            Ok(json!({"feature_set": manifest.version, "parts": parts}))
        }
        Load::Load { feature_set, part, .. } => {
            let loaded = users.load(&feature_set, &part).await.map_err(FunctionError::Users)?;
            Ok(serde_json::to_value(loaded)?)
        }
    }
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
}

impl Evaluate {
    /// The name of the model archive in the lake, `None` if it is somewhere else.
    pub fn archive(&self) -> Option<&str> {
        self.artifacts.strip_prefix(self.lake.trim_end_matches('/'))?.strip_prefix('/')
    }
}

/// Evaluates a model on the gate users of its feature set, against the serving model or
/// popularity. `archive` is the output of the training job, which becomes a bundle of the
/// registry. Evaluation takes all cores until it is done.
///
/// # Errors
/// When a file is missing or the model cannot be evaluated.
pub async fn evaluate(
    registry: &dyn Registry,
    archive: &[u8],
    payload: Evaluate,
) -> Result<Value, FunctionError> {
    let gate = registry.local_copy(Artifacts::Gate(&payload.feature_set)).await?;
    let set = FeatureSet::open(&gate.feature_set(&payload.feature_set))?;
    let model = extract(archive)
        .map_err(|source| FunctionError::Archive { artifacts: payload.artifacts, source })?;
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
    let mut versions = vec![version];
    versions.extend(serving.as_deref().filter(|serving| *serving != version));
    let bundles = registry.local_copy(Artifacts::Models(&versions)).await?;
    let report = judge(&bundles.models(), &set, Some(version), serving.as_deref())?;
    Ok(summary(version, &report)?)
}

/// The payload of `publish`.
#[derive(Debug, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase")]
pub enum Publish {
    /// Notes the gate's decision. A rejection releases the new features with the serving
    /// model.
    Decide {
        /// The lake, `s3://bucket`.
        lake: String,
        /// The run.
        run: String,
        /// Whether the model passed.
        passed: bool,
        /// Version of the feature set.
        feature_set: String,
        /// The value that `evaluate` returned.
        evaluation: Value,
    },
    /// Releases a feature set with a model.
    Publish {
        /// The lake, `s3://bucket`.
        lake: String,
        /// Version of the feature set.
        feature_set: String,
        /// Version of the model.
        model: String,
    },
    /// Releases the previous release again.
    Rollback {
        /// The lake, `s3://bucket`.
        lake: String,
    },
}

impl Publish {
    /// The lake.
    pub fn lake(&self) -> &str {
        match self {
            Self::Decide { lake, .. } | Self::Publish { lake, .. } | Self::Rollback { lake } => {
                lake
            }
        }
    }
}

/// The model that an evaluation is about.
#[derive(Deserialize)]
struct Evaluated {
    model: String,
}

/// Decides, publishes or rolls back. Returns `{"release": …}`: the release that was
/// published, or null.
///
/// # Errors
/// When the release cannot serve or the registry fails: the current release stands.
pub async fn publish(
    registry: &dyn Registry,
    clock: &Clock,
    payload: Publish,
) -> Result<Value, FunctionError> {
    let release = match payload {
        Publish::Decide { run, passed, feature_set, evaluation, .. } => {
            let Evaluated { model } = Evaluated::deserialize(&evaluation)?;
            let decided_ms = clock.now_ms();
            let decision = Evaluation { run, passed, decided_ms, report: evaluation };
            deployment::decide(registry, &feature_set, &model, decision).await?
        }
        Publish::Publish { feature_set, model, .. } => {
            Some(deployment::publish(registry, &feature_set, &model).await?)
        }
        Publish::Rollback { .. } => Some(deployment::rollback(registry).await?),
    };
    Ok(json!({"release": release}))
}

/// The payload of `notify`: how a run ended.
#[derive(Debug, Deserialize)]
pub struct Notify {
    /// The run.
    pub run: String,
    /// `released`, `rejected` or `failed`.
    pub outcome: String,
    /// `Error` and `Cause` of a failed run.
    pub failure: Option<Value>,
    /// The value that `evaluate` returned.
    pub evaluation: Option<Value>,
    /// The value that `publish` returned.
    pub released: Option<Value>,
}

impl Notify {
    /// The subject of a notice, one line.
    pub fn subject(&self) -> String {
        format!("cartwheel: run {} {}", self.run, self.outcome)
    }

    /// The text of a notice.
    pub fn message(&self) -> String {
        let mut message = format!("Run {} ended: {}.\n", self.run, self.outcome);
        if let Some(failure) = &self.failure {
            let part = |name: &str| failure[name].as_str().unwrap_or_default().to_owned();
            message.push_str(&format!("Error: {}\nCause: {}\n", part("Error"), part("Cause")));
        }
        if let Some(evaluation) = &self.evaluation {
            message.push_str(&format!(
                "Model {}: Recall@10 {:+.4} against {} (standard error {:.4}, {} gate users).\n",
                evaluation["model"].as_str().unwrap_or_default(),
                evaluation["difference"].as_f64().unwrap_or_default(),
                evaluation["reference"].as_str().unwrap_or_default(),
                evaluation["standard_error"].as_f64().unwrap_or_default(),
                evaluation["users"],
            ));
        }
        if let Some(released) = self.released.as_ref().filter(|r| !r["release"].is_null()) {
            message.push_str(&format!("Released: {}\n", released["release"]));
        }
        message
    }
}
