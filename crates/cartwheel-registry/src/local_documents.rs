//! The documents of a lake in a local directory.
//!
//! `documents/<name>/current.json` is the newest version. A change first copies it to
//! `documents/<name>/history/<version>.json`, then replaces it, and then removes versions that are
//! no longer kept. A process that ends in between leaves either the old document or the new one.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::document::{DocumentChange, DocumentVersion, last_expired};
use crate::error::RegistryError;
use crate::layout;

/// Reads the newest version of a document, if there is one.
pub(crate) fn current(lake: &Path, name: &str) -> Result<Option<DocumentVersion>, RegistryError> {
    read(&lake.join(layout::document(name)?))
}

/// Stores a version, one writer after the other.
pub(crate) fn put(
    lake: &Path,
    change: &DocumentChange<'_>,
) -> Result<DocumentVersion, RegistryError> {
    let path = lake.join(layout::document(change.name)?);
    let folder = path.parent().unwrap_or(lake);
    let failed = |error: io::Error| RegistryError::storage(folder.display(), error);
    fs::create_dir_all(folder).map_err(failed)?;
    // Writers of other processes wait for the folder; closing it lets them go on.
    let turn = File::open(folder).map_err(failed)?;
    turn.lock().map_err(failed)?;
    let current = read(&path)?;
    let (next, bytes) = change.after(current.as_ref())?;
    if let Some(current) = current {
        let earlier = lake.join(layout::document_version(change.name, current.version)?);
        let content = serde_json::to_vec_pretty(&current)
            .map_err(|error| RegistryError::storage(earlier.display(), error))?;
        replace(&earlier, &content)?;
    }
    replace(&path, &bytes)?;
    remove_expired(lake, change.name, next.version);
    Ok(next)
}

/// Reads the last `limit` versions of a document, the newest first.
pub(crate) fn history(
    lake: &Path,
    name: &str,
    limit: usize,
) -> Result<Vec<DocumentVersion>, RegistryError> {
    let mut versions: Vec<DocumentVersion> = current(lake, name)?.into_iter().collect();
    let newest = versions.first().map_or(0, |current| current.version);
    for version in (last_expired(newest) + 1..newest).rev() {
        if versions.len() >= limit {
            break;
        }
        versions.extend(read(&lake.join(layout::document_version(name, version)?))?);
    }
    versions.truncate(limit);
    Ok(versions)
}

fn read(path: &Path) -> Result<Option<DocumentVersion>, RegistryError> {
    match cartwheel_files::read_checked(path) {
        Ok(bytes) => DocumentVersion::parse(&path.display().to_string(), &bytes).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(RegistryError::damaged(path.display(), error))
        }
        Err(error) => Err(RegistryError::storage(path.display(), error)),
    }
}

fn replace(path: &Path, content: &[u8]) -> Result<(), RegistryError> {
    let written = cartwheel_files::replace_checked(path, content);
    written.map_err(|error| RegistryError::storage(path.display(), error))
}

/// Removes the versions that are no longer kept. If that fails, the next change tries again.
fn remove_expired(lake: &Path, name: &str, current: u64) {
    let Ok(folder) = layout::document_history(name) else { return };
    let Ok(entries) = fs::read_dir(lake.join(folder)) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if version_of(&path).is_some_and(|version| version <= last_expired(current)) {
            let _ = fs::remove_file(&path);
        }
    }
}

fn version_of(path: &Path) -> Option<u64> {
    layout::version_of(path.file_name()?.to_str()?)
}
