//! Access to shoppers' data, in this process or in a service.

use std::sync::Arc;

use cartwheel_events::{EventRecord, UserId};
use cartwheel_stream::{Pending, Position};

use crate::session::Session;
use crate::session_table::StoreError;
use crate::sessions::Sessions;
use crate::user_locks::UserLock;

/// The stored data of a shopper.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shopper {
    /// The session, `None` when it has expired or never existed.
    pub session: Option<Arc<Session>>,
    /// The user's encoded record of the requested feature set, `None` when the set has no
    /// such user or the store holds no records.
    pub record: Option<Vec<u8>>,
}

/// Stores sessions, and user records unless the release holds them.
///
/// A record that is already applied is skipped, so a replay changes nothing.
pub trait UserStore: Send + Sync {
    /// Tells whether events may be accepted.
    fn is_ready(&self) -> bool;

    /// Waits for the locks of `users`. Returns `None` when the stream alone keeps the order
    /// of a user's events, because several processes accept them.
    fn lock<'a>(&'a self, users: &'a [UserId]) -> Pending<'a, Option<UserLock>>;

    /// Reads the data of each of `users`, in their order, with one request. Records are
    /// those of `feature_set`; without one, only sessions are read.
    fn find<'a>(
        &'a self,
        users: &'a [UserId],
        feature_set: Option<&'a str>,
        now_ms: i64,
    ) -> Pending<'a, Result<Vec<Shopper>, StoreError>>;

    /// Returns the session after a record that was put. `before` is the session that was
    /// read ahead of it; it is passed by value so that it can be changed without a copy.
    /// When another process consumes the stream, the result is not stored.
    fn accept<'a>(
        &'a self,
        before: Option<Arc<Session>>,
        position: Position,
        record: &'a EventRecord,
    ) -> Pending<'a, Result<Arc<Session>, StoreError>>;

    /// Applies records of a shard in their order, for the stream's consumer.
    fn apply<'a>(
        &'a self,
        records: &'a [(Position, EventRecord)],
    ) -> Pending<'a, Result<(), StoreError>>;
}

/// Sessions of this process. The release holds the user records.
impl UserStore for Sessions {
    fn is_ready(&self) -> bool {
        Self::is_ready(self)
    }

    fn lock<'a>(&'a self, users: &'a [UserId]) -> Pending<'a, Option<UserLock>> {
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
        // The cache holds the same session: without this reference it is changed in place.
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
