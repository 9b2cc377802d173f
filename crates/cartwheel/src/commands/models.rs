//! `models`: the registry, deployment and rollback.

mod args;

use anyhow::{Context, Result};
use cartwheel_registry::{ModelRecord, ModelStatus, Release};

use crate::audit::AuditFile;
use crate::data_dir::DataDir;
use crate::show::result;
pub use args::Models;
use cartwheel_engine::Opened;

pub fn run(place: &DataDir, command: Models, json: bool) -> Result<()> {
    match command {
        Models::List => {
            let models = list(place)?;
            result(json, &models, || table(&models));
        }
        Models::Show { version } => {
            let model = find(place, &version)?;
            let text = serde_json::to_string_pretty(&model)?;
            result(json, &model, || text);
        }
        Models::Deploy { version } => {
            let deploy = || deploy(place, &version);
            let release =
                AuditFile::new(place).command("models deploy", &[("version", &version)], deploy)?;
            result(json, &release, || format!("{version} serves with {}", release.feature_set));
        }
        Models::Rollback => {
            let release =
                AuditFile::new(place).command("models rollback", &[], || rollback(place))?;
            result(json, &release, || {
                let model = release.model.as_deref().unwrap_or("no model");
                format!("{model} serves again with {}", release.feature_set)
            });
        }
    }
    Ok(())
}

/// Every model, the newest first.
pub fn list(place: &DataDir) -> Result<Vec<ModelRecord>> {
    Ok(cartwheel_registry::list(&place.models(), &place.releases())?)
}

fn find(place: &DataDir, version: &str) -> Result<ModelRecord> {
    let found = list(place)?.into_iter().find(|model| model.manifest.version == version);
    found.with_context(|| format!("there is no model {version:?}: see `cartwheel models list`"))
}

/// Serves a model: with the serving features if they have its columns, else with
/// those it was trained on.
pub fn deploy(place: &DataDir, version: &str) -> Result<Release> {
    let model = find(place, version)?.manifest;
    let current = cartwheel_registry::current(&place.releases())?;
    let features = current.filter(|release| release.schema_hash == model.schema_hash);
    let release = Release {
        feature_set: features.map_or(model.feature_set, |release| release.feature_set),
        model: Some(model.version),
        schema_hash: model.schema_hash,
    };
    Opened::open(&place.lake(), &release, "UTC").context("the model cannot serve")?;
    cartwheel_registry::publish(&place.releases(), &release)?;
    Ok(release)
}

/// Serves the previous release again; where its features are no longer there, its model
/// with those that are.
pub fn rollback(place: &DataDir) -> Result<Release> {
    let previous = cartwheel_registry::previous(&place.releases())?;
    if let Some(Release { feature_set, model: Some(model), .. }) = previous
        && !place.features().join(feature_set).exists()
    {
        return deploy(place, &model).context("rollback");
    }
    cartwheel_registry::rollback(&place.releases()).context("rollback")
}

fn table(models: &[ModelRecord]) -> String {
    if models.is_empty() {
        return "No models yet: run `cartwheel pipeline run`".to_owned();
    }
    let mut out = format!(
        "{:<20}{:<11}{:<18}{:<22}{:<16}{}\n",
        "MODEL", "STATUS", "TRAINED", "FEATURE SET", "AGAINST", "RECALL@10"
    );
    for model in models {
        let trained = jiff::Timestamp::from_millisecond(model.created_ms).unwrap_or_default();
        let report = model.evaluation.as_ref().map(|evaluation| &evaluation.report);
        let text =
            |name: &str| report.and_then(|report| report[name].as_str()).unwrap_or("–").to_owned();
        let number = |name: &str| report.and_then(|report| report[name].as_f64());
        let difference = number("difference").zip(number("standard_error"));
        let difference =
            difference.map_or_else(|| "–".to_owned(), |(d, se)| format!("{d:+.4} ±{se:.4}"));
        let status = match model.status {
            ModelStatus::Candidate => "candidate",
            ModelStatus::Serving => "serving",
            ModelStatus::Previous => "previous",
            ModelStatus::Retired => "retired",
            ModelStatus::Rejected => "rejected",
        };
        out.push_str(&format!(
            "{:<20}{status:<11}{:<18}{:<22}{:<16.14}{difference}\n",
            model.manifest.version,
            trained.strftime("%Y-%m-%d %H:%M").to_string(),
            model.manifest.feature_set,
            text("reference"),
        ));
    }
    out
}
