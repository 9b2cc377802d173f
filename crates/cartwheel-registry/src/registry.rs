//! The interface of a registry.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use cartwheel_feature_set::{Manifest, files};

use crate::bundle::{BundleManifest, PackedBundle};
use crate::document::{DocumentChange, DocumentVersion};
use crate::error::RegistryError;
use crate::layout;
use crate::model::{Evaluation, ModelRecord};
use crate::release::{Published, Release};

/// A future that the caller drives.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The releases, models and documents of a lake. The suite in `conformance` states the semantics in
/// detail; every implementation passes it.
pub trait Registry: fmt::Debug + Send + Sync {
    /// Returns the release that serves, if it is another than `known`. Without a release it
    /// returns `None`.
    ///
    /// # Errors
    /// When the storage fails or the document is not a release.
    fn newer<'a>(
        &'a self,
        known: Option<&'a Published>,
    ) -> Pending<'a, Result<Option<Published>, RegistryError>>;

    /// Returns the release that served before the current one, if there is one.
    ///
    /// # Errors
    /// When the storage fails or the document is not a release.
    fn previous(&self) -> Pending<'_, Result<Option<Release>, RegistryError>>;

    /// Makes a release the current one, and the one before it the previous one. A release
    /// that others publish meanwhile becomes the previous one: it is not overwritten unseen.
    /// Publishing the current release again changes nothing.
    ///
    /// # Errors
    /// When the storage fails or a document is damaged: the current release then stands.
    fn publish<'a>(&'a self, release: &'a Release) -> Pending<'a, Result<(), RegistryError>>;

    /// Lists all models with their status, the newest first.
    ///
    /// # Errors
    /// When the storage fails or a release document is damaged.
    fn models(&self) -> Pending<'_, Result<Vec<ModelRecord>, RegistryError>>;

    /// Reads the manifest of a model, if the registry has the model.
    ///
    /// # Errors
    /// When the storage fails or the manifest is damaged.
    fn model<'a>(
        &'a self,
        version: &'a str,
    ) -> Pending<'a, Result<Option<BundleManifest>, RegistryError>>;

    /// Stores a bundle. It becomes visible once all of its files are stored; a bundle of the
    /// same version stays as it is.
    ///
    /// # Errors
    /// When the storage fails.
    fn put_bundle<'a>(&'a self, bundle: &'a PackedBundle)
    -> Pending<'a, Result<(), RegistryError>>;

    /// Notes the gate's decision on a model.
    ///
    /// # Errors
    /// When the registry does not have the model or the storage fails.
    fn put_evaluation<'a>(
        &'a self,
        model: &'a str,
        evaluation: &'a Evaluation,
    ) -> Pending<'a, Result<(), RegistryError>>;

    /// Reads the manifest of a feature set, if the lake has the set.
    ///
    /// # Errors
    /// When the storage fails or the manifest is damaged.
    fn feature_set<'a>(
        &'a self,
        version: &'a str,
    ) -> Pending<'a, Result<Option<Manifest>, RegistryError>>;

    /// Reads the version of the feature set that a run of the pipeline built, if it has
    /// built one.
    ///
    /// # Errors
    /// When the storage fails or the run's note is damaged.
    fn built_by<'a>(&'a self, run: &'a str) -> Pending<'a, Result<Option<String>, RegistryError>>;

    /// Reads the newest version of a document, if there is one.
    ///
    /// # Errors
    /// When the storage fails or the document is damaged.
    fn document<'a>(
        &'a self,
        name: &'a str,
    ) -> Pending<'a, Result<Option<DocumentVersion>, RegistryError>>;

    /// Replaces a document as a whole, if its newest version is the expected one, and returns the
    /// new version. Whatever happens meanwhile, the old document or the new one can be read.
    ///
    /// # Errors
    /// When the document has another version or is damaged, the content is too large, or the storage
    /// fails: the old document then stands.
    fn put_document<'a>(
        &'a self,
        change: DocumentChange<'a>,
    ) -> Pending<'a, Result<DocumentVersion, RegistryError>>;

    /// Reads the last `limit` versions of a document that are kept, the newest first.
    ///
    /// # Errors
    /// When the storage fails or a version is damaged.
    fn document_history<'a>(
        &'a self,
        name: &'a str,
        limit: usize,
    ) -> Pending<'a, Result<Vec<DocumentVersion>, RegistryError>>;

    /// Gives a directory that has the files at their places in a lake.
    ///
    /// # Errors
    /// When the storage fails or a file is missing.
    fn local_copy<'a>(
        &'a self,
        artifacts: Artifacts<'a>,
    ) -> Pending<'a, Result<LocalCopy, RegistryError>>;

    /// Returns the release that serves, if there is one.
    ///
    /// # Errors
    /// When the storage fails or the document is not a release.
    fn current(&self) -> Pending<'_, Result<Option<Published>, RegistryError>> {
        self.newer(None)
    }
}

/// Files of a lake that belong together.
#[derive(Debug, Clone, Copy)]
pub enum Artifacts<'a> {
    /// What a release answers from: the catalogue of its feature set and the bundle of its
    /// model.
    Release(&'a Release),
    /// What evaluation reads of a feature set: its gate users and the catalogue without
    /// their newest orders.
    Gate(&'a str),
    /// What cross-validation reads of a feature set: its examples in place of the gate users.
    CrossValidation(&'a str),
    /// The bundles of models.
    Models(&'a [&'a str]),
    /// The bundle of a model, and the metrics of its training.
    Trained(&'a str),
}

impl Artifacts<'_> {
    /// Names of the files, relative to the lake.
    ///
    /// # Errors
    /// When a version cannot be a name.
    pub fn files(&self) -> Result<Vec<String>, RegistryError> {
        match self {
            Self::Release(release) => {
                let mut files = layout::set_files(&release.feature_set, files::SERVING)?;
                let challenger =
                    release.challenger.as_ref().map(|challenger| challenger.model.as_str());
                let models: Vec<&str> =
                    release.model.as_deref().into_iter().chain(challenger).collect();
                files.extend(bundles(&models)?);
                Ok(files)
            }
            Self::Gate(feature_set) => layout::set_files(feature_set, files::EVALUATION),
            Self::CrossValidation(feature_set) => {
                layout::set_files(feature_set, files::CROSS_VALIDATION)
            }
            Self::Models(versions) => bundles(versions),
            Self::Trained(version) => {
                let mut files = bundles(&[version])?;
                files.push(layout::model_file(version, layout::METRICS)?);
                Ok(files)
            }
        }
    }
}

fn bundles(versions: &[&str]) -> Result<Vec<String>, RegistryError> {
    let files = versions
        .iter()
        .flat_map(|version| layout::BUNDLE.map(|file| layout::model_file(version, file)));
    files.collect()
}

/// A directory with files of a lake. A temporary one is removed with this value.
pub struct LocalCopy {
    directory: PathBuf,
    _guard: Option<Box<dyn Any + Send + Sync>>,
}

impl LocalCopy {
    /// A directory that stays.
    pub fn permanent(directory: PathBuf) -> Self {
        Self { directory, _guard: None }
    }

    /// A directory that `guard` removes when it is dropped.
    pub fn temporary(directory: PathBuf, guard: impl Send + Sync + 'static) -> Self {
        Self { directory, _guard: Some(Box::new(guard)) }
    }

    /// The directory, laid out as a lake.
    pub fn lake(&self) -> &Path {
        &self.directory
    }

    /// Its folder of bundles.
    pub fn models(&self) -> PathBuf {
        self.directory.join(layout::MODELS)
    }

    /// Its folder of one feature set.
    pub fn feature_set(&self, version: &str) -> PathBuf {
        self.directory.join(layout::FEATURES).join(version)
    }
}

impl fmt::Debug for LocalCopy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LocalCopy").field(&self.directory).finish()
    }
}
