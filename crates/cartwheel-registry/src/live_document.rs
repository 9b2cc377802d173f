//! A document of the registry, held in memory.

use std::sync::Arc;

use parking_lot::RwLock;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::document::{DocumentChange, DocumentVersion, KEPT_VERSIONS};
use crate::error::RegistryError;
use crate::registry::Registry;

/// A version of a document, read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Edition<T> {
    /// Its number; 0 for the document that exists from the start.
    pub version: u64,
    /// When it was stored, UTC milliseconds; `None` for the document that exists from the start.
    pub changed_at_ms: Option<i64>,
    /// The name of the key that stored it, or `cli`.
    pub by: Option<String>,
    /// The document.
    pub content: T,
}

/// A document of the registry, held in memory: reading it does not wait. A change is durable before
/// it is seen here, and changes of other processes are seen with the next
/// [`LiveDocument::refresh`]. Until somebody stores one, it is `T::default()`.
#[derive(Debug)]
pub struct LiveDocument<T> {
    name: &'static str,
    registry: Option<Arc<dyn Registry>>,
    is_writable: bool,
    current: RwLock<Arc<Edition<T>>>,
}

impl<T: Default + Serialize + DeserializeOwned> LiveDocument<T> {
    /// The document `name` of a registry, which [`LiveDocument::refresh`] reads.
    pub fn new(registry: Arc<dyn Registry>, name: &'static str) -> Self {
        Self { registry: Some(registry), is_writable: true, ..Self::without_registry(name) }
    }

    /// The document that exists from the start, for a host that has no registry.
    pub fn without_registry(name: &'static str) -> Self {
        Self { name, registry: None, is_writable: false, current: RwLock::default() }
    }

    /// Refuses changes: another host makes them.
    #[must_use]
    pub fn read_only(self) -> Self {
        Self { is_writable: false, ..self }
    }

    /// The newest version that is known here.
    pub fn current(&self) -> Arc<Edition<T>> {
        self.current.read().clone()
    }

    /// Reads the registry's version, if it is a newer one. Returns whether it is.
    ///
    /// # Errors
    /// When the registry does not answer or the document cannot be read: the known version stands.
    pub async fn refresh(&self) -> Result<bool, RegistryError> {
        let Some(registry) = &self.registry else { return Ok(false) };
        let Some(found) = registry.document(self.name).await? else { return Ok(false) };
        if found.version <= self.current().version {
            return Ok(false);
        }
        let edition = self.edition(found)?;
        Ok(self.set(edition).1)
    }

    /// Stores another document in place of the version `expected`, which is 0 before the first.
    ///
    /// # Errors
    /// When the registry has another version, does not answer, or may not be changed here.
    pub async fn put(
        &self,
        expected: u64,
        content: &T,
        by: &str,
        at_ms: i64,
    ) -> Result<Arc<Edition<T>>, RegistryError> {
        let registry = self.registry.as_ref().filter(|_| self.is_writable);
        let registry = registry.ok_or_else(|| RegistryError::ReadOnly(self.name.to_owned()))?;
        let content = serde_json::to_value(content)
            .map_err(|error| RegistryError::storage(self.name, error))?;
        let change = DocumentChange { name: self.name, expected, content: &content, by, at_ms };
        let stored = registry.put_document(change).await?;
        let edition = self.edition(stored)?;
        Ok(self.set(edition).0)
    }

    /// The last `limit` versions as they are stored, the newest first.
    ///
    /// # Errors
    /// When the registry does not answer or a version cannot be read.
    pub async fn history(&self, limit: usize) -> Result<Vec<DocumentVersion>, RegistryError> {
        match &self.registry {
            Some(registry) => registry.document_history(self.name, limit).await,
            None => Ok(Vec::new()),
        }
    }

    /// A version as it is stored, from 1. `None` if it is not kept.
    ///
    /// # Errors
    /// When the registry does not answer or a version cannot be read.
    pub async fn version(&self, wanted: u64) -> Result<Option<DocumentVersion>, RegistryError> {
        // It is the newest one most of the time.
        for limit in [1, KEPT_VERSIONS as usize] {
            let kept = self.history(limit).await?;
            if let Some(found) = kept.into_iter().find(|found| found.version == wanted) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn edition(&self, stored: DocumentVersion) -> Result<Edition<T>, RegistryError> {
        let DocumentVersion { version, changed_at_ms, by, content } = stored;
        let name = || format!("version {version} of the document {}", self.name);
        let content = serde_json::from_value(content)
            .map_err(|error| RegistryError::damaged(name(), error))?;
        Ok(Edition { version, changed_at_ms: Some(changed_at_ms), by: Some(by), content })
    }

    /// Makes an edition the current one unless a newer one is known. Returns it, and whether it is
    /// current now.
    fn set(&self, edition: Edition<T>) -> (Arc<Edition<T>>, bool) {
        let edition = Arc::new(edition);
        let mut current = self.current.write();
        let is_newer = edition.version > current.version;
        if is_newer {
            *current = edition.clone();
        }
        (edition, is_newer)
    }
}
