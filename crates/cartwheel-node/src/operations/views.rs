//! Views of the data directory in the shapes of the API.

use anyhow::{Context as _, Result};
use cartwheel_api::{
    ColumnView, FeatureSetView, FileView, LakeJob, LakeView, RejectView, RejectsView, ReleaseView,
    SampleView, TableSummary, TableView,
};
use cartwheel_feature_set::FeatureSet;
use cartwheel_lake::{Column, Inspector, Table};
use cartwheel_registry::Release;

use crate::data_dir::DataDir;

const NEWEST_FILES: usize = 20;
const SAMPLE_ROWS: usize = 20;
const SHOWN_REJECTS: usize = 10;

pub fn release(release: Release) -> ReleaseView {
    // On this machine, nothing scores on an endpoint.
    let Release { feature_set, model, schema_hash, variant: _, challenger: _ } = release;
    ReleaseView { feature_set, model, schema_hash }
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
