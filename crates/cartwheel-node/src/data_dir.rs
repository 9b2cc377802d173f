//! The data directory: where its files are, and which release can use it.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use cartwheel_registry::layout;

/// The data directory.
#[derive(Debug, Clone)]
pub struct DataDir(pub PathBuf);

/// The format of the data directory that this release reads and writes. It is counted up when
/// older releases cannot read what a newer release writes.
const FORMAT: u32 = 1;

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
    /// When it belongs to a later release, or cannot be read.
    pub fn check(&self) -> Result<()> {
        let path = self.format();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            // Written by one of the first releases, or not yet written.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        };
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
        Ok(())
    }

    /// Creates the data directory unless it exists, and marks it with this release's format.
    ///
    /// # Errors
    /// When it belongs to a later release, or cannot be written.
    pub fn begin(&self) -> Result<()> {
        self.check()?;
        let path = self.format();
        let write = || -> std::io::Result<()> {
            std::fs::create_dir_all(&self.0)?;
            if !path.exists() {
                std::fs::write(&path, format!("{FORMAT}\n"))?;
            }
            Ok(())
        };
        write().with_context(|| path.display().to_string())
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

    /// The synthetic shop of the demo.
    pub fn shop(&self) -> PathBuf {
        self.0.join("shop")
    }
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
        // Left by the first releases.
        let early = DataDir(dir.path().join("early"));
        std::fs::create_dir_all(early.stream()).unwrap();
        early.require().unwrap();
    }
}
