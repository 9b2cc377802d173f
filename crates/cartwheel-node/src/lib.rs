//! cartwheel on one machine: everything that the binary's command line starts and shows.
//!
//! [`serve`] runs the whole loop in one process over a [`DataDir`]. [`Host`] is the part that a
//! server over AWS shares. Background tasks run under a [`Supervisor`].

mod audit;
mod audit_chain;
pub mod backup;
mod catalogue;
mod data_dir;
mod documents;
#[cfg(test)]
mod dying_tasks;
mod exploration;
mod export;
mod feedback;
mod fill;
mod host;
mod imported;
mod imports;
mod kept_numbers;
mod keys;
mod listen;
pub mod models;
mod operations;
mod pipeline;
mod releases;
mod searches;
mod serve;
mod stored_document;
mod supervision;
mod trends;
mod upkeep;

pub use audit::{AuditEntry, AuditFile};
pub use audit_chain::Verified;
pub use catalogue::{delivered_catalogue, open_catalogue};
pub use data_dir::{DataDir, keep_files_private};
pub use documents::follow_document;
pub use export::MetricsExport;
pub use fill::fill_catalogue;
pub use host::{Extras, Host, interrupted};
pub use kept_numbers::{keep_numbers, read_before};
pub use keys::{KeyFile, StoredKey};
pub use listen::{check_reach, files_needed, take_address};
pub use pipeline::{
    Ended, Jobs, KEY_VARIABLE, PROGRESS_VARIABLE, Pipeline, Watcher, become_job, definition,
    executions,
};
pub use serve::{CONSUMERS, ServeOptions, log_options, serve};
pub use stored_document::StoredDocument;
pub use supervision::{Supervisor, until};
pub use upkeep::Upkeep;
