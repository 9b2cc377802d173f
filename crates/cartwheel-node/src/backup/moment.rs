//! Restoring the state of a moment between two backups.
//!
//! The backup before the moment has checkpoints, and the log of the backup after it has every
//! record from there on. Cut off at the moment, both together are a state that the server could
//! have left after kill -9, if its consumers had been slow since the first backup.

use anyhow::{Context as _, Result, ensure};
use cartwheel_backup::{Backup, FileEntry, Store};

/// Names the backup that a data directory comes from: sequence numbers of the log mean the same
/// only in backups with the same one.
pub(super) const ORIGIN: &str = "restored.json";

/// The backup that the state of `until_ms` (UTC milliseconds) begins with, with the segments of
/// its log replaced by those that reach beyond the moment.
pub(super) fn backup_of(store: &Store, names: &[String], until_ms: i64) -> Result<Backup> {
    let mut backups = names.iter().map(|name| store.backup(name)).collect::<Result<Vec<_>, _>>()?;
    let time = jiff::Timestamp::from_millisecond(until_ms).unwrap_or_default();
    let after = backups.iter().filter(|backup| backup.started_ms > until_ms);
    let after = after.min_by_key(|backup| backup.started_ms).cloned().with_context(|| {
        format!("no backup began after {time}: make one, since its log has what came before")
    })?;
    backups.retain(|backup| backup.ended_ms <= until_ms);
    let mut base = backups
        .into_iter()
        .max_by_key(|backup| backup.ended_ms)
        .with_context(|| format!("no backup ended before {time}"))?;
    let origin = |backup: &Backup| {
        backup.files.iter().find(|file| file.path == ORIGIN).map(|file| file.sha256.clone())
    };
    ensure!(
        origin(&base) == origin(&after),
        "between the backups {} and {}, a backup was restored: there is no state between them",
        base.name,
        after.name
    );
    let last = segments(&base).map(|file| &file.path).max().cloned().unwrap_or_default();
    ensure!(
        segments(&after).any(|file| file.path == last),
        "the log of backup {} no longer reaches back to backup {}: back up more often than every \
         `stream.retention_hours`",
        after.name,
        base.name
    );
    let later: Vec<FileEntry> =
        segments(&after).filter(|file| file.path >= last).cloned().collect();
    base.files.retain(|file| !is_segment(file) || file.path < last);
    base.files.extend(later);
    Ok(base)
}

fn segments(backup: &Backup) -> impl Iterator<Item = &FileEntry> {
    backup.files.iter().filter(|file| is_segment(file))
}

fn is_segment(file: &FileEntry) -> bool {
    file.path.starts_with("stream/") && file.path.ends_with(".log")
}
