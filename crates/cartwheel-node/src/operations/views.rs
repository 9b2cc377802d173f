//! Views of the data directory in the shapes of the API.

use anyhow::{Context as _, Result};
use cartwheel_api::{
    ColumnView, FeatureImportance, FeatureSetView, FileView, LakeJob, LakeView, LearningCurve,
    ModelDetail, ModelEvaluation, ModelStatus, ModelView, RejectView, RejectsView, ReleaseView,
    SampleView, TableSummary, TableView,
};
use cartwheel_engine::{NOT_EVALUATED, Report};
use cartwheel_feature_set::FeatureSet;
use cartwheel_lake::{Column, Inspector, Table};
use cartwheel_registry::layout::METRICS;
use cartwheel_registry::{ModelRecord, ModelStatus as Status, Release};
use serde::Deserialize;
use serde_json::Value;

use crate::data_dir::DataDir;
use crate::models;

const NEWEST_FILES: usize = 20;
const SAMPLE_ROWS: usize = 20;
const SHOWN_REJECTS: usize = 10;

pub fn release(release: Release) -> ReleaseView {
    // On this machine, nothing scores on an endpoint.
    let Release { feature_set, model, schema_hash, variant: _, challenger: _ } = release;
    ReleaseView { feature_set, model, schema_hash }
}

pub fn model(record: ModelRecord) -> ModelView {
    let mut sentence = format!("{NOT_EVALUATED}.");
    let evaluation = record.evaluation.map(|evaluation| {
        let verdict = models::verdict(&evaluation);
        let search = models::search(&evaluation);
        let sources = models::sources(&evaluation);
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
        ModelEvaluation {
            run: evaluation.run,
            passed: evaluation.passed,
            verdict,
            decided_ms: evaluation.decided_ms,
            report,
            search,
            sources,
        }
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

/// A model's details. `None` if there is no such model.
pub fn model_detail(data_dir: &DataDir, version: &str) -> Result<Option<ModelDetail>> {
    let found = models::list(data_dir)?.into_iter().find(|m| m.manifest.version == version);
    let Some(record) = found else { return Ok(None) };
    let bundle = cartwheel_registry::read(&data_dir.models(), version)?;
    let rounds = std::fs::read(data_dir.models().join(version).join(METRICS));
    let rounds: Vec<Round> = serde_json::from_slice(&rounds.context(METRICS)?).context(METRICS)?;
    let names = cartwheel_recommend::FEATURES;
    let mut importance: Vec<FeatureImportance> = bundle
        .forest
        .importance()
        // A model file without statistics can serve.
        .unwrap_or_default()
        .iter()
        .zip(names)
        .map(|(feature, name)| FeatureImportance {
            feature: name.to_owned(),
            gain: feature.gain,
            splits: feature.splits as u64,
        })
        .collect();
    importance.sort_by(|a, b| b.gain.total_cmp(&a.gain));
    Ok(Some(ModelDetail {
        model: model(record),
        trees: bundle.forest.trees() as u64,
        learning: curves(&rounds),
        importance,
    }))
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

fn summary(table: &Table) -> TableSummary {
    for problem in &table.problems {
        tracing::warn!(problem, "cannot read a file of the lake; skipped it");
    }
    TableSummary {
        unreadable: table.problems.len(),
        name: table.name.to_owned(),
        files: table.files.len(),
        rows: table.files.iter().map(|file| file.rows).sum(),
        bytes: table.files.iter().map(|file| file.bytes).sum(),
        newest_ms: table.files.first().map(|file| file.written_ms),
    }
}

pub fn table(inspector: &Inspector, name: &str) -> Result<Option<TableView>> {
    let Some(table) = inspector.table(name)? else { return Ok(None) };
    let mut samples = table.files.iter().map(|file| inspector.sample(&file.path, SAMPLE_ROWS));
    // Samples the newest readable file.
    let sample = samples.find_map(Result::ok).unwrap_or_default();
    let files = table.files.iter().take(NEWEST_FILES).map(|file| FileView {
        path: file.path.display().to_string(),
        rows: file.rows,
        bytes: file.bytes,
        written_ms: file.written_ms,
    });
    let columns = sample.columns.iter().cloned();
    Ok(Some(TableView {
        table: summary(&table),
        newest_files: files.collect(),
        sample: SampleView {
            columns: sample.columns.iter().map(|column| column.name.clone()).collect(),
            rows: sample.rows,
        },
        columns: columns
            .map(|Column { name, kind, nullable }| ColumnView { name, kind, nullable })
            .collect(),
    }))
}

pub fn lake(data_dir: &DataDir, inspector: &Inspector, job: Option<LakeJob>) -> Result<LakeView> {
    let tables = inspector.tables()?;
    Ok(LakeView {
        tables: tables.iter().map(summary).collect(),
        feature_sets: feature_sets(data_dir)?,
        rejects: rejects(inspector)?,
        job,
    })
}

fn feature_sets(data_dir: &DataDir) -> Result<Vec<FeatureSetView>> {
    let serving = cartwheel_registry::current(&data_dir.releases())?.map(|r| r.feature_set);
    let mut sets: Vec<FeatureSetView> = FeatureSet::list(&data_dir.features())
        .into_iter()
        .map(|set| {
            let (m, created_ms) = (set.manifest, set.written_ms);
            FeatureSetView {
                serving: serving.as_ref() == Some(&m.version),
                version: m.version,
                created_ms,
                users: m.users,
                orders: m.orders,
                lines: m.lines,
                products: m.products,
                train_rows: m.train_rows,
                valid_rows: m.valid_rows,
                gate_examples: m.gate_examples,
            }
        })
        .collect();
    sets.sort_by(|a, b| (b.created_ms, &b.version).cmp(&(a.created_ms, &a.version)));
    Ok(sets)
}

fn rejects(inspector: &Inspector) -> Result<Option<RejectsView>> {
    let lake = inspector.lake();
    let Some(summary) = lake.import_manifest()?.map(|manifest| manifest.summary) else {
        return Ok(None);
    };
    let Some(path) = summary.rejects.filter(|_| summary.rejected > 0) else { return Ok(None) };
    let rows = cartwheel_lake::read_rejects(&path, SHOWN_REJECTS);
    let rows = rows.with_context(|| path.display().to_string())?;
    let sample = rows.into_iter().map(|row| RejectView {
        file: row.file,
        line: row.line,
        reason: row.reason,
        row: row.row,
    });
    Ok(Some(RejectsView {
        rows: summary.rejected,
        file: path.strip_prefix(lake.dir()).unwrap_or(&path).display().to_string(),
        sample: sample.collect(),
    }))
}
