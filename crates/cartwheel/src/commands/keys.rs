//! `keys`: creates, lists and revokes API keys.

use anyhow::Result;
use cartwheel_api::{KeyHash, Scope, key_name};
use cartwheel_node::{AuditFile, KeyFile, StoredKey};
use clap::Subcommand;
use serde_json::json;

use crate::context::Context;
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

/// Runs a subcommand of `keys`.
pub fn run(context: &Context, command: Keys) -> Result<()> {
    let file = KeyFile::new(&context.data_dir);
    let mut stored = file.read()?;
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
            audit.command("keys create", &target, || file.write(&stored))?;
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
            audit.command("keys revoke", &[("name", &name)], || file.write(&stored))?;
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
