//! Backups of a data directory, also beside a running server.
//!
//! The order in which a backup reads files makes the copy a state that the server could have left
//! after kill -9; docs/backup.md has the argument.

mod create;
mod files;
mod log;
mod moment;
mod restore;
pub(crate) mod snapshot;

pub use create::{Created, create};
pub use restore::{RestoreOptions, Restored, restore};
