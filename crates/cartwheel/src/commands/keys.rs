//! `keys`: creates, lists and revokes API keys.

use std::io;
use std::path::Path;

use anyhow::{Context as _, Result};
use cartwheel_api::{ApiKey, KeyHash, Scope, key_name};
use clap::Subcommand;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::audit::AuditFile;
use crate::context::Context;
use crate::data_dir::DataDir;
use crate::show::{minute, result};

/// The subcommands of `keys`.
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Create a key and show it once.
    #[command(after_help = "Examples:
  cartwheel keys create operator --scope admin
  cartwheel keys create shop --scope events:write --scope recommendations:read")]
    Create {
        /// Name of the key, which logs and `keys list` show.
        name: String,
        /// A permission: events:write, recommendations:read, or admin, which grants everything.
        /// Can be given several times.
        #[arg(long = "scope", value_name = "SCOPE", required = true)]
        scopes: Vec<Scope>,
    },
    /// List names and scopes. The keys themselves are not stored, only their hashes.
    #[command(after_help = "Example:\n  cartwheel keys list")]
    List,
    /// Revoke a key. A running server refuses it within a second.
    #[command(after_help = "Example:\n  cartwheel keys revoke shop")]
    Revoke {
        /// Name of the key.
        name: String,
    },
}

/// A key as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct StoredKey {
    name: String,
    /// SHA-256, hexadecimal.
    hash: String,
    scopes: Vec<String>,
    /// UTC milliseconds.
    created_ms: i64,
}

/// Runs a subcommand of `keys`.
pub fn run(context: &Context, command: Keys) -> Result<()> {
    let path = context.data_dir.keys();
    let mut stored = read(&path)?;
    let audit = AuditFile::new(&context.data_dir);
    match command {
        Keys::Create { name, scopes } => {
            key_name(&name)?;
            anyhow::ensure!(
                !stored.iter().any(|key| key.name == name),
                "a key with the name {name:?} exists already: revoke it first, or choose another \
                 name"
            );
            context.data_dir.begin()?;
            let key = new_key();
            let hash = KeyHash::of(&key).to_string();
            let scopes: Vec<String> = scopes.iter().map(ToString::to_string).collect();
            let created_ms = context.clock.now_ms();
            stored.push(StoredKey { name: name.clone(), hash, scopes: scopes.clone(), created_ms });
            let target = [("name", &*name), ("scopes", &*scopes.join("+"))];
            audit.command("keys create", &target, || write(&path, &stored))?;
            let created = json!({"name": name, "key": key, "scopes": scopes});
            result(context.json, &created, || {
                format!(
                    "{key}\n\nStore it now: it is not shown again. {name} has the scopes {}.",
                    scopes.join(", ")
                )
            });
        }
        Keys::List => result(context.json, &stored, || table(&stored)),
        Keys::Revoke { name } => {
            let before = stored.len();
            stored.retain(|key| key.name != name);
            anyhow::ensure!(
                stored.len() < before,
                "there is no key with the name {name:?}: see `cartwheel keys list`"
            );
            audit.command("keys revoke", &[("name", &name)], || write(&path, &stored))?;
            result(context.json, &json!({"revoked": name}), || format!("{name} is revoked"));
        }
    }
    Ok(())
}

/// Draws a new key.
#[allow(clippy::disallowed_methods, reason = "a secret has to come from the system's generator")]
fn new_key() -> String {
    let bytes: [u8; 32] = rand::random();
    format!("cw_{}", hex::encode(bytes))
}

fn table(stored: &[StoredKey]) -> String {
    if stored.is_empty() {
        return "No keys: the API can be called without one".to_owned();
    }
    let mut out = format!("{:<20}{:<18}{}\n", "KEY", "CREATED (UTC)", "SCOPES");
    for key in stored {
        let created = minute(key.created_ms);
        out.push_str(&format!("{:<20}{created:<18}{}\n", key.name, key.scopes.join(", ")));
    }
    out
}

fn read(path: &Path) -> Result<Vec<StoredKey>> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| path.display().to_string()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

fn write(path: &Path, stored: &[StoredKey]) -> Result<()> {
    let content = serde_json::to_vec_pretty(stored)?;
    cartwheel_files::replace(path, &content).with_context(|| path.display().to_string())
}

/// Reads the keys for a server.
///
/// # Errors
/// When the file is damaged. A server must not take that for "no keys".
pub fn known(data_dir: &DataDir) -> Result<Vec<ApiKey>> {
    let path = data_dir.keys();
    let key = |stored: StoredKey| -> Result<ApiKey> {
        let scopes = stored.scopes.iter().map(|scope| scope.parse::<Scope>());
        let (hash, scopes) = (stored.hash.parse::<KeyHash>()?, scopes.collect::<Result<_, _>>()?);
        // The first releases allowed any name, and names are written to logs.
        let name = key_name(&stored.name).map_or_else(|_| hash.short_name(), Into::into);
        Ok(ApiKey { name, hash, scopes })
    };
    let keys = read(&path)?.into_iter().map(key).collect::<Result<Vec<_>>>();
    keys.with_context(|| path.display().to_string())
}
