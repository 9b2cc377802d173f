//! Locks on the directory of feature sets, across processes.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use crate::files::{BUILDING_PREFIX, REMOVED_PREFIX};

/// A shared lock that a build holds from before it reads the first row. Several builds may
/// hold it at once.
#[derive(Debug)]
pub struct BuildLock {
    _lock: File,
}

/// An exclusive lock: while it is held, no set is being built.
#[derive(Debug)]
pub struct ExclusiveLock {
    _lock: File,
}

fn open(features: &Path) -> io::Result<File> {
    std::fs::create_dir_all(features)?;
    File::create(features.join(".lock"))
}

impl BuildLock {
    /// Takes the lock below `features`, and waits while another process holds the
    /// [`ExclusiveLock`].
    ///
    /// # Errors
    /// When the directory cannot be created or the lock file cannot be locked.
    pub fn acquire(features: &Path) -> io::Result<Self> {
        // A killed build leaves as many bytes as a whole set.
        drop(ExclusiveLock::try_acquire(features)?);
        let lock = open(features)?;
        lock.lock_shared()?;
        Ok(Self { _lock: lock })
    }
}

impl ExclusiveLock {
    /// Takes the lock below `features` and removes the unfinished directories that killed
    /// builds and removals left behind. Returns `None` while a set is being built.
    ///
    /// # Errors
    /// When a directory cannot be read or removed.
    pub fn try_acquire(features: &Path) -> io::Result<Option<Self>> {
        let lock = open(features)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        for entry in std::fs::read_dir(features)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(BUILDING_PREFIX) || name.starts_with(REMOVED_PREFIX) {
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
    fn unfinished_directories_are_removed_once_no_build_holds_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let features = folder.path().join("features");
        let first = BuildLock::acquire(&features).unwrap();
        let second = BuildLock::acquire(&features).unwrap();
        for name in [".building-a", ".removed-b", "whole"] {
            std::fs::create_dir(features.join(name)).unwrap();
        }
        drop(first);
        assert!(ExclusiveLock::try_acquire(&features).unwrap().is_none());
        assert!(features.join(".building-a").exists());
        drop(second);
        let exclusive = ExclusiveLock::try_acquire(&features).unwrap();
        assert!(exclusive.is_some());
        let left = std::fs::read_dir(&features).unwrap().map(|entry| entry.unwrap().file_name());
        let mut left: Vec<_> = left.collect();
        left.sort();
        assert_eq!(left, [".lock", "whole"]);
        assert!(ExclusiveLock::try_acquire(&features).unwrap().is_none(), "one holder at a time");
    }
}
