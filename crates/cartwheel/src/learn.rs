//! Training: from a feature set to a model bundle.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cartwheel_feature_job::read_rows;
use cartwheel_feature_set::{FeatureSet, files};
use cartwheel_forest::Forest;
use cartwheel_node::DataDir;
use cartwheel_recommend::FEATURES;
use cartwheel_registry::BundleParts;
use cartwheel_settings::{Hyperparameters, Train};
use cartwheel_training::{Data, Xgboost};
use serde::Serialize;

use crate::show::bar;

/// The result of a training.
#[derive(Debug, Serialize)]
pub struct Trained {
    /// Version of the new model; `None` for the model of a fold or of the search, which is not in the
    /// registry.
    pub model: Option<String>,
    /// Version of the feature set that it was trained on.
    pub feature_set: String,
    /// Trees of the model.
    pub trees: u32,
    /// Training examples.
    pub train_rows: usize,
    /// Validation examples.
    pub valid_rows: usize,
    /// The metrics of each round.
    pub metrics: serde_json::Value,
}

/// Where libxgboost may be, beside the system's places: the configured path, and the program's
/// folder. Never in the current directory, to which others may write. A debug build also knows
/// the virtual environment of the source tree that it was built from.
pub fn libraries(settings: &Train) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = settings.library.clone().into_iter().collect();
    let program = std::env::current_exe().ok();
    paths.extend(program.map(|program| program.with_file_name("libxgboost.so")));
    if cfg!(debug_assertions) {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.venv/lib"));
        for entry in std::fs::read_dir(root).into_iter().flatten().flatten() {
            paths.push(entry.path().join("site-packages/xgboost/lib/libxgboost.so"));
        }
    }
    paths
}

/// Hyperparameters, split into those of the training loop and those of libxgboost.
struct Plan {
    rounds: u32,
    early_stopping: Option<u32>,
    /// Parameters for libxgboost.
    parameters: Vec<(String, String)>,
}

fn plan(hyperparameters: &Hyperparameters) -> Result<Plan> {
    let mut rest = hyperparameters.clone();
    let mut take_number = |name: &str| -> Result<Option<u32>> {
        let value = rest.remove(name);
        value.map(|v| v.parse().with_context(|| format!("{name} is {v:?}"))).transpose()
    };
    let rounds = take_number("num_round")?.context("num_round is missing")?;
    let early_stopping = take_number("early_stopping_rounds")?;
    let metrics = rest.remove("eval_metric").unwrap_or_default();
    let metrics = metrics.split(',').filter(|metric| !metric.is_empty());
    let metrics: Vec<(String, String)> =
        metrics.map(|metric| ("eval_metric".to_owned(), metric.trim().to_owned())).collect();
    Ok(Plan { rounds, early_stopping, parameters: rest.into_iter().chain(metrics).collect() })
}

/// A trained model with the numbers of its rows.
struct Fitted {
    trained: cartwheel_training::Trained,
    train_rows: usize,
    valid_rows: usize,
}

/// Trains on the rows of one file and stops early by those of another.
fn fit(
    [train, valid]: [&Path; 2],
    settings: &Train,
    hyperparameters: &Hyperparameters,
) -> Result<Fitted> {
    let (labels, rows) = read_rows(train)?;
    let (valid_labels, valid_rows) = read_rows(valid)?;
    anyhow::ensure!(
        labels.contains(&1.0),
        "there is no purchase to learn from: import users with two orders or more"
    );
    let names: Vec<String> = FEATURES.iter().map(|&f| f.to_owned()).collect();
    let xgboost = Xgboost::search(&libraries(settings))?;
    let Plan { rounds, early_stopping, parameters } = plan(hyperparameters)?;
    let valid = Data { rows: &valid_rows, labels: &valid_labels, names: &names };
    let valid = (!valid_labels.is_empty()).then_some(valid);
    let progress = bar("training", u64::from(rounds));
    let trained = xgboost.train(
        &parameters,
        rounds,
        early_stopping.filter(|_| valid.is_some()),
        &Data { rows: &rows, labels: &labels, names: &names },
        valid.as_ref(),
        &mut |round| {
            progress.inc(1);
            progress.set_message(round.to_string());
            ControlFlow::Continue(())
        },
    )?;
    progress.finish_and_clear();
    Ok(Fitted { trained, train_rows: labels.len(), valid_rows: valid_labels.len() })
}

/// Trains on a feature set and writes the model bundle. Does not release it.
///
/// # Errors
/// When there are no examples, when libxgboost is missing or refuses a hyperparameter, or when a
/// file cannot be read or written.
pub fn train(
    data_dir: &DataDir,
    set: &FeatureSet,
    settings: &Train,
    hyperparameters: &Hyperparameters,
) -> Result<Trained> {
    let mut hyperparameters = hyperparameters.clone();
    hyperparameters.extend(set.manifest.hyperparameters());
    let hyperparameters = &hyperparameters;
    let rows = [set.path(files::TRAIN), set.path(files::VALID)];
    let Fitted { trained, train_rows, valid_rows } =
        fit(rows.each_ref().map(PathBuf::as_path), settings, hyperparameters)?;
    let metrics = serde_json::to_value(&trained.rounds)?;
    let version = cartwheel_registry::write(
        &data_dir.models(),
        &BundleParts {
            model: &trained.model,
            scaler: &set.scaler()?,
            features: &FEATURES,
            metrics: metrics.clone(),
            parameters: serde_json::to_value(hyperparameters)?,
            feature_set: &set.manifest.version,
            schema_hash: &set.manifest.schema_hash,
        },
    )?;
    Ok(Trained {
        model: Some(version),
        feature_set: set.manifest.version.clone(),
        trees: trained.best_round + 1,
        train_rows,
        valid_rows,
        metrics,
    })
}

/// Trains on a feature set and returns the model, which is not in the registry.
///
/// # Errors
/// As [`train`].
pub fn forest(
    set: &FeatureSet,
    settings: &Train,
    hyperparameters: &Hyperparameters,
) -> Result<Forest> {
    let mut hyperparameters = hyperparameters.clone();
    hyperparameters.extend(set.manifest.hyperparameters());
    let rows = [set.path(files::TRAIN), set.path(files::VALID)];
    let fitted = fit(rows.each_ref().map(PathBuf::as_path), settings, &hyperparameters)?;
    Ok(Forest::from_bytes(&fitted.trained.model)?)
}

/// A part of a feature set's rows.
#[derive(Debug, Clone, Copy)]
pub enum Part {
    /// The rows of one fold of cross-validation.
    Fold(u32),
    /// The sample on which hyperparameters are searched.
    Sample,
}

impl Part {
    /// The files of the rows to train on and to stop by.
    fn rows(self, set: &FeatureSet) -> Result<[PathBuf; 2]> {
        let version = &set.manifest.version;
        match self {
            Self::Fold(fold) => {
                let folds = &set.manifest.cross_folds;
                anyhow::ensure!(
                    folds.contains(&fold),
                    "the feature set {version} has no fold {fold}; its folds are {folds:?}"
                );
                Ok([set.path(&files::fold_train(fold)), set.path(&files::fold_valid(fold))])
            }
            Self::Sample => {
                anyhow::ensure!(
                    set.manifest.search_questions > 0,
                    "the feature set {version} has no sample for a search of hyperparameters"
                );
                Ok([set.path(files::SEARCH_TRAIN), set.path(files::SEARCH_VALID)])
            }
        }
    }
}

/// Trains a model on a part of the rows and writes it to `out`, as a training job on AWS does. The
/// hyperparameters are taken as they are.
///
/// # Errors
/// As [`train`], or when the feature set does not have the part.
pub fn train_part(
    set: &FeatureSet,
    part: Part,
    out: &Path,
    settings: &Train,
    hyperparameters: &Hyperparameters,
) -> Result<Trained> {
    let rows = part.rows(set)?;
    let Fitted { trained, train_rows, valid_rows } =
        fit(rows.each_ref().map(PathBuf::as_path), settings, hyperparameters)?;
    cartwheel_files::replace(out, &cartwheel_registry::archive(&trained.model)?)
        .with_context(|| out.display().to_string())?;
    Ok(Trained {
        model: None,
        feature_set: set.manifest.version.clone(),
        trees: trained.best_round + 1,
        train_rows,
        valid_rows,
        metrics: serde_json::to_value(&trained.rounds)?,
    })
}
