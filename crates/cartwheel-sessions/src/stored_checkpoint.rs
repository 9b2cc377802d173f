//! How far the stream is applied, as a file of this crate says.

use std::path::Path;

use cartwheel_stream::Sequence;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, TableError};

use crate::session_table::StoreError;

const CHECKPOINTS: TableDefinition<'_, u32, u64> = TableDefinition::new("checkpoints");

/// Reads the newest checkpoint of the sessions or the catalogue in the file at `path`, which no
/// process has open: every number below it has been assigned. 0 without a file. A damaged file
/// counts as none, since its owner replaces it.
///
/// # Errors
/// When the file cannot be read.
pub fn stored_checkpoint(path: &Path) -> Result<Sequence, StoreError> {
    match newest(path) {
        Err(error) if error.is_damage() => Ok(Sequence::default()),
        found => found,
    }
}

fn newest(path: &Path) -> Result<Sequence, StoreError> {
    if !path.exists() {
        return Ok(Sequence::default());
    }
    let database = Database::builder().set_check_integrity_on_open(true).open(path)?;
    let table = match database.begin_read()?.open_table(CHECKPOINTS) {
        Err(TableError::TableDoesNotExist(_)) => return Ok(Sequence::default()),
        table => table?,
    };
    let mut newest = 0;
    for entry in table.iter()? {
        newest = newest.max(entry?.1.value());
    }
    Ok(newest.into())
}
