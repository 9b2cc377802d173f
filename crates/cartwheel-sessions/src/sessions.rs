//! Sessions in memory, over a store.

use std::hash::{BuildHasher, BuildHasherDefault};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cartwheel_events::{EventRecord, UserId};
use rustc_hash::{FxHashMap, FxHasher};
use tokio::sync::{Notify, OwnedMutexGuard};

use crate::session::Session;
use crate::store::{SessionTable, StoreError};
use cartwheel_stream::{Position, Sequence};

const STRIPES: usize = 64;
const LOCKS: usize = 1024;
/// This part of the changes that may wait is written without waiting for the next time.
const PRESSING: usize = 4;

/// Whether the store has a session as it is in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It has: the entry may be dropped.
    Clean,
    /// It has not.
    Dirty,
    /// A flush is writing it. Dropped now, it would be read back as it was before.
    Writing,
}

/// One cached user. `session` is none where the store holds none.
#[derive(Debug)]
struct Entry {
    session: Option<Arc<Session>>,
    state: State,
}

/// Two generations: a read moves a user to `young`, and when `young` is full it
/// becomes `old`, whose clean entries are dropped.
#[derive(Debug, Default)]
struct Stripe {
    young: FxHashMap<UserId, Entry>,
    old: FxHashMap<UserId, Entry>,
    dirty: Vec<UserId>,
}

impl Stripe {
    fn known(&mut self, user: &UserId) -> Option<&mut Entry> {
        match self.young.get_mut(user) {
            Some(entry) => Some(entry),
            None => self.old.get_mut(user),
        }
    }
}

/// Every shopper's session: memory first, written behind in groups.
///
/// A session is changed by [`Sessions::apply`] only, which skips what is applied
/// already, so the API and the consumer may both apply a record. What is not yet
/// written when the process dies is replayed from the stream, whose checkpoint is
/// written together with the sessions.
pub struct Sessions {
    store: Arc<dyn SessionTable>,
    stripes: Vec<Mutex<Stripe>>,
    per_generation: usize,
    locks: Vec<Arc<tokio::sync::Mutex<()>>>,
    progress: Mutex<FxHashMap<u32, Sequence>>,
    // Held while flushing, so that an older snapshot never overwrites a newer one.
    // Gives the checkpoints last written.
    flushing: Mutex<FxHashMap<u32, Sequence>>,
    // Entries that are not clean.
    waiting: AtomicUsize,
    max_waiting: usize,
    // Told when so many wait that they are to be written soon.
    pressed: Notify,
    caught_up: AtomicBool,
    failed: AtomicBool,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sessions").field("waiting", &self.waiting).finish_non_exhaustive()
    }
}

/// Holds users' order of events: put and apply happen under it.
#[derive(Debug)]
pub struct UserLock {
    _turns: Vec<OwnedMutexGuard<()>>,
}

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing under these locks can be left half changed by a panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn hash(user: &UserId) -> usize {
    let hash = BuildHasherDefault::<FxHasher>::default().hash_one(user);
    // The maps within a stripe use the same hash: take other bits.
    (hash >> 20) as usize
}

impl Sessions {
    /// Sessions over `store`, about `capacity` users in memory (a session takes up
    /// to 10 kB, and more with many checkouts). At most as many may wait to be written.
    pub fn new(store: Arc<dyn SessionTable>, capacity: usize) -> Self {
        Self {
            store,
            stripes: (0..STRIPES).map(|_| Mutex::default()).collect(),
            per_generation: (capacity / STRIPES / 2).max(1),
            locks: (0..LOCKS).map(|_| Arc::default()).collect(),
            progress: Mutex::default(),
            flushing: Mutex::default(),
            waiting: AtomicUsize::new(0),
            max_waiting: capacity.max(1),
            pressed: Notify::new(),
            caught_up: AtomicBool::new(false),
            failed: AtomicBool::new(false),
        }
    }

    /// Whether the stream is replayed up to where it stood at the start, and every
    /// record since is applied. Before, an event must not be accepted: a later
    /// event of the user would hide an earlier one.
    pub fn is_ready(&self) -> bool {
        self.caught_up.load(Ordering::Acquire) && !self.failed.load(Ordering::Acquire)
    }

    /// Says that the stream is replayed; the consumer calls it.
    pub fn set_caught_up(&self) {
        self.caught_up.store(true, Ordering::Release);
    }

    /// Waits for the turn of all of `users`: from reading their sessions over putting
    /// records to applying them, so that records are applied in the order of the stream.
    pub async fn lock_all(&self, users: impl IntoIterator<Item = &UserId>) -> UserLock {
        let mut wanted: Vec<usize> = users.into_iter().map(|u| hash(u) / STRIPES % LOCKS).collect();
        // One order for everybody, so that two batches cannot wait for each other.
        wanted.sort_unstable();
        wanted.dedup();
        let mut guards = Vec::with_capacity(wanted.len());
        for index in wanted {
            guards.push(Arc::clone(&self.locks[index]).lock_owned().await);
        }
        UserLock { _turns: guards }
    }

    /// The user's session, none for one that is over or never was.
    ///
    /// # Errors
    /// When the store fails.
    pub fn session(&self, user: &UserId, now_ms: i64) -> Result<Option<Arc<Session>>, StoreError> {
        let mut stripe = guard(&self.stripes[hash(user) % STRIPES]);
        let entry = self.entry(&mut stripe, user)?;
        Ok(entry.session.clone().filter(|session| !session.is_expired(now_ms)))
    }

    /// Applies the record at `position` to its user's session, unless it is applied
    /// already, and gives the session.
    ///
    /// # Errors
    /// When the store fails, or too many changes wait to be written. From then on
    /// the sessions are not ready, because a later record would hide this one.
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
            self.failed.store(true, Ordering::Release);
        }
        applied
    }

    fn try_apply(
        &self,
        position: Position,
        record: &EventRecord,
    ) -> Result<Arc<Session>, StoreError> {
        let waiting = self.waiting.load(Ordering::Relaxed);
        if waiting >= self.max_waiting {
            self.flush()?;
            let waiting = self.waiting.load(Ordering::Relaxed);
            if waiting >= self.max_waiting {
                return Err(StoreError::Full(waiting));
            }
        }
        let mut stripe = guard(&self.stripes[hash(&record.user_id) % STRIPES]);
        let entry = self.entry(&mut stripe, &record.user_id)?;
        let session = entry.session.get_or_insert_default();
        if position.sequence >= session.next_sequence {
            Arc::make_mut(session).apply(position, record);
            let session = Arc::clone(session);
            if entry.state == State::Clean {
                let waiting = self.waiting.fetch_add(1, Ordering::Relaxed) + 1;
                if waiting >= self.max_waiting.div_ceil(PRESSING) {
                    self.pressed.notify_one();
                }
            }
            if std::mem::replace(&mut entry.state, State::Dirty) != State::Dirty {
                stripe.dirty.push(record.user_id.clone());
            }
            return Ok(session);
        }
        Ok(Arc::clone(session))
    }

    /// Waits until so many changes wait that they should be written at once: at the most
    /// that may wait, whoever applies a record has to write them.
    pub(crate) async fn pressed(&self) {
        self.pressed.notified().await;
    }

    /// Finds or loads the user's entry and makes it young.
    fn entry<'a>(
        &self,
        stripe: &'a mut Stripe,
        user: &UserId,
    ) -> Result<&'a mut Entry, StoreError> {
        if !stripe.young.contains_key(user) {
            let entry = match stripe.old.remove(user) {
                Some(entry) => entry,
                None => Entry { session: self.stored(user)?, state: State::Clean },
            };
            if stripe.young.len() >= self.per_generation {
                stripe.old.retain(|_, entry| entry.state != State::Clean);
                let young = std::mem::take(&mut stripe.young);
                stripe.old.extend(young);
            }
            stripe.young.insert(user.clone(), entry);
        }
        // The entry is there: this only finds it.
        Ok(stripe.young.entry(user.clone()).or_insert(Entry { session: None, state: State::Clean }))
    }

    /// The session as it is stored. One that cannot be read is lost, and its shopper
    /// begins anew: waiting would not mend it.
    fn stored(&self, user: &UserId) -> Result<Option<Arc<Session>>, StoreError> {
        match self.store.session(user) {
            Ok(session) => Ok(session.map(Arc::new)),
            Err(error @ StoreError::Session { .. }) => {
                tracing::error!(%error, "a session is lost");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Forgets the user, and every record of theirs before `before`, also where those are
    /// replayed. Returns once that is on disk. The caller has the user's turn.
    ///
    /// # Errors
    /// When the store fails; then it may be as before.
    pub fn erase(&self, user: &UserId, before: Sequence) -> Result<(), StoreError> {
        {
            let mut stripe = guard(&self.stripes[hash(user) % STRIPES]);
            let entry = self.entry(&mut stripe, user)?;
            entry.session = Some(Arc::new(Session::erased(before)));
            if entry.state == State::Clean {
                self.waiting.fetch_add(1, Ordering::Relaxed);
            }
            if std::mem::replace(&mut entry.state, State::Dirty) != State::Dirty {
                stripe.dirty.push(user.clone());
            }
        }
        self.flush().map(drop)
    }

    /// Leaves nothing on disk of sessions that are over or erased.
    ///
    /// # Errors
    /// When the store fails.
    pub fn purge(&self, now_ms: i64) -> Result<(), StoreError> {
        self.flush()?;
        // Nothing is written while the store is copied.
        let _written = guard(&self.flushing);
        self.store.purge(now_ms)
    }

    /// Holds every shopper's turn: nobody is between putting a record and applying it.
    pub(crate) async fn lock_everybody(&self) -> UserLock {
        let mut turns = Vec::with_capacity(LOCKS);
        for lock in &self.locks {
            turns.push(Arc::clone(lock).lock_owned().await);
        }
        UserLock { _turns: turns }
    }

    /// Forgets what is in memory: the stream is to be replayed from the store's
    /// checkpoints. The caller holds every turn.
    pub(crate) fn begin_anew(&self) {
        self.caught_up.store(false, Ordering::Release);
        let mut written = guard(&self.flushing);
        for stripe in &self.stripes {
            *guard(stripe) = Stripe::default();
        }
        guard(&self.progress).clear();
        written.clear();
        self.waiting.store(0, Ordering::Relaxed);
        self.failed.store(false, Ordering::Release);
    }

    /// Says that a record was not applied, as [`Sessions::apply`] does.
    pub(crate) fn set_failed(&self) {
        self.failed.store(true, Ordering::Release);
    }

    /// The number before which every record of the first `shards` shards is applied and
    /// on disk.
    ///
    /// # Errors
    /// When the store fails.
    pub fn floor(&self, shards: u32) -> Result<Sequence, StoreError> {
        let written = guard(&self.flushing);
        let mut floor = None;
        for shard in 0..shards {
            let next = match written.get(&shard) {
                Some(&next) => next,
                None => self.store.checkpoint(shard)?,
            };
            floor = Some(floor.map_or(next, |floor: Sequence| floor.min(next)));
        }
        Ok(floor.unwrap_or_default())
    }

    /// Sequence number from which the consumer goes on in `shard`.
    ///
    /// # Errors
    /// When the store fails.
    pub fn checkpoint(&self, shard: u32) -> Result<Sequence, StoreError> {
        if let Some(&next) = guard(&self.progress).get(&shard) {
            return Ok(next);
        }
        self.store.checkpoint(shard)
    }

    /// Notes that every record of `shard` before `next_sequence` is applied.
    pub fn advance(&self, shard: u32, next_sequence: Sequence) {
        guard(&self.progress).insert(shard, next_sequence);
    }

    /// Writes what changed, with the checkpoints, in one transaction. Gives the
    /// number of sessions written. Blocks for as long as a disk sync takes.
    ///
    /// # Errors
    /// When the store fails; then everything stays to be written.
    pub fn flush(&self) -> Result<usize, StoreError> {
        let mut written = guard(&self.flushing);
        // The checkpoints first: every record before them is then in the sessions.
        let progress = guard(&self.progress).clone();
        let checkpoints: Vec<(u32, Sequence)> = progress
            .iter()
            .filter(|(shard, next)| written.get(shard) != Some(next))
            .map(|(&shard, &next)| (shard, next))
            .collect();
        let dirty = |stripe: &Mutex<Stripe>| std::mem::take(&mut guard(stripe).dirty);
        let changed: Vec<UserId> = self.stripes.iter().flat_map(dirty).collect();
        if changed.is_empty() && checkpoints.is_empty() {
            return Ok(0);
        }
        let mut sessions = changed.iter().filter_map(|user| {
            let mut stripe = guard(&self.stripes[hash(user) % STRIPES]);
            let entry = stripe.known(user)?;
            entry.state = State::Writing;
            Some((user.clone(), Arc::clone(entry.session.as_ref()?)))
        });
        let committed = self.store.commit(&checkpoints, &mut sessions);
        // Those that a failed commit did not come to are to be written too.
        sessions.for_each(drop);
        for user in &changed {
            let mut stripe = guard(&self.stripes[hash(user) % STRIPES]);
            let Some(entry) = stripe.known(user) else { continue };
            // One that was changed meanwhile is dirty again, and stays so.
            if entry.state == State::Writing {
                if committed.is_ok() {
                    entry.state = State::Clean;
                    self.waiting.fetch_sub(1, Ordering::Relaxed);
                } else {
                    entry.state = State::Dirty;
                    stripe.dirty.push(user.clone());
                }
            }
        }
        committed?;
        *written = progress;
        Ok(changed.len())
    }

    /// Forgets sessions that are over, up to `limit` users after `after`.
    ///
    /// # Errors
    /// When the store fails.
    pub fn sweep(
        &self,
        after: Option<&str>,
        limit: usize,
        now_ms: i64,
    ) -> Result<Option<String>, StoreError> {
        self.store.sweep(after, limit, now_ms)
    }

    /// Users in memory.
    #[cfg(test)]
    pub(crate) fn entries(&self) -> usize {
        let entries = |stripe: &Mutex<Stripe>| {
            let stripe = guard(stripe);
            stripe.young.len() + stripe.old.len()
        };
        self.stripes.iter().map(entries).sum()
    }
}
