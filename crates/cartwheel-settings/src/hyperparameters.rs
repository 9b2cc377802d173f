//! The hyperparameters that `--set` takes: those of SageMaker's built-in XGBoost, so that a run
//! takes the same ones here and on AWS.
//!
//! Sources: "XGBoost hyperparameters" in the SageMaker developer guide
//! (docs.aws.amazon.com/sagemaker/latest/dg/xgboost_hyperparameters.html), and for the names that
//! the guide leaves to XGBoost's own documentation, the container's validation
//! (`hyperparameter_validation.py` of github.com/aws/sagemaker-xgboost-container). The container's
//! internal names and its cross-validation, which gives several models, are left out.

use std::collections::BTreeMap;

use crate::nearest::nearest;
use crate::table::Train;

/// Hyperparameters as text, by the names that SageMaker's XGBoost container uses.
pub type Hyperparameters = BTreeMap<String, String>;

/// The configured hyperparameters.
pub fn configured(settings: &Train) -> Hyperparameters {
    let names = [
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
        // Early stopping watches the last metric. An AUC of all rows in each round would take 40 % of
        // the training's CPU.
        ("eval_metric", "logloss".to_owned()),
    ];
    names.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What a hyperparameter's value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Integer,
    Number,
    Text,
}

use Form::{Integer, Number, Text};

/// Names with the form of their values.
const HYPERPARAMETERS: [(&str, Form); 50] = [
    ("aft_loss_distribution", Text),
    ("aft_loss_distribution_scale", Number),
    ("alpha", Number),
    ("base_score", Number),
    ("booster", Text),
    ("colsample_bylevel", Number),
    ("colsample_bynode", Number),
    ("colsample_bytree", Number),
    ("csv_weights", Integer),
    ("deterministic_histogram", Text),
    ("dsplit", Text),
    ("early_stopping_rounds", Integer),
    ("eta", Number),
    ("eval_metric", Text),
    ("gamma", Number),
    ("grow_policy", Text),
    ("interaction_constraints", Text),
    ("lambda", Number),
    ("lambda_bias", Number),
    ("max_bin", Integer),
    ("max_delta_step", Number),
    ("max_depth", Integer),
    ("max_leaves", Integer),
    ("min_child_weight", Number),
    ("monotone_constraints", Text),
    ("normalize_type", Text),
    ("nthread", Integer),
    ("num_class", Integer),
    ("num_parallel_tree", Integer),
    ("num_round", Integer),
    ("objective", Text),
    ("one_drop", Integer),
    ("predictor", Text),
    ("prob_buffer_row", Number),
    ("process_type", Text),
    ("rate_drop", Number),
    ("refresh_leaf", Integer),
    ("sample_type", Text),
    ("sampling_method", Text),
    ("save_model_on_termination", Text),
    ("scale_pos_weight", Number),
    ("seed", Integer),
    ("sketch_eps", Number),
    ("skip_drop", Number),
    ("subsample", Number),
    ("tree_method", Text),
    ("tweedie_variance_power", Number),
    ("updater", Text),
    ("use_dask_gpu_training", Text),
    ("verbosity", Integer),
];

/// XGBoost's other names of some hyperparameters. A model would get two values for one.
const ALIASES: [(&str, &str); 4] = [
    ("learning_rate", "eta"),
    ("min_split_loss", "gamma"),
    ("reg_alpha", "alpha"),
    ("reg_lambda", "lambda"),
];

/// A hyperparameter and its value, as text.
pub type Assignment = (String, String);

/// Parses `NAME=VALUE`.
///
/// # Errors
/// When the name is not a hyperparameter, or the value does not have its form.
pub fn parse(text: &str) -> Result<Assignment, String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE, such as max_depth=4")?;
    let Some((_, form)) = HYPERPARAMETERS.iter().find(|known| known.0 == name) else {
        return Err(unknown(name));
    };
    let (valid, expected) = match form {
        Integer => (value.parse::<i64>().is_ok(), "an integer"),
        Number => (value.parse::<f64>().is_ok_and(f64::is_finite), "a number"),
        Text => (!value.is_empty(), "a value"),
    };
    if !valid {
        return Err(format!("{name} is {value:?}: expected {expected}"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

fn unknown(name: &str) -> String {
    let names = HYPERPARAMETERS.map(|known| known.0);
    let alias = ALIASES.iter().find(|alias| alias.0 == name).map(|alias| alias.1);
    let advice = alias.or_else(|| nearest(name, names)).map_or_else(
        || format!("they are {}", names.join(", ")),
        |near| format!("did you mean {near}?"),
    );
    format!("{name:?} is not a hyperparameter of XGBoost: {advice}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configured_hyperparameters_are_known() {
        for (name, value) in configured(&Train::default()) {
            let parsed = parse(&format!("{name}={value}"));
            assert_eq!(parsed, Ok((name, value)));
        }
    }

    #[test]
    fn a_wrong_one_is_refused_with_the_nearest_name() {
        for (text, expected) in [
            ("max_depht=4", "did you mean max_depth?"),
            ("depth=4", "did you mean max_depth?"),
            ("rounds=4", "did you mean num_round?"),
            ("learning_rate=0.1", "did you mean eta?"),
            ("nonsense=1", "they are aft_loss_distribution, "),
            ("=1", "is not a hyperparameter"),
            ("max_depth", "expected NAME=VALUE"),
            ("max_depth=deep", "max_depth is \"deep\": expected an integer"),
            ("eta=inf", "expected a number"),
            ("booster=", "expected a value"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
