//! Sessions in memory, with the knowledge of which of them are not yet written.

use std::convert::Infallible;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cartwheel_events::UserId;
use parking_lot::Mutex;
use rustc_hash::{FxBuildHasher, FxHashMap};
use tokio::sync::Notify;

use crate::session::Session;
use crate::session_table::StoreError;

/// Parts of the cache, each with a lock of its own.
const STRIPES: usize = 64;
/// A flush is due once one in this many of the allowed unwritten sessions are unwritten.
const FLUSH_DUE: usize = 4;
/// Bytes that a session may take while as many users as the capacity are cached. After 64 events, one
/// takes some 10 kB; the largest take 200 kB.
const SESSION_BYTES: usize = 16 << 10;

/// How a cached session relates to the stored one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// They are equal: the entry may be evicted.
    Clean,
    /// The cached session is newer.
    Dirty,
    /// A flush is writing it. If it were evicted now, the old session would be read again.
    Writing,
}

/// A cached user. `session` is `None` when the table holds no session of the user.
#[derive(Debug)]
struct Entry {
    session: Option<Arc<Session>>,
    state: State,
    /// The bytes of the session.
    bytes: usize,
}

impl Entry {
    fn loaded(session: Option<Arc<Session>>) -> Self {
        let bytes = session.as_ref().map_or(0, |session| session.bytes());
        Self { session, state: State::Clean, bytes }
    }
}

/// Two generations: an access moves a user to `young`. When `young` is full it becomes
/// `old`, and the clean entries of the former `old` are evicted.
#[derive(Debug, Default)]
struct Stripe {
    young: FxHashMap<UserId, Entry>,
    /// The bytes of the sessions in `young`.
    young_bytes: usize,
    old: FxHashMap<UserId, Entry>,
    /// Users whose entry became dirty since the last flush.
    dirty: Vec<UserId>,
}

impl Stripe {
    fn get_mut(&mut self, user: &UserId) -> Option<&mut Entry> {
        match self.young.get_mut(user) {
            Some(entry) => Some(entry),
            None => self.old.get_mut(user),
        }
    }
}

/// The cached sessions.
#[derive(Debug)]
pub(crate) struct SessionCache {
    stripes: Vec<Mutex<Stripe>>,
    /// Users in a generation of a stripe.
    generation_size: usize,
    /// Entries that are not clean, and the bytes of their sessions.
    unwritten: AtomicUsize,
    unwritten_bytes: AtomicUsize,
    max_unwritten: usize,
    flush_due: Notify,
}

impl SessionCache {
    /// A cache of about `capacity` users, all of which may be unwritten.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            stripes: (0..STRIPES).map(|_| Mutex::default()).collect(),
            generation_size: (capacity / STRIPES / 2).max(1),
            unwritten: AtomicUsize::new(0),
            unwritten_bytes: AtomicUsize::new(0),
            max_unwritten: capacity.max(1),
            flush_due: Notify::new(),
        }
    }

    fn stripe(&self, user: &UserId) -> &Mutex<Stripe> {
        // The maps within a stripe use other bits of the same hash.
        &self.stripes[(FxBuildHasher.hash_one(user) >> 20) as usize % STRIPES]
    }

    /// Returns the session of a user, from `load` if the user is not cached.
    pub(crate) fn get(
        &self,
        user: &UserId,
        load: impl FnOnce() -> Result<Option<Arc<Session>>, StoreError>,
    ) -> Result<Option<Arc<Session>>, StoreError> {
        let mut stripe = self.stripe(user).lock();
        Ok(self.entry(&mut stripe, user, load)?.session.clone())
    }

    /// Changes the session of a user and returns it. `change` tells whether it changed
    /// anything: if so, the session has to be written.
    pub(crate) fn change<E>(
        &self,
        user: &UserId,
        load: impl FnOnce() -> Result<Option<Arc<Session>>, E>,
        change: impl FnOnce(&mut Arc<Session>) -> bool,
    ) -> Result<Arc<Session>, E> {
        let mut stripe = self.stripe(user).lock();
        let entry = self.entry(&mut stripe, user, load)?;
        let session = entry.session.get_or_insert_default();
        let is_changed = change(session);
        let session = Arc::clone(session);
        if is_changed {
            let before = std::mem::replace(&mut entry.bytes, session.bytes());
            let after = entry.bytes;
            let state = std::mem::replace(&mut entry.state, State::Dirty);
            // The entry is young: it has just been found.
            stripe.young_bytes = stripe.young_bytes.saturating_sub(before) + after;
            if state != State::Dirty {
                stripe.dirty.push(user.clone());
            }
            if state == State::Clean {
                self.unwritten.fetch_add(1, Ordering::Relaxed);
                self.unwritten_bytes.fetch_add(after, Ordering::Relaxed);
            } else {
                self.unwritten_bytes.fetch_add(after, Ordering::Relaxed);
                self.unwritten_bytes.fetch_sub(before, Ordering::Relaxed);
            }
            if state == State::Clean && self.is_filled(FLUSH_DUE) {
                self.flush_due.notify_one();
            }
        }
        Ok(session)
    }

    /// Replaces the session of a user, whatever it was.
    pub(crate) fn replace(&self, user: &UserId, session: Session) {
        let replace = |old: &mut Arc<Session>| {
            *old = Arc::new(session);
            true
        };
        let Ok::<_, Infallible>(_) = self.change(user, || Ok(None), replace);
    }

    /// Finds or loads the user's entry and makes it young.
    fn entry<'a, E>(
        &self,
        stripe: &'a mut Stripe,
        user: &UserId,
        load: impl FnOnce() -> Result<Option<Arc<Session>>, E>,
    ) -> Result<&'a mut Entry, E> {
        if !stripe.young.contains_key(user) {
            let entry = match stripe.old.remove(user) {
                Some(entry) => entry,
                None => Entry::loaded(load()?),
            };
            if stripe.young.len() >= self.generation_size
                || stripe.young_bytes >= self.generation_size * SESSION_BYTES
            {
                stripe.old.retain(|_, entry| entry.state != State::Clean);
                let young = std::mem::take(&mut stripe.young);
                stripe.old.extend(young);
                stripe.young_bytes = 0;
            }
            stripe.young_bytes += entry.bytes;
            stripe.young.insert(user.clone(), entry);
        }
        // The entry is there: this only finds it.
        Ok(stripe.young.entry(user.clone()).or_insert_with(|| Entry::loaded(None)))
    }

    /// Returns the number of unwritten sessions.
    pub(crate) fn unwritten(&self) -> usize {
        self.unwritten.load(Ordering::Relaxed)
    }

    /// Tells whether as many sessions are unwritten as memory may hold.
    pub(crate) fn is_full(&self) -> bool {
        self.is_filled(1)
    }

    /// Tells whether one in `parts` of the sessions, or of the bytes, that may be unwritten are.
    fn is_filled(&self, parts: usize) -> bool {
        let max_bytes = self.max_unwritten.saturating_mul(SESSION_BYTES);
        self.unwritten() >= self.max_unwritten.div_ceil(parts)
            || self.unwritten_bytes.load(Ordering::Relaxed) >= max_bytes.div_ceil(parts)
    }

    /// Waits until so many sessions are unwritten that a flush should not wait for its
    /// time. In a full cache the next change has to wait for a flush.
    pub(crate) async fn flush_due(&self) {
        self.flush_due.notified().await;
    }

    /// Returns the users whose sessions became dirty since the last call. For each of them,
    /// [`Self::begin_write`] and then [`Self::end_write`] have to follow.
    pub(crate) fn take_dirty(&self) -> Vec<UserId> {
        let dirty = |stripe: &Mutex<Stripe>| std::mem::take(&mut stripe.lock().dirty);
        self.stripes.iter().flat_map(dirty).collect()
    }

    /// Returns the session of a user, to be written now.
    pub(crate) fn begin_write(&self, user: &UserId) -> Option<Arc<Session>> {
        let mut stripe = self.stripe(user).lock();
        let entry = stripe.get_mut(user)?;
        entry.state = State::Writing;
        entry.session.clone()
    }

    /// Notes whether the sessions of `users` were written. Sessions that changed meanwhile
    /// stay dirty.
    pub(crate) fn end_write(&self, users: &[UserId], is_written: bool) {
        for user in users {
            let mut stripe = self.stripe(user).lock();
            let Some(entry) = stripe.get_mut(user) else { continue };
            if entry.state == State::Writing {
                if is_written {
                    entry.state = State::Clean;
                    self.unwritten.fetch_sub(1, Ordering::Relaxed);
                    self.unwritten_bytes.fetch_sub(entry.bytes, Ordering::Relaxed);
                } else {
                    entry.state = State::Dirty;
                    stripe.dirty.push(user.clone());
                }
            }
        }
    }

    /// Forgets all sessions, also those that are not written.
    pub(crate) fn clear(&self) {
        for stripe in &self.stripes {
            *stripe.lock() = Stripe::default();
        }
        self.unwritten.store(0, Ordering::Relaxed);
        self.unwritten_bytes.store(0, Ordering::Relaxed);
    }

    /// Returns the number of cached users, and the bytes of their sessions.
    #[cfg(test)]
    pub(crate) fn size(&self) -> (usize, usize) {
        let mut size = (0, 0);
        for stripe in &self.stripes {
            let stripe = stripe.lock();
            for entry in stripe.young.values().chain(stripe.old.values()) {
                size = (size.0 + 1, size.1 + entry.bytes);
            }
        }
        size
    }
}
