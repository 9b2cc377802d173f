//! The table of sessions that memory is written to.

use std::io;
use std::sync::Arc;

use cartwheel_events::UserId;
use cartwheel_stream::{Position, Sequence};

use crate::session::Session;

/// Why a store of sessions did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database failed or could not be opened.
    #[error("embedded store: {0}")]
    Database(Box<redb::Error>),
    /// A stored session cannot be parsed.
    #[error("stored session of user {user}: {source}")]
    Session {
        /// The user.
        user: UserId,
        /// The parser's error.
        source: serde_json::Error,
    },
    /// The sequence number does not come from the embedded log.
    #[error("sequence number {0} does not come from the embedded log")]
    Foreign(Sequence),
    /// A service that stores users failed, or answered with something else.
    #[error("user store: {0}")]
    Service(String),
    /// Too many changed sessions are not written yet.
    #[error("{0} changed sessions are not written yet, as many as memory may hold")]
    Full(usize),
    /// An earlier failure left the sessions behind the stream, which has to be replayed.
    #[error("sessions are behind the stream after a failure; the stream is replayed")]
    Behind,
}

impl StoreError {
    /// Tells whether the database file is damaged.
    pub(crate) fn is_damage(&self) -> bool {
        let Self::Database(error) = self else { return false };
        match &**error {
            redb::Error::Corrupted(_) => true,
            // Not a redb file, or truncated.
            redb::Error::Io(error) => {
                matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
            }
            _ => false,
        }
    }

    /// Tells whether pages that were written may be lost, since their sync has perhaps failed. A full
    /// disk refuses them when they are written.
    pub(crate) fn may_lose_pages(&self) -> bool {
        let Self::Database(error) = self else { return false };
        match &**error {
            redb::Error::Io(error) => {
                !matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            _ => false,
        }
    }

    /// Tells whether the database failed, as opposed to a value in it.
    pub(crate) fn is_database(&self) -> bool {
        matches!(self, Self::Database(_))
    }
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        Self::Database(Box::new(redb::Error::Io(error)))
    }
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

/// Stores sessions and, in the same transactions, how far the stream is applied.
pub trait SessionTable: Send + Sync {
    /// Reads the stored session of a user.
    ///
    /// # Errors
    /// When the store fails or the session cannot be parsed.
    fn session(&self, user: &UserId) -> Result<Option<Session>, StoreError>;

    /// Reads the sequence number of the first record of `shard` that is not applied; 0 at
    /// first.
    ///
    /// # Errors
    /// When the store fails.
    fn checkpoint(&self, shard: u32) -> Result<Sequence, StoreError>;

    /// Writes sessions and checkpoints in one transaction. A checkpoint is the position of
    /// the first record of its shard that is not applied. The iterator gives a session when
    /// it is written, so that few are held at once.
    ///
    /// # Errors
    /// When the store fails; then nothing is written.
    fn commit(
        &self,
        checkpoints: &[Position],
        sessions: &mut dyn Iterator<Item = (UserId, Arc<Session>)>,
    ) -> Result<(), StoreError>;

    /// Reads the ids of the imports whose events are in the sessions.
    ///
    /// # Errors
    /// When the store fails.
    fn imports(&self) -> Result<Vec<String>, StoreError>;

    /// Replaces the ids of the imports whose events are in the sessions.
    ///
    /// # Errors
    /// When the store fails; then nothing is written.
    fn set_imports(&self, ids: &[String]) -> Result<(), StoreError>;

    /// Visits up to `limit` sessions after user `after`, and removes those that have
    /// expired at `now_ms` (UTC milliseconds), or were erased so long ago that no imported event
    /// of before would enter a new session. Returns the last user visited, `None` at the end.
    ///
    /// # Errors
    /// When the store fails.
    fn sweep(
        &self,
        after: Option<&str>,
        limit: usize,
        now_ms: i64,
    ) -> Result<Option<String>, StoreError>;

    /// Leaves no bytes of expired or erased sessions in the files. Without it, the bytes of
    /// removed sessions may remain until they are overwritten.
    ///
    /// # Errors
    /// When the store fails; then it is unchanged.
    fn purge(&self, now_ms: i64) -> Result<(), StoreError>;
}
