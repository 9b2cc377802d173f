//! Whose turn it is in the folder of feature sets, over all processes.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

/// Somebody builds a set, from before the first row is read.
#[derive(Debug)]
pub struct Building {
    _lock: File,
}

/// Nobody builds a set.
#[derive(Debug)]
pub struct Quiet {
    _lock: File,
}

/// What a build or a removal that was killed leaves half done.
const HALF_DONE: [&str; 2] = [".building-", ".removed-"];

fn open(features: &Path) -> io::Result<File> {
    std::fs::create_dir_all(features)?;
    File::create(features.join(".lock"))
}

impl Building {
    /// Waits while somebody holds [`Quiet`]. Several may build at once.
    ///
    /// # Errors
    /// When the folder cannot be made or its lock not be taken.
    pub fn begin(features: &Path) -> io::Result<Self> {
        // What a killed build has left is as large as a set.
        drop(Quiet::now(features)?);
        let lock = open(features)?;
        lock.lock_shared()?;
        Ok(Self { _lock: lock })
    }
}

impl Quiet {
    /// Removes what was left half done; none where somebody builds.
    ///
    /// # Errors
    /// When a folder cannot be read or removed.
    pub fn now(features: &Path) -> io::Result<Option<Self>> {
        let lock = open(features)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        for entry in std::fs::read_dir(features)? {
            let entry = entry?;
            let name = entry.file_name();
            if HALF_DONE.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
                std::fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(Some(Self { _lock: lock }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_half_done_goes_once_nobody_builds() {
        let folder = tempfile::tempdir().unwrap();
        let features = folder.path().join("features");
        let first = Building::begin(&features).unwrap();
        let second = Building::begin(&features).unwrap();
        for name in [".building-a", ".removed-b", "whole"] {
            std::fs::create_dir(features.join(name)).unwrap();
        }
        drop(first);
        assert!(Quiet::now(&features).unwrap().is_none());
        assert!(features.join(".building-a").exists());
        drop(second);
        let quiet = Quiet::now(&features).unwrap();
        assert!(quiet.is_some());
        let left = std::fs::read_dir(&features).unwrap().map(|entry| entry.unwrap().file_name());
        let mut left: Vec<_> = left.collect();
        left.sort();
        assert_eq!(left, [".lock", "whole"]);
        assert!(Quiet::now(&features).unwrap().is_none(), "one at a time");
    }
}
