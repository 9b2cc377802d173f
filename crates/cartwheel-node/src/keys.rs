//! The file of API keys.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use cartwheel_api::{ApiKey, KeyHash, Keys, Scope, key_name};
use serde::{Deserialize, Serialize};

use crate::data_dir::DataDir;

/// Interval at which a server reads the file again.
const KEY_CHECK: Duration = Duration::from_secs(1);

/// A key as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoredKey {
    /// The name.
    pub name: String,
    /// SHA-256 of the key, in hexadecimal.
    pub hash: String,
    /// The scopes that it grants.
    pub scopes: Vec<String>,
    /// The time of creation, UTC milliseconds.
    pub created_ms: i64,
    /// The half that pages may contain, if the key has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publishable: Option<String>,
    /// The secret that signs shopper tokens. Signing needs the secret itself, so that it cannot
    /// be stored as a hash. The first releases made keys without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing: Option<String>,
}

/// The keys of a data directory.
#[derive(Debug, Clone)]
pub struct KeyFile(PathBuf);

impl KeyFile {
    /// The file in `data_dir`. It exists from the first key on.
    pub fn new(data_dir: &DataDir) -> Self {
        Self(data_dir.keys())
    }

    /// Reads every key.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn read(&self) -> Result<Vec<StoredKey>> {
        match std::fs::read(&self.0) {
            Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| self.name()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error).with_context(|| self.name()),
        }
    }

    /// Replaces every key. Only the owner of the file may read it, since it holds the secrets
    /// that sign shopper tokens.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, keys: &[StoredKey]) -> Result<()> {
        let content = serde_json::to_vec_pretty(keys)?;
        cartwheel_files::replace_private(&self.0, &content).with_context(|| self.name())
    }

    /// Reads the keys as the API checks them.
    ///
    /// # Errors
    /// When the file is damaged. A server must not take that for "no keys".
    pub fn api_keys(&self) -> Result<Vec<ApiKey>> {
        let key = |stored: StoredKey| -> Result<ApiKey> {
            let scopes = stored.scopes.iter().map(|scope| scope.parse::<Scope>());
            let (hash, scopes) =
                (stored.hash.parse::<KeyHash>()?, scopes.collect::<Result<_, _>>()?);
            // The first releases allowed any name, and names are written to logs.
            let name = key_name(&stored.name).map_or_else(|_| hash.short_name(), Into::into);
            let publishable = stored.publishable.as_deref().map(str::parse).transpose()?;
            let signing = stored.signing.as_deref().map(str::parse).transpose()?;
            Ok(ApiKey { name, hash, scopes, publishable, signing })
        };
        let keys = self.read()?.into_iter().map(key).collect::<Result<Vec<_>>>();
        keys.with_context(|| self.name())
    }

    /// Keeps `known` up to date with the file. Runs until dropped.
    pub(crate) async fn follow(self, listen: SocketAddr, known: Keys) {
        let mut seen = None;
        loop {
            tokio::time::sleep(KEY_CHECK).await;
            let written = std::fs::metadata(&self.0).and_then(|file| file.modified()).ok();
            if written == seen {
                continue;
            }
            seen = written;
            match self.api_keys() {
                // Without keys every request is admitted, which nobody has asked for here.
                Ok(keys) if keys.is_empty() && !listen.ip().is_loopback() => {
                    tracing::error!(
                        "the last key was revoked; it stays valid, because the server can be \
                         reached from other machines"
                    );
                }
                Ok(keys) => known.replace(keys),
                Err(error) => tracing::error!(%error, "cannot read the keys; keeping the old ones"),
            }
        }
    }

    fn name(&self) -> String {
        Path::display(&self.0).to_string()
    }
}
