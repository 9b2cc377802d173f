//! Checking every stored byte, and removing old backups.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use crate::error::BackupError;
use crate::manifest::{Backup, FileEntry};
use crate::store::{Store, manifest};

/// A file that cannot be restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The backup.
    pub backup: String,
    /// The path in the data directory; `None` if the backup's own file is damaged.
    pub path: Option<String>,
    /// The stored file and how it is damaged.
    pub problem: String,
}

/// What was removed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pruned {
    /// The names of removed backups.
    pub backups: Vec<String>,
    /// Removed objects.
    pub objects: u64,
    /// Their bytes in the store.
    pub bytes: u64,
}

impl Store {
    /// Reads every file of these backups and returns those that cannot be restored. `progress`
    /// receives the bytes that were read and the total.
    ///
    /// # Errors
    /// When backups cannot be listed.
    pub fn verify(
        &self,
        names: &[String],
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Vec<Problem>, BackupError> {
        let mut problems = Vec::new();
        let mut backups: Vec<Backup> = Vec::new();
        for name in names {
            match self.backup(name) {
                Ok(backup) => backups.push(backup),
                Err(error @ BackupError::Unknown { .. }) => return Err(error),
                Err(error) => problems.push(Problem {
                    backup: name.clone(),
                    path: None,
                    problem: error.to_string(),
                }),
            }
        }
        // What several backups share is read once.
        let mut by_content: BTreeMap<&str, Vec<(&str, &FileEntry)>> = BTreeMap::new();
        for backup in &backups {
            for file in &backup.files {
                by_content.entry(&file.sha256).or_default().push((&backup.name, file));
            }
        }
        let size = |users: &Vec<(&str, &FileEntry)>| users.first().map_or(0, |(_, file)| file.size);
        let total = by_content.values().map(size).sum();
        let mut done = 0;
        for users in by_content.values() {
            let Some((_, file)) = users.first() else { continue };
            if let Err(error) = self.get(file, &mut io::sink()) {
                problems.extend(users.iter().map(|(backup, file)| Problem {
                    backup: (*backup).to_owned(),
                    path: Some(file.path.clone()),
                    problem: error.to_string(),
                }));
            }
            done += size(users);
            progress(done, total);
        }
        problems.sort_by(|a, b| (&a.backup, &a.path).cmp(&(&b.backup, &b.path)));
        Ok(problems)
    }

    /// Removes all backups but the newest `keep`, and what only they hold.
    ///
    /// # Errors
    /// When a remaining backup cannot be read, since it may need any object, or a file cannot be
    /// removed.
    pub fn prune(&mut self, keep: usize) -> Result<Pruned, BackupError> {
        let mut names = self.names()?;
        let kept = names.split_off(names.len().saturating_sub(keep.max(1)));
        let mut needed = BTreeSet::new();
        for name in &kept {
            needed.extend(self.backup(name)?.files.iter().map(|file| self.object(&file.sha256)));
        }
        let failed = BackupError::io(&self.place.address(""));
        // Backups first: none may name an object that is gone.
        let files: Vec<String> = names.iter().map(|name| manifest(name)).collect();
        self.place.settle().and_then(|()| self.place.remove(&files)).map_err(&failed)?;
        let (held, unneeded) = std::mem::take(&mut self.held)
            .into_iter()
            .partition::<BTreeMap<_, _>, _>(|(name, _)| needed.contains(name));
        self.held = held;
        let objects: Vec<String> = unneeded.keys().cloned().collect();
        self.place.remove(&objects).map_err(&failed)?;
        Ok(Pruned { backups: names, objects: objects.len() as u64, bytes: unneeded.values().sum() })
    }
}
