//! Evaluation of a model on the gate users.

use std::path::Path;

use cartwheel_feature_set::{FeatureSet, SetError};
use cartwheel_features::{Catalogue, Example};
use cartwheel_recommend::baseline::BASELINES;
use cartwheel_recommend::metrics::{
    Prediction, calibration, calibration_error, list_score, log_loss, mean,
};
use cartwheel_recommend::{Model, ModelMismatch, rank};
use cartwheel_registry::BundleError;
use rayon::prelude::*;

use crate::report::{Comparison, Method, Report};

/// Why a model cannot be evaluated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// There are no gate users.
    #[error("no gate user has two orders or more: import more users")]
    NoGate,
    /// The gate's orders may be in the model's training data.
    #[error(
        "the model was trained on {trained_on}, and may have seen the gate orders of {gate_of}"
    )]
    Seen {
        /// The model's feature set.
        trained_on: String,
        /// The feature set of the gate users.
        gate_of: String,
    },
    /// The other model takes different columns.
    #[error("{0} was trained on other columns: the two cannot be compared")]
    Columns(String),
    /// The feature set cannot be read.
    #[error(transparent)]
    Set(#[from] SetError),
    /// A bundle cannot be read.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A model does not fit the rows of this release.
    #[error(transparent)]
    Model(#[from] ModelMismatch),
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

/// Evaluates a model on the newest orders of the gate users with the code that serves.
///
/// No training row contains these orders. The model is compared with the model `against`,
/// which may come from an earlier feature set: a gate user never becomes a training user,
/// and an earlier set cannot contain later orders. `models` is the folder of bundles.
///
/// # Errors
/// When there are no gate users, or a model cannot be evaluated on them.
pub fn evaluate(
    models: &Path,
    set: &FeatureSet,
    version: Option<&str>,
    against: Option<&str>,
) -> Result<Report, Refused> {
    let catalogue = set.cut_catalogue()?;
    let gate = set.gate()?;
    if gate.is_empty() {
        return Err(Refused::NoGate);
    }
    let mut methods: Vec<Method> = BASELINES
        .iter()
        .map(|(name, baseline)| {
            let list = |e: &Example| baseline(&catalogue, &e.state, &e.user_id, &[], 20);
            method(name, &gate.par_iter().map(list).collect::<Vec<_>>(), &gate)
        })
        .collect();
    let model = match version {
        Some(version) => {
            let bundle = cartwheel_registry::read(models, version)?;
            if bundle.manifest.feature_set != set.manifest.version {
                return Err(Refused::Seen {
                    trained_on: bundle.manifest.feature_set,
                    gate_of: set.manifest.version.clone(),
                });
            }
            Some(Model::new(bundle.forest, bundle.scaler)?)
        }
        None => None,
    };
    let evaluated: Vec<Evaluated> =
        gate.par_iter().map(|e| evaluate_example(&catalogue, model.as_ref(), e)).collect();
    let lists: Vec<Vec<u32>> = evaluated.iter().map(|e| e.list.clone()).collect();
    let comparison = compare(models, set, &catalogue, &gate, &lists, against)?;
    let name = if model.is_some() { "model" } else { "no model" };
    methods.push(method(name, &lists, &gate));
    let predictions: Vec<Prediction> =
        evaluated.iter().flat_map(|e| e.predictions.iter().copied()).collect();
    let bins = calibration(&predictions);
    let found: Vec<f64> = evaluated.iter().map(|e| e.candidate_recall).collect();
    let half: Vec<f64> = evaluated.iter().filter_map(|e| e.half_recall).collect();
    Ok(Report {
        feature_set: set.manifest.version.clone(),
        model: version.map(str::to_owned),
        users: gate.len(),
        methods,
        candidate_recall: mean(&found),
        log_loss: log_loss(&predictions),
        calibration_error: calibration_error(&bins),
        calibration: bins,
        half_cart_recall_at_10: mean(&half),
        comparison,
    })
}

fn compare(
    models: &Path,
    set: &FeatureSet,
    catalogue: &Catalogue,
    gate: &[Example],
    lists: &[Vec<u32>],
    against: Option<&str>,
) -> Result<Comparison, Refused> {
    let other = match against {
        Some(version) => {
            let bundle = cartwheel_registry::read(models, version)?;
            if bundle.manifest.schema_hash != set.manifest.schema_hash {
                return Err(Refused::Columns(version.to_owned()));
            }
            Some(Model::new(bundle.forest, bundle.scaler)?)
        }
        None => None,
    };
    let popular = BASELINES.iter().find(|(name, _)| *name == "popular").map(|(_, list)| list);
    let theirs: Vec<Vec<u32>> = gate
        .par_iter()
        .map(|e| match (&other, popular) {
            (None, Some(popular)) => popular(catalogue, &e.state, &e.user_id, &[], 20),
            (model, _) => evaluate_example(catalogue, model.as_ref(), e).list,
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

struct Evaluated {
    list: Vec<u32>,
    predictions: Vec<Prediction>,
    candidate_recall: f64,
    half_recall: Option<f64>,
}

fn evaluate_example(catalogue: &Catalogue, model: Option<&Model>, e: &Example) -> Evaluated {
    let ranked = rank(catalogue, model, &e.state, &e.context, &[], |_| true);
    let products: Vec<u32> = ranked.iter().map(|r| r.candidate.product).collect();
    let (cart, rest) = e.basket.split_at(e.basket.len() / 2);
    let half_recall = (!cart.is_empty()).then(|| {
        let ranked = rank(catalogue, model, &e.state, &e.context, cart, |_| true);
        let list: Vec<u32> = ranked.iter().map(|r| r.candidate.product).collect();
        list_score(&list, rest, 10).recall
    });
    Evaluated {
        candidate_recall: list_score(&products, &e.basket, products.len()).recall,
        predictions: ranked
            .iter()
            .map(|r| Prediction {
                probability: r.probability,
                bought: e.basket.contains(&r.candidate.product),
            })
            .collect(),
        list: products.into_iter().take(20).collect(),
        half_recall,
    }
}
