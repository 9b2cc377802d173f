//! The sessions of this process: in memory, written behind to a table.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cartwheel_events::{EventRecord, UserId};
use cartwheel_stream::{Position, Sequence};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use crate::cache::SessionCache;
use crate::imported_events::ImportedEvents;
use crate::session::Session;
use crate::session_table::{SessionTable, StoreError};
use crate::user_locks::{UserLock, UserLocks};

/// By shard, the sequence number of the first record that is not applied.
type Checkpoints = FxHashMap<u32, Sequence>;

/// What is erased of a user: the records before a sequence number, and imported events until a time in
/// UTC milliseconds.
type ErasedUntil = (Sequence, i64);

/// Every shopper's session, in memory first and written behind in groups.
///
/// Records change a session through [`Sessions::apply`], which skips a record that is already
/// applied, so the API and the consumer may both apply a record. Sessions and checkpoints
/// are written together: changes that were not written when the process died are replayed
/// from the stream. Imported events come beside it, see [`crate::ImportedEvents`].
pub struct Sessions {
    table: Arc<dyn SessionTable>,
    imported: Option<Arc<dyn ImportedEvents>>,
    cache: SessionCache,
    locks: UserLocks,
    applied: Mutex<Checkpoints>,
    /// The checkpoints last written. A flush holds the lock, so that an older snapshot never
    /// overwrites a newer one.
    written: Mutex<Checkpoints>,
    /// The erasures that are not written yet: they hold even if the stream is replayed before.
    erasing: Mutex<FxHashMap<UserId, ErasedUntil>>,
    caught_up: AtomicBool,
    failed: AtomicBool,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let unwritten = self.cache.unwritten();
        f.debug_struct("Sessions").field("unwritten", &unwritten).finish_non_exhaustive()
    }
}

impl Sessions {
    /// Sessions over `table`, with about `capacity` users in memory, or fewer if their sessions
    /// take more than 16 kB each. At most `capacity` sessions may be unwritten, or as many as take
    /// `capacity` times 16 kB.
    pub fn new(table: Arc<dyn SessionTable>, capacity: usize) -> Self {
        Self {
            table,
            imported: None,
            cache: SessionCache::new(capacity),
            locks: UserLocks::new(),
            applied: Mutex::default(),
            written: Mutex::default(),
            erasing: Mutex::default(),
            caught_up: AtomicBool::new(false),
            failed: AtomicBool::new(false),
        }
    }

    /// Takes imported events too: `consume_sessions` adds those of the last seven days.
    #[must_use]
    pub fn with_imports(self, imported: Arc<dyn ImportedEvents>) -> Self {
        Self { imported: Some(imported), ..self }
    }

    /// The imported events.
    pub(crate) fn imported(&self) -> Option<&Arc<dyn ImportedEvents>> {
        self.imported.as_ref()
    }

    /// The table behind the sessions.
    pub(crate) fn table(&self) -> &dyn SessionTable {
        &*self.table
    }

    /// Tells whether events may be accepted: the stream is replayed up to its end at the
    /// start, and every record since then is applied. An event that is accepted before
    /// would hide earlier events of its user.
    pub fn is_ready(&self) -> bool {
        self.caught_up.load(Ordering::Acquire) && !self.failed.load(Ordering::Acquire)
    }

    /// Marks the stream as replayed. The consumer calls it.
    pub fn set_caught_up(&self) {
        self.caught_up.store(true, Ordering::Release);
    }

    /// Waits for the locks of `users`. A caller holds them from reading sessions over
    /// putting records to applying them, so that records are applied in the order of the
    /// stream.
    pub async fn lock_all(&self, users: impl IntoIterator<Item = &UserId>) -> UserLock {
        self.locks.lock(users).await
    }

    /// Waits for the locks of all users. Under them, no record is put but not yet applied.
    pub(crate) async fn lock_everyone(&self) -> UserLock {
        self.locks.lock_everyone().await
    }

    /// Returns the user's session, `None` when it has expired or never existed.
    ///
    /// # Errors
    /// When the table fails.
    pub fn session(&self, user: &UserId, now_ms: i64) -> Result<Option<Arc<Session>>, StoreError> {
        let session = self.cache.get(user, || self.stored(user))?;
        Ok(session.filter(|session| !session.is_expired(now_ms)))
    }

    /// Applies the record at `position` to its user's session, unless it is already
    /// applied, and returns the session.
    ///
    /// # Errors
    /// When the table fails, or too many sessions are unwritten. The sessions are then no
    /// longer ready, because a later record would hide this one.
    pub fn apply(
        &self,
        position: Position,
        record: &EventRecord,
    ) -> Result<Arc<Session>, StoreError> {
        if self.failed.load(Ordering::Acquire) {
            return Err(StoreError::Behind);
        }
        let applied = self.try_apply(position, record);
        if applied.is_err() {
            self.set_failed();
        }
        applied
    }

    fn try_apply(
        &self,
        position: Position,
        record: &EventRecord,
    ) -> Result<Arc<Session>, StoreError> {
        self.make_room()?;
        let user = &record.user_id;
        self.cache.change(
            user,
            || self.stored(user),
            |session| {
                // The check comes first: `make_mut` may copy the session.
                position.sequence >= session.next_sequence
                    && Arc::make_mut(session).apply(position, record)
            },
        )
    }

    /// Applies imported events of a user, in the order of their times, to the session of the
    /// user. The caller holds the user's lock.
    ///
    /// # Errors
    /// When the table fails, or too many sessions are unwritten.
    pub(crate) fn apply_imported(
        &self,
        user: &UserId,
        events: &[EventRecord],
        now_ms: i64,
    ) -> Result<(), StoreError> {
        self.make_room()?;
        let apply = |session: &mut Arc<Session>| {
            let session = Arc::make_mut(session);
            events.iter().filter(|event| session.apply_imported(event, now_ms)).count() > 0
        };
        self.cache.change(user, || self.stored(user), apply).map(drop)
    }

    /// Writes the sessions if no more may be unwritten.
    fn make_room(&self) -> Result<(), StoreError> {
        if self.cache.is_full() {
            self.flush()?;
            if self.cache.is_full() {
                return Err(StoreError::Full(self.cache.unwritten()));
            }
        }
        Ok(())
    }

    /// Marks the sessions as not ready, as [`Sessions::apply`] does after an error.
    pub(crate) fn set_failed(&self) {
        self.failed.store(true, Ordering::Release);
    }

    /// Reads the stored session. One that cannot be parsed counts as lost, and its shopper
    /// starts anew: waiting would not repair it.
    fn stored(&self, user: &UserId) -> Result<Option<Arc<Session>>, StoreError> {
        match self.table.session(user) {
            Ok(session) => Ok(session.map(Arc::new)),
            Err(error @ StoreError::Session { .. }) => {
                tracing::error!(%error, "a session is lost");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Erases the user's session and hides all records of the user before `before`, also
    /// from a replay, and imported events until `erased_ms` (UTC milliseconds). Once this
    /// returns, the erasure is on disk. The caller holds the user's lock.
    ///
    /// # Errors
    /// When the table fails; then the erasure holds in this process and is written later.
    pub fn erase(&self, user: &UserId, before: Sequence, erased_ms: i64) -> Result<(), StoreError> {
        self.cache.replace(user, Session::erased(before, erased_ms));
        self.erasing.lock().insert(user.clone(), (before, erased_ms));
        self.flush().map(drop)
    }

    /// Leaves no bytes of expired or erased sessions on disk.
    ///
    /// # Errors
    /// When the table fails.
    pub fn purge(&self, now_ms: i64) -> Result<(), StoreError> {
        self.flush()?;
        // No flush may run while the table is copied.
        let _written = self.written.lock();
        self.table.purge(now_ms)
    }

    /// Forgets everything in memory but erasures, before the stream is replayed from the table's
    /// checkpoints. The caller holds the locks of all users.
    pub(crate) fn reset(&self) {
        self.caught_up.store(false, Ordering::Release);
        let mut written = self.written.lock();
        self.cache.clear();
        self.applied.lock().clear();
        written.clear();
        for (user, &(before, erased_ms)) in &*self.erasing.lock() {
            self.cache.replace(user, Session::erased(before, erased_ms));
        }
        self.failed.store(false, Ordering::Release);
    }

    /// Returns the sequence number before which every record of the first `shards` shards is
    /// applied and on disk. The stream may drop the records before it.
    ///
    /// # Errors
    /// When the table fails.
    pub fn floor(&self, shards: u32) -> Result<Sequence, StoreError> {
        let written = self.written.lock();
        let mut floor = None;
        for shard in 0..shards {
            let next = match written.get(&shard) {
                Some(&next) => next,
                None => self.table.checkpoint(shard)?,
            };
            floor = Some(floor.map_or(next, |floor: Sequence| floor.min(next)));
        }
        Ok(floor.unwrap_or_default())
    }

    /// Returns the sequence number from which the consumer continues in `shard`.
    ///
    /// # Errors
    /// When the table fails.
    pub fn checkpoint(&self, shard: u32) -> Result<Sequence, StoreError> {
        if let Some(&next) = self.applied.lock().get(&shard) {
            return Ok(next);
        }
        self.table.checkpoint(shard)
    }

    /// Notes that every record of `shard` before `next` is applied.
    pub(crate) fn advance(&self, shard: u32, next: Sequence) {
        self.applied.lock().insert(shard, next);
    }

    /// Waits until many sessions are unwritten, so that a flush should not wait for its time.
    pub(crate) async fn flush_due(&self) {
        self.cache.flush_due().await;
    }

    /// Writes the changed sessions and checkpoints in one transaction, and returns the number
    /// of sessions. Blocks for as long as a disk sync takes.
    ///
    /// # Errors
    /// When the table fails; then everything stays unwritten.
    pub(crate) fn flush(&self) -> Result<usize, StoreError> {
        let mut written = self.written.lock();
        // The checkpoints come first: every record before them is then in the sessions.
        let applied = self.applied.lock().clone();
        let checkpoints: Vec<Position> = applied
            .iter()
            .filter(|(shard, next)| written.get(shard) != Some(next))
            .map(|(&shard, &sequence)| Position { shard, sequence })
            .collect();
        // Their sessions are changed already, so what is taken next has them.
        let erasing = self.erasing.lock().clone();
        let changed = self.cache.take_dirty();
        if changed.is_empty() && checkpoints.is_empty() {
            return Ok(0);
        }
        let mut sessions =
            changed.iter().filter_map(|user| Some((user.clone(), self.cache.begin_write(user)?)));
        let committed = self.table.commit(&checkpoints, &mut sessions);
        // A failed commit may leave sessions over: they have to be written too.
        sessions.for_each(drop);
        self.cache.end_write(&changed, committed.is_ok());
        committed?;
        self.erasing.lock().retain(|user, until| erasing.get(user) != Some(until));
        *written = applied;
        Ok(changed.len())
    }

    /// Removes expired sessions among up to `limit` stored users after `after`. Returns the
    /// last user visited, `None` at the end.
    ///
    /// # Errors
    /// When the table fails.
    pub(crate) fn sweep(
        &self,
        after: Option<&str>,
        limit: usize,
        now_ms: i64,
    ) -> Result<Option<String>, StoreError> {
        self.table.sweep(after, limit, now_ms)
    }

    /// Returns the number of users in memory, and the bytes of their sessions.
    #[cfg(test)]
    pub(crate) fn cached(&self) -> (usize, usize) {
        self.cache.size()
    }
}
