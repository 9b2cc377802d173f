//! `models`: the registry, deployment and rollback.

mod args;

use anyhow::Result;
use cartwheel_node::{AuditFile, DataDir, models};
use cartwheel_registry::{ModelRecord, ModelStatus};

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
            let text = serde_json::to_string_pretty(&model)?;
            result(json, &model, || text);
        }
        Models::Deploy { version } => {
            let deploy = || models::deploy(place, &version);
            let release =
                AuditFile::new(place).command("models deploy", &[("version", &version)], deploy)?;
            result(json, &release, || format!("{version} serves with {}", release.feature_set));
        }
        Models::Rollback => {
            let release = AuditFile::new(place)
                .command("models rollback", &[], || models::rollback(place))?;
            result(json, &release, || {
                let model = release.model.as_deref().unwrap_or("no model");
                format!("{model} serves again with {}", release.feature_set)
            });
        }
    }
    Ok(())
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
