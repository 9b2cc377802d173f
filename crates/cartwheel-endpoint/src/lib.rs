//! Model bundles and the release that serves.
//!
//! `models/<version>/` holds `model.tar.gz` (with `xgboost-model` alone at its
//! top), and beside it `scaler.json`, `features.json`, `metrics.json` and
//! `manifest.json`. A bundle is written under a temporary name and renamed; it is
//! read back whole and checked before it may serve. `releases/current.json` names
//! the feature set and the model that serve together.

mod bundle;
mod release;

pub use bundle::{Bundle, BundleError, BundleManifest, BundleParts, read, write};
pub use release::{Release, current, publish};
