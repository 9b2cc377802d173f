//! `models`: the registry, deployment and rollback.

mod args;
mod search;
mod sources;

use anyhow::Result;
use cartwheel_engine::{Report, recorded};
use cartwheel_node::{AuditFile, DataDir, models};
use cartwheel_registry::{ModelRecord, ModelStatus};
use serde::Deserialize;
use serde_json::Value;

use crate::commands::report;
use crate::show::result;
pub use args::Models;

pub fn run(place: &DataDir, command: Models, json: bool) -> Result<()> {
    match command {
        Models::List => {
            let list = models::list(place)?;
            result(json, &list, || table(&list));
        }
        Models::Show { version } => {
            let model = models::find(place, &version)?;
            result(json, &model, || shown(&model));
        }
        Models::Deploy { version } => {
            let deploy = || models::deploy(place, &version);
            let release =
                AuditFile::new(place).command("models deploy", &[("version", &version)], deploy)?;
            result(json, &release, || format!("{version} serves with {}", release.feature_set));
        }
        Models::Challenge { version, percent } => {
            let share = percent.to_string();
            let named = [("version", version.as_str()), ("percent", share.as_str())];
            let challenge = || models::challenge(place, &version, percent);
            let release = AuditFile::new(place).command("models challenge", &named, challenge)?;
            result(json, &release, || match percent {
                0 => format!("{version} is compared no longer"),
                percent => format!("{version} ranks for {percent} % of the shoppers"),
            });
        }
        Models::Rollback => {
            let release = AuditFile::new(place)
                .command("models rollback", &[], || models::rollback(place))?;
            result(json, &release, || {
                let set = &release.feature_set;
                match &release.model {
                    Some(model) => format!("{model} serves again with {set}"),
                    None => format!(
                        "No model serves: {set} ranks by rules. A second `cartwheel models rollback` \
                         undoes this"
                    ),
                }
            });
        }
    }
    Ok(())
}

/// The status in one word.
fn status(model: &ModelRecord) -> &'static str {
    let provisional = model.evaluation.as_ref().is_some_and(|evaluation| evaluation.provisional);
    match model.status {
        ModelStatus::Candidate => "candidate",
        ModelStatus::Serving if provisional => "provisional",
        ModelStatus::Serving => "serving",
        ModelStatus::Challenger => "challenger",
        ModelStatus::Previous => "previous",
        ModelStatus::Retired => "retired",
        ModelStatus::Rejected => "rejected",
    }
}

fn trained(model: &ModelRecord) -> String {
    let trained = jiff::Timestamp::from_millisecond(model.created_ms).unwrap_or_default();
    trained.strftime("%Y-%m-%d %H:%M").to_string()
}

/// A model with the gate's verdict and report.
fn shown(model: &ModelRecord) -> String {
    let manifest = &model.manifest;
    let mut out = format!(
        "{}  {}, trained {} on {}\n",
        manifest.version,
        status(model),
        trained(model),
        manifest.feature_set
    );
    let Some(evaluation) = &model.evaluation else {
        out.push_str("\nThe gate has not judged it: run `cartwheel pipeline run`.\n");
        return out;
    };
    if let Some(verdict) = recorded::verdict(evaluation) {
        out.push_str(&format!("\nVerdict of {}: {}\n", evaluation.run, verdict.reason));
        out.extend(verdict.advice.map(|advice| format!("{advice}\n")));
    }
    if let Ok(report) = Report::deserialize(&evaluation.report["report"]) {
        out.push_str(&format!("\n{}", report::table(&report)));
    }
    out.extend(recorded::search(evaluation).map(|record| format!("\n{}", search::text(&record))));
    out.extend(recorded::sources(evaluation).map(|record| format!("\n{}", sources::text(&record))));
    if let Some(parameters) = manifest.parameters.as_object() {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let named = parameters.iter().map(|(name, value)| format!("{name}={}", text(value)));
        out.push_str(&format!("\nParameters: {}\n", named.collect::<Vec<_>>().join(" ")));
    }
    out
}

fn table(models: &[ModelRecord]) -> String {
    if models.is_empty() {
        return "No models yet: run `cartwheel pipeline run`".to_owned();
    }
    let mut out = format!(
        "{:<20}{:<13}{:<18}{:<22}{:<16}{}\n",
        "MODEL", "STATUS", "TRAINED", "FEATURE SET", "AGAINST", "RECALL@10"
    );
    for model in models {
        let report = model.evaluation.as_ref().map(|evaluation| &evaluation.report);
        let text =
            |name: &str| report.and_then(|report| report[name].as_str()).unwrap_or("–").to_owned();
        let number = |name: &str| report.and_then(|report| report[name].as_f64());
        let difference = number("difference").zip(number("standard_error"));
        let difference =
            difference.map_or_else(|| "–".to_owned(), |(d, se)| format!("{d:+.4} ±{se:.4}"));
        let status = status(model);
        out.push_str(&format!(
            "{:<20}{status:<13}{:<18}{:<22}{:<16.14}{difference}\n",
            model.manifest.version,
            trained(model),
            model.manifest.feature_set,
            text("reference"),
        ));
    }
    out
}
