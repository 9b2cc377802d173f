//! Where sessions and checkpoints are kept.

use std::path::Path;
use std::sync::Arc;

use cartwheel_events::UserId;
use cartwheel_stream::Sequence;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use crate::session::Session;

const SESSIONS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("sessions");
const CHECKPOINTS: TableDefinition<'_, u32, u64> = TableDefinition::new("checkpoints");

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

    /// Writes sessions and checkpoints `(shard, next sequence)`: all or none.
    ///
    /// # Errors
    /// When the store fails; then nothing is written.
    fn commit(
        &self,
        checkpoints: &[(u32, Sequence)],
        sessions: &[(UserId, Arc<Session>)],
    ) -> Result<(), StoreError>;

    /// Looks at up to `limit` sessions after user `after` and removes those that
    /// are over at `now_ms`. Gives the last user seen, none at the end.
    ///
    /// # Errors
    /// When the store fails.
    fn sweep(
        &self,
        after: Option<&str>,
        limit: usize,
        now_ms: i64,
    ) -> Result<Option<String>, StoreError>;
}

/// The embedded store: one redb file.
#[derive(Debug)]
pub struct SessionStore {
    database: Database,
}

impl SessionStore {
    /// Opens the file, creating it where there is none.
    ///
    /// # Errors
    /// When the file cannot be opened, is no redb file or is open elsewhere.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        // Sessions in use are cached above; redb's own cache stays small.
        let database = Database::builder().set_cache_size(16 << 20).create(path)?;
        let write = database.begin_write()?;
        write.open_table(SESSIONS)?;
        write.open_table(CHECKPOINTS)?;
        write.commit()?;
        Ok(Self { database })
    }
}

impl SessionTable for SessionStore {
    fn session(&self, user: &UserId) -> Result<Option<Session>, StoreError> {
        let table = self.database.begin_read()?.open_table(SESSIONS)?;
        let Some(bytes) = table.get(user.as_str())? else { return Ok(None) };
        serde_json::from_slice(bytes.value())
            .map(Some)
            .map_err(|source| StoreError::Session { user: user.clone(), source })
    }

    fn checkpoint(&self, shard: u32) -> Result<Sequence, StoreError> {
        let table = self.database.begin_read()?.open_table(CHECKPOINTS)?;
        Ok(table.get(shard)?.map_or(0, |next| next.value()).into())
    }

    fn commit(
        &self,
        checkpoints: &[(u32, Sequence)],
        sessions: &[(UserId, Arc<Session>)],
    ) -> Result<(), StoreError> {
        let write = self.database.begin_write()?;
        {
            let mut table = write.open_table(SESSIONS)?;
            for (user, session) in sessions {
                let bytes = serde_json::to_vec(&**session)
                    .map_err(|source| StoreError::Session { user: user.clone(), source })?;
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
    }

    fn sweep(
        &self,
        after: Option<&str>,
        limit: usize,
        now_ms: i64,
    ) -> Result<Option<String>, StoreError> {
        let write = self.database.begin_write()?;
        let mut last = None;
        {
            let mut table = write.open_table(SESSIONS)?;
            let mut expired = Vec::new();
            let start = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
            let range = table.range::<&str>((start, std::ops::Bound::Unbounded))?;
            for (seen, entry) in range.take(limit).enumerate() {
                let (key, value) = entry?;
                // What is no session cannot be used either, and is kept for a look.
                let session = serde_json::from_slice::<Session>(value.value());
                if session.is_ok_and(|session| session.is_expired(now_ms)) {
                    expired.push(key.value().to_owned());
                }
                if seen + 1 == limit {
                    last = Some(key.value().to_owned());
                }
            }
            for key in &expired {
                table.remove(key.as_str())?;
            }
        }
        write.commit()?;
        Ok(last)
    }
}
