//! How long to wait after a failed delivery.

use std::time::Duration;

/// The pause after the first failure.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Returns the pause after that many failures in a row. It doubles up to a minute, and is then
/// shortened by up to half, depending on `salt`, so that several consumers do not retry at the
/// same time.
pub(crate) fn backoff(failures: u32, salt: u64) -> Duration {
    let longest = FIRST_PAUSE * 2_u32.saturating_pow(failures.saturating_sub(1).min(16));
    // An odd constant spreads the salt over all bits (Knuth's multiplicative hash).
    let share = (salt.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11) as f64 / (1_u64 << 53) as f64;
    longest.min(LONGEST_PAUSE).mul_f64(1.0 - share / 2.0)
}
