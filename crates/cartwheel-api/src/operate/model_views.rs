//! The models of a registry in the shapes of the API. A local registry blocks while it reads.

use cartwheel_engine::{NOT_EVALUATED, Report, recorded};
use cartwheel_registry::layout::METRICS;
use cartwheel_registry::{
    Artifacts, Evaluation, ModelRecord, ModelStatus as Status, Registry, RegistryError,
};
use serde::Deserialize;
use serde_json::Value;

use crate::operate::views::models::{
    FeatureImportance, LearningCurve, ModelDetail, ModelEvaluation, ModelStatus, ModelView,
};

/// Lists models, newest first.
///
/// # Errors
/// When the registry cannot be read.
pub(crate) async fn list(registry: &dyn Registry) -> Result<Vec<ModelView>, String> {
    let records = registry.models().await.map_err(|error| error.to_string())?;
    Ok(records.into_iter().map(view).collect())
}

/// Whether the registry has a model.
///
/// # Errors
/// When the registry cannot be read.
pub(crate) async fn is_known(registry: &dyn Registry, version: &str) -> Result<bool, String> {
    match registry.model(version).await {
        Ok(found) => Ok(found.is_some()),
        Err(RegistryError::Name(_)) => Ok(false),
        Err(error) => Err(error.to_string()),
    }
}

/// A model in detail. `None` if it does not exist.
///
/// # Errors
/// When it cannot be read.
pub(crate) async fn find(
    registry: &dyn Registry,
    version: &str,
) -> Result<Option<ModelDetail>, String> {
    let records = registry.models().await.map_err(|error| error.to_string())?;
    let found = records.into_iter().find(|record| record.manifest.version == version);
    let Some(record) = found else { return Ok(None) };
    let copied = registry.local_copy(Artifacts::Trained(version)).await;
    // A temporary copy exists as long as this value.
    let copy = copied.map_err(|error| error.to_string())?;
    let models = copy.models();
    let bundle = cartwheel_registry::read(&models, version).map_err(|error| error.to_string())?;
    let unread = |why: &dyn std::fmt::Display| format!("{METRICS} of {version}: {why}");
    let rounds = std::fs::read(models.join(version).join(METRICS)).map_err(|e| unread(&e))?;
    let rounds: Vec<Round> = serde_json::from_slice(&rounds).map_err(|e| unread(&e))?;
    let mut importance: Vec<FeatureImportance> = bundle
        .forest
        .importance()
        // A model file without statistics can serve.
        .unwrap_or_default()
        .iter()
        .zip(cartwheel_recommend::FEATURES)
        .map(|(feature, name)| FeatureImportance {
            feature: name.to_owned(),
            gain: feature.gain,
            splits: feature.splits as u64,
        })
        .collect();
    importance.sort_by(|a, b| b.gain.total_cmp(&a.gain));
    Ok(Some(ModelDetail {
        model: view(record),
        trees: bundle.forest.trees() as u64,
        learning: curves(&rounds),
        importance,
    }))
}

fn view(record: ModelRecord) -> ModelView {
    let mut sentence = format!("{NOT_EVALUATED}.");
    let evaluation = record.evaluation.map(|evaluation| {
        let verdict = recorded::verdict(&evaluation);
        let report = match Report::deserialize(&evaluation.report["report"]) {
            Ok(report) => {
                let quality = || format!("{}.", report.quality());
                sentence = verdict.as_ref().map_or_else(quality, |v| v.reason.clone());
                Some(report)
            }
            Err(error) => {
                sentence = format!("The report of run {} cannot be read: {error}.", evaluation.run);
                tracing::error!(run = evaluation.run, %error, "cannot read an evaluation report");
                None
            }
        };
        let search = recorded::search(&evaluation);
        let sources = recorded::sources(&evaluation);
        let Evaluation { run, passed, decided_ms, .. } = evaluation;
        ModelEvaluation { run, passed, verdict, decided_ms, report, search, sources }
    });
    let manifest = record.manifest;
    let parameters = manifest.parameters.as_object().cloned().unwrap_or_default();
    let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    ModelView {
        status: match record.status {
            Status::Candidate => ModelStatus::Candidate,
            Status::Serving => ModelStatus::Serving,
            Status::Challenger => ModelStatus::Challenger,
            Status::Previous => ModelStatus::Previous,
            Status::Retired => ModelStatus::Retired,
            Status::Rejected => ModelStatus::Rejected,
        },
        created_ms: record.created_ms,
        verdict: sentence,
        evaluation,
        version: manifest.version,
        feature_set: manifest.feature_set,
        schema_hash: manifest.schema_hash,
        model_sha256: manifest.model_sha256,
        parameters: parameters.into_iter().map(|(name, value)| (name, text(value))).collect(),
    }
}

/// One round of training in a bundle's metrics.
#[derive(Deserialize)]
struct Round {
    metrics: Vec<(String, f64)>,
}

/// Groups `train-auc`, `valid-auc` and so on, given by round, into one curve per metric.
fn curves(rounds: &[Round]) -> Vec<LearningCurve> {
    let mut curves: Vec<LearningCurve> = Vec::new();
    for (name, value) in rounds.iter().flat_map(|round| &round.metrics) {
        let Some((rows, metric)) = name.split_once('-') else { continue };
        let at = curves.iter().position(|curve| curve.metric == metric).unwrap_or_else(|| {
            let metric = metric.to_owned();
            curves.push(LearningCurve { metric, train: Vec::new(), valid: Vec::new() });
            curves.len() - 1
        });
        let curve = &mut curves[at];
        if rows == "train" { &mut curve.train } else { &mut curve.valid }.push(*value);
    }
    curves
}
