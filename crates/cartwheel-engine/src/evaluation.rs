//! Evaluation of a model on users whose newest orders it has not seen.

use std::path::Path;

use cartwheel_feature_set::{FeatureSet, SetError};
use cartwheel_features::{Catalogue, Example, Fold, GROUPS, cross_fold_of, group_of, stable_hash};
use cartwheel_forest::Forest;
use cartwheel_recommend::baseline::{BASELINES, Baseline, popular};
use cartwheel_recommend::metrics::{
    Prediction, calibration, calibration_error, list_score, log_loss, mean,
};
use cartwheel_recommend::{Model, ModelMismatch, rank};
use cartwheel_registry::BundleError;
use rayon::prelude::*;
use rustc_hash::FxHashMap;

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
    /// Cross-validation lacks models, or the feature set is not prepared for it.
    #[error("cross-validation needs the models of all folds of the feature set {0}")]
    Folds(String),
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
    let judged = Judged {
        set,
        catalogues: vec![set.catalogue_of_others(0)?],
        examples: set.gate()?,
        folds: 0,
    };
    if judged.examples.is_empty() {
        return Err(Refused::NoGate);
    }
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
    let reference = match against {
        Some(version) => {
            let bundle = cartwheel_registry::read(models, version)?;
            if bundle.manifest.schema_hash != set.manifest.schema_hash {
                return Err(Refused::Columns(version.to_owned()));
            }
            Some((version, Model::new(bundle.forest, bundle.scaler)?))
        }
        None => None,
    };
    Ok(judged.report(version, &|_| model.as_ref(), reference))
}

/// Judges the model `version` by cross-validation: the newest order of each user is ranked
/// by the forest of the fold that held it out. `folds` are trained as the model was, on the
/// rows of their folds of `set`. The model is compared with popularity.
///
/// # Errors
/// When a fold is missing, or the set was not prepared for cross-validation.
pub fn cross_validate(
    set: &FeatureSet,
    version: &str,
    folds: Vec<(u32, Forest)>,
) -> Result<Report, Refused> {
    let mut models: FxHashMap<u32, Model> = FxHashMap::default();
    for (fold, forest) in folds {
        models.insert(fold, Model::new(forest, set.scaler()?)?);
    }
    let wanted = &set.manifest.cross_folds;
    if wanted.is_empty() || wanted.iter().any(|fold| !models.contains_key(fold)) {
        return Err(Refused::Folds(set.manifest.version.clone()));
    }
    let judged = Judged {
        set,
        catalogues: (0..GROUPS)
            .map(|group| set.catalogue_of_others(group))
            .collect::<Result<_, _>>()?,
        examples: set.cross_validation()?,
        folds: wanted.len() as u32,
    };
    let model = |example: &Example| {
        let held_out = |fold: &&u32| cross_fold_of(&example.user_id, **fold) == Fold::Gate;
        wanted.iter().find(held_out).and_then(|fold| models.get(fold))
    };
    Ok(judged.report(Some(version), &model, None))
}

/// Orders that a model is judged by, each with the state before it.
struct Judged<'a> {
    set: &'a FeatureSet,
    /// The catalogues over other users, by group of users: of gate users the first is enough.
    catalogues: Vec<Catalogue>,
    examples: Vec<Example>,
    /// Folds of cross-validation; 0 for gate users.
    folds: u32,
}

impl Judged<'_> {
    fn catalogue(&self, example: &Example) -> &Catalogue {
        &self.catalogues[group_of(stable_hash(example.user_id.as_bytes()))]
    }

    /// Compares the model of each example with the reference, or with popularity.
    fn report<'m>(
        &self,
        version: Option<&str>,
        model: &(dyn Fn(&Example) -> Option<&'m Model> + Sync),
        reference: Option<(&str, Model)>,
    ) -> Report {
        let Self { set, examples, folds, .. } = self;
        let of = |name: &str, baseline: Baseline| {
            let list = |e: &Example| baseline(self.catalogue(e), &e.state, &e.user_id, held(e), 20);
            method(name, &examples.par_iter().map(list).collect::<Vec<_>>(), examples)
        };
        let mut methods: Vec<Method> =
            BASELINES.iter().map(|(name, baseline)| of(name, *baseline)).collect();
        let evaluated: Vec<Evaluated> =
            examples.par_iter().map(|e| evaluate_example(self.catalogue(e), model(e), e)).collect();
        let lists: Vec<Vec<u32>> = evaluated.iter().map(|e| e.list.clone()).collect();
        let comparison = self.compare(&lists, reference);
        let name = if version.is_some() { "model" } else { "no model" };
        methods.push(method(name, &lists, examples));
        let predictions: Vec<Prediction> =
            evaluated.iter().flat_map(|e| e.predictions.iter().copied()).collect();
        let bins = calibration(&predictions);
        let found: Vec<f64> = evaluated.iter().map(|e| e.candidate_recall).collect();
        let half: Vec<f64> = evaluated.iter().filter_map(|e| e.half_recall).collect();
        Report {
            feature_set: set.manifest.version.clone(),
            model: version.map(str::to_owned),
            users: examples.len(),
            folds: *folds,
            methods,
            candidate_recall: mean(&found),
            log_loss: log_loss(&predictions),
            calibration_error: calibration_error(&bins),
            calibration: bins,
            half_cart_recall_at_10: mean(&half),
            comparison,
        }
    }

    fn compare(&self, lists: &[Vec<u32>], reference: Option<(&str, Model)>) -> Comparison {
        let Self { examples, .. } = self;
        let theirs: Vec<Vec<u32>> = examples
            .par_iter()
            .map(|e| match &reference {
                Some((_, model)) => evaluate_example(self.catalogue(e), Some(model), e).list,
                None => popular(self.catalogue(e), &e.state, &e.user_id, held(e), 20),
            })
            .collect();
        let recall = |(list, e): (&Vec<u32>, &Example)| list_score(list, &e.basket, 10).recall;
        let theirs: Vec<f64> = theirs.iter().zip(examples).map(recall).collect();
        let ours = lists.iter().zip(examples).map(recall);
        let differences: Vec<f64> = ours.zip(&theirs).map(|(ours, theirs)| ours - theirs).collect();
        Comparison {
            reference: reference.as_ref().map_or("popular", |(version, _)| version).to_owned(),
            serving: reference.is_some(),
            difference: mean(&differences),
            recall_at_10: Some(mean(&theirs)),
        }
    }
}

/// The products in the cart when the question is asked.
fn held(example: &Example) -> &[u32] {
    example.cart.as_deref().unwrap_or_default()
}

struct Evaluated {
    list: Vec<u32>,
    predictions: Vec<Prediction>,
    candidate_recall: f64,
    half_recall: Option<f64>,
}

fn evaluate_example(catalogue: &Catalogue, model: Option<&Model>, e: &Example) -> Evaluated {
    let held = held(e);
    let ranked = rank(catalogue, model, &e.state, &e.context, held, |_| true);
    let products: Vec<u32> = ranked.iter().map(|r| r.candidate.product).collect();
    let (cart, rest) = e.basket.split_at(e.basket.len() / 2);
    let half_recall = (!cart.is_empty()).then(|| {
        let cart = [held, cart].concat();
        let ranked = rank(catalogue, model, &e.state, &e.context, &cart, |_| true);
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
