//! What makes earlier answers again.

use crate::operate::views::replay::Replay;

/// Makes earlier answers again. The calls may block. Errors are sentences for the log.
pub trait Replayer: Send + Sync {
    /// Makes the answer `id` again from what is stored. `None` if no such answer is. `now_ms` is the
    /// current time, UTC milliseconds.
    ///
    /// # Errors
    /// When what is stored cannot be read.
    fn replay(&self, id: &str, now_ms: i64) -> Result<Option<Replay>, String>;

    /// How long it takes at most until an answer can be found, in milliseconds.
    fn delay_ms(&self) -> i64 {
        0
    }
}

/// When an id was made, UTC milliseconds, as a UUID of version 7 tells.
pub(crate) fn made_at(id: &str) -> Option<i64> {
    let mut groups = id.split('-');
    let (high, low) = (groups.next()?, groups.next()?);
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_possible = high.len() == 8 && low.len() == 4 && is_hex(high) && is_hex(low);
    is_possible.then(|| i64::from_str_radix(&format!("{high}{low}"), 16).ok()).flatten()
}
