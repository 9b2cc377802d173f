//! The errors of the runner.

use std::io;
use std::path::{Path, PathBuf};

use super::journal::JournalError;
use crate::problem::InvalidDefinition;

/// An error of a [`Runner`](crate::Runner) or of its directory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunnerError {
    /// Another process has opened the directory.
    #[error("another cartwheel process runs the pipeline in {0}: stop that process first")]
    Locked(PathBuf),
    /// Another execution is running. Executions do not overlap.
    #[error("{0} is still running: stop it or wait until it ends")]
    Busy(String),
    /// The name is taken.
    #[error("the execution {0:?} already exists: choose another name")]
    Exists(String),
    /// No execution has the name.
    #[error("there is no execution {0:?}: the list of runs has their names")]
    Unknown(String),
    /// The execution's status does not allow the operation.
    #[error("the execution {0}")]
    State(&'static str),
    /// An execution would have nothing to work on.
    #[error("{0}")]
    NothingToDo(String),
    /// The name is not valid.
    #[error("{0:?} is not a valid name: use 1 to 80 letters, digits, hyphens and underscores")]
    Name(String),
    /// The definition is not valid, or the runner lacks one of its resources.
    #[error(transparent)]
    Definition(#[from] InvalidDefinition),
    /// A journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// What runs the executions does not answer.
    #[error("{0}")]
    Service(String),
    /// A file or directory cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
}

/// Adds the path to an error of the operating system.
pub(super) fn io_at(path: &Path) -> impl Fn(io::Error) -> RunnerError + '_ {
    move |source| RunnerError::Io { path: path.to_owned(), source }
}
