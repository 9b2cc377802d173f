//! Documents that a shop configures: replaced as a whole, and kept in their last versions.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::RegistryError;

/// Versions of a document that are kept, the current one among them.
pub const KEPT_VERSIONS: u64 = 50;
/// Largest content of a document, in bytes of JSON.
pub const MAX_DOCUMENT: usize = 4 << 20;

/// A version of a document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DocumentVersion {
    /// Its number: 1 for the first version, and one more with each change.
    pub version: u64,
    /// When it was stored, UTC milliseconds.
    pub changed_at_ms: i64,
    /// The name of the key that stored it, or `cli`.
    pub by: String,
    /// The document.
    pub content: Value,
}

/// A change of a document.
#[derive(Debug, Clone, Copy)]
pub struct DocumentChange<'a> {
    /// The document's name.
    pub name: &'a str,
    /// The version that it replaces; 0 if there is no document yet.
    pub expected: u64,
    /// The new document.
    pub content: &'a Value,
    /// The name of the key that stores it, or `cli`.
    pub by: &'a str,
    /// The current time, UTC milliseconds.
    pub at_ms: i64,
}

impl DocumentVersion {
    /// Reads a stored version. `file` is for the error.
    ///
    /// # Errors
    /// When the bytes are not a version.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, RegistryError> {
        serde_json::from_slice(bytes).map_err(|error| RegistryError::damaged(file, error))
    }
}

impl DocumentChange<'_> {
    /// The version that follows `current`, and its bytes.
    ///
    /// # Errors
    /// When the document is not the expected one, or the content is too large.
    pub fn after(
        &self,
        current: Option<&DocumentVersion>,
    ) -> Result<(DocumentVersion, Vec<u8>), RegistryError> {
        let found = current.map_or(0, |current| current.version);
        if found != self.expected {
            return Err(self.refused(found));
        }
        let next = DocumentVersion {
            version: found + 1,
            changed_at_ms: self.at_ms,
            by: self.by.to_owned(),
            content: self.content.clone(),
        };
        let bytes = serde_json::to_vec_pretty(&next)
            .map_err(|error| RegistryError::storage(self.name, error))?;
        if bytes.len() > MAX_DOCUMENT {
            let (name, bytes) = (self.name.to_owned(), bytes.len());
            return Err(RegistryError::TooLarge { name, bytes });
        }
        Ok((next, bytes))
    }

    /// The error for a document that another change has replaced by the version `found`.
    pub fn refused(&self, found: u64) -> RegistryError {
        let name = self.name.to_owned();
        RegistryError::Changed { name, expected: self.expected, found }
    }
}

/// The newest version that is no longer kept beside `current`; 0 if all are.
pub fn last_expired(current: u64) -> u64 {
    current.saturating_sub(KEPT_VERSIONS)
}
