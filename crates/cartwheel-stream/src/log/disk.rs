//! All that the log does to the disk: a seam at which tests note it, fail it, or cut the
//! power.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// One step, told before it is done.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(
    not(any(test, feature = "conformance")),
    expect(dead_code, reason = "only tests look into it")
)]
pub(crate) enum Step<'a> {
    /// An empty file is made.
    Create { path: &'a Path },
    /// Data is written at an offset of a file.
    Write { path: &'a Path, offset: u64, data: &'a [u8] },
    /// A file's data is synced, with the size that it needs to be read.
    Sync { path: &'a Path },
    /// A file gets another name.
    Rename { from: &'a Path, to: &'a Path },
    /// A file's name goes.
    Remove { path: &'a Path },
    /// A directory's names are synced.
    SyncDir,
}

/// Sees every step; an error takes its place.
pub(crate) trait Disk: Send + Sync {
    fn before(&self, step: Step<'_>) -> io::Result<()>;
}

/// The disk as it is.
pub(super) struct Plain;

impl Disk for Plain {
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

    /// Removes a file; none there is fine.
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
