//! The lake's directory and the manifest of its import.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Component, Path, PathBuf};
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
    store: Arc<dyn ObjectStore>,
}

/// Held by whoever changes a part of the lake that others may change too: an import,
/// a compaction. It ends with its holder, however that ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
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
    /// Work that must be alone is being done by another.
    #[error("lake: another {0} is running")]
    Busy(&'static str),
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
        let failed = |e| LakeError::file(dir, e);
        std::fs::create_dir_all(dir).map_err(failed)?;
        // The directories below it are synced as they are made.
        if let Some(parent) = dir.canonicalize().map_err(failed)?.parent() {
            File::open(parent).and_then(|parent| parent.sync_all()).map_err(failed)?;
        }
        let store = LocalFileSystem::new_with_prefix(dir)
            .map_err(|e| LakeError::file(dir, io::Error::other(e)))?;
        // What is put is on disk, file and name.
        Ok(Self { dir: dir.to_owned(), store: Arc::new(store.with_fsync(true)) })
    }

    /// The lake with its objects written through another store.
    #[cfg(test)]
    pub(crate) fn through(&self, store: Arc<dyn ObjectStore>) -> Self {
        Self { dir: self.dir.clone(), store }
    }

    /// The objects of the lake, by their path in it.
    pub(crate) fn store(&self) -> Arc<dyn ObjectStore> {
        self.store.clone()
    }

    /// Syncs the folders of an object. Whoever made them may have been ended before it
    /// synced them, and then nobody else would.
    pub(crate) fn sync_folders(&self, path: &Path) -> io::Result<()> {
        let mut folders = path.ancestors().skip(1);
        folders.try_for_each(|folder| File::open(self.dir.join(folder))?.sync_all())
    }

    fn lock_file(&self, what: &str) -> Result<(File, PathBuf), LakeError> {
        let path = self.dir.join(format!(".{what}.lock"));
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        Ok((file.map_err(|e| LakeError::file(&path, e))?, path))
    }

    /// Waits for the lock of that name.
    pub(crate) fn lock(&self, what: &str) -> Result<Lock, LakeError> {
        let (file, path) = self.lock_file(what)?;
        file.lock().map_err(|e| LakeError::file(&path, e))?;
        Ok(Lock { _file: file })
    }

    /// Takes the lock of that name, unless another holds it.
    pub(crate) fn try_lock(&self, what: &str) -> Result<Option<Lock>, LakeError> {
        let (file, path) = self.lock_file(what)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(LakeError::file(&path, e)),
        }
    }

    /// Takes an object away. One that is not there is away.
    pub(crate) fn remove(&self, path: &Path) -> Result<(), LakeError> {
        let failed = |e| LakeError::file(path, io::Error::other(e));
        let key = Key::parse(path.to_string_lossy()).map_err(|e| failed(e.into()))?;
        match futures::executor::block_on(self.store.delete(&key)) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }

    /// A path relative to the lake.
    pub(crate) fn relative<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.dir).unwrap_or(path)
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
            if part.components().any(|step| !matches!(step, Component::Normal(_))) {
                let problem = format!("{} is not a path in the lake", part.display());
                return Err(LakeError::file(&path, io::Error::other(problem)));
            }
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
