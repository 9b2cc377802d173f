//! Where sessions and checkpoints are kept.

use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cartwheel_events::UserId;
use cartwheel_stream::Sequence;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use crate::session::Session;

const SESSIONS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("sessions");
const CHECKPOINTS: TableDefinition<'_, u32, u64> = TableDefinition::new("checkpoints");

impl StoreError {
    /// Whether the file itself cannot be used.
    fn is_damage(&self) -> bool {
        match self {
            Self::Database(error) => match &**error {
                redb::Error::Corrupted(_) => true,
                // Not begun by redb, or cut off.
                redb::Error::Io(error) => {
                    matches!(
                        error.kind(),
                        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
                    )
                }
                _ => false,
            },
            _ => false,
        }
    }

    /// Whether the database failed, rather than what it holds.
    fn is_of_database(&self) -> bool {
        matches!(self, Self::Database(_))
    }
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        Self::Database(Box::new(redb::Error::Io(error)))
    }
}

/// Why the store did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database failed or could not be opened.
    #[error("session store: {0}")]
    Database(Box<redb::Error>),
    /// A stored session is not one.
    #[error("session of {user}: {source}")]
    Session {
        /// Whose.
        user: UserId,
        /// What the parser says.
        source: serde_json::Error,
    },
    /// The sequence number is not one of the embedded log.
    #[error("{0} is no sequence number of the embedded log")]
    Foreign(Sequence),
    /// A service that holds users did not answer as it should.
    #[error("user store: {0}")]
    Service(String),
    /// More sessions wait to be written than memory may hold.
    #[error("{0} changed sessions wait to be written")]
    Full(usize),
    /// An earlier failure left sessions behind the stream; a restart replays it.
    #[error("sessions are behind the stream since an earlier failure")]
    Behind,
}

macro_rules! from_redb {
    ($($error:ty),+) => { $(impl From<$error> for StoreError {
        fn from(error: $error) -> Self {
            Self::Database(Box::new(error.into()))
        }
    })+ };
}
from_redb!(
    redb::DatabaseError,
    redb::TransactionError,
    redb::TableError,
    redb::StorageError,
    redb::CommitError
);

/// Keeps sessions and, in the same transactions, how far the stream is applied.
pub trait SessionTable: Send + Sync {
    /// The stored session of a user.
    ///
    /// # Errors
    /// When the store fails or holds something else.
    fn session(&self, user: &UserId) -> Result<Option<Session>, StoreError>;

    /// Sequence number of the first record of `shard` that is not applied; 0 at first.
    ///
    /// # Errors
    /// When the store fails.
    fn checkpoint(&self, shard: u32) -> Result<Sequence, StoreError>;

    /// Writes sessions and checkpoints `(shard, next sequence)`: all or none. Each session
    /// is asked for when it is written, so that few are held at once.
    ///
    /// # Errors
    /// When the store fails; then nothing is written.
    fn commit(
        &self,
        checkpoints: &[(u32, Sequence)],
        sessions: &mut dyn Iterator<Item = (UserId, Arc<Session>)>,
    ) -> Result<(), StoreError>;

    /// Looks at up to `limit` sessions after user `after` and removes those that
    /// are over at `now_ms`, or erased. Gives the last user seen, none at the end.
    ///
    /// # Errors
    /// When the store fails.
    fn sweep(
        &self,
        after: Option<&str>,
        limit: usize,
        now_ms: i64,
    ) -> Result<Option<String>, StoreError>;

    /// Leaves nothing in its files of sessions that are over or erased: other stores'
    /// files may hold what was removed until it is overwritten.
    ///
    /// # Errors
    /// When the store fails; then it is as before.
    fn purge(&self, now_ms: i64) -> Result<(), StoreError>;
}

/// The embedded store: one redb file. An error closes it, and the next call opens it
/// again: redb itself answers nothing more after a failed write. A file that is damaged
/// is set aside and begun anew, as the stream holds all that a session may know.
#[derive(Debug)]
pub struct SessionStore {
    path: PathBuf,
    database: Mutex<Option<Arc<Database>>>,
}

impl SessionStore {
    /// The store in the file at `path`, which is made at the first use.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), database: Mutex::default() }
    }

    fn slot(&self) -> MutexGuard<'_, Option<Arc<Database>>> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(path: &Path) -> Result<Database, StoreError> {
        // Sessions in use are cached above; redb's own cache stays small.
        let database = Database::builder().set_cache_size(16 << 20).create(path)?;
        let write = database.begin_write()?;
        write.open_table(SESSIONS)?;
        write.open_table(CHECKPOINTS)?;
        write.commit()?;
        Ok(database)
    }

    /// Opens the file; one that is damaged makes way for a new one.
    fn open_or_begin(&self) -> Result<Database, StoreError> {
        match Self::open(&self.path) {
            Err(error) if error.is_damage() => {
                let aside = self.path.with_extension("damaged");
                tracing::error!(%error, aside = %aside.display(),
                    "the sessions' file is damaged: it is set aside and made from the stream");
                std::fs::rename(&self.path, aside)?;
                Self::open(&self.path)
            }
            opened => opened,
        }
    }

    fn with<T>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let database = {
            let mut slot = self.slot();
            match &*slot {
                Some(database) => database.clone(),
                None => slot.insert(Arc::new(self.open_or_begin()?)).clone(),
            }
        };
        let done = work(&database);
        if let Err(error) = &done
            && error.is_of_database()
        {
            let mut slot = self.slot();
            // Another call may have opened it anew by now.
            if slot.as_ref().is_some_and(|current| Arc::ptr_eq(current, &database)) {
                *slot = None;
            }
        }
        done
    }
}

impl SessionTable for SessionStore {
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
        checkpoints: &[(u32, Sequence)],
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
                    // What is held here has to be copied to be changed meanwhile.
                    drop(session);
                    table.insert(user.as_str(), bytes.as_slice())?;
                }
                let mut table = write.open_table(CHECKPOINTS)?;
                for &(shard, next) in checkpoints {
                    // Only the embedded log is followed with checkpoints of our own.
                    table.insert(shard, next.as_u64().ok_or(StoreError::Foreign(next))?)?;
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
                let mut over = Vec::new();
                let start = after.map_or(Bound::Unbounded, Bound::Excluded);
                let range = table.range::<&str>((start, Bound::Unbounded))?;
                for (seen, entry) in range.take(limit).enumerate() {
                    let (key, value) = entry?;
                    // What is no session cannot be used either, and is kept for a look.
                    let session = serde_json::from_slice::<Session>(value.value());
                    if session.is_ok_and(|session| session.is_over(now_ms, applied)) {
                        over.push(key.value().to_owned());
                    }
                    if seen + 1 == limit {
                        last = Some(key.value().to_owned());
                    }
                }
                for key in &over {
                    table.remove(key.as_str())?;
                }
            }
            write.commit()?;
            Ok(last)
        })
    }

    fn purge(&self, now_ms: i64) -> Result<(), StoreError> {
        let mut slot = self.slot();
        let scratch = self.path.with_extension("new");
        match std::fs::remove_file(&scratch) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        {
            let old = match slot.take() {
                Some(database) => database,
                None => Arc::new(self.open_or_begin()?),
            };
            let copy = Self::open(&scratch)?;
            let (read, write) = (old.begin_read()?, copy.begin_write()?);
            {
                let checkpoints = read.open_table(CHECKPOINTS)?;
                let applied = applied(&checkpoints)?;
                let mut table = write.open_table(CHECKPOINTS)?;
                for entry in checkpoints.iter()? {
                    let (shard, next) = entry?;
                    table.insert(shard.value(), next.value())?;
                }
                let mut table = write.open_table(SESSIONS)?;
                for entry in read.open_table(SESSIONS)?.iter()? {
                    let (user, bytes) = entry?;
                    let session = serde_json::from_slice::<Session>(bytes.value());
                    if session.is_ok_and(|session| !session.is_over(now_ms, applied)) {
                        table.insert(user.value(), bytes.value())?;
                    }
                }
            }
            write.commit()?;
        }
        // Both are closed: the next call opens what has the name then.
        std::fs::rename(&scratch, &self.path)?;
        if let Some(dir) = self.path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
            std::fs::File::open(dir)?.sync_all()?;
        }
        match std::fs::remove_file(self.path.with_extension("damaged")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

/// The number before which every record of every shard is applied.
fn applied(checkpoints: &impl ReadableTable<u32, u64>) -> Result<Sequence, StoreError> {
    let mut least: Option<u64> = None;
    for entry in checkpoints.iter()? {
        let next = entry?.1.value();
        least = Some(least.map_or(next, |least| least.min(next)));
    }
    Ok(least.unwrap_or(0).into())
}
