//! Consistent copies of the files that a running server has open: sessions and live catalogue.
//!
//! Another process cannot read these files while the server writes them. A backup creates
//! `snapshot/wanted`. The server renames it to `working`, writes the copies beside it, and
//! renames it to `ready`, or writes the reason why it cannot to `failed`. The folder holds what
//! shoppers do: the backup removes it, and so does the server at its start and before each
//! erasure.

use std::fs;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use cartwheel_sessions::{LiveCatalogue, RedbSessionTable};

use crate::data_dir::DataDir;

/// How often server and backup look for each other's file.
const CHECK: Duration = Duration::from_millis(100);
/// How long a backup waits for the server to notice it.
const NOTICED: Duration = Duration::from_secs(30);

/// Makes the copies that backups ask for. Runs until dropped.
pub(crate) async fn follow(
    data_dir: DataDir,
    sessions: Arc<RedbSessionTable>,
    catalogue: Arc<LiveCatalogue>,
) {
    let folder = data_dir.snapshot();
    loop {
        tokio::time::sleep(CHECK).await;
        if fs::rename(folder.join("wanted"), folder.join("working")).is_err() {
            continue;
        }
        let (into, sessions, catalogue) = (folder.clone(), sessions.clone(), catalogue.clone());
        let copy = move || -> Result<()> {
            let (to, of) = (into.join("sessions.redb"), into.join("catalogue.redb"));
            sessions.copy_to(&to).context("copy the sessions")?;
            catalogue.copy_to(&of).context("copy the live catalogue")
        };
        let copied = tokio::task::spawn_blocking(copy).await;
        let copied = copied.map_err(anyhow::Error::from).and_then(|copied| copied);
        let told = match copied {
            Ok(()) => fs::rename(folder.join("working"), folder.join("ready")),
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "no copies for a backup");
                cartwheel_files::replace(&folder.join("failed"), format!("{error:#}").as_bytes())
            }
        };
        if let Err(error) = told {
            tracing::warn!(%error, "the backup that asked for copies is gone");
        }
    }
}

/// Asks the server for the copies and waits for them. `is_running` tells whether it still runs.
pub(super) fn request(data_dir: &DataDir, is_running: impl Fn() -> bool) -> Result<()> {
    let folder = data_dir.snapshot();
    remove(data_dir)?;
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    fs::write(folder.join("wanted"), "").with_context(|| folder.display().to_string())?;
    let mut waited = Duration::ZERO;
    loop {
        std::thread::sleep(CHECK);
        waited += CHECK;
        if folder.join("ready").exists() {
            return Ok(());
        }
        if let Ok(reason) = fs::read_to_string(folder.join("failed")) {
            bail!("the server could not copy its sessions: {reason}");
        }
        let is_waiting = ["wanted", "working"].iter().any(|name| folder.join(name).exists());
        if !is_running() || !(is_waiting || folder.join("ready").exists()) {
            bail!("the server stopped during the backup: try again");
        }
        if waited > NOTICED && folder.join("wanted").exists() {
            bail!(
                "the data directory is in use, and no server has answered for {} s: wait until \
                 the other command has ended, or restart the server with this release",
                NOTICED.as_secs()
            );
        }
    }
}

/// Removes the copies.
pub(crate) fn remove(data_dir: &DataDir) -> Result<()> {
    let folder = data_dir.snapshot();
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| folder.display().to_string())
        }
        _ => Ok(()),
    }
}

/// Removes the copies when it is dropped.
pub(super) struct Copies<'a>(pub &'a DataDir);

impl Drop for Copies<'_> {
    fn drop(&mut self) {
        // The server removes what stays.
        let _ = remove(self.0);
    }
}
