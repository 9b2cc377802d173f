//! From a feature set to a model bundle, and what a model is worth.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cartwheel_endpoint::BundleParts;
use cartwheel_features::{Catalogue, Example};
use cartwheel_recommend::baseline::BASELINES;
use cartwheel_recommend::metrics::{Mean, calibration_error, list_score, log_loss, mean};
use cartwheel_recommend::{FEATURES, Model, rank};
use cartwheel_training::{Data, Xgboost};
use cartwheel_worker::{FeatureSet, read_rows};
use rayon::prelude::*;
use serde::Serialize;

use crate::place::Place;
use crate::settings::Train;
use crate::show::bar;

/// What training came to.
#[derive(Debug, Serialize)]
pub struct Trained {
    pub model: String,
    pub feature_set: String,
    pub trees: u32,
    pub train_rows: usize,
    pub valid_rows: usize,
    pub metrics: serde_json::Value,
}

/// Where libxgboost may lie: named, or in a virtual environment near by.
fn libraries(settings: &Train) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = settings.library.clone().into_iter().collect();
    for root in [Path::new(".venv"), Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.venv"))]
    {
        for entry in std::fs::read_dir(root.join("lib")).into_iter().flatten().flatten() {
            paths.push(entry.path().join("site-packages/xgboost/lib/libxgboost.so"));
        }
    }
    paths
}

/// Hyperparameters under the names of SageMaker's XGBoost container, as texts.
pub type Hyperparameters = BTreeMap<String, String>;

/// The hyperparameters that the settings name.
pub fn hyperparameters(settings: &Train) -> Hyperparameters {
    let numbers = [
        ("num_round", settings.rounds.to_string()),
        ("early_stopping_rounds", settings.early_stopping.to_string()),
        ("max_depth", settings.max_depth.to_string()),
        ("eta", settings.eta.to_string()),
        ("min_child_weight", settings.min_child_weight.to_string()),
        ("subsample", settings.subsample.to_string()),
        ("colsample_bytree", settings.colsample_bytree.to_string()),
        ("lambda", settings.lambda.to_string()),
        ("seed", settings.seed.to_string()),
        ("objective", "binary:logistic".to_owned()),
        ("tree_method", "hist".to_owned()),
        // The last metric is the one that early stopping watches.
        ("eval_metric", "auc,logloss".to_owned()),
    ];
    numbers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What training takes from hyperparameters.
struct Plan {
    rounds: u32,
    early_stopping: Option<u32>,
    /// What libxgboost takes.
    parameters: Vec<(String, String)>,
}

fn plan(given: &Hyperparameters) -> Result<Plan> {
    let mut given = given.clone();
    let mut number = |name: &str| -> Result<Option<u32>> {
        let value = given.remove(name);
        value.map(|v| v.parse().with_context(|| format!("{name}: {v:?}"))).transpose()
    };
    let rounds = number("num_round")?.context("num_round is missing")?;
    let early_stopping = number("early_stopping_rounds")?;
    let metrics = given.remove("eval_metric").unwrap_or_default();
    let metrics = metrics.split(',').filter(|metric| !metric.is_empty());
    let metrics: Vec<(String, String)> =
        metrics.map(|metric| ("eval_metric".to_owned(), metric.trim().to_owned())).collect();
    Ok(Plan { rounds, early_stopping, parameters: given.into_iter().chain(metrics).collect() })
}

/// Trains on a feature set and writes the bundle. Releases nothing.
pub fn train(
    place: &Place,
    set: &FeatureSet,
    settings: &Train,
    hyperparameters: &Hyperparameters,
) -> Result<Trained> {
    let (labels, rows) = read_rows(&set.path("train.parquet"))?;
    let (valid_labels, valid_rows) = read_rows(&set.path("valid.parquet"))?;
    anyhow::ensure!(
        labels.contains(&1.0),
        "no example of a purchase to learn from: users need two orders or more"
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
    let metrics = serde_json::to_value(&trained.rounds)?;
    let version = cartwheel_endpoint::write(
        &place.models(),
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
        model: version,
        feature_set: set.manifest.version.clone(),
        trees: trained.best_round + 1,
        train_rows: labels.len(),
        valid_rows: valid_labels.len(),
        metrics,
    })
}

/// Quality on the gate users.
#[derive(Debug, Serialize)]
pub struct Report {
    pub feature_set: String,
    pub model: Option<String>,
    pub users: usize,
    /// Best baseline last but the model, as printed.
    pub methods: Vec<Method>,
    /// Share of label items among the candidates, empty cart.
    pub candidate_recall: Mean,
    /// Nats per candidate.
    pub log_loss: f64,
    /// Expected calibration error.
    pub calibration_error: f64,
    /// Recall@10 of the model for the rest of a half-filled cart.
    pub half_cart_recall_at_10: Mean,
    /// Against another model, or what is popular.
    pub comparison: Comparison,
}

/// Recall@10 of the model minus another's, user by user.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// The other: a model's version, or `popular`.
    pub reference: String,
    /// Whether the other is a model.
    pub serving: bool,
    /// Mean of the differences.
    pub difference: Mean,
}

/// One recommender's figures.
#[derive(Debug, Serialize)]
pub struct Method {
    pub name: String,
    pub recall_at_10: Mean,
    pub ndcg_at_10: Mean,
    pub phr_at_10: Mean,
    pub recall_at_20: Mean,
    pub ndcg_at_20: Mean,
    pub phr_at_20: Mean,
}

fn method(name: &str, lists: &[Vec<u32>], gate: &[Example]) -> Method {
    let pairs = || lists.iter().zip(gate);
    let at = |k: usize, pick: fn(cartwheel_recommend::metrics::ListScore) -> f64| {
        let scores: Vec<f64> =
            pairs().map(|(list, e)| pick(list_score(list, &e.basket, k))).collect();
        mean(&scores)
    };
    Method {
        name: name.to_owned(),
        recall_at_10: at(10, |s| s.recall),
        ndcg_at_10: at(10, |s| s.ndcg),
        phr_at_10: at(10, |s| s.phr),
        recall_at_20: at(20, |s| s.recall),
        ndcg_at_20: at(20, |s| s.ndcg),
        phr_at_20: at(20, |s| s.phr),
    }
}

/// Scores the newest orders of the gate users, which no training row has seen,
/// through the code that serves; and compares with another model, which may have
/// been trained on an earlier feature set: gate users stay gate users, and an order
/// was nobody's label before it was there.
pub fn evaluate(
    place: &Place,
    set: &FeatureSet,
    version: Option<&str>,
    against: Option<&str>,
) -> Result<Report> {
    let catalogue = set.cut_catalogue()?;
    let gate = set.gate()?;
    anyhow::ensure!(!gate.is_empty(), "no gate user has two orders or more: import more users");
    let mut methods: Vec<Method> = BASELINES
        .iter()
        .map(|(name, baseline)| {
            let list = |e: &Example| baseline(&catalogue, &e.state, &e.user_id, &[], 20);
            method(name, &gate.par_iter().map(list).collect::<Vec<_>>(), &gate)
        })
        .collect();
    let model = match version {
        Some(version) => {
            let bundle = cartwheel_endpoint::read(&place.models(), version)?;
            anyhow::ensure!(
                bundle.manifest.feature_set == set.manifest.version,
                "the model was trained on {}, and may have seen the gate orders of {}",
                bundle.manifest.feature_set,
                set.manifest.version
            );
            Some(Model::new(bundle.forest, bundle.scaler)?)
        }
        None => None,
    };
    let judged: Vec<Judged> =
        gate.par_iter().map(|e| judge(&catalogue, model.as_ref(), e)).collect();
    let lists: Vec<Vec<u32>> = judged.iter().map(|j| j.list.clone()).collect();
    let comparison = compare(place, set, &catalogue, &gate, &lists, against)?;
    let name = if model.is_some() { "model" } else { "no model" };
    methods.push(method(name, &lists, &gate));
    let pairs: Vec<(f32, bool)> = judged.iter().flat_map(|j| j.pairs.iter().copied()).collect();
    let found: Vec<f64> = judged.iter().map(|j| j.candidate_recall).collect();
    let half: Vec<f64> = judged.iter().filter_map(|j| j.half_recall).collect();
    Ok(Report {
        feature_set: set.manifest.version.clone(),
        model: version.map(str::to_owned),
        users: gate.len(),
        methods,
        candidate_recall: mean(&found),
        log_loss: log_loss(&pairs),
        calibration_error: calibration_error(&pairs),
        half_cart_recall_at_10: mean(&half),
        comparison,
    })
}

fn compare(
    place: &Place,
    set: &FeatureSet,
    catalogue: &Catalogue,
    gate: &[Example],
    lists: &[Vec<u32>],
    against: Option<&str>,
) -> Result<Comparison> {
    let other = match against {
        Some(version) => {
            let bundle = cartwheel_endpoint::read(&place.models(), version)?;
            anyhow::ensure!(
                bundle.manifest.schema_hash == set.manifest.schema_hash,
                "{version} was trained on other columns: the two cannot be compared"
            );
            Some(Model::new(bundle.forest, bundle.scaler)?)
        }
        None => None,
    };
    let popular = BASELINES.iter().find(|(name, _)| *name == "popular").map(|(_, list)| list);
    let theirs: Vec<Vec<u32>> = gate
        .par_iter()
        .map(|e| match (&other, popular) {
            (None, Some(popular)) => popular(catalogue, &e.state, &e.user_id, &[], 20),
            (model, _) => judge(catalogue, model.as_ref(), e).list,
        })
        .collect();
    let recall = |list: &[u32], e: &Example| list_score(list, &e.basket, 10).recall;
    let pairs = lists.iter().zip(&theirs).zip(gate);
    let differences: Vec<f64> =
        pairs.map(|((ours, theirs), e)| recall(ours, e) - recall(theirs, e)).collect();
    Ok(Comparison {
        reference: against.unwrap_or("popular").to_owned(),
        serving: against.is_some(),
        difference: mean(&differences),
    })
}

struct Judged {
    list: Vec<u32>,
    pairs: Vec<(f32, bool)>,
    candidate_recall: f64,
    half_recall: Option<f64>,
}

fn judge(catalogue: &Catalogue, model: Option<&Model>, e: &Example) -> Judged {
    let ranked = rank(catalogue, model, &e.state, &e.context, &[], |_| true);
    let products: Vec<u32> = ranked.iter().map(|r| r.candidate.product).collect();
    let (cart, rest) = e.basket.split_at(e.basket.len() / 2);
    let half_recall = (!cart.is_empty()).then(|| {
        let ranked = rank(catalogue, model, &e.state, &e.context, cart, |_| true);
        let list: Vec<u32> = ranked.iter().map(|r| r.candidate.product).collect();
        list_score(&list, rest, 10).recall
    });
    Judged {
        candidate_recall: list_score(&products, &e.basket, products.len()).recall,
        pairs: ranked
            .iter()
            .map(|r| (r.probability, e.basket.contains(&r.candidate.product)))
            .collect(),
        list: products.into_iter().take(20).collect(),
        half_recall,
    }
}

impl Report {
    /// The figures as a table.
    pub fn table(&self) -> String {
        let cell = |m: &Mean| format!("{:.4} ±{:.4}", m.mean, m.se);
        let mut out = format!(
            "{} gate users, feature set {}, model {}\n\n{:<18}{:<17}{:<17}{:<17}{:<17}{:<17}{}\n",
            self.users,
            self.feature_set,
            self.model.as_deref().unwrap_or("none"),
            "",
            "Recall@10",
            "NDCG@10",
            "PHR@10",
            "Recall@20",
            "NDCG@20",
            "PHR@20"
        );
        for m in &self.methods {
            let cells = [
                &m.recall_at_10,
                &m.ndcg_at_10,
                &m.phr_at_10,
                &m.recall_at_20,
                &m.ndcg_at_20,
                &m.phr_at_20,
            ];
            out.push_str(&format!("{:<18}", m.name));
            cells.iter().for_each(|c| out.push_str(&format!("{:<17}", cell(c))));
            out.truncate(out.trim_end().len());
            out.push('\n');
        }
        out.push_str(&format!(
            "\nRecall@10 against {:<16} {:+.4} ±{:.4}\nRecall@10 with half of the cart   {}\nCandidate recall                 {}\n\
             Log-loss                         {:.4}\nCalibration error                {:.4}\n",
            self.comparison.reference,
            self.comparison.difference.mean,
            self.comparison.difference.se,
            cell(&self.half_cart_recall_at_10),
            cell(&self.candidate_recall),
            self.log_loss,
            self.calibration_error
        ));
        out
    }

    /// Recall@10 of each method as a bar chart.
    pub fn chart(&self) -> String {
        let top = self.methods.iter().map(|m| m.recall_at_10.mean).fold(1e-9, f64::max);
        let height = 50 + self.methods.len() * 34;
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 640 {height}\" \
             font-family=\"system-ui, sans-serif\" font-size=\"14\">\n\
             <rect width=\"640\" height=\"{height}\" fill=\"#fff\"/>\n\
             <text x=\"16\" y=\"28\" font-weight=\"600\">Recall@10, {} gate users</text>\n",
            self.users
        );
        for (at, m) in self.methods.iter().enumerate() {
            let y = 46 + at * 34;
            let width = 380.0 * m.recall_at_10.mean / top;
            let spread = 380.0 * m.recall_at_10.se / top;
            let colour = if at + 1 == self.methods.len() { "#0b7a5b" } else { "#b8c4c0" };
            out.push_str(&format!(
                "<text x=\"16\" y=\"{}\">{}</text><rect x=\"160\" y=\"{y}\" width=\"{width:.1}\" \
                 height=\"22\" rx=\"3\" fill=\"{colour}\"/><path d=\"M{:.1} {}h{:.1}\" \
                 stroke=\"#333\"/><text x=\"560\" y=\"{}\">{:.3}</text>\n",
                y + 16,
                m.name,
                160.0 + width - spread,
                y + 11,
                2.0 * spread,
                y + 16,
                m.recall_at_10.mean
            ));
        }
        out.push_str("</svg>\n");
        out
    }
}
