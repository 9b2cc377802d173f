//! Deciding, publishing and rolling back.

use cartwheel_ambient::Clock;
use cartwheel_registry::{Evaluation, Registry, Variant};
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::FunctionError;
use crate::deployment;
use crate::gate::{GateSettings, JudgedBy, judged_by};
use crate::verdict::{Outcome, Verdict, untrained};

/// The payload of `publish`.
#[derive(Debug, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase")]
pub enum Publish {
    /// Notes the gate's decision. A rejection releases the new features with the serving
    /// model or without a model.
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
        /// The endpoint that will score with the model.
        #[serde(default)]
        endpoint: Option<EndpointInput>,
    },
    /// Releases a feature set that no model was trained on, with the serving model or
    /// without a model.
    Features {
        /// The lake, `s3://bucket`.
        lake: String,
        /// Version of the feature set.
        feature_set: String,
        /// The gate's settings.
        #[serde(default)]
        gate: GateSettings,
        /// Whether the current release stands if its model does not have the new columns.
        #[serde(default)]
        keep: bool,
    },
    /// Fails, because the endpoint does not serve the run's model, unless the execution has been
    /// redriven since the attempt to update it.
    Endpoint {
        /// The lake, `s3://bucket`.
        lake: String,
        /// The run, which names the configuration that the endpoint should have.
        run: String,
        /// The endpoint.
        endpoint: String,
        /// Its status.
        status: String,
        /// The configuration that it has.
        config: String,
        /// Redrives of the execution at the attempt.
        attempt: u32,
        /// Redrives of the execution now.
        redrives: u32,
    },
    /// Releases a feature set with a model.
    Publish {
        /// The lake, `s3://bucket`.
        lake: String,
        /// Version of the feature set.
        feature_set: String,
        /// Version of the model.
        model: String,
        /// The variant of the endpoint that has the model.
        #[serde(default)]
        variant: Option<Variant>,
    },
    /// Makes a model the challenger of the current release.
    Challenge {
        /// The lake, `s3://bucket`.
        lake: String,
        /// Version of the model.
        model: String,
        /// The shoppers of a hundred for whom it ranks; 0 ends it.
        percent: u8,
    },
    /// Releases the previous release again.
    Rollback {
        /// The lake, `s3://bucket`.
        lake: String,
    },
}

/// The endpoint of the state machine's input.
#[derive(Debug, Deserialize)]
pub struct EndpointInput {
    /// Where models score.
    pub mode: EndpointMode,
    /// SageMaker's instance type.
    pub instance: String,
}

/// Where models score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EndpointMode {
    /// In the function that answers.
    Embedded,
    /// On an endpoint of SageMaker.
    Sagemaker,
}

impl Publish {
    /// The lake.
    pub fn lake(&self) -> &str {
        match self {
            Self::Decide { lake, .. }
            | Self::Features { lake, .. }
            | Self::Endpoint { lake, .. }
            | Self::Publish { lake, .. }
            | Self::Challenge { lake, .. }
            | Self::Rollback { lake } => lake,
        }
    }
}

/// What an evaluation is about, and the verdict on it.
#[derive(Deserialize)]
struct Evaluated {
    model: String,
    verdict: Option<Verdict>,
}

/// Decides, publishes or rolls back. Returns `{"release": …}`: the release that was
/// published, or null. `Features` adds the verdict if no model could be judged. `Decide` adds
/// `variant`, the one that the run's model will have, and `variants`, those that the endpoint
/// needs, as SageMaker's API takes them; without an endpoint, null and none.
///
/// # Errors
/// When the release cannot serve or the registry fails: the current release stands.
pub async fn publish(
    registry: &dyn Registry,
    clock: &Clock,
    payload: Publish,
) -> Result<Value, FunctionError> {
    let release = match payload {
        Publish::Decide { run, passed, feature_set, evaluation, endpoint, .. } => {
            let endpoint = endpoint.filter(|endpoint| endpoint.mode == EndpointMode::Sagemaker);
            let variants = match endpoint {
                Some(endpoint) => {
                    let next = deployment::next_variants(registry, &run).await?;
                    Some((next, endpoint.instance))
                }
                None => None,
            };
            let Evaluated { model, verdict } = Evaluated::deserialize(&evaluation)?;
            let decided_ms = clock.now_ms();
            let provisional = verdict.is_some_and(|v| v.outcome == Outcome::Provisional);
            let decision = Evaluation { run, passed, provisional, decided_ms, report: evaluation };
            let release = deployment::decide(registry, &feature_set, &model, decision).await?;
            let Some((variants, instance)) = variants else {
                return Ok(json!({"release": release, "variant": null, "variants": []}));
            };
            let production = variants.iter().map(|variant| {
                json!({
                    "VariantName": variant.name,
                    "ModelName": variant.model,
                    "InitialInstanceCount": 1,
                    "InstanceType": instance,
                    "InitialVariantWeight": 1,
                })
            });
            let production: Vec<Value> = production.collect();
            return Ok(json!({"release": release, "variant": variants[0], "variants": production}));
        }
        Publish::Features { feature_set, keep: true, .. } => {
            deployment::refresh_features(registry, &feature_set).await?
        }
        Publish::Endpoint { run, endpoint, status, config, attempt, redrives, .. } => {
            if redrives <= attempt {
                return Err(FunctionError::Endpoint { name: endpoint, status, config, run });
            }
            None
        }
        Publish::Features { feature_set, gate, .. } => {
            let release = deployment::publish_features(registry, &feature_set).await?;
            let manifest = registry.feature_set(&feature_set).await?;
            let too_few = manifest.filter(|m| judged_by(m, &gate) == JudgedBy::Nothing);
            let verdict = too_few.map(|manifest| untrained(&manifest, &gate));
            return Ok(json!({"release": release, "verdict": verdict}));
        }
        Publish::Publish { feature_set, model, variant, .. } => {
            Some(deployment::publish(registry, &feature_set, &model, variant).await?)
        }
        Publish::Challenge { model, percent, .. } => {
            Some(deployment::challenge(registry, &model, percent).await?)
        }
        Publish::Rollback { .. } => Some(deployment::rollback(registry).await?),
    };
    Ok(json!({"release": release}))
}
