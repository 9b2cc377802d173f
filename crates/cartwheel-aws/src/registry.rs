//! The registry of releases and models on S3.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use cartwheel_feature_set::Manifest;
use cartwheel_registry::layout::{self, EVALUATION, MANIFEST, METRICS, MODELS};
use cartwheel_registry::{
    Artifacts, BundleManifest, DocumentChange, DocumentVersion, Evaluation, LocalCopy, ModelFiles,
    ModelRecord, PackedBundle, Pending, Published, Registry, RegistryError, Release, records,
};
use futures::stream::{self, StreamExt, TryStreamExt};
use object_store::ObjectMeta;
use parking_lot::Mutex;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::documents;
use crate::lake::{Lake, LakeError, Read, Versioned};

/// Attempts to publish a release while others publish theirs.
const ATTEMPTS: usize = 5;
/// Requests in flight at once.
const CONCURRENT: usize = 16;
/// Most bytes of models' files that are kept between two lists.
const MAX_KEPT: usize = 32 << 20;

/// The note of a run.
#[derive(Debug, Deserialize)]
struct RunNote {
    feature_set: String,
}

/// The registry of a lake on S3.
///
/// A release is published by a conditional put, so that publishers do not need a lock.
/// Local copies are temporary directories.
#[derive(Debug, Clone)]
pub struct S3Registry {
    lake: Lake,
    /// The files of the last list of models by name, with their ETags: a list reads what is new.
    kept: Arc<Mutex<HashMap<String, (String, Bytes)>>>,
}

impl S3Registry {
    /// Opens the registry of the lake at `s3://bucket` or `s3://bucket/prefix`, with the
    /// environment's credentials.
    ///
    /// # Errors
    /// When the address has another form.
    pub fn open(uri: &str) -> Result<Self, LakeError> {
        Lake::open(uri).map(Self::new)
    }

    /// The registry of a lake.
    pub fn new(lake: Lake) -> Self {
        Self { lake, kept: Arc::default() }
    }

    async fn published(
        &self,
        name: &str,
        known: Option<&str>,
    ) -> Result<Option<Published>, RegistryError> {
        match self.lake.read(name, known).await.map_err(|error| failed(name, error))? {
            Read::Missing | Read::Unchanged => Ok(None),
            Read::Found(Versioned { content, version }) => {
                Ok(Some(Published { release: Release::parse(name, &content)?, version }))
            }
        }
    }

    async fn json<T: DeserializeOwned>(&self, name: String) -> Result<Option<T>, RegistryError> {
        let content = self.lake.find(&name).await.map_err(|error| failed(&name, error))?;
        let parsed = content.map(|content| serde_json::from_slice(&content));
        parsed.transpose().map_err(|error| RegistryError::damaged(name, error))
    }

    async fn put(&self, name: &str, content: Vec<u8>) -> Result<(), RegistryError> {
        self.lake.put(name, content).await.map_err(|error| failed(name, error))
    }

    /// Makes a release the current one, with one attempt for each release that others
    /// publish meanwhile.
    async fn publish_release(&self, release: &Release) -> Result<(), RegistryError> {
        let (current_name, previous_name) = (layout::current(), layout::previous());
        for _ in 0..ATTEMPTS {
            let expected = match self.published(&current_name, None).await? {
                Some(current) if current.release == *release => return Ok(()),
                Some(current) => {
                    self.put(&previous_name, document(&previous_name, &current.release)?).await?;
                    Some(current.version)
                }
                None => None,
            };
            let content = document(&current_name, release)?;
            let put = self.lake.put_if(&current_name, content, expected).await;
            if put.map_err(|error| failed(&current_name, error))? {
                return Ok(());
            }
        }
        Err(RegistryError::Contended(ATTEMPTS))
    }

    /// Reads an object as it was listed, unless it is kept.
    async fn listed(&self, object: &ObjectMeta) -> Result<Option<Bytes>, RegistryError> {
        let name = object.location.as_ref();
        let tag = object.e_tag.as_deref();
        if let Some((known, content)) = self.kept.lock().get(name)
            && Some(known.as_str()) == tag
        {
            return Ok(Some(content.clone()));
        }
        let content = self.lake.find(name).await.map_err(|error| failed(name, error))?;
        if let (Some(content), Some(tag)) = (&content, tag) {
            let mut kept = self.kept.lock();
            let bytes: usize = kept.values().map(|(_, content)| content.len()).sum();
            if bytes + content.len() <= MAX_KEPT {
                kept.insert(name.to_owned(), (tag.to_owned(), content.clone()));
            }
        }
        Ok(content)
    }

    /// Reads the files that a model's record is made from.
    async fn files(
        &self,
        version: &str,
        created_ms: i64,
        objects: &HashMap<&str, &ObjectMeta>,
    ) -> Result<ModelFiles, RegistryError> {
        let find = async |file: &str| match objects.get(layout::model_file(version, file)?.as_str())
        {
            Some(object) => self.listed(object).await,
            None => Ok(None),
        };
        let (manifest, metrics, evaluation) =
            futures::try_join!(find(MANIFEST), find(METRICS), find(EVALUATION))?;
        Ok(ModelFiles {
            manifest: manifest.unwrap_or_default().into(),
            created_ms,
            metrics: metrics.map(Into::into),
            evaluation: evaluation.map(Into::into),
        })
    }

    async fn list(&self) -> Result<Vec<ModelRecord>, RegistryError> {
        let current = self.published(&layout::current(), None).await?;
        let previous = self.published(&layout::previous(), None).await?;
        let objects = self.lake.objects(MODELS).await.map_err(|error| failed(MODELS, error))?;
        let objects: HashMap<&str, &ObjectMeta> =
            objects.iter().map(|object| (object.location.as_ref(), object)).collect();
        self.kept.lock().retain(|name, _| objects.contains_key(name.as_str()));
        let mut files = Vec::new();
        for (name, object) in &objects {
            if let Some(version) = bundle_version(name) {
                let created_ms = object.last_modified.timestamp_millis();
                files.push(self.files(version, created_ms, &objects));
            }
        }
        let files: Vec<ModelFiles> = stream::iter(files).buffered(CONCURRENT).try_collect().await?;
        let release = |published: &Option<Published>| {
            published.as_ref().map(|published| published.release.clone())
        };
        Ok(records(files, release(&current).as_ref(), release(&previous).as_ref()))
    }

    /// Copies an object to its place below `directory`.
    async fn fetch(&self, name: &str, directory: &Path) -> Result<(), RegistryError> {
        let content = self.lake.find(name).await.map_err(|error| failed(name, error))?;
        let content = content.ok_or_else(|| RegistryError::Missing(name.to_owned()))?;
        let path = directory.join(name);
        let write = || {
            std::fs::create_dir_all(path.parent().unwrap_or(directory))?;
            std::fs::write(&path, &content)
        };
        write().map_err(|error| RegistryError::storage(path.display(), error))
    }
}

/// The version of the bundle whose manifest is called `name`.
fn bundle_version(name: &str) -> Option<&str> {
    let version = name.strip_prefix(MODELS)?.strip_prefix('/')?;
    let version = version.strip_suffix(MANIFEST)?.strip_suffix('/')?;
    (!version.contains('/')).then_some(version)
}

fn failed(name: &str, error: LakeError) -> RegistryError {
    RegistryError::storage(name, error)
}

fn document(name: &str, value: &impl serde::Serialize) -> Result<Vec<u8>, RegistryError> {
    serde_json::to_vec_pretty(value).map_err(|error| RegistryError::storage(name, error))
}

impl Registry for S3Registry {
    fn newer<'a>(
        &'a self,
        known: Option<&'a Published>,
    ) -> Pending<'a, Result<Option<Published>, RegistryError>> {
        Box::pin(async move {
            let known = known.map(|known| known.version.as_str());
            self.published(&layout::current(), known).await
        })
    }

    fn previous(&self) -> Pending<'_, Result<Option<Release>, RegistryError>> {
        Box::pin(async move {
            let previous = self.published(&layout::previous(), None).await?;
            Ok(previous.map(|previous| previous.release))
        })
    }

    fn publish<'a>(&'a self, release: &'a Release) -> Pending<'a, Result<(), RegistryError>> {
        Box::pin(self.publish_release(release))
    }

    fn models(&self) -> Pending<'_, Result<Vec<ModelRecord>, RegistryError>> {
        Box::pin(self.list())
    }

    fn model<'a>(
        &'a self,
        version: &'a str,
    ) -> Pending<'a, Result<Option<BundleManifest>, RegistryError>> {
        Box::pin(async move { self.json(layout::model_file(version, MANIFEST)?).await })
    }

    fn put_bundle<'a>(
        &'a self,
        bundle: &'a PackedBundle,
    ) -> Pending<'a, Result<(), RegistryError>> {
        Box::pin(async move {
            let manifest = layout::model_file(&bundle.version, MANIFEST)?;
            if self.lake.has(&manifest).await.map_err(|error| failed(&manifest, error))? {
                return Ok(());
            }
            // The manifest is the last: readers do not see a bundle without it.
            for (file, content) in &bundle.files {
                self.put(&layout::model_file(&bundle.version, file)?, content.clone()).await?;
            }
            Ok(())
        })
    }

    fn put_evaluation<'a>(
        &'a self,
        model: &'a str,
        evaluation: &'a Evaluation,
    ) -> Pending<'a, Result<(), RegistryError>> {
        Box::pin(async move {
            let manifest = layout::model_file(model, MANIFEST)?;
            if !self.lake.has(&manifest).await.map_err(|error| failed(&manifest, error))? {
                return Err(RegistryError::Missing(manifest));
            }
            let name = layout::model_file(model, EVALUATION)?;
            self.put(&name, document(&name, evaluation)?).await
        })
    }

    fn feature_set<'a>(
        &'a self,
        version: &'a str,
    ) -> Pending<'a, Result<Option<Manifest>, RegistryError>> {
        Box::pin(async move { self.json(layout::set_manifest(version)?).await })
    }

    fn built_by<'a>(&'a self, run: &'a str) -> Pending<'a, Result<Option<String>, RegistryError>> {
        Box::pin(async move {
            let note: Option<RunNote> = self.json(layout::run_note(run)?).await?;
            Ok(note.map(|note| note.feature_set))
        })
    }

    fn document<'a>(
        &'a self,
        name: &'a str,
    ) -> Pending<'a, Result<Option<DocumentVersion>, RegistryError>> {
        Box::pin(documents::current(&self.lake, name))
    }

    fn put_document<'a>(
        &'a self,
        change: DocumentChange<'a>,
    ) -> Pending<'a, Result<DocumentVersion, RegistryError>> {
        Box::pin(async move { documents::put(&self.lake, &change).await })
    }

    fn document_history<'a>(
        &'a self,
        name: &'a str,
        limit: usize,
    ) -> Pending<'a, Result<Vec<DocumentVersion>, RegistryError>> {
        Box::pin(documents::history(&self.lake, name, limit))
    }

    fn local_copy<'a>(
        &'a self,
        artifacts: Artifacts<'a>,
    ) -> Pending<'a, Result<LocalCopy, RegistryError>> {
        Box::pin(async move {
            let failed = |error| RegistryError::storage("a temporary directory", error);
            let directory = tempfile::tempdir().map_err(failed)?;
            let files = artifacts.files()?;
            let copies = files.iter().map(|name| self.fetch(name, directory.path()));
            futures::future::try_join_all(copies).await?;
            Ok(LocalCopy::temporary(directory.path().to_owned(), directory))
        })
    }
}
