//! Time and ids, given from outside so that tests can set them.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use uuid::{NoContext, Timestamp, Uuid};

/// Gives UTC milliseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub struct Clock(pub fn() -> i64);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        })
    }

    /// Now.
    pub fn now_ms(self) -> i64 {
        (self.0)()
    }
}

/// Makes new ids from the time in UTC milliseconds.
#[derive(Clone)]
pub struct Ids(pub Arc<dyn Fn(i64) -> String + Send + Sync>);

impl std::fmt::Debug for Ids {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ids")
    }
}

impl Ids {
    /// UUIDs of version 7: in order of time, and random below the millisecond.
    pub fn uuid_v7() -> Self {
        Self(Arc::new(|now_ms| {
            let ms = u64::try_from(now_ms).unwrap_or(0);
            let nanos = (ms % 1000) as u32 * 1_000_000;
            Uuid::new_v7(Timestamp::from_unix(NoContext, ms / 1000, nanos)).to_string()
        }))
    }

    /// A new id.
    pub fn next(&self, now_ms: i64) -> String {
        (self.0)(now_ms)
    }
}
