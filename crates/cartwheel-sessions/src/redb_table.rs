//! The embedded table of sessions: one redb file.

use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cartwheel_events::UserId;
use cartwheel_stream::{Position, Sequence};
use parking_lot::Mutex;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use crate::session::Session;
use crate::session_table::{SessionTable, StoreError};

const SESSIONS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("sessions");
const CHECKPOINTS: TableDefinition<'_, u32, u64> = TableDefinition::new("checkpoints");
const IMPORTS: TableDefinition<'_, &str, ()> = TableDefinition::new("imports");

/// Sessions in a redb file. An error closes the file, because redb fails every call after a failed
/// write, and the next call opens it again. If a sync may have failed, it writes the file anew: Linux
/// reads the pages concerned from memory, and never writes them. A damaged file is moved aside and
/// replaced by an empty one, because the stream can rebuild every session.
#[derive(Debug)]
pub struct RedbSessionTable {
    path: PathBuf,
    database: Mutex<Option<Arc<Database>>>,
    trust: Trust,
}

impl RedbSessionTable {
    /// Uses the file at `path`, which is created at the first use.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), database: Mutex::default(), trust: Trust::default() }
    }

    /// Writes sessions and checkpoints, as they are at one moment, to a new file at `path`, for a
    /// backup. Others write meanwhile.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn copy_to(&self, path: &Path) -> Result<(), StoreError> {
        self.with(|database| copy(database, path, |_, _| true))
    }

    /// The highest checkpoint of a shard: every number below it has been assigned. 0 without one.
    /// The file stays open, because opening it reads all of it.
    ///
    /// # Errors
    /// When the file cannot be opened or read.
    pub fn newest_checkpoint(&self) -> Result<Sequence, StoreError> {
        self.with(|database| {
            let table = database.begin_read()?.open_table(CHECKPOINTS)?;
            let mut newest = 0;
            for entry in table.iter()? {
                newest = newest.max(entry?.1.value());
            }
            Ok(newest.into())
        })
    }

    fn open(path: &Path) -> Result<Database, StoreError> {
        // `Sessions` has a cache: redb's own can be small. After a kill, opening reads everything
        // anyway; a damaged checkpoint of a file that was closed would otherwise go unnoticed.
        let mut builder = Database::builder();
        let database =
            builder.set_cache_size(16 << 20).set_check_integrity_on_open(true).create(path)?;
        let write = database.begin_write()?;
        write.open_table(SESSIONS)?;
        write.open_table(CHECKPOINTS)?;
        write.open_table(IMPORTS)?;
        write.commit()?;
        sync_name(path)?;
        Ok(database)
    }

    /// Opens the file, which is written anew before if the disk may lack pages of it.
    fn open_whole(&self) -> Result<Database, StoreError> {
        let database = self.trust.after(self.open_or_replace())?;
        if self.trust.holds() {
            return Ok(database);
        }
        self.rewrite(Arc::new(database), |_, _| true)?;
        self.trust.after(Self::open(&self.path))
    }

    /// Writes the sessions for which `keep` is true to a new file, which replaces the old one.
    fn rewrite(
        &self,
        old: Arc<Database>,
        keep: impl Fn(&Session, Sequence) -> bool,
    ) -> Result<(), StoreError> {
        // This call closes both files: the next one opens the new one.
        self.trust.rewrite(&self.path, |scratch| copy(&old, scratch, keep))
    }

    /// Opens the file. A damaged file is moved aside and replaced.
    fn open_or_replace(&self) -> Result<Database, StoreError> {
        match Self::open(&self.path) {
            Err(error) if error.is_damage() => {
                let aside = self.path.with_extension("damaged");
                tracing::error!(%error, aside = %aside.display(),
                    "the sessions file is damaged: moved aside, and rebuilt from the stream");
                std::fs::rename(&self.path, aside)?;
                Self::open(&self.path)
            }
            opened => opened,
        }
    }

    /// Calls `work` with the open database, and closes it after an error of the database.
    fn with<T>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let database = {
            let mut slot = self.database.lock();
            match &*slot {
                Some(database) => database.clone(),
                None => slot.insert(Arc::new(self.open_whole()?)).clone(),
            }
        };
        let done = self.trust.after(work(&database));
        if let Err(error) = &done
            && error.is_database()
        {
            let mut slot = self.database.lock();
            // Another call may have opened it again already.
            if slot.as_ref().is_some_and(|current| Arc::ptr_eq(current, &database)) {
                *slot = None;
            }
        }
        done
    }
}

impl SessionTable for RedbSessionTable {
    fn session(&self, user: &UserId) -> Result<Option<Session>, StoreError> {
        self.with(|database| {
            let table = database.begin_read()?.open_table(SESSIONS)?;
            let Some(bytes) = table.get(user.as_str())? else { return Ok(None) };
            serde_json::from_slice(bytes.value())
                .map(Some)
                .map_err(|source| StoreError::Session { user: user.clone(), source })
        })
    }

    fn checkpoint(&self, shard: u32) -> Result<Sequence, StoreError> {
        self.with(|database| {
            let table = database.begin_read()?.open_table(CHECKPOINTS)?;
            Ok(table.get(shard)?.map_or(0, |next| next.value()).into())
        })
    }

    fn commit(
        &self,
        checkpoints: &[Position],
        sessions: &mut dyn Iterator<Item = (UserId, Arc<Session>)>,
    ) -> Result<(), StoreError> {
        self.with(|database| {
            let write = database.begin_write()?;
            {
                let mut table = write.open_table(SESSIONS)?;
                let mut bytes = Vec::new();
                for (user, session) in sessions {
                    bytes.clear();
                    serde_json::to_writer(&mut bytes, &*session)
                        .map_err(|source| StoreError::Session { user: user.clone(), source })?;
                    // A session that is held here has to be copied to be changed meanwhile.
                    drop(session);
                    table.insert(user.as_str(), bytes.as_slice())?;
                }
                let mut table = write.open_table(CHECKPOINTS)?;
                for &Position { shard, sequence } in checkpoints {
                    let next = sequence.as_u64().ok_or(StoreError::Foreign(sequence))?;
                    table.insert(shard, next)?;
                }
            }
            write.commit()?;
            Ok(())
        })
    }

    fn imports(&self) -> Result<Vec<String>, StoreError> {
        self.with(|database| {
            let table = database.begin_read()?.open_table(IMPORTS)?;
            let ids = table.iter()?.map(|entry| Ok(entry?.0.value().to_owned()));
            ids.collect()
        })
    }

    fn set_imports(&self, ids: &[String]) -> Result<(), StoreError> {
        self.with(|database| {
            let write = database.begin_write()?;
            {
                let mut table = write.open_table(IMPORTS)?;
                table.retain(|_, ()| false)?;
                for id in ids {
                    table.insert(id.as_str(), ())?;
                }
            }
            write.commit()?;
            Ok(())
        })
    }

    fn sweep(
        &self,
        after: Option<&str>,
        limit: usize,
        now_ms: i64,
    ) -> Result<Option<String>, StoreError> {
        self.with(|database| {
            let write = database.begin_write()?;
            let mut last = None;
            {
                let applied = applied(&write.open_table(CHECKPOINTS)?)?;
                let mut table = write.open_table(SESSIONS)?;
                let mut removable = Vec::new();
                let start = after.map_or(Bound::Unbounded, Bound::Excluded);
                let range = table.range::<&str>((start, Bound::Unbounded))?;
                for (seen, entry) in range.take(limit).enumerate() {
                    let (key, value) = entry?;
                    // A session that cannot be parsed is useless, but is kept for inspection.
                    let session = serde_json::from_slice::<Session>(value.value());
                    if session.is_ok_and(|session| session.is_removable(now_ms, applied)) {
                        removable.push(key.value().to_owned());
                    }
                    if seen + 1 == limit {
                        last = Some(key.value().to_owned());
                    }
                }
                for key in &removable {
                    table.remove(key.as_str())?;
                }
            }
            write.commit()?;
            Ok(last)
        })
    }

    fn purge(&self, now_ms: i64) -> Result<(), StoreError> {
        let mut slot = self.database.lock();
        let old = match slot.take() {
            Some(database) => database,
            None => Arc::new(self.open_or_replace()?),
        };
        self.rewrite(old, |session, applied| !session.is_over(now_ms, applied))?;
        remove(&self.path.with_extension("damaged"))?;
        // Both are on disk before anybody records that a user is gone.
        Ok(sync_name(&self.path)?)
    }
}

/// Removes a file, if there is one.
fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Whether the disk has every page that redb believes to have written to a file. After a failed sync,
/// Linux reads the pages from memory, and never writes them.
#[derive(Debug, Default)]
pub(crate) struct Trust {
    is_lost: AtomicBool,
}

impl Trust {
    pub(crate) fn holds(&self) -> bool {
        !self.is_lost.load(Ordering::Acquire)
    }

    /// Loses the trust if something failed that may have been a sync, and returns it.
    pub(crate) fn after<T>(&self, done: Result<T, StoreError>) -> Result<T, StoreError> {
        if done.as_ref().is_err_and(StoreError::may_lose_pages) {
            self.is_lost.store(true, Ordering::Release);
        }
        done
    }

    /// Replaces the file at `path` by the one that `write` makes, once that is on disk, and trusts it.
    pub(crate) fn rewrite(
        &self,
        path: &Path,
        write: impl FnOnce(&Path) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let scratch = path.with_extension("new");
        remove(&scratch)?;
        if let Err(error) = write(&scratch) {
            // A full disk needs its space.
            remove(&scratch)?;
            return Err(error);
        }
        std::fs::rename(&scratch, path)?;
        self.after(sync_name(path).map_err(StoreError::from))?;
        self.is_lost.store(false, Ordering::Release);
        Ok(())
    }
}

/// Waits until the name of a file is on disk. redb syncs content alone, and once a checkpoint is
/// stored, the stream may drop the records before it.
pub(crate) fn sync_name(path: &Path) -> io::Result<()> {
    match path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        Some(dir) => cartwheel_files::sync_dir(dir),
        None => Ok(()),
    }
}

/// Copies a database into a new file at `path`, as it is at one moment. Sessions for which `keep`
/// is false, which also gets the sequence number before which everything is applied, and sessions
/// that cannot be parsed stay out.
fn copy(
    from: &Database,
    path: &Path,
    keep: impl Fn(&Session, Sequence) -> bool,
) -> Result<(), StoreError> {
    let copy = RedbSessionTable::open(path)?;
    let (read, write) = (from.begin_read()?, copy.begin_write()?);
    {
        let checkpoints = read.open_table(CHECKPOINTS)?;
        let applied = applied(&checkpoints)?;
        let mut table = write.open_table(CHECKPOINTS)?;
        for entry in checkpoints.iter()? {
            let (shard, next) = entry?;
            table.insert(shard.value(), next.value())?;
        }
        let mut table = write.open_table(IMPORTS)?;
        for entry in read.open_table(IMPORTS)?.iter()? {
            table.insert(entry?.0.value(), ())?;
        }
        let mut table = write.open_table(SESSIONS)?;
        for entry in read.open_table(SESSIONS)?.iter()? {
            let (user, bytes) = entry?;
            let session = serde_json::from_slice::<Session>(bytes.value());
            if session.is_ok_and(|session| keep(&session, applied)) {
                table.insert(user.value(), bytes.value())?;
            }
        }
    }
    write.commit()?;
    Ok(())
}

/// Returns the sequence number before which every record of every shard is applied.
fn applied(checkpoints: &impl ReadableTable<u32, u64>) -> Result<Sequence, StoreError> {
    let mut least: Option<u64> = None;
    for entry in checkpoints.iter()? {
        let next = entry?.1.value();
        least = Some(least.map_or(next, |least| least.min(next)));
    }
    Ok(least.unwrap_or(0).into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_file_whose_sync_may_have_failed_is_written_anew_and_none_because_the_disk_is_full() {
        let dir = tempfile::tempdir().unwrap();
        let table = RedbSessionTable::new(dir.path().join("sessions.redb"));
        let session = Arc::new(Session { events: 3, ..Session::default() });
        let user = UserId::new("u").unwrap();
        let checkpoint = Position { shard: 0, sequence: 7.into() };
        table.commit(&[checkpoint], &mut [(user.clone(), session)].into_iter()).unwrap();
        let inode = || std::fs::metadata(&table.path).unwrap().ino();
        let fail = |kind: io::ErrorKind| {
            let failed = table.with(|_| Err::<(), _>(io::Error::from(kind).into()));
            assert!(failed.is_err_and(|error| error.is_database()));
            let found = table.session(&user).unwrap().unwrap();
            assert_eq!((found.events, table.checkpoint(0).unwrap()), (3, 7.into()));
        };
        let first = inode();
        fail(io::ErrorKind::StorageFull);
        assert_eq!(inode(), first);
        fail(io::ErrorKind::Other);
        let second = inode();
        assert_ne!(second, first);
        fail(io::ErrorKind::StorageFull);
        assert_eq!(inode(), second, "it is whole now");
        // Nowhere to write it: an error, and nothing is left.
        std::fs::create_dir(table.path.with_extension("new")).unwrap();
        table.with(|_| Err::<(), _>(io::Error::other("EIO").into())).unwrap_err();
        table.session(&user).unwrap_err();
        std::fs::remove_dir(table.path.with_extension("new")).unwrap();
        assert_eq!(table.session(&user).unwrap().unwrap().events, 3);
        assert_ne!(inode(), second);
    }
}
