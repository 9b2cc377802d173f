//! What followed from recommendations: answers joined with the events that name them.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use rustc_hash::FxHasher;

use crate::error::LakeError;
use crate::files::partition::hours_between;
use crate::files::parts::{PartsRead, live_parts, read_parts};
use crate::files::scan::{footer, scan};
use crate::lake::Lake;
use crate::read::feedback_join::Join;
use crate::read::reactions::{FeedbackKey, ProductKey, Reactions};
use crate::read::ties::{Ties, read as read_ties};

/// Columns of `impressions`; files of earlier releases lack some of them.
const ANSWERS: [&str; 9] = [
    "recommendation_id",
    "user_id",
    "release",
    "product_ids",
    "sources",
    "placement",
    "rules",
    "propensities",
    "received_at_ms",
];
/// Columns of `events`.
const EVENTS: [&str; 7] = [
    "user_id",
    "event",
    "product_ids",
    "quantities",
    "prices",
    "recommendation_id",
    "received_at_ms",
];

/// The figures of a span of time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Feedback {
    /// By what they are about.
    pub rows: BTreeMap<FeedbackKey, Reactions>,
    /// The figures are those of one in this many shoppers, because there were too many answers.
    pub one_in: u32,
    /// Parts that could not be read, each with its path and the error. The figures lack their
    /// records.
    pub problems: Vec<String>,
}

/// The figures of a span of time by product.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProductFeedback {
    /// By what they are about.
    pub rows: BTreeMap<ProductKey, Reactions>,
    /// The figures are those of one in this many shoppers, because there were too many answers.
    pub one_in: u32,
    /// Parts that could not be read, each with its path and the error.
    pub problems: Vec<String>,
}

/// Answers with what followed.
struct Joined {
    join: Join,
    one_in: u32,
    problems: Vec<String>,
}

impl Lake {
    /// Joins the answers from `from_ms` until before `to_ms` with the events of the
    /// `window_ms` after each. Of about `limit` answers at most are in memory: if there are more, the
    /// figures are those of a part of the shoppers.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub fn feedback(
        &self,
        from_ms: i64,
        to_ms: i64,
        window_ms: i64,
        limit: u64,
    ) -> Result<Feedback, LakeError> {
        let Joined { join, one_in, problems } = self.joined(from_ms, to_ms, window_ms, limit)?;
        Ok(Feedback { rows: join.rows(), one_in, problems })
    }

    /// The same by product: of the `most` combinations of product, placement and source that were
    /// shown most often.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub fn product_feedback(
        &self,
        from_ms: i64,
        to_ms: i64,
        window_ms: i64,
        limit: u64,
        most: usize,
    ) -> Result<ProductFeedback, LakeError> {
        let Joined { join, one_in, problems } = self.joined(from_ms, to_ms, window_ms, limit)?;
        Ok(ProductFeedback { rows: join.products(most), one_in, problems })
    }

    fn joined(
        &self,
        from_ms: i64,
        to_ms: i64,
        window_ms: i64,
        limit: u64,
    ) -> Result<Joined, LakeError> {
        let answers = || self.parts_between("impressions", from_ms, to_ms);
        let events = || self.parts_between("events", from_ms, to_ms.saturating_add(window_ms));
        let counted = answers()?;
        // A part that has gone since is counted by the part that replaces it, once it is read.
        let rows: u64 = counted.iter().filter_map(|path| Some(footer(path).ok()?.rows)).sum();
        let one_in = u32::try_from(rows.div_ceil(limit.max(1)).max(1)).unwrap_or(u32::MAX);
        let PartsRead { content: mut ties, mut problems } =
            read_parts(events, |path, ties: &mut Ties| read_ties(path, ties))?;
        ties.sort();
        let is_asked = |user: &str| {
            let mut hasher = FxHasher::default();
            user.hash(&mut hasher);
            one_in == 1 || (hasher.finish() >> 32).is_multiple_of(u64::from(one_in))
        };
        let read = |path: &Path, join: &mut Join| {
            scan(path, Some(&ANSWERS), |batch| {
                join.add_answers(batch, from_ms..to_ms, &ties, is_asked)
            })
        };
        let PartsRead { content: mut join, problems: more } = read_parts(answers, read)?;
        problems.extend(more);
        let read = |path: &Path, found: &mut Vec<_>| {
            scan(path, Some(&EVENTS), |batch| join.read_events(batch, &ties, is_asked, found))
        };
        let PartsRead { content: found, problems: more } = read_parts(events, read)?;
        // Parts of events are read twice.
        let new: Vec<String> = more.into_iter().filter(|one| !problems.contains(one)).collect();
        problems.extend(new);
        join.apply(found, window_ms);
        Ok(Joined { join, one_in, problems })
    }

    /// Live parts of a delivered table in the hours of a time range, the oldest hour first.
    pub(crate) fn parts_between(
        &self,
        table: &str,
        from_ms: i64,
        to_ms: i64,
    ) -> Result<Vec<PathBuf>, LakeError> {
        let mut paths = Vec::new();
        for (_, folder) in hours_between(&self.dir().join(table), from_ms, to_ms)? {
            paths.extend(live_parts(&folder)?);
        }
        Ok(paths)
    }
}
