//! The registry in a local directory.

use std::fs::{self, File};
use std::future::ready;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use cartwheel_feature_set::Manifest;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::bundle::{self, BundleManifest, PackedBundle};
use crate::document::{DocumentChange, DocumentVersion};
use crate::error::RegistryError;
use crate::layout::{self, CURRENT, EVALUATION, MANIFEST, METRICS, MODELS, PREVIOUS, RELEASES};
use crate::local_documents;
use crate::model::{Evaluation, ModelFiles, ModelRecord, records};
use crate::registry::{Artifacts, LocalCopy, Pending, Registry};
use crate::release::{Published, Release};

/// The note of a run.
#[derive(Debug, Serialize, Deserialize)]
struct RunNote {
    feature_set: String,
}

/// Reads the release that serves from the folder of releases, if there is one.
///
/// # Errors
/// When the file cannot be read or is not a release.
pub fn current(releases: &Path) -> Result<Option<Release>, RegistryError> {
    Ok(published(&releases.join(CURRENT))?.map(|published| published.release))
}

/// Reads the release that served before the current one, if there is one.
///
/// # Errors
/// When the file cannot be read or is not a release.
pub fn previous(releases: &Path) -> Result<Option<Release>, RegistryError> {
    Ok(published(&releases.join(PREVIOUS))?.map(|published| published.release))
}

/// Makes a release the current one and the one before it the previous one, as
/// [`Registry::publish`] does.
///
/// # Errors
/// When a file cannot be read or written: the current release then stands.
pub fn publish(releases: &Path, release: &Release) -> Result<(), RegistryError> {
    let failed = |error: io::Error| RegistryError::storage(releases.display(), error);
    fs::create_dir_all(releases).map_err(failed)?;
    // Publishers of other processes wait for the folder; closing it lets them go on.
    let turn = File::open(releases).map_err(failed)?;
    turn.lock().map_err(failed)?;
    match current(releases)? {
        Some(current) if current == *release => return Ok(()),
        Some(current) => replace(&releases.join(PREVIOUS), &current)?,
        None => {}
    }
    replace(&releases.join(CURRENT), release)
}

/// Lists the models below `models` with their status, the newest first.
///
/// # Errors
/// When a release or the folder cannot be read.
pub fn list(models: &Path, releases: &Path) -> Result<Vec<ModelRecord>, RegistryError> {
    let failed = |error: io::Error| RegistryError::storage(models.display(), error);
    let (current, previous) = (current(releases)?, previous(releases)?);
    let entries = match fs::read_dir(models) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        // A hidden folder is a bundle that is being written, or was when a process ended.
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let directory = entry.path();
        let path = directory.join(MANIFEST);
        let Ok(manifest) = fs::read(&path) else { continue };
        let written = fs::metadata(&path).and_then(|file| file.modified()).map_err(failed)?;
        let age = written.duration_since(UNIX_EPOCH).unwrap_or_default();
        files.push(ModelFiles {
            manifest,
            created_ms: i64::try_from(age.as_millis()).unwrap_or(i64::MAX),
            metrics: fs::read(directory.join(METRICS)).ok(),
            evaluation: read(&directory.join(EVALUATION)).ok().flatten(),
        });
    }
    Ok(records(files, current.as_ref(), previous.as_ref()))
}

/// Reads a file, if there is one.
fn read(path: &Path) -> Result<Option<Vec<u8>>, RegistryError> {
    match cartwheel_files::read_checked(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(RegistryError::damaged(path.display(), error))
        }
        Err(error) => Err(RegistryError::storage(path.display(), error)),
    }
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, RegistryError> {
    let content = read(path)?.map(|content| serde_json::from_slice(&content));
    content.transpose().map_err(|error| RegistryError::damaged(path.display(), error))
}

fn published(path: &Path) -> Result<Option<Published>, RegistryError> {
    let Some(content) = read(path)? else { return Ok(None) };
    let release = Release::parse(&path.display().to_string(), &content)?;
    Ok(Some(Published { release, version: hex::encode(Sha256::digest(&content)) }))
}

fn replace(path: &Path, value: &impl Serialize) -> Result<(), RegistryError> {
    let written = serde_json::to_vec_pretty(value)
        .map_err(io::Error::other)
        .and_then(|content| cartwheel_files::replace_checked(path, &content));
    written.map_err(|error| RegistryError::storage(path.display(), error))
}

/// The registry of the lake in a local directory.
///
/// Its futures do their work when they are first polled and block meanwhile: poll them
/// where blocking is allowed. Publications of several processes take turns, and what a
/// method reports as stored survives a loss of power.
#[derive(Debug, Clone)]
pub struct LocalRegistry {
    lake: PathBuf,
}

impl LocalRegistry {
    /// The registry of the lake in `lake`, which may not exist yet.
    pub fn new(lake: impl Into<PathBuf>) -> Self {
        Self { lake: lake.into() }
    }

    /// Notes which feature set a run of the pipeline built.
    ///
    /// # Errors
    /// When `run` cannot be a name or the note cannot be written.
    pub fn note_built(&self, run: &str, feature_set: &str) -> Result<(), RegistryError> {
        let note = RunNote { feature_set: feature_set.to_owned() };
        replace(&self.path(layout::run_note(run)?), &note)
    }

    fn path(&self, name: String) -> PathBuf {
        self.lake.join(name)
    }

    fn releases(&self) -> PathBuf {
        self.lake.join(RELEASES)
    }

    fn models_folder(&self) -> PathBuf {
        self.lake.join(MODELS)
    }
}

impl Registry for LocalRegistry {
    fn newer<'a>(
        &'a self,
        known: Option<&'a Published>,
    ) -> Pending<'a, Result<Option<Published>, RegistryError>> {
        Box::pin(async move {
            let found = published(&self.releases().join(CURRENT))?;
            Ok(found.filter(|found| known.is_none_or(|known| known.version != found.version)))
        })
    }

    fn previous(&self) -> Pending<'_, Result<Option<Release>, RegistryError>> {
        Box::pin(async move { previous(&self.releases()) })
    }

    fn publish<'a>(&'a self, release: &'a Release) -> Pending<'a, Result<(), RegistryError>> {
        Box::pin(async move { publish(&self.releases(), release) })
    }

    fn models(&self) -> Pending<'_, Result<Vec<ModelRecord>, RegistryError>> {
        Box::pin(async move { list(&self.models_folder(), &self.releases()) })
    }

    fn model<'a>(
        &'a self,
        version: &'a str,
    ) -> Pending<'a, Result<Option<BundleManifest>, RegistryError>> {
        Box::pin(async move {
            let file = self.path(layout::model_file(version, MANIFEST)?);
            // A link, which is not listed either, may lead out of the registry.
            if file.parent().is_some_and(Path::is_symlink) {
                return Ok(None);
            }
            read_json(&file)
        })
    }

    fn put_bundle<'a>(
        &'a self,
        bundle: &'a PackedBundle,
    ) -> Pending<'a, Result<(), RegistryError>> {
        Box::pin(async move {
            let stored = bundle::store(&self.models_folder(), bundle);
            stored.map_err(|error| RegistryError::storage(&bundle.version, error))
        })
    }

    fn put_evaluation<'a>(
        &'a self,
        model: &'a str,
        evaluation: &'a Evaluation,
    ) -> Pending<'a, Result<(), RegistryError>> {
        Box::pin(async move {
            let manifest = layout::model_file(model, MANIFEST)?;
            if read(&self.lake.join(&manifest))?.is_none() {
                return Err(RegistryError::Missing(manifest));
            }
            replace(&self.path(layout::model_file(model, EVALUATION)?), evaluation)
        })
    }

    fn feature_set<'a>(
        &'a self,
        version: &'a str,
    ) -> Pending<'a, Result<Option<Manifest>, RegistryError>> {
        Box::pin(async move { read_json(&self.path(layout::set_manifest(version)?)) })
    }

    fn built_by<'a>(&'a self, run: &'a str) -> Pending<'a, Result<Option<String>, RegistryError>> {
        Box::pin(async move {
            let note: Option<RunNote> = read_json(&self.path(layout::run_note(run)?))?;
            Ok(note.map(|note| note.feature_set))
        })
    }

    fn document<'a>(
        &'a self,
        name: &'a str,
    ) -> Pending<'a, Result<Option<DocumentVersion>, RegistryError>> {
        Box::pin(async move { local_documents::current(&self.lake, name) })
    }

    fn put_document<'a>(
        &'a self,
        change: DocumentChange<'a>,
    ) -> Pending<'a, Result<DocumentVersion, RegistryError>> {
        Box::pin(async move { local_documents::put(&self.lake, &change) })
    }

    fn document_history<'a>(
        &'a self,
        name: &'a str,
        limit: usize,
    ) -> Pending<'a, Result<Vec<DocumentVersion>, RegistryError>> {
        Box::pin(async move { local_documents::history(&self.lake, name, limit) })
    }

    /// The lake's own directory: a file that is missing is noticed by its reader.
    fn local_copy<'a>(&'a self, _: Artifacts<'a>) -> Pending<'a, Result<LocalCopy, RegistryError>> {
        Box::pin(ready(Ok(LocalCopy::permanent(self.lake.clone()))))
    }
}
