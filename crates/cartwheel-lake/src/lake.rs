//! The lake's directory: its objects and its locks.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use cartwheel_files::sync_dir;
use futures::executor::block_on;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};

use crate::error::LakeError;
use crate::files::walk::walk;

/// A lake in a local directory. Clones share the object store.
#[derive(Debug, Clone)]
pub struct Lake {
    dir: PathBuf,
    store: Arc<dyn ObjectStore>,
}

/// An exclusive lock on one kind of work. It is released when it is dropped, and when the
/// process ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lake {
    /// Opens the lake in `dir` and creates the directory if it is missing.
    ///
    /// # Errors
    /// When the directory cannot be created.
    pub fn open(dir: &Path) -> Result<Self, LakeError> {
        let failed = |e| LakeError::file(dir, e);
        std::fs::create_dir_all(dir).map_err(failed)?;
        // The store syncs the directories that it creates, but not this one.
        if let Some(parent) = dir.canonicalize().map_err(failed)?.parent() {
            sync_dir(parent).map_err(failed)?;
        }
        let store = LocalFileSystem::new_with_prefix(dir).map_err(|e| LakeError::object(dir, e))?;
        // A `put` returns once both content and name are on disk.
        Ok(Self { dir: dir.to_owned(), store: Arc::new(store.with_fsync(true)) })
    }

    /// The same lake with its objects written through another store.
    #[cfg(test)]
    pub(crate) fn through(&self, store: Arc<dyn ObjectStore>) -> Self {
        Self { dir: self.dir.clone(), store }
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The object store. Its keys are paths relative to the lake.
    pub(crate) fn store(&self) -> Arc<dyn ObjectStore> {
        self.store.clone()
    }

    /// `path` relative to the lake.
    pub(crate) fn relative<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.dir).unwrap_or(path)
    }

    /// Writes an object, whole or not at all, and waits until it is on disk. `path` is relative
    /// to the lake.
    pub(crate) fn put(&self, path: &Path, bytes: Bytes) -> Result<(), LakeError> {
        let key = object_key(path)?;
        let put = self.store.put(&key, PutPayload::from_bytes(bytes));
        block_on(put).map(drop).map_err(|e| LakeError::object(path, e))
    }

    /// Deletes an object. `path` is relative to the lake. A missing object is not an error. After a
    /// power cut it may be back, unless [`Self::sync_removals`] followed.
    pub(crate) fn remove(&self, path: &Path) -> Result<(), LakeError> {
        let key = object_key(path)?;
        match block_on(self.store.delete(&key)) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(LakeError::object(path, error)),
        }
    }

    /// Waits until no removed file can come back, also of processes that ended before.
    pub(crate) fn sync_removals(&self) -> Result<(), LakeError> {
        walk(&self.dir, |folder, _| match sync_dir(folder) {
            // A folder that is gone has no names.
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(LakeError::file(folder, e)),
            _ => Ok(()),
        })
    }

    /// Syncs the folders of the object at `path`, which is relative to the lake. A process that
    /// crashed may have created them without syncing them, and the store does not sync folders
    /// that exist.
    pub(crate) fn sync_folders(&self, path: &Path) -> io::Result<()> {
        path.ancestors().skip(1).try_for_each(|folder| sync_dir(&self.dir.join(folder)))
    }

    /// Waits for the lock of that name.
    pub(crate) fn lock(&self, name: &str) -> Result<Lock, LakeError> {
        let path = self.lock_path(name);
        let failed = |e| LakeError::file(&path, e);
        let file = open_lock(&path).map_err(failed)?;
        file.lock().map_err(failed)?;
        Ok(Lock { _file: file })
    }

    /// Takes the lock of that name, or returns `None` if it is held elsewhere.
    pub(crate) fn try_lock(&self, name: &str) -> Result<Option<Lock>, LakeError> {
        let path = self.lock_path(name);
        let failed = |e| LakeError::file(&path, e);
        let file = open_lock(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(failed(e)),
        }
    }

    fn lock_path(&self, name: &str) -> PathBuf {
        self.dir.join(format!(".{name}.lock"))
    }
}

fn open_lock(path: &Path) -> io::Result<File> {
    File::options().create(true).truncate(false).write(true).open(path)
}

/// The store's key of a path relative to the lake.
pub(crate) fn object_key(path: &Path) -> Result<Key, LakeError> {
    Key::parse(path.to_string_lossy()).map_err(|e| LakeError::object(path, e))
}
