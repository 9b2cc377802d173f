//! Dates for orders that have none.
//!
//! The data says how many days lie between a user's orders, but not when the newest was
//! placed. On the last day of the data a user is somewhere between two orders, so the newest
//! order is laid up to one usual gap of the user before that day, by a hash of the user's id.
//! Two imports of the same data give the same dates.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::files::partition::DAY_MS;

/// The usual gap of a shop in which no user has two orders.
const UNKNOWN_GAP: u32 = 30;
/// The longest usual gap: a longer one would lay the newest order years back.
const LONGEST_GAP: f32 = 365.0;

/// What an import assumes about the dates of orders that have none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssumedDates {
    /// The last day of the data, UTC milliseconds.
    pub last_day_ms: i64,
    /// The median of the users' usual gaps, in days.
    pub median_gap_days: u32,
}

impl AssumedDates {
    /// The assumption for users with these usual gaps.
    pub(crate) fn new(last_day_ms: i64, mut gaps: Vec<u32>) -> Self {
        gaps.sort_unstable();
        let median_gap_days = gaps.get(gaps.len() / 2).copied().unwrap_or(UNKNOWN_GAP);
        Self { last_day_ms, median_gap_days }
    }

    /// The day of a user's newest order, UTC milliseconds. A user without a usual gap is
    /// given the shop's.
    pub(crate) fn newest_day_ms(&self, user_id: &str, gap: Option<u32>) -> i64 {
        let gap = gap.unwrap_or(self.median_gap_days).max(1);
        let mut first = [0; 8];
        first.copy_from_slice(&Sha256::digest(user_id.as_bytes())[..8]);
        let days_ago = u64::from_be_bytes(first) % u64::from(gap);
        self.last_day_ms - days_ago as i64 * DAY_MS
    }
}

impl fmt::Display for AssumedDates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = jiff::Timestamp::from_millisecond(self.last_day_ms).unwrap_or_default();
        write!(
            f,
            "The orders have no dates. Assumed: the data ends on {}; each user's newest order is \
             up to one usual gap of the user before that day (median: {} days), and each earlier \
             order as many days before the next one as the data says.",
            last.strftime("%Y-%m-%d"),
            self.median_gap_days
        )
    }
}

/// A user's usual gap: the mean of the days between the user's orders, at least 1. `None`
/// if the data has no such days.
pub(crate) fn usual_gap(days: impl Iterator<Item = f32>) -> Option<u32> {
    let (mut sum, mut count) = (0.0, 0);
    for days in days {
        sum += days;
        count += 1;
    }
    (count > 0).then(|| (sum / count as f32).round().clamp(1.0, LONGEST_GAP) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_orders_are_spread_over_one_usual_gap() {
        let last_day_ms = 20_000 * DAY_MS;
        let dates = AssumedDates::new(last_day_ms, vec![7, 30, 7]);
        assert_eq!(dates.median_gap_days, 7);
        let days_ago =
            |user: u32, gap| (last_day_ms - dates.newest_day_ms(&format!("u{user}"), gap)) / DAY_MS;
        let mut counts = [0; 7];
        for user in 0..700 {
            counts[days_ago(user, None) as usize] += 1;
            assert_eq!(days_ago(user, Some(1)), 0);
            assert!((0..30).contains(&days_ago(user, Some(30))));
        }
        assert!(counts.iter().all(|&count| count > 60), "{counts:?}");
        assert_eq!(days_ago(3, Some(30)), days_ago(3, Some(30)));
    }

    #[test]
    fn a_usual_gap_is_a_mean_within_bounds() {
        assert_eq!(usual_gap([7.0, 8.0, 9.0].into_iter()), Some(8));
        assert_eq!(usual_gap([0.0].into_iter()), Some(1));
        assert_eq!(usual_gap([1e5].into_iter()), Some(365));
        assert_eq!(usual_gap([].into_iter()), None);
        assert_eq!(AssumedDates::new(0, Vec::new()).median_gap_days, UNKNOWN_GAP);
    }
}
