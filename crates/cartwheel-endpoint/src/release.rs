//! Which feature set and model serve together.

use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The pair that serves; a request pins one from start to end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Version of the feature set.
    pub feature_set: String,
    /// Version of the model; none before the first training.
    pub model: Option<String>,
    /// Hash of the columns that both agree on.
    pub schema_hash: String,
}

/// The release named by `releases/current.json`, if any.
///
/// # Errors
/// When the file exists and is not a release.
pub fn current(releases: &Path) -> io::Result<Option<Release>> {
    match std::fs::read(releases.join("current.json")) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::other),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// Names the release that serves from now on, atomically and durably.
///
/// # Errors
/// When the file cannot be written; the old release then still stands.
pub fn publish(releases: &Path, release: &Release) -> io::Result<()> {
    std::fs::create_dir_all(releases)?;
    let scratch = releases.join(format!(".current-{}", std::process::id()));
    let mut file = std::fs::File::create(&scratch)?;
    file.write_all(&serde_json::to_vec_pretty(release)?)?;
    file.sync_all()?;
    std::fs::rename(&scratch, releases.join("current.json"))?;
    std::fs::File::open(releases)?.sync_all()
}
