//! Model bundles and the release that serves.
//!
//! `models/<version>/` holds `model.tar.gz` (with `xgboost-model` alone at its
//! top), and beside it `scaler.json`, `features.json`, `metrics.json` and
//! `manifest.json`. A bundle is written under a temporary name and renamed; it is
//! read back whole and checked before it may serve. `releases/current.json` names
//! the feature set and the model that serve together, `releases/previous.json` those
//! before them.

mod bundle;
mod registry;
mod release;

pub use bundle::{Bundle, BundleError, BundleManifest, BundleParts, extract, read, write};
pub use registry::{Evaluation, ModelRecord, ModelStatus, decide, list};
pub use release::{Release, current, previous, publish, rollback};

#[cfg(test)]
mod tests;
