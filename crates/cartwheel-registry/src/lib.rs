//! The registry of releases, models and documents.
//!
//! A [`Release`] names the feature set and the model that serve together. A model is a
//! bundle: `models/<version>/` holds `model.tar.gz` (with `xgboost-model` alone at its top)
//! and beside it `scaler.json`, `features.json`, `metrics.json` and `manifest.json`. A
//! bundle becomes visible with all of its files, and is verified as a whole before it
//! serves. `evaluation.json` in it is the gate's decision. `releases/current.json` is the
//! release that serves, `releases/previous.json` the one before it. [`layout`] has the
//! names.
//!
//! A document is what the shop configures beside settings, such as its placements: JSON that is
//! replaced as a whole, on condition of the version that it replaces. [`LiveDocument`] holds one in
//! memory.
//!
//! [`Registry`] is the interface; [`LocalRegistry`] implements it in a directory,
//! `cartwheel-aws` on S3.

mod bundle;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod document;
#[cfg(any(test, feature = "conformance"))]
pub mod document_conformance;
mod error;
pub mod layout;
mod live_document;
mod local;
mod local_documents;
mod model;
mod registry;
mod release;

pub use bundle::{
    Bundle, BundleError, BundleManifest, BundleParts, PackedBundle, archive, extract, pack, read,
    write,
};
pub use document::{DocumentChange, DocumentVersion, KEPT_VERSIONS, MAX_DOCUMENT, last_expired};
pub use error::RegistryError;
pub use live_document::{Edition, LiveDocument};
pub use local::{LocalRegistry, current, list, previous, publish};
pub use model::{Evaluation, ModelFiles, ModelRecord, ModelStatus, records};
pub use registry::{Artifacts, LocalCopy, Pending, Registry};
pub use release::{Challenger, Published, Release, Variant};

#[cfg(test)]
mod tests;
