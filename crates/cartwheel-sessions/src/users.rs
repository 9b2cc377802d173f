//! What requests and consumers need of shoppers, wherever they are kept.

use std::sync::Arc;

use cartwheel_events::{EventRecord, UserId};
use cartwheel_stream::{Pending, Position};

use crate::session::Session;
use crate::sessions::{Sessions, UserLock};
use crate::store::StoreError;

/// What is stored of one shopper.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shopper {
    /// The session, none for one that is over or never was.
    pub session: Option<Arc<Session>>,
    /// The user's record of the feature set that was asked for, encoded; none where
    /// the set has no such user or is not kept here.
    pub record: Option<Vec<u8>>,
}

/// Sessions, and user records where a release does not hold them itself.
///
/// A record that was applied is skipped, so that a replay changes nothing.
pub trait UserStore: Send + Sync {
    /// Whether events may be accepted.
    fn is_ready(&self) -> bool;

    /// Waits for the turn of `users`, where one process keeps their order.
    fn turn<'a>(&'a self, users: &'a [UserId]) -> Pending<'a, Option<UserLock>>;

    /// What is stored of each of `users`, in their order: one read for all. Records
    /// are those of `feature_set`; without one only sessions are read.
    fn find<'a>(
        &'a self,
        users: &'a [UserId],
        feature_set: Option<&'a str>,
        now_ms: i64,
    ) -> Pending<'a, Result<Vec<Shopper>, StoreError>>;

    /// The session after a record that was put, `before` being the one read ahead of
    /// it, given away so that it need not be copied to be changed. Where another process
    /// consumes the stream, the session is for this answer alone.
    fn accept<'a>(
        &'a self,
        before: Option<Arc<Session>>,
        position: Position,
        record: &'a EventRecord,
    ) -> Pending<'a, Result<Arc<Session>, StoreError>>;

    /// Applies records of a shard, in their order, as the stream's consumer does.
    fn apply<'a>(
        &'a self,
        records: &'a [(Position, EventRecord)],
    ) -> Pending<'a, Result<(), StoreError>>;
}

/// Sessions of this process: the release holds the user records.
impl UserStore for Sessions {
    fn is_ready(&self) -> bool {
        Self::is_ready(self)
    }

    fn turn<'a>(&'a self, users: &'a [UserId]) -> Pending<'a, Option<UserLock>> {
        Box::pin(async move { Some(self.lock_all(users).await) })
    }

    fn find<'a>(
        &'a self,
        users: &'a [UserId],
        _feature_set: Option<&'a str>,
        now_ms: i64,
    ) -> Pending<'a, Result<Vec<Shopper>, StoreError>> {
        let find = |user| Ok(Shopper { session: self.session(user, now_ms)?, record: None });
        Box::pin(std::future::ready(users.iter().map(find).collect()))
    }

    fn accept<'a>(
        &'a self,
        before: Option<Arc<Session>>,
        position: Position,
        record: &'a EventRecord,
    ) -> Pending<'a, Result<Arc<Session>, StoreError>> {
        drop(before);
        Box::pin(std::future::ready(self.apply(position, record)))
    }

    fn apply<'a>(
        &'a self,
        records: &'a [(Position, EventRecord)],
    ) -> Pending<'a, Result<(), StoreError>> {
        let mut all = records.iter();
        let applied =
            all.try_for_each(|(position, record)| self.apply(*position, record).map(drop));
        Box::pin(std::future::ready(applied))
    }
}
