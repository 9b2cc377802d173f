//! The earlier versions of documents that admins change.

use std::collections::BTreeMap;

use cartwheel_registry::KEPT_VERSIONS;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::http::problem::{Kind, Problem};
use crate::http::request::Params;
use crate::shop::document::Document;

/// Versions of an answer by default.
const DEFAULT_LIMIT: usize = 20;
/// Most versions of an answer: all that are kept.
const MAX_LIMIT: usize = KEPT_VERSIONS as usize;

/// The versions of a document.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DocumentHistory {
    /// Versions, the newest first. The last 50 are kept.
    versions: Vec<DocumentVersion>,
}

/// A version of a document.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DocumentVersion {
    /// Its number.
    version: u64,
    /// When it was stored, UTC milliseconds.
    changed_at_ms: i64,
    /// The name of the key that stored it, or `cli`.
    by: String,
    /// The names of the placements, the ids of the rules or the groups of synonyms that differ from
    /// the version before, in alphabetical order; null if that version is no longer kept.
    changed: Option<Vec<String>>,
}

/// A request to put an earlier version back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UndoRequest {
    /// The version to put back: by default the one before the newest; 0 for what every shop has before
    /// anybody changes it.
    pub(crate) version: Option<u64>,
}

/// The entries of a stored document by their names.
type Entries = fn(&Value) -> BTreeMap<String, Value>;

impl<T> Document<'_, T>
where
    T: Clone + Default + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    /// The versions for the parameter `limit`. `entries` takes a stored document apart.
    pub(crate) async fn history(
        &self,
        mut params: Params,
        entries: Entries,
    ) -> Result<DocumentHistory, Problem> {
        let limit = params.number("limit", DEFAULT_LIMIT, 1..=MAX_LIMIT)?;
        params.end("limit")?;
        // One more, to compare the last one with.
        let stored = self.stored(limit + 1).await?;
        let from_the_start = serde_json::to_value(T::default()).unwrap_or_default();
        let versions = stored.iter().enumerate().take(limit).map(|(at, version)| {
            let is_first = version.version == 1;
            let before = stored.get(at + 1).map(|before| &before.content);
            let before = before.or_else(|| is_first.then_some(&from_the_start));
            DocumentVersion {
                version: version.version,
                changed_at_ms: version.changed_at_ms,
                by: version.by.clone(),
                changed: before.map(|before| differing(entries(&version.content), entries(before))),
            }
        });
        Ok(DocumentHistory { versions: versions.collect() })
    }

    /// The document that a request to undo puts back, if it is kept and still valid.
    pub(crate) async fn earlier(&self, undo: &UndoRequest) -> Result<T, Problem> {
        let noun = self.noun;
        let newest = self.live.current().version;
        let wanted = undo.version.or_else(|| newest.checked_sub(1)).ok_or_else(|| {
            Problem::new(Kind::Conflict, format!("Nobody has changed the {noun} yet."))
        })?;
        if wanted == 0 {
            return Ok(T::default());
        }
        let kept = self.stored(MAX_LIMIT).await?;
        let found = kept.into_iter().find(|version| version.version == wanted);
        let found = found.ok_or_else(|| {
            let detail = format!("Version {wanted} is not kept; /v1/{noun}/history lists those.");
            Problem::new(Kind::NotFound, detail)
        })?;
        serde_json::from_value(found.content).map_err(|error| {
            let detail = format!("Version {wanted} is not valid any more: {error}.");
            Problem::new(Kind::Conflict, detail)
        })
    }
}

/// The names under which two documents have different entries.
fn differing(one: BTreeMap<String, Value>, other: BTreeMap<String, Value>) -> Vec<String> {
    let mut names: Vec<String> = one.keys().chain(other.keys()).cloned().collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| one.get(name) != other.get(name));
    names
}
