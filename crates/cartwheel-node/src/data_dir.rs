//! The data directory: where its files are, and which release can use it.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use cartwheel_ambient::{Clock, Ids};
use cartwheel_lake::{Erasure, Erasures, Lake, bury, read_tombstones};
use cartwheel_registry::layout;

/// The data directory.
#[derive(Debug, Clone)]
pub struct DataDir(pub PathBuf);

/// The format of the data directory that this release reads and writes. It is counted up when
/// older releases cannot read what a newer release writes.
///
/// Format 2 keeps the list of everybody who was erased, `erased.ndjson`. A release that does not
/// know the list would leave out its own erasures, and a restored backup would bring these
/// shoppers back.
const FORMAT: u32 = 2;

/// Entries by which a data directory is recognised: each of them may be the first to exist.
/// Directories of the first releases have no `format`.
const ENTRIES: [&str; 7] =
    ["format", "lake", "stream", "sessions.redb", "keys.json", "audit.ndjson", "pipeline"];

impl DataDir {
    /// Checks that this is an existing data directory that this release can read. Creates
    /// nothing.
    ///
    /// # Errors
    /// When it is missing, when it is something else, or when a later release has written it.
    pub fn require(&self) -> Result<()> {
        self.check_restored()?;
        let reason = match std::fs::metadata(&self.0) {
            Ok(found) if !found.is_dir() => Some("it is not a directory"),
            Ok(_) if ENTRIES.iter().all(|entry| !self.0.join(entry).exists()) => {
                Some("it holds no files of cartwheel")
            }
            Ok(_) => None,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some("it does not exist"),
            Err(error) => return Err(error).with_context(|| self.0.display().to_string()),
        };
        if let Some(reason) = reason {
            anyhow::bail!(
                "{} is not a data directory: {reason}. Name another --data-dir, or create one with \
                 `cartwheel demo` or `cartwheel import`",
                self.0.display()
            );
        }
        self.check()
    }

    /// Refuses a data directory that a later release has written. It may be missing.
    ///
    /// # Errors
    /// When it belongs to a later release, a restore into it was interrupted, or it cannot be
    /// read.
    pub fn check(&self) -> Result<()> {
        self.check_restored()?;
        match self.found_format()? {
            Some(text) => self.check_format(&text).map(drop),
            None => Ok(()),
        }
    }

    fn check_restored(&self) -> Result<()> {
        anyhow::ensure!(
            !self.restoring().exists(),
            "a restore into {} was interrupted: empty the directory and restore again",
            self.0.display()
        );
        Ok(())
    }

    /// The content of `format`. `None` if one of the first releases wrote the directory, or it is
    /// not written yet: such a release did not sync it, so that it may be empty after a power cut.
    fn found_format(&self) -> Result<Option<String>> {
        let path = self.format();
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text).filter(|text| !text.is_empty())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| path.display().to_string()),
        }
    }

    /// Refuses the content of a `format` file that a later release has written, and returns the
    /// format.
    pub(crate) fn check_format(&self, text: &str) -> Result<u32> {
        let path = self.format();
        let format: u32 = text
            .trim()
            .parse()
            .with_context(|| format!("{} is not a format number: {text:?}", path.display()))?;
        anyhow::ensure!(
            format <= FORMAT,
            "{} was written by a later release of cartwheel (format {format}, this release reads up \
             to {FORMAT}): use that release, or name another --data-dir",
            self.0.display()
        );
        Ok(format)
    }

    /// Checks that the lake holds something to learn from, or that something was learned. Creates
    /// nothing.
    ///
    /// # Errors
    /// When both are missing: the message names the next step. When a file cannot be read.
    pub fn require_history(&self) -> Result<()> {
        anyhow::ensure!(
            (self.lake().exists() && !Lake::open(&self.lake())?.is_empty()?)
                || cartwheel_registry::current(&self.releases())?.is_some(),
            "there is nothing to learn from yet: import orders (`cartwheel import --help`), or send \
             products and events to the server. Then `cartwheel pipeline run` learns from them"
        );
        Ok(())
    }

    /// Creates the data directory unless it exists, and marks it with this release's format. A
    /// directory of an earlier format is migrated; copies of the files that change stay in
    /// `before-format-<new>`.
    ///
    /// # Errors
    /// When it belongs to a later release, or cannot be written.
    pub fn begin(&self) -> Result<()> {
        self.check()?;
        let found = match self.found_format()? {
            Some(text) => Some(self.check_format(&text)?),
            // Directories of the first releases have no file.
            None if ENTRIES.iter().any(|entry| self.0.join(entry).exists()) => Some(1),
            None => None,
        };
        match found {
            Some(FORMAT) => return Ok(()),
            Some(earlier) => migrate(self, earlier)?,
            None => {}
        }
        let path = self.format();
        cartwheel_files::create_dir(&self.0)
            .and_then(|()| cartwheel_files::replace(&path, format!("{FORMAT}\n").as_bytes()))
            .with_context(|| path.display().to_string())
    }

    fn format(&self) -> PathBuf {
        self.0.join("format")
    }

    /// The lake.
    pub fn lake(&self) -> PathBuf {
        self.0.join("lake")
    }

    /// Feature sets.
    pub fn features(&self) -> PathBuf {
        self.lake().join(layout::FEATURES)
    }

    /// Model bundles.
    pub fn models(&self) -> PathBuf {
        self.lake().join(layout::MODELS)
    }

    /// Releases.
    pub fn releases(&self) -> PathBuf {
        self.lake().join(layout::RELEASES)
    }

    /// The embedded event log.
    pub fn stream(&self) -> PathBuf {
        self.0.join("stream")
    }

    /// Sessions and their checkpoints.
    pub fn sessions(&self) -> PathBuf {
        self.0.join("sessions.redb")
    }

    /// The live catalogue and its checkpoints.
    pub fn catalogue(&self) -> PathBuf {
        self.0.join("catalogue.redb")
    }

    /// What shoppers turn to, with the positions up to which the stream is counted.
    pub fn trends(&self) -> PathBuf {
        self.0.join("trends.bin")
    }

    /// The checkpoint of the delivery to the lake.
    pub fn delivery(&self) -> PathBuf {
        self.0.join("delivery.json")
    }

    /// Users who are being erased.
    pub fn erasures(&self) -> PathBuf {
        self.0.join("erasures.json")
    }

    /// Everybody who was ever erased.
    pub fn erased(&self) -> PathBuf {
        self.0.join("erased.ndjson")
    }

    /// Held by upkeep while it removes files, and by a backup while it needs them.
    pub(crate) fn upkeep_lock(&self) -> PathBuf {
        self.0.join("upkeep.lock")
    }

    /// Copies of files that the server has open, for a backup.
    pub(crate) fn snapshot(&self) -> PathBuf {
        self.0.join("snapshot")
    }

    /// Exists while a backup is being restored into the directory.
    pub(crate) fn restoring(&self) -> PathBuf {
        self.0.join("restoring")
    }

    /// API keys, by their hashes.
    pub fn keys(&self) -> PathBuf {
        self.0.join("keys.json")
    }

    /// Whether requests need an API key.
    pub fn keys_state(&self) -> PathBuf {
        self.0.join("keys.state")
    }

    /// The audit log.
    pub fn audit(&self) -> PathBuf {
        self.0.join("audit.ndjson")
    }

    /// The secret of the audit log.
    pub fn audit_key(&self) -> PathBuf {
        self.0.join("audit.key")
    }

    /// The address of the running server.
    pub fn server(&self) -> PathBuf {
        self.0.join("server.address")
    }

    /// Uploaded files that are not imported yet.
    pub fn uploads(&self) -> PathBuf {
        self.0.join("uploads")
    }

    /// Changes that assistants propose.
    pub fn proposals(&self) -> PathBuf {
        self.0.join("proposals")
    }

    /// The synthetic shop of the demo.
    pub fn shop(&self) -> PathBuf {
        self.0.join("shop")
    }
}

/// Brings a directory of an earlier format to this one. Repeating it after a crash changes
/// nothing more.
fn migrate(data_dir: &DataDir, from: u32) -> Result<()> {
    let kept = data_dir.0.join(format!("before-format-{FORMAT}"));
    if let Some(text) = data_dir.found_format()? {
        let copied = cartwheel_files::replace(&kept.join("format"), text.as_bytes());
        copied.with_context(|| kept.display().to_string())?;
    }
    // The list of format 2 begins with the erasures that are not finished.
    let listed = read_tombstones(&data_dir.erased())?;
    let pending = Erasures::open(&data_dir.erasures())?.pending();
    let missing = pending.into_iter().map(|pending| pending.erasure);
    let is_listed = |erasure: &Erasure| listed.iter().any(|tombstone| tombstone.is_of(erasure));
    let missing: Vec<_> = missing.filter(|erasure| !is_listed(erasure)).collect();
    bury(&data_dir.erased(), &missing, salt)?;
    eprintln!(
        "{} was of format {from} and is now of format {FORMAT}. Files that changed are kept in {}",
        data_dir.0.display(),
        kept.display()
    );
    Ok(())
}

/// A random text.
pub(crate) fn salt() -> String {
    Ids::uuid_v7().next(Clock::system().now_ms())
}

/// Lets nobody but the owner read the files that this process creates from now on: they hold
/// what shoppers do.
pub fn keep_files_private() {
    // SAFETY: the call cannot fail and touches no memory.
    unsafe { libc::umask(0o077) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_data_directory_is_taken_for_one() {
        let dir = tempfile::tempdir().unwrap();
        let error = |path: PathBuf| DataDir(path).require().unwrap_err().to_string();
        let missing = error(dir.path().join("missing"));
        assert!(missing.contains("is not a data directory: it does not exist"), "{missing}");
        let foreign = error(dir.path().to_owned());
        assert!(foreign.contains("it holds no files of cartwheel"), "{foreign}");
        std::fs::write(dir.path().join("file"), "").unwrap();
        let file = error(dir.path().join("file"));
        assert!(file.contains("it is not a directory"), "{file}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);

        let begun = DataDir(dir.path().join("data"));
        begun.begin().unwrap();
        begun.require().unwrap();
        let format = format!("{FORMAT}\n");
        assert_eq!(std::fs::read_to_string(begun.format()).unwrap(), format);
        let error = begun.require_history().unwrap_err().to_string();
        assert!(error.contains("nothing to learn from") && error.contains("import"), "{error}");
        assert!(!begun.lake().exists());
        // After a power cut, under a release that did not sync the file.
        std::fs::write(begun.format(), "").unwrap();
        begun.require().unwrap();
        begun.begin().unwrap();
        assert_eq!(std::fs::read_to_string(begun.format()).unwrap(), format);
        // Left by the first releases.
        let early = DataDir(dir.path().join("early"));
        std::fs::create_dir_all(early.stream()).unwrap();
        early.require().unwrap();
    }

    #[test]
    fn an_earlier_format_is_migrated_and_a_later_one_refused() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir(dir.path().to_owned());
        let pending = r#"{"cleaned":3,"pending":{"347":{"user_id":"347","before":9,"erased_at_ms":5,"cleaned":null}}}"#;
        std::fs::write(data.format(), "1\n").unwrap();
        std::fs::write(data.erasures(), pending).unwrap();
        data.begin().unwrap();
        data.begin().unwrap();
        let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!(read("format"), "2\n");
        assert_eq!(read("before-format-2/format"), "1\n");
        let listed = read_tombstones(&data.erased()).unwrap();
        let erasure = Erasure { user_id: "347".to_owned(), before: 9.into(), erased_at_ms: 5 };
        assert!(listed.len() == 1 && listed[0].is_of(&erasure), "{listed:?}");

        std::fs::write(data.format(), "3\n").unwrap();
        let refused = data.begin().unwrap_err().to_string();
        let named = [dir.path().to_str().unwrap(), "later release", "format 3", "up to 2"];
        assert!(named.iter().all(|part| refused.contains(part)), "{refused}");
        assert_eq!(read("format"), "3\n");
        std::fs::write(data.restoring(), "x").unwrap();
        assert!(data.require().unwrap_err().to_string().contains("restore"));
    }
}
