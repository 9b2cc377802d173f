//! Why a registry does not answer.

use std::error::Error;
use std::fmt::Display;

/// Why a registry does not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The storage failed; a later call may succeed.
    #[error("registry: {name}: {source}")]
    Storage {
        /// The file or object.
        name: String,
        /// What the storage reports.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A file that has to exist does not.
    #[error("registry: {0} is missing")]
    Missing(String),
    /// A file does not hold what its name says.
    #[error("registry: {name} is damaged: {reason}")]
    Damaged {
        /// The file or object.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The text cannot name a release, model, feature set or run.
    #[error("registry: {0:?} is not a name: use letters, digits, `-`, `_` and dots")]
    Name(String),
    /// Other publishers were faster each time.
    #[error(
        "registry: the current release changed {0} times while this one was published: publish it again"
    )]
    Contended(usize),
    /// Another change of a document was faster.
    #[error(
        "registry: the document {name} is at version {found} and not at {expected}: read it again and \
         repeat the change"
    )]
    Changed {
        /// The document.
        name: String,
        /// The version that the change was to replace.
        expected: u64,
        /// Its newest version; 0 if there is none.
        found: u64,
    },
    /// The content of a document is too large.
    #[error("registry: the document {name} has {bytes} bytes, and at most 4 MiB are stored")]
    TooLarge {
        /// The document.
        name: String,
        /// Its size.
        bytes: usize,
    },
    /// Documents cannot be changed here.
    #[error("registry: the document {0} cannot be changed here")]
    ReadOnly(String),
}

impl RegistryError {
    /// The storage failed to read or write `name`.
    pub fn storage(name: impl Display, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Storage { name: name.to_string(), source: source.into() }
    }

    /// `name` does not hold what its name says.
    pub fn damaged(name: impl Display, reason: impl Display) -> Self {
        Self::Damaged { name: name.to_string(), reason: reason.to_string() }
    }
}
