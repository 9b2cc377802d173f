//! Evaluation of a model on users whom training held out.

use std::path::Path;

use cartwheel_feature_set::{FeatureSet, Label, SetError};
use cartwheel_features::{Example, Fold, GROUPS, cross_fold_of};
use cartwheel_forest::Forest;
use cartwheel_recommend::{Model, ModelMismatch};
use cartwheel_registry::BundleError;
use rustc_hash::FxHashMap;

use crate::diversity_curve::DiversityPoint;
use crate::judgement::Judgement;
use crate::report::Report;

/// Why a model cannot be evaluated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// There are no gate users.
    #[error("no gate user has done what the model predicts ({0}): import more users")]
    NoGate(Label),
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
    /// The first order after a date is no answer to the question that the model learns.
    #[error(
        "a model is judged by later orders only if train.label is next_basket; it is {0}: leave out \
         the date"
    )]
    Later(Label),
    /// No order follows the time at which the feature set ends.
    #[error("there is no order after that date: choose an earlier one")]
    NothingLater,
    /// A model does not fit the rows of this release.
    #[error(transparent)]
    Model(#[from] ModelMismatch),
}

/// Evaluates a model on the newest orders of the gate users, or on all their visits if the label is
/// about these, with the code that serves.
///
/// No training row contains them. The model is compared with the model `against`,
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
    let judged = of_gate(set)?;
    let model = version.map(|version| judgeable(models, set, version)).transpose()?;
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

/// The price of diversity in recall: the newest orders of the gate users, asked with each dial at
/// several settings. Without a model, the ranking of a release without one is rearranged.
///
/// # Errors
/// As [`evaluate()`].
pub fn diversity(
    models: &Path,
    set: &FeatureSet,
    version: Option<&str>,
) -> Result<Vec<DiversityPoint>, Refused> {
    let judged = of_gate(set)?;
    let model = version.map(|version| judgeable(models, set, version)).transpose()?;
    Ok(judged.diversity(model.as_ref()))
}

/// The questions to the gate users.
fn of_gate(set: &FeatureSet) -> Result<Judgement<'_>, Refused> {
    let judged = Judgement {
        set: &set.manifest.version,
        histories: set.histories()?,
        catalogues: vec![set.catalogue_of_others(0)?],
        examples: set.gate()?,
        folds: 0,
        since_ms: None,
        label: set.manifest.label,
    };
    if judged.has_answers() { Ok(judged) } else { Err(Refused::NoGate(judged.label)) }
}

/// A model that has not seen the answers of the gate users.
fn judgeable(models: &Path, set: &FeatureSet, version: &str) -> Result<Model, Refused> {
    let bundle = cartwheel_registry::read(models, version)?;
    if bundle.manifest.feature_set != set.manifest.version {
        return Err(Refused::Seen {
            trained_on: bundle.manifest.feature_set,
            gate_of: set.manifest.version.clone(),
        });
    }
    Ok(Model::new(bundle.forest, bundle.scaler)?)
}

/// Judges the model `version` by cross-validation: the newest order of each user, or all visits if the
/// label is about these, are ranked by the forest of the fold that held them out. `folds` are trained as the model was, on the
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
    let judged = Judgement {
        set: &set.manifest.version,
        histories: set.histories()?,
        catalogues: (0..GROUPS)
            .map(|group| set.catalogue_of_others(group))
            .collect::<Result<_, _>>()?,
        examples: set.cross_validation()?,
        folds: wanted.len() as u32,
        since_ms: None,
        label: set.manifest.label,
    };
    let model = |example: &Example| {
        let held_out = |fold: &&u32| cross_fold_of(&example.user_id, **fold) == Fold::Gate;
        wanted.iter().find(held_out).and_then(|fold| models.get(fold))
    };
    Ok(judged.report(Some(version), &model, None))
}

/// Judges a model that was trained on `set`, which ends at `since_ms`, by the first order of
/// each user from then on, customers without an earlier order included. Nothing that the model,
/// the catalogue or a baseline knows is later than that time.
///
/// # Errors
/// When no order follows, the label is another than the next basket, or the set cannot be read.
pub fn evaluate_later(set: &FeatureSet, forest: Forest, since_ms: i64) -> Result<Report, Refused> {
    if set.manifest.label != Label::NextBasket {
        return Err(Refused::Later(set.manifest.label));
    }
    let judged = Judgement {
        set: &set.manifest.version,
        histories: set.histories()?,
        catalogues: vec![set.catalogue()?],
        examples: set.later()?,
        folds: 0,
        since_ms: Some(since_ms),
        label: set.manifest.label,
    };
    if judged.examples.is_empty() {
        return Err(Refused::NothingLater);
    }
    let model = Model::new(forest, set.scaler()?)?;
    Ok(judged.report(Some(&set.manifest.version), &|_| Some(&model), None))
}
