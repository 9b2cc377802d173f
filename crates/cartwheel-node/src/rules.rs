//! The rules of a data directory, for the command line. The calls block.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use cartwheel_api::RULES;
use cartwheel_registry::{DocumentVersion, Edition, KEPT_VERSIONS, LiveDocument, LocalRegistry};
use cartwheel_rules::RuleBook;
use futures::executor::block_on;

use crate::data_dir::DataDir;

fn document(data_dir: &DataDir) -> LiveDocument<RuleBook> {
    LiveDocument::new(Arc::new(LocalRegistry::new(data_dir.lake())), RULES)
}

/// The newest version of the rules.
///
/// # Errors
/// When they cannot be read.
pub fn current(data_dir: &DataDir) -> Result<Arc<Edition<RuleBook>>> {
    let document = document(data_dir);
    block_on(document.refresh())?;
    Ok(document.current())
}

/// Replaces the rules of version `expected` and returns the new version. A server of the data
/// directory follows them within a second.
///
/// # Errors
/// When they have another version, or cannot be stored.
pub fn put(
    data_dir: &DataDir,
    expected: u64,
    rules: &RuleBook,
    now_ms: i64,
) -> Result<Arc<Edition<RuleBook>>> {
    let document = document(data_dir);
    Ok(block_on(document.put(expected, rules, "cli", now_ms))?)
}

/// The last `limit` versions, the newest first.
///
/// # Errors
/// When they cannot be read.
pub fn history(data_dir: &DataDir, limit: usize) -> Result<Vec<DocumentVersion>> {
    let document = document(data_dir);
    Ok(block_on(document.history(limit))?)
}

/// A version that is kept; 0 has no rules.
///
/// # Errors
/// When it is not kept, or not valid any more.
pub fn version(data_dir: &DataDir, wanted: u64) -> Result<RuleBook> {
    if wanted == 0 {
        return Ok(RuleBook::default());
    }
    let kept = usize::try_from(KEPT_VERSIONS)?;
    let found = history(data_dir, kept)?.into_iter().find(|version| version.version == wanted);
    let found = found.with_context(|| {
        format!("version {wanted} is not kept: `cartwheel rules history` lists those")
    })?;
    serde_json::from_value(found.content)
        .with_context(|| format!("version {wanted} is not valid any more"))
}
