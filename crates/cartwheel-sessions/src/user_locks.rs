//! Locks that keep the records of each user, and of each product, in the order of the stream.

use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

use rustc_hash::FxBuildHasher;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// Users share this many locks, and so do products.
const LOCKS: usize = 1024;

/// The locks of some users, held from reading their sessions over putting records to
/// applying them. Dropping it releases them.
#[derive(Debug)]
pub struct UserLock {
    _guards: Vec<OwnedMutexGuard<()>>,
}

/// The locks of all users.
#[derive(Debug)]
pub(crate) struct UserLocks(Vec<Arc<Mutex<()>>>);

impl UserLocks {
    pub(crate) fn new() -> Self {
        Self((0..LOCKS).map(|_| Arc::default()).collect())
    }

    /// Waits for the locks of `keys`: users, or products.
    pub(crate) async fn lock<'a, K: Hash + 'a>(
        &self,
        keys: impl IntoIterator<Item = &'a K>,
    ) -> UserLock {
        let mut indices: Vec<usize> = keys.into_iter().map(index).collect();
        // Every caller takes locks in the same order, so that no two wait for each other.
        indices.sort_unstable();
        indices.dedup();
        let mut guards = Vec::with_capacity(indices.len());
        for index in indices {
            guards.push(Arc::clone(&self.0[index]).lock_owned().await);
        }
        UserLock { _guards: guards }
    }

    /// Waits for the locks of all users.
    pub(crate) async fn lock_everyone(&self) -> UserLock {
        let mut guards = Vec::with_capacity(LOCKS);
        for lock in &self.0 {
            guards.push(Arc::clone(lock).lock_owned().await);
        }
        UserLock { _guards: guards }
    }
}

fn index(key: &impl Hash) -> usize {
    // The cache chooses its stripes by lower bits.
    (FxBuildHasher.hash_one(key) >> 26) as usize % LOCKS
}
