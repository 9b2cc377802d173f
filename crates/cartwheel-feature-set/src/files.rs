//! Names of the files of a feature set, `features/<version>/`.

use cartwheel_features::GROUPS;

/// What the set is and what it was built from. It is written last: a directory without it
/// is not a feature set.
pub const MANIFEST: &str = "manifest.json";
/// User records. On AWS they are in the users table instead.
pub const USERS: &str = "users.bin";
/// The catalogue over all orders.
pub const CATALOGUE: &str = "catalogue.bin";
/// For each group of users the catalogue over the users of the other groups, for rows of the
/// group. The first is for the users whom training holds out.
pub const CATALOGUES_OF_OTHERS: [&str; GROUPS] = [
    "catalogue_others_0.bin",
    "catalogue_others_1.bin",
    "catalogue_others_2.bin",
    "catalogue_others_3.bin",
    "catalogue_others_4.bin",
];
/// Held-out examples: the newest orders of the gate users.
pub const GATE: &str = "gate.bin";
/// The first order of each user after the time at which the set ends. Only a set that ends before
/// the data has it.
pub const LATER: &str = "later.bin";
/// Order histories of some users, for the baselines that a model is compared with.
pub const HISTORIES: &str = "histories.bin";
/// The newest order of each user that cross-validation judges by. Only a set with too few
/// [`GATE`] examples has it.
pub const CROSS: &str = "cross.bin";
/// The scaler that was fitted on the training rows.
pub const SCALER: &str = "scaler.json";
/// Names of the feature columns, in order.
pub const FEATURES: &str = "features.json";
/// The columns of the rows, with their hash.
pub const SCHEMA: &str = "schema.json";
/// Rows to train on: the label, then the scaled features.
pub const TRAIN: &str = "train.parquet";
/// User, order, cart size and product of each row of [`TRAIN`].
pub const TRAIN_KEYS: &str = "train_keys.parquet";
/// Rows for early stopping, shaped like [`TRAIN`].
pub const VALID: &str = "valid.parquet";
/// User, order, cart size and product of each row of [`VALID`].
pub const VALID_KEYS: &str = "valid_keys.parquet";
/// A sample of [`TRAIN`], on which hyperparameters are searched. Only a set whose models the gate
/// judges has it.
pub const SEARCH_TRAIN: &str = "search_train.parquet";
/// A sample of [`VALID`], by which hyperparameters are chosen.
pub const SEARCH_VALID: &str = "search_valid.parquet";

/// Rows to train on in one fold of cross-validation, shaped like [`TRAIN`].
pub fn fold_train(fold: u32) -> String {
    format!("fold_{fold}_train.parquet")
}

/// Rows for early stopping in one fold of cross-validation, shaped like [`TRAIN`].
pub fn fold_valid(fold: u32) -> String {
    format!("fold_{fold}_valid.parquet")
}

/// The files that serving opens, besides the user records.
pub const SERVING: &[&str] = &[MANIFEST, CATALOGUE];
/// The files that evaluation opens.
pub const EVALUATION: &[&str] =
    &[MANIFEST, CATALOGUES_OF_OTHERS[0], GATE, HISTORIES, SCALER, FEATURES];
/// The files that cross-validation opens.
pub const CROSS_VALIDATION: &[&str] = &[
    MANIFEST,
    CATALOGUES_OF_OTHERS[0],
    CATALOGUES_OF_OTHERS[1],
    CATALOGUES_OF_OTHERS[2],
    CATALOGUES_OF_OTHERS[3],
    CATALOGUES_OF_OTHERS[4],
    CROSS,
    HISTORIES,
    SCALER,
    FEATURES,
];

/// Prefix of a directory that holds a set being written.
pub(crate) const BUILDING_PREFIX: &str = ".building-";
/// Prefix of a directory that holds a set being removed.
pub(crate) const REMOVED_PREFIX: &str = ".removed-";
