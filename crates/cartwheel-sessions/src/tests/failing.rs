//! A table that fails.

use std::sync::atomic::AtomicBool;

use super::*;

/// A table whose commits fail while `is_failing`.
pub(super) struct Failing {
    table: Arc<dyn SessionTable>,
    is_failing: AtomicBool,
}

impl Failing {
    pub(super) fn new(table: Arc<dyn SessionTable>) -> Self {
        Self { table, is_failing: AtomicBool::new(true) }
    }

    pub(super) fn set(&self, is_failing: bool) {
        self.is_failing.store(is_failing, Ordering::SeqCst);
    }
}

impl SessionTable for Failing {
    fn session(&self, user: &UserId) -> Result<Option<Session>, StoreError> {
        self.table.session(user)
    }
    fn checkpoint(&self, shard: u32) -> Result<Sequence, StoreError> {
        self.table.checkpoint(shard)
    }
    fn commit(
        &self,
        checkpoints: &[Position],
        sessions: &mut dyn Iterator<Item = (UserId, Arc<Session>)>,
    ) -> Result<(), StoreError> {
        match self.is_failing.load(Ordering::SeqCst) {
            true => Err(StoreError::Full(0)),
            false => self.table.commit(checkpoints, sessions),
        }
    }
    fn imports(&self) -> Result<Vec<String>, StoreError> {
        self.table.imports()
    }
    fn set_imports(&self, ids: &[String]) -> Result<(), StoreError> {
        self.table.set_imports(ids)
    }
    fn sweep(&self, _: Option<&str>, _: usize, _: i64) -> Result<Option<String>, StoreError> {
        Ok(None)
    }
    fn purge(&self, now_ms: i64) -> Result<(), StoreError> {
        self.table.purge(now_ms)
    }
}
