//! The lake's directory and the manifest of its import.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};

use serde::{Deserialize, Serialize};

/// Where the manifest lies.
const CURRENT: &str = "imports/current.json";

/// A lake in a local directory.
#[derive(Debug, Clone)]
pub struct Lake {
    dir: PathBuf,
    store: Arc<LocalFileSystem>,
}

/// Why the lake cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LakeError {
    /// A file cannot be read or written, or is damaged.
    #[error("lake: {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl LakeError {
    pub(crate) fn file(path: &Path, source: impl Into<io::Error>) -> Self {
        Self::File { path: path.to_owned(), source: source.into() }
    }
}

/// Which files are the imported tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Hash of the imported files' content.
    pub id: String,
    /// Day of everybody's newest order, UTC milliseconds.
    pub as_of_ms: i64,
    /// Parts of `orders`.
    pub orders: Vec<PathBuf>,
    /// Parts of `order_products`.
    pub order_products: Vec<PathBuf>,
    /// Parts of `products`.
    pub products: Vec<PathBuf>,
    /// What the import counted.
    pub summary: crate::ImportSummary,
}

impl Lake {
    /// Opens the lake in `dir`, which is made if need be.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn open(dir: &Path) -> Result<Self, LakeError> {
        std::fs::create_dir_all(dir).map_err(|e| LakeError::file(dir, e))?;
        let store = LocalFileSystem::new_with_prefix(dir)
            .map_err(|e| LakeError::file(dir, io::Error::other(e)))?;
        // What is put is on disk, file and name.
        Ok(Self { dir: dir.to_owned(), store: Arc::new(store.with_fsync(true)) })
    }

    /// The objects of the lake, by their path in it.
    pub(crate) fn store(&self) -> Arc<dyn ObjectStore> {
        self.store.clone()
    }

    /// Puts an object, whole or not at all, and waits for it.
    pub(crate) fn put(&self, path: &Path, bytes: Bytes) -> Result<(), LakeError> {
        let failed = |e| LakeError::file(path, io::Error::other(e));
        let key = Key::parse(path.to_string_lossy()).map_err(|e| failed(e.into()))?;
        let put = self.store.put(&key, PutPayload::from_bytes(bytes));
        futures::executor::block_on(put).map(drop).map_err(failed)
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The manifest of the import, with paths as they lie here; none before one.
    ///
    /// # Errors
    /// When the file exists and is damaged.
    pub fn import_manifest(&self) -> Result<Option<Manifest>, LakeError> {
        let path = self.dir.join(CURRENT);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(LakeError::file(&path, e)),
        };
        let mut manifest: Manifest =
            serde_json::from_slice(&bytes).map_err(|e| LakeError::file(&path, e))?;
        let parts = [&mut manifest.orders, &mut manifest.order_products, &mut manifest.products];
        for part in parts.into_iter().flatten() {
            *part = self.dir.join(&*part);
        }
        Ok(Some(manifest))
    }

    /// Names the import from now on; paths are relative to the lake.
    pub(crate) fn put_manifest(&self, manifest: &Manifest) -> Result<(), LakeError> {
        let bytes = serde_json::to_vec_pretty(manifest);
        let bytes = bytes.map_err(|e| LakeError::file(Path::new(CURRENT), e))?;
        self.put(Path::new(CURRENT), bytes.into())
    }
}
