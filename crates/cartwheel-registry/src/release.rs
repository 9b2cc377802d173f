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

const CURRENT: &str = "current.json";
const PREVIOUS: &str = "previous.json";

/// The release named by `releases/current.json`, if any.
///
/// # Errors
/// When the file exists and is not a release.
pub fn current(releases: &Path) -> io::Result<Option<Release>> {
    read(&releases.join(CURRENT))
}

/// The release that served before the current one, if any.
///
/// # Errors
/// When the file exists and is not a release.
pub fn previous(releases: &Path) -> io::Result<Option<Release>> {
    read(&releases.join(PREVIOUS))
}

fn read(path: &Path) -> io::Result<Option<Release>> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|e| io::Error::other(format!("{}: {e}", path.display()))),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// Names the release that serves from now on, atomically and durably, and the one
/// before it as the previous. The current release again changes nothing.
///
/// # Errors
/// When a file cannot be written; the old release then still stands.
pub fn publish(releases: &Path, release: &Release) -> io::Result<()> {
    std::fs::create_dir_all(releases)?;
    match current(releases)? {
        Some(current) if current == *release => return Ok(()),
        Some(current) => write(releases, PREVIOUS, &current)?,
        None => {}
    }
    write(releases, CURRENT, release)
}

/// Serves the previous release again, and gives it. Once more undoes that.
///
/// # Errors
/// When there is none, or a file cannot be written.
pub fn rollback(releases: &Path) -> io::Result<Release> {
    let previous = previous(releases)?
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no release served before this"))?;
    publish(releases, &previous)?;
    Ok(previous)
}

fn write(releases: &Path, name: &str, release: &Release) -> io::Result<()> {
    let scratch = releases.join(format!(".{name}-{}", std::process::id()));
    let mut file = std::fs::File::create(&scratch)?;
    file.write_all(&serde_json::to_vec_pretty(release)?)?;
    file.sync_all()?;
    std::fs::rename(&scratch, releases.join(name))?;
    std::fs::File::open(releases)?.sync_all()
}
