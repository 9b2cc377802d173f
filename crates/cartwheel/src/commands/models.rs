//! `models`: the registry, deployment and rollback.

use std::future::Future;

use anyhow::{Context, Result};
use cartwheel_engine::deployment::{self, DeploymentError};
use cartwheel_registry::{LocalRegistry, ModelRecord, ModelStatus, Release};

use crate::audit::AuditFile;
use crate::cli;
use crate::place::Place;
use crate::show::result;

pub fn run(place: &Place, command: cli::Models, json: bool) -> Result<()> {
    match command {
        cli::Models::List => {
            let models = list(place)?;
            result(json, &models, || table(&models));
        }
        cli::Models::Show { version } => {
            let model = find(place, &version)?;
            let text = serde_json::to_string_pretty(&model)?;
            result(json, &model, || text);
        }
        cli::Models::Deploy { version } => {
            let deploy = || deploy(place, &version);
            let release =
                AuditFile::new(place).command("models deploy", &[("version", &version)], deploy)?;
            result(json, &release, || format!("{version} serves with {}", release.feature_set));
        }
        cli::Models::Rollback => {
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
pub fn list(place: &Place) -> Result<Vec<ModelRecord>> {
    Ok(cartwheel_registry::list(&place.models(), &place.releases())?)
}

fn find(place: &Place, version: &str) -> Result<ModelRecord> {
    let found = list(place)?.into_iter().find(|model| model.manifest.version == version);
    found.with_context(|| format!("there is no model {version:?}: see `cartwheel models list`"))
}

/// Publishes a model, as [`deployment::deploy`] does. Blocks.
pub fn deploy(place: &Place, version: &str) -> Result<Release> {
    wait(deployment::deploy(&LocalRegistry::new(place.lake()), version))
}

/// Publishes the previous release again, as [`deployment::rollback`] does. Blocks.
pub fn rollback(place: &Place) -> Result<Release> {
    wait(deployment::rollback(&LocalRegistry::new(place.lake()))).context("rollback")
}

/// Waits for the local registry, which blocks and needs no reactor.
fn wait(deployed: impl Future<Output = Result<Release, DeploymentError>>) -> Result<Release> {
    Ok(tokio::runtime::Builder::new_current_thread().build()?.block_on(deployed)?)
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
