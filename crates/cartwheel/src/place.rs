//! Where things lie in the data directory.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use cartwheel_registry::layout;

/// The data directory.
#[derive(Debug, Clone)]
pub struct Place(pub PathBuf);

/// The form of the data directory that this release writes and reads. It counts up when an
/// older release could not read what a newer one has written.
const FORMAT: u32 = 1;

impl Place {
    /// Refuses a data directory that a later release has written.
    ///
    /// # Errors
    /// When it is of a later release, or cannot be read.
    pub fn check(&self) -> Result<()> {
        let path = self.format();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            // Of the first releases, or not begun yet.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        };
        let format: u32 = text
            .trim()
            .parse()
            .with_context(|| format!("{} names no format: {text:?}", path.display()))?;
        anyhow::ensure!(
            format <= FORMAT,
            "{} was written by a later release of cartwheel (format {format}, and this one reads \
             up to {FORMAT}): run that release, or name another --data-dir",
            self.0.display()
        );
        Ok(())
    }

    /// Makes the data directory one of this release.
    ///
    /// # Errors
    /// When it cannot be written.
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

    pub fn lake(&self) -> PathBuf {
        self.0.join("lake")
    }
    pub fn features(&self) -> PathBuf {
        self.lake().join(layout::FEATURES)
    }
    pub fn models(&self) -> PathBuf {
        self.lake().join(layout::MODELS)
    }
    pub fn releases(&self) -> PathBuf {
        self.lake().join(layout::RELEASES)
    }
    /// The embedded log.
    pub fn stream(&self) -> PathBuf {
        self.0.join("stream")
    }
    /// Sessions with their checkpoints.
    pub fn sessions(&self) -> PathBuf {
        self.0.join("sessions.redb")
    }
    /// How far the delivery is.
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
    /// What admins have done.
    pub fn audit(&self) -> PathBuf {
        self.0.join("audit.ndjson")
    }
    /// Address of the server that runs, if one does.
    pub fn server(&self) -> PathBuf {
        self.0.join("server.address")
    }
    /// The synthetic shop of the demo.
    pub fn shop(&self) -> PathBuf {
        self.0.join("shop")
    }
}
