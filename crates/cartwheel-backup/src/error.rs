//! Errors of a directory of backups.

use std::fmt::Display;
use std::io;

/// Why a backup cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// A file cannot be read or written.
    #[error("{address}: {source}")]
    Io {
        /// The file.
        address: String,
        /// The error.
        source: io::Error,
    },
    /// The place holds something else.
    #[error(
        "{0} holds no backups: it is not empty and has no cartwheel-backup.json. Name an empty or a \
         new directory or prefix"
    )]
    Foreign(String),
    /// The place holds no backups.
    #[error("{0} holds no backups: run `cartwheel backup create` first")]
    Missing(String),
    /// A later release wrote the backups.
    #[error(
        "{address} was written by a later release of cartwheel (format {found}): use that release"
    )]
    Later {
        /// The place.
        address: String,
        /// Its format.
        found: u32,
    },
    /// The backups are encrypted and no key was given.
    #[error("{0} is encrypted: give its key with --key-file")]
    NeedsKey(String),
    /// A key was given and the backups are not encrypted.
    #[error(
        "{0} holds backups without encryption: leave out --key-file, or name a new directory or \
         prefix"
    )]
    NoKey(String),
    /// The backups were encrypted with another key.
    #[error("{0} was encrypted with another key")]
    WrongKey(String),
    /// The key file holds no key.
    #[error(
        "{0} holds no key: 64 hexadecimal digits are expected, as `openssl rand -hex 32` writes them"
    )]
    KeyFile(String),
    /// Another process writes backups here.
    #[error(
        "another command writes to {0}: try again when it has ended (in a bucket, 15 minutes after it \
         was killed)"
    )]
    Locked(String),
    /// There is no backup with this name.
    #[error("there is no backup {name:?} in {address}: see `cartwheel backup list`")]
    Unknown {
        /// The place.
        address: String,
        /// The name.
        name: String,
    },
    /// A stored file differs from what was written.
    #[error("{address} is damaged: {problem}")]
    Damaged {
        /// The file.
        address: String,
        /// How it differs.
        problem: String,
    },
}

impl BackupError {
    pub(crate) fn io(address: &str) -> impl Fn(io::Error) -> Self + use<> {
        let address = address.to_owned();
        move |source| Self::Io { address: address.clone(), source }
    }

    pub(crate) fn damaged(address: impl Display, problem: impl Display) -> Self {
        Self::Damaged { address: address.to_string(), problem: problem.to_string() }
    }
}
