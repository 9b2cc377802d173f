//! Where things lie in the data directory.

use std::path::PathBuf;

/// The data directory.
#[derive(Debug, Clone)]
pub struct Place(pub PathBuf);

impl Place {
    pub fn lake(&self) -> PathBuf {
        self.0.join("lake")
    }
    pub fn features(&self) -> PathBuf {
        self.lake().join("features")
    }
    pub fn models(&self) -> PathBuf {
        self.lake().join("models")
    }
    pub fn releases(&self) -> PathBuf {
        self.lake().join("releases")
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
