//! `keys`: who may call the API.

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context as _, Result};
use cartwheel_ambient::Clock;
use cartwheel_api::{ApiKey, KeyHash, Scope, key_name};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::audit::AuditFile;
use crate::cli;
use crate::data_dir::DataDir;
use crate::show::result;

/// A key as it is kept: by its hash alone.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    name: String,
    /// SHA-256, hexadecimal.
    hash: String,
    scopes: Vec<String>,
    /// UTC milliseconds.
    created_ms: i64,
}

pub fn run(place: &DataDir, command: cli::Keys, as_json: bool) -> Result<()> {
    let path = place.keys();
    let mut kept = read(&path)?;
    let audit = AuditFile::new(place);
    match command {
        cli::Keys::Create { name, scopes } => {
            key_name(&name)?;
            anyhow::ensure!(
                !kept.iter().any(|key| key.name == name),
                "there is a key {name:?} already: revoke it first, or choose another name"
            );
            let bytes: [u8; 32] = rand::random();
            let key = bytes.iter().fold("cw_".to_owned(), |key, byte| format!("{key}{byte:02x}"));
            let hash = KeyHash::of(&key).to_string();
            let scopes: Vec<String> = scopes.iter().map(ToString::to_string).collect();
            let created_ms = Clock::system().now_ms();
            kept.push(Kept { name: name.clone(), hash, scopes: scopes.clone(), created_ms });
            let target = [("name", &*name), ("scopes", &*scopes.join("+"))];
            audit.command("keys create", &target, || write(&path, &kept))?;
            let made = json!({"name": name, "key": key, "scopes": scopes});
            result(as_json, &made, || {
                format!(
                    "{key}\n\nThis is the only time that it is shown: {name} may do {}.",
                    scopes.join(", ")
                )
            });
        }
        cli::Keys::List => result(as_json, &kept, || table(&kept)),
        cli::Keys::Revoke { name } => {
            let before = kept.len();
            kept.retain(|key| key.name != name);
            anyhow::ensure!(
                kept.len() < before,
                "there is no key {name:?}: see `cartwheel keys list`"
            );
            audit.command("keys revoke", &[("name", &name)], || write(&path, &kept))?;
            result(as_json, &json!({"revoked": name}), || format!("{name} may do nothing more"));
        }
    }
    Ok(())
}

fn table(kept: &[Kept]) -> String {
    if kept.is_empty() {
        return "No keys: everybody on this machine may call the API".to_owned();
    }
    let mut out = format!("{:<20}{:<18}{}\n", "KEY", "CREATED", "MAY");
    for key in kept {
        let created = jiff::Timestamp::from_millisecond(key.created_ms).unwrap_or_default();
        let created = created.strftime("%Y-%m-%d %H:%M").to_string();
        out.push_str(&format!("{:<20}{created:<18}{}\n", key.name, key.scopes.join(", ")));
    }
    out
}

fn read(path: &Path) -> Result<Vec<Kept>> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| path.display().to_string()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

/// Replaces the file, whole or not at all.
fn write(path: &Path, kept: &[Kept]) -> Result<()> {
    let put = || -> io::Result<()> {
        let dir = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(dir)?;
        let scratch = path.with_extension("new");
        let mut file = std::fs::File::create(&scratch)?;
        file.write_all(&serde_json::to_vec_pretty(kept)?)?;
        file.sync_all()?;
        std::fs::rename(&scratch, path)?;
        std::fs::File::open(dir)?.sync_all()
    };
    put().with_context(|| path.display().to_string())
}

/// The keys as the server knows them.
///
/// # Errors
/// When the file is damaged: a server must not take that for "no keys".
pub fn known(place: &DataDir) -> Result<Vec<ApiKey>> {
    let path = place.keys();
    let key = |kept: Kept| -> Result<ApiKey> {
        let scopes = kept.scopes.iter().map(|scope| scope.parse::<Scope>());
        let (hash, scopes) = (kept.hash.parse::<KeyHash>()?, scopes.collect::<Result<_, _>>()?);
        // Names of older keys were free, and this one is written into logs.
        let name = key_name(&kept.name).map_or_else(|_| hash.short_name(), Into::into);
        Ok(ApiKey { name, hash, scopes })
    };
    let keys = read(&path)?.into_iter().map(key).collect::<Result<Vec<_>>>();
    keys.with_context(|| path.display().to_string())
}
