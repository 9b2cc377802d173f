//! The documents of a lake on S3.
//!
//! The objects are those of a local lake. A change copies the newest version to the document's
//! history, then replaces it by a conditional put, and then removes versions that are no longer
//! kept: a writer that ends in between leaves either the old document or the new one.

use cartwheel_registry::layout;
use cartwheel_registry::{DocumentChange, DocumentVersion, RegistryError, last_expired};
use futures::stream::{self, StreamExt, TryStreamExt};

use crate::lake::{Lake, LakeError, Read, Versioned};

/// Requests in flight at once.
const CONCURRENT: usize = 16;

/// Reads the newest version of a document, with its ETag.
async fn newest(
    lake: &Lake,
    name: &str,
) -> Result<Option<(DocumentVersion, String)>, RegistryError> {
    let key = layout::document(name)?;
    match lake.read(&key, None).await.map_err(|error| failed(&key, error))? {
        Read::Missing | Read::Unchanged => Ok(None),
        Read::Found(Versioned { content, version }) => {
            Ok(Some((DocumentVersion::parse(&key, &content)?, version)))
        }
    }
}

/// Reads the newest version of a document, if there is one.
pub(crate) async fn current(
    lake: &Lake,
    name: &str,
) -> Result<Option<DocumentVersion>, RegistryError> {
    Ok(newest(lake, name).await?.map(|(version, _)| version))
}

/// Stores a version.
pub(crate) async fn put(
    lake: &Lake,
    change: &DocumentChange<'_>,
) -> Result<DocumentVersion, RegistryError> {
    let key = layout::document(change.name)?;
    let (current, e_tag) = newest(lake, change.name).await?.unzip();
    let (next, bytes) = change.after(current.as_ref())?;
    if let Some(current) = current {
        let earlier = layout::document_version(change.name, current.version)?;
        let content = serde_json::to_vec_pretty(&current)
            .map_err(|error| RegistryError::storage(&earlier, error))?;
        lake.put(&earlier, content).await.map_err(|error| failed(&earlier, error))?;
    }
    if !lake.put_if(&key, bytes, e_tag).await.map_err(|error| failed(&key, error))? {
        let found = newest(lake, change.name).await?;
        return Err(change.refused(found.map_or(0, |(found, _)| found.version)));
    }
    remove_expired(lake, change.name, next.version).await;
    Ok(next)
}

/// Reads the last `limit` versions of a document, the newest first.
pub(crate) async fn history(
    lake: &Lake,
    name: &str,
    limit: usize,
) -> Result<Vec<DocumentVersion>, RegistryError> {
    let Some(current) = current(lake, name).await?.filter(|_| limit > 0) else {
        return Ok(Vec::new());
    };
    let newest = current.version;
    let earlier = (last_expired(newest) + 1..newest).rev().take(limit - 1);
    let read = earlier.map(|version| async move {
        let key = layout::document_version(name, version)?;
        let found = lake.find(&key).await.map_err(|error| failed(&key, error))?;
        found.map(|content| DocumentVersion::parse(&key, &content)).transpose()
    });
    let earlier: Vec<Option<DocumentVersion>> =
        stream::iter(read).buffered(CONCURRENT).try_collect().await?;
    Ok(std::iter::once(current).chain(earlier.into_iter().flatten()).collect())
}

/// Removes the versions that are no longer kept. If that fails, the next change tries again.
async fn remove_expired(lake: &Lake, name: &str, current: u64) {
    let Ok(folder) = layout::document_history(name) else { return };
    let Ok(names) = lake.list(&folder).await else { return };
    let expired = names.iter().filter(|name| {
        let file = name.rsplit('/').next().unwrap_or_default();
        layout::version_of(file).is_some_and(|version| version <= last_expired(current))
    });
    for name in expired {
        if let Err(error) = lake.remove(name).await {
            tracing::warn!(%error, name, "cannot remove an old version of a document");
        }
    }
}

fn failed(name: &str, error: LakeError) -> RegistryError {
    RegistryError::storage(name, error)
}
