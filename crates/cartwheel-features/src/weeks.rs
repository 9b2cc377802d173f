//! Orders by week: what sold lately, as of any week.

use serde::{Deserialize, Serialize};

use crate::user::DECAY_DAYS;

/// Milliseconds of a week.
const WEEK_MS: i64 = 7 * 86_400_000;
/// Weeks that are kept, the newest: two years show a season twice.
const MAX_WEEKS: usize = 104;
/// Days after which a purchase has decayed to 1/e in the faster sum.
pub const FAST_DECAY_DAYS: f32 = 10.0;

/// Returns the week of a time in UTC milliseconds, counted from 1970.
pub fn week_of(ms: i64) -> u16 {
    u16::try_from(ms.max(0) / WEEK_MS).unwrap_or(u16::MAX)
}

/// Returns the end of a week in UTC milliseconds.
pub fn week_end_ms(week: u16) -> i64 {
    (i64::from(week) + 1) * WEEK_MS
}

/// Counts by week, oldest first: at most `MAX_WEEKS`, the newest. The merge is associative
/// and commutative.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Weeks(Vec<(u16, u32)>);

impl Weeks {
    /// Counts an order.
    pub(crate) fn add(&mut self, week: u16, count: u32) {
        match self.place(week) {
            Ok(at) => self.0[at].1 += count,
            Err(at) => {
                self.0.insert(at, (week, count));
                if self.0.len() > MAX_WEEKS {
                    self.0.remove(0);
                }
            }
        }
    }

    /// The place of a week, or where it belongs.
    fn place(&self, week: u16) -> Result<usize, usize> {
        // Most products are sold each week from the first one on.
        let since = self.0.first().and_then(|&(first, _)| week.checked_sub(first));
        match since.map(usize::from) {
            Some(at) if self.0.get(at).is_some_and(|&(found, _)| found == week) => Ok(at),
            _ => self.0.binary_search_by_key(&week, |&(week, _)| week),
        }
    }

    /// Adds the counts of other orders.
    pub(crate) fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|&(week, count)| self.add(week, count));
    }
}

/// Orders of the last weeks, each weighted by its age.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Lately {
    /// Sum of `exp(-days / DECAY_DAYS)`.
    pub slow: f32,
    /// The same sum with [`FAST_DECAY_DAYS`].
    pub fast: f32,
}

impl Lately {
    fn after(self, weeks: u16) -> Self {
        let decay = |days: f32| (-7.0 * f32::from(weeks) / days).exp();
        Self { slow: self.slow * decay(DECAY_DAYS), fast: self.fast * decay(FAST_DECAY_DAYS) }
    }
}

/// Decayed sums that can be read as of any week.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub struct Trail {
    /// The sums at the end of each week, oldest first.
    weeks: Vec<(u16, Lately)>,
    total: f32,
    /// The first of `weeks`, and its last two: a request asks for them for each of its candidates, and
    /// need not fetch what is elsewhere in memory.
    #[serde(skip_serializing)]
    first: Option<u16>,
    #[serde(skip_serializing)]
    newest: [Option<(u16, Lately)>; 2],
}

/// What is stored of a [`Trail`].
#[derive(Deserialize)]
struct Stored {
    weeks: Vec<(u16, Lately)>,
    total: f32,
}

impl From<Stored> for Trail {
    fn from(stored: Stored) -> Self {
        let Stored { weeks, total } = stored;
        let first = weeks.first().map(|&(week, _)| week);
        let mut back = weeks.iter().rev().copied();
        let newest = [back.next(), back.next()];
        Self { weeks, total, first, newest }
    }
}

impl Trail {
    /// Sums up counts by week.
    pub(crate) fn new(weeks: &Weeks) -> Self {
        let mut sum = (0, Lately::default());
        let add = |&(week, count): &(u16, u32)| {
            let before = sum.1.after(week - sum.0);
            let count = count as f32;
            sum = (week, Lately { slow: before.slow + count, fast: before.fast + count });
            sum
        };
        let total = weeks.0.iter().map(|&(_, count)| count as f32).sum();
        Self::from(Stored { weeks: weeks.0.iter().map(add).collect(), total })
    }

    /// Returns the sums over all weeks before `week`: what was known when it began.
    pub fn before(&self, week: u16) -> Lately {
        if self.first.is_none_or(|first| week <= first) {
            return Lately::default();
        }
        let earlier = |&(earlier, _): &(u16, Lately)| earlier < week;
        let newest = self.newest.into_iter().flatten().find(earlier);
        let found = newest.or_else(|| {
            let at = self.weeks.partition_point(earlier);
            at.checked_sub(1).map(|at| self.weeks[at])
        });
        found.map_or_else(Lately::default, |(earlier, sums)| sums.after(week - earlier - 1))
    }

    /// The sum of all counts that are kept.
    pub fn total(&self) -> f32 {
        self.total
    }

    /// The first and the last week with an order.
    pub fn span(&self) -> Option<(u16, u16)> {
        Some((self.first?, self.newest[0]?.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weeks(counts: &[(u16, u32)]) -> Weeks {
        let mut weeks = Weeks::default();
        counts.iter().for_each(|&(week, count)| weeks.add(week, count));
        weeks
    }

    #[test]
    fn sums_know_only_earlier_weeks() {
        let trail = Trail::new(&weeks(&[(10, 4), (12, 1)]));
        assert_eq!(trail.before(10), Lately::default());
        assert_eq!(trail.before(11), Lately { slow: 4.0, fast: 4.0 });
        let later = trail.before(13);
        assert!((later.slow - (4.0 * (-14.0 / DECAY_DAYS).exp() + 1.0)).abs() < 1e-6);
        assert!((later.fast - (4.0 * (-1.4_f32).exp() + 1.0)).abs() < 1e-6);
        assert!(trail.before(30).slow < later.slow);
        assert_eq!(trail.span(), Some((10, 12)));
        assert_eq!(Trail::default().before(5), Lately::default());
        let counts: Vec<(u16, u32)> = (20..30).map(|week| (week, u32::from(week))).collect();
        let whole = Trail::new(&weeks(&counts));
        for week in 19..32 {
            let until = counts.iter().copied().filter(|&(earlier, _)| earlier < week);
            let until = Trail::new(&weeks(&until.collect::<Vec<_>>()));
            assert_eq!(whole.before(week), until.before(week), "week {week}");
        }
    }

    #[test]
    fn the_newest_weeks_stay_in_whichever_order_they_come() {
        let all: Vec<(u16, u32)> = (0..300).map(|n| (n * 7 % 300, 1)).collect();
        let one = weeks(&all);
        let (mut a, b) = (weeks(&all[..120]), weeks(&all[120..]));
        a.merge(&b);
        assert_eq!(one.0, (196..300).map(|week| (week, 1)).collect::<Vec<_>>());
        assert_eq!(a, one);
        assert_eq!(week_of(-5), 0);
        assert_eq!(week_of(8 * 86_400_000), 1);
        assert_eq!((week_of(week_end_ms(1) - 1), week_of(week_end_ms(1))), (1, 2));
    }
}
