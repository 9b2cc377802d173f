//! Time and new ids, passed in so that tests and simulations can set them.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use uuid::{NoContext, Timestamp, Uuid};

/// A source of UTC milliseconds since 1970. Clones share the source.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> i64 + Send + Sync>);

impl Clock {
    /// A clock that reads `now_ms`.
    pub fn new(now_ms: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(now_ms))
    }

    /// The machine's clock.
    pub fn system() -> Self {
        Self::new(system_ms)
    }

    /// A clock that stands still at `ms`.
    pub fn fixed(ms: i64) -> Self {
        Self::new(move || ms)
    }

    /// The current time in UTC milliseconds.
    pub fn now_ms(&self) -> i64 {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// Reads the machine's clock, in UTC milliseconds.
#[allow(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
pub fn system_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A source of new ids. Clones share the source.
#[derive(Clone)]
pub struct Ids(Arc<dyn Fn(i64) -> String + Send + Sync>);

impl Ids {
    /// Ids that `next` makes from the time in UTC milliseconds.
    pub fn new(next: impl Fn(i64) -> String + Send + Sync + 'static) -> Self {
        Self(Arc::new(next))
    }

    /// Version 7 UUIDs: ordered by time, random below the millisecond.
    pub fn uuid_v7() -> Self {
        Self::new(|now_ms| {
            let ms = u64::try_from(now_ms).unwrap_or(0);
            let nanos = (ms % 1000) as u32 * 1_000_000;
            Uuid::new_v7(Timestamp::from_unix(NoContext, ms / 1000, nanos)).to_string()
        })
    }

    /// Returns a new id.
    pub fn next(&self, now_ms: i64) -> String {
        (self.0)(now_ms)
    }
}

impl fmt::Debug for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ids")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_ordered_by_time() {
        let ids = Ids::uuid_v7();
        let (first, second, later) = (ids.next(1_000), ids.next(1_000), ids.next(1_001));
        assert_ne!(first, second);
        assert!(first < later && second < later);
    }

    #[test]
    fn a_clock_reads_its_source() {
        assert_eq!(Clock::fixed(7).now_ms(), 7);
        // 2020-01-01.
        assert!(Clock::system().now_ms() > 1_577_836_800_000);
    }
}
