//! Errors of a directory of backups.

use std::io;
use std::path::{Path, PathBuf};

/// Why a backup cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error.
        source: io::Error,
    },
    /// The directory holds something else.
    #[error(
        "{} is not a directory of backups: it is not empty and has no cartwheel-backup.json. Name \
         an empty or a new directory", .0.display()
    )]
    Foreign(PathBuf),
    /// The directory holds no backups.
    #[error("{} holds no backups: run `cartwheel backup create` first", .0.display())]
    Missing(PathBuf),
    /// A later release wrote the backups.
    #[error(
        "{} was written by a later release of cartwheel (format {found}): use that release",
        path.display()
    )]
    Later {
        /// The directory.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// The backups are encrypted and no key was given.
    #[error("{} is encrypted: give its key with --key-file", .0.display())]
    NeedsKey(PathBuf),
    /// A key was given and the backups are not encrypted.
    #[error(
        "{} holds backups without encryption: leave out --key-file, or name a new directory",
        .0.display()
    )]
    NoKey(PathBuf),
    /// The backups were encrypted with another key.
    #[error("{} was encrypted with another key", .0.display())]
    WrongKey(PathBuf),
    /// The key file holds no key.
    #[error(
        "{} holds no key: 64 hexadecimal digits are expected, as `openssl rand -hex 32` writes them",
        .0.display()
    )]
    KeyFile(PathBuf),
    /// Another process writes backups here.
    #[error("another command writes to {}: try again when it has ended", .0.display())]
    Locked(PathBuf),
    /// There is no backup with this name.
    #[error("there is no backup {name:?} in {}: see `cartwheel backup list`", path.display())]
    Unknown {
        /// The directory.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// A stored file differs from what was written.
    #[error("{} is damaged: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How it differs.
        problem: String,
    },
}

impl BackupError {
    pub(crate) fn io(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    pub(crate) fn damaged(path: &Path, problem: impl ToString) -> Self {
        Self::Damaged { path: path.to_owned(), problem: problem.to_string() }
    }
}
