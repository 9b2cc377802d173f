//! The documents of a data directory that a shop configures, for the command line. The calls block.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use cartwheel_api::{PLACEMENTS, RULES, SYNONYMS};
use cartwheel_engine::Synonyms;
use cartwheel_placements::Placements;
use cartwheel_registry::{DocumentVersion, Edition, LiveDocument, LocalRegistry};
use cartwheel_rules::RuleBook;
use futures::executor::block_on;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::data_dir::DataDir;

/// A document with its versions.
#[derive(Debug)]
pub struct StoredDocument<T> {
    live: LiveDocument<T>,
    /// Its name, which is that of its command too.
    name: &'static str,
}

impl StoredDocument<Placements> {
    /// The placements of a data directory.
    pub fn placements(data_dir: &DataDir) -> Self {
        Self::new(data_dir, PLACEMENTS)
    }
}

impl StoredDocument<RuleBook> {
    /// The rules of a data directory.
    pub fn rules(data_dir: &DataDir) -> Self {
        Self::new(data_dir, RULES)
    }
}

impl StoredDocument<Synonyms> {
    /// The synonyms of a data directory.
    pub fn synonyms(data_dir: &DataDir) -> Self {
        Self::new(data_dir, SYNONYMS)
    }
}

impl<T: Default + Clone + Serialize + DeserializeOwned> StoredDocument<T> {
    fn new(data_dir: &DataDir, name: &'static str) -> Self {
        let registry = Arc::new(LocalRegistry::new(data_dir.lake()));
        Self { live: LiveDocument::new(registry, name), name }
    }

    /// The newest version.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn current(&self) -> Result<Arc<Edition<T>>> {
        block_on(self.live.refresh())?;
        Ok(self.live.current())
    }

    /// Replaces the version `expected` and returns the new one. A server of the data directory
    /// follows it within a second.
    ///
    /// # Errors
    /// When the document has another version, or cannot be stored.
    pub fn put(&self, expected: u64, content: &T, now_ms: i64) -> Result<Arc<Edition<T>>> {
        Ok(block_on(self.live.put(expected, content, "cli", now_ms))?)
    }

    /// The last `limit` versions, the newest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn history(&self, limit: usize) -> Result<Vec<DocumentVersion>> {
        Ok(block_on(self.live.history(limit))?)
    }

    /// A version that is kept; 0 is the document that exists from the start.
    ///
    /// # Errors
    /// When it is not kept, or not valid any more.
    pub fn version(&self, wanted: u64) -> Result<T> {
        if wanted == 0 {
            return Ok(T::default());
        }
        let found = block_on(self.live.version(wanted))?.with_context(|| {
            let name = self.name;
            format!("version {wanted} is not kept: `cartwheel {name} history` lists those")
        })?;
        serde_json::from_value(found.content)
            .with_context(|| format!("version {wanted} is not valid any more"))
    }
}
