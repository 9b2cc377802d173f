//! Every write of the log to the disk goes through here, so that tests can record it, make
//! it fail, or cut the power.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// One step, reported before it happens.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(
    not(any(test, feature = "conformance")),
    expect(dead_code, reason = "only tests read the fields")
)]
pub(crate) enum Step<'a> {
    /// Creates an empty file.
    Create { path: &'a Path },
    /// Writes data at an offset of a file.
    Write { path: &'a Path, offset: u64, data: &'a [u8] },
    /// Syncs a file's data, and its size if reading needs it.
    Sync { path: &'a Path },
    /// Renames a file.
    Rename { from: &'a Path, to: &'a Path },
    /// Removes a file.
    Remove { path: &'a Path },
    /// Syncs the names in a directory.
    SyncDir,
}

/// Observes every step; an error replaces the step.
pub(crate) trait Disk: Send + Sync {
    fn before(&self, step: Step<'_>) -> io::Result<()>;
}

/// The real disk.
pub(super) struct RealDisk;

impl Disk for RealDisk {
    fn before(&self, _: Step<'_>) -> io::Result<()> {
        Ok(())
    }
}

impl dyn Disk + '_ {
    pub(super) fn create(&self, path: &Path) -> io::Result<File> {
        self.before(Step::Create { path })?;
        File::options().read(true).write(true).create_new(true).open(path)
    }

    pub(super) fn write(
        &self,
        file: &File,
        path: &Path,
        offset: u64,
        data: &[u8],
    ) -> io::Result<()> {
        self.before(Step::Write { path, offset, data })?;
        file.write_all_at(data, offset)
    }

    pub(super) fn sync(&self, file: &File, path: &Path) -> io::Result<()> {
        self.before(Step::Sync { path })?;
        file.sync_data()
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.before(Step::Rename { from, to })?;
        std::fs::rename(from, to)
    }

    /// Removes a file; a missing file is not an error.
    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        self.before(Step::Remove { path })?;
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    pub(super) fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.before(Step::SyncDir)?;
        File::open(dir)?.sync_all()
    }
}
