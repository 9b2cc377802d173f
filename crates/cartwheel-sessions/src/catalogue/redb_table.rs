//! The embedded table of the live catalogue: one redb file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cartwheel_events::ProductId;
use cartwheel_stream::{Position, Sequence};
use parking_lot::Mutex;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use rustc_hash::FxHashMap;

use crate::catalogue::listing::Listing;
use crate::catalogue::unknown::UnknownProduct;
use crate::redb_table::{Trust, sync_name};
use crate::session_table::StoreError;

const LISTINGS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("listings");
const UNKNOWN: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("unknown");
const CHECKPOINTS: TableDefinition<'_, u32, u64> = TableDefinition::new("checkpoints");

/// The whole content of the table.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) listings: BTreeMap<ProductId, Listing>,
    pub(crate) unknown: BTreeMap<ProductId, UnknownProduct>,
    pub(crate) checkpoints: FxHashMap<u32, Sequence>,
}

/// What one transaction writes.
#[derive(Debug, Default)]
pub(crate) struct Commit {
    pub(crate) listings: Vec<(ProductId, Listing)>,
    /// `None` removes the count.
    pub(crate) unknown: Vec<(ProductId, Option<UnknownProduct>)>,
    /// The position of the first record of each shard that is not applied.
    pub(crate) checkpoints: Vec<Position>,
}

impl Commit {
    pub(crate) fn is_empty(&self) -> bool {
        self.listings.is_empty() && self.unknown.is_empty() && self.checkpoints.is_empty()
    }
}

/// A redb file with listings, counts of unknown products, and checkpoints. An error closes it, because
/// redb fails every call after a failed write, and the next call opens it again, as that of sessions.
#[derive(Debug)]
pub(crate) struct RedbCatalogue {
    path: PathBuf,
    database: Mutex<Option<Arc<Database>>>,
    trust: Trust,
}

impl RedbCatalogue {
    /// Opens the file at `path`, or creates it, and reads it. A damaged file is moved aside
    /// and replaced by an empty one: lake and stream hold every product.
    pub(crate) fn open(path: &Path) -> Result<(Self, Loaded), StoreError> {
        let opened = match create(path).and_then(|database| Ok((load(&database)?, database))) {
            Err(error) if error.is_damage() => {
                let aside = path.with_extension("damaged");
                tracing::error!(%error, aside = %aside.display(),
                    "the catalogue's file is damaged: moved aside, and rebuilt from lake and stream");
                std::fs::rename(path, aside)?;
                let database = create(path)?;
                (load(&database)?, database)
            }
            opened => opened?,
        };
        let (loaded, database) = opened;
        let database = Mutex::new(Some(Arc::new(database)));
        Ok((Self { path: path.to_owned(), database, trust: Trust::default() }, loaded))
    }

    /// Writes everything in one transaction.
    ///
    /// # Errors
    /// When the file cannot be written; then nothing is written.
    pub(crate) fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
        let mut slot = self.database.lock();
        let database = self.take(&mut slot)?;
        self.trust.after(write(&database, commit))?;
        *slot = Some(database);
        Ok(())
    }

    /// Writes the content, as it is at one moment, to a new file at `path`.
    pub(crate) fn copy_to(&self, path: &Path) -> Result<(), StoreError> {
        let mut slot = self.database.lock();
        let database = self.take(&mut slot)?;
        let loaded = self.trust.after(load(&database))?;
        *slot = Some(database);
        // The table is free for others while the copy is written.
        drop(slot);
        write_all(path, loaded)
    }

    /// The open database, or the file that is opened again after an error.
    fn take(&self, slot: &mut Option<Arc<Database>>) -> Result<Arc<Database>, StoreError> {
        if let Some(database) = slot.take() {
            return Ok(database);
        }
        if !self.trust.holds() {
            let write = |scratch: &Path| write_all(scratch, load(&create(&self.path)?)?);
            self.trust.rewrite(&self.path, write)?;
        }
        self.trust.after(create(&self.path)).map(Arc::new)
    }
}

/// Writes a new file.
fn write_all(path: &Path, content: Loaded) -> Result<(), StoreError> {
    let Loaded { listings, unknown, checkpoints } = content;
    let position = |(shard, sequence)| Position { shard, sequence };
    let commit = Commit {
        listings: listings.into_iter().collect(),
        unknown: unknown.into_iter().map(|(id, count)| (id, Some(count))).collect(),
        checkpoints: checkpoints.into_iter().map(position).collect(),
    };
    write(&create(path)?, &commit)
}

fn create(path: &Path) -> Result<Database, StoreError> {
    // Everything is in memory: redb's own cache can be small. Everything is read anyway, so that a
    // check costs little.
    let mut builder = Database::builder();
    let database =
        builder.set_cache_size(4 << 20).set_check_integrity_on_open(true).create(path)?;
    let write = database.begin_write()?;
    write.open_table(LISTINGS)?;
    write.open_table(UNKNOWN)?;
    write.open_table(CHECKPOINTS)?;
    write.commit()?;
    sync_name(path)?;
    Ok(database)
}

fn load(database: &Database) -> Result<Loaded, StoreError> {
    let read = database.begin_read()?;
    let mut loaded = Loaded::default();
    for entry in read.open_table(LISTINGS)?.iter()? {
        let (id, bytes) = entry?;
        let listing = Listing::from_slice(bytes.value());
        let id = ProductId::new(id.value()).map_err(|e| bad("product", id.value(), e))?;
        let listing = listing.map_err(|e| bad("product", id.as_str(), e))?;
        loaded.listings.insert(id, listing);
    }
    for entry in read.open_table(UNKNOWN)?.iter()? {
        let (id, bytes) = entry?;
        let count = serde_json::from_slice(bytes.value());
        let id = ProductId::new(id.value()).map_err(|e| bad("unknown product", id.value(), e))?;
        let count = count.map_err(|e| bad("unknown product", id.as_str(), e))?;
        loaded.unknown.insert(id, count);
    }
    for entry in read.open_table(CHECKPOINTS)?.iter()? {
        let (shard, next) = entry?;
        loaded.checkpoints.insert(shard.value(), next.value().into());
    }
    Ok(loaded)
}

/// A value that cannot be read counts as damage of the file.
fn bad(what: &str, id: &str, error: impl std::fmt::Display) -> StoreError {
    let text = format!("stored {what} {id}: {error}");
    std::io::Error::new(std::io::ErrorKind::InvalidData, text).into()
}

fn write(database: &Database, commit: &Commit) -> Result<(), StoreError> {
    let write = database.begin_write()?;
    {
        let mut table = write.open_table(LISTINGS)?;
        for (id, listing) in &commit.listings {
            let bytes = listing.to_vec().map_err(|e| bad("product", id.as_str(), e))?;
            table.insert(id.as_str(), bytes.as_slice())?;
        }
        let mut table = write.open_table(UNKNOWN)?;
        for (id, count) in &commit.unknown {
            match count {
                Some(count) => {
                    let bytes = serde_json::to_vec(count);
                    let bytes = bytes.map_err(|e| bad("unknown product", id.as_str(), e))?;
                    table.insert(id.as_str(), bytes.as_slice())?;
                }
                None => {
                    table.remove(id.as_str())?;
                }
            }
        }
        let mut table = write.open_table(CHECKPOINTS)?;
        for &Position { shard, sequence } in &commit.checkpoints {
            let next = sequence.as_u64().ok_or(StoreError::Foreign(sequence))?;
            table.insert(shard, next)?;
        }
    }
    write.commit()?;
    Ok(())
}
