//! What shoppers searched for, and whether they looked at a product then.

use std::hash::{Hash, Hasher};
use std::io;
use std::path::Path;

use arrow_array::{Array, RecordBatch};
use cartwheel_events::EventKind;
use rustc_hash::{FxHashMap, FxHasher};

use crate::error::LakeError;
use crate::files::partition::{HOUR_MS, hours_between};
use crate::files::parts::{PartsRead, live_parts, read_parts};
use crate::files::scan::{footer, numbers, optional_texts, scan, texts};
use crate::lake::Lake;
use crate::read::ties::{Ties, read as read_ties};

/// Columns of `events`.
const EVENTS: [&str; 5] = ["user_id", "event", "query", "recommendation_id", "received_at_ms"];
/// How long after a search an event counts for it, and the same query of a shopper is the same
/// search.
const SEARCH_MS: i64 = 30 * 60 * 1000;
/// Most different queries. Those that come later are left out: a frequent one is among the first.
const MAX_QUERIES: usize = 200_000;

/// How often a query was asked. Queries are in lower case, with one space between words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchCount {
    /// The query.
    pub query: String,
    /// How often it was asked. A shopper's same query within half an hour counts once.
    pub searches: u64,
    /// Shoppers who asked it.
    pub shoppers: u64,
    /// Searches after which the shopper looked at a product or added it to the cart, within half
    /// an hour and before the next search, and not from a recommendation.
    pub followed: u64,
}

/// The searches of a span of time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Searches {
    /// The queries, the most frequent first.
    pub queries: Vec<SearchCount>,
    /// When the span begins, UTC milliseconds.
    pub since_ms: i64,
}

impl Lake {
    /// Counts the delivered searches from `from_ms` until before `to_ms`, UTC milliseconds. If
    /// there are more than `limit` events, the span begins later, at a full hour; of a single hour
    /// with more, the first `limit` searches and looks count.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub fn searches(&self, from_ms: i64, to_ms: i64, limit: usize) -> Result<Searches, LakeError> {
        let since_ms = self.newest(from_ms, to_ms, limit)?;
        let events = || self.parts_between("events", since_ms, to_ms);
        let PartsRead { content: mut ties, .. } =
            read_parts(events, |path, ties: &mut Ties| read_ties(path, ties))?;
        ties.sort();
        let read = |path: &Path, visits: &mut Visits| {
            scan(path, Some(&EVENTS), |batch| {
                let range = since_ms..to_ms;
                visits.add(batch, |at_ms| range.contains(&at_ms), &ties, limit)
            })
        };
        let PartsRead { content: visits, problems } = read_parts(events, read)?;
        for problem in problems {
            tracing::warn!(problem, "a part of the events is not counted among searches");
        }
        Ok(Searches { queries: visits.counted(), since_ms })
    }

    /// The begin of the span until `to_ms` that has at most `limit` events, or one hour.
    fn newest(&self, from_ms: i64, to_ms: i64, limit: usize) -> Result<i64, LakeError> {
        let root = self.dir().join("events");
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        let mut events = 0;
        for (hour, folder) in hours_between(&root, from_ms, to_ms)?.into_iter().rev() {
            let parts = live_parts(&folder)?;
            // A part that cannot be read is reported when it is read.
            let rows: u64 = parts.iter().filter_map(|path| Some(footer(path).ok()?.rows)).sum();
            if rows > 0 && events > 0 && events + rows > limit {
                return Ok(from_ms.max(hour + HOUR_MS));
            }
            events += rows;
        }
        Ok(from_ms)
    }
}

/// An event of a shopper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Step {
    /// A hash of the shopper.
    shopper: u64,
    at_ms: i64,
    /// The number of the query; `None` for a look at a product.
    query: Option<u32>,
}

/// What shoppers did that matters for searches.
#[derive(Default)]
struct Visits {
    queries: FxHashMap<String, u32>,
    steps: Vec<Step>,
}

impl Visits {
    /// Adds the searches and looks of a batch, up to `limit` in all.
    fn add(
        &mut self,
        batch: &RecordBatch,
        counts: impl Fn(i64) -> bool,
        ties: &Ties,
        limit: usize,
    ) -> io::Result<()> {
        let (user, kind) = (texts(batch, "user_id")?, texts(batch, "event")?);
        let received = numbers(batch, "received_at_ms")?;
        let queries = optional_texts(batch, "query");
        let named = optional_texts(batch, "recommendation_id");
        for row in 0..batch.num_rows() {
            let at_ms = received.value(row);
            if !counts(at_ms) || self.steps.len() >= limit {
                continue;
            }
            let query = match EventKind::parse(kind.value(row)) {
                Some(EventKind::Search) => {
                    let text = queries.filter(|texts| texts.is_valid(row));
                    let Some(text) = text.map(|texts| plain(texts.value(row))) else { continue };
                    match self.number(text) {
                        None => continue,
                        number => number,
                    }
                }
                Some(EventKind::View | EventKind::AddToCart)
                    if named.is_none_or(|ids| ids.is_null(row)) =>
                {
                    None
                }
                _ => continue,
            };
            let user = ties.user(user.value(row), at_ms).unwrap_or(user.value(row));
            let mut hasher = FxHasher::default();
            user.hash(&mut hasher);
            self.steps.push(Step { shopper: hasher.finish(), at_ms, query });
        }
        Ok(())
    }

    /// The number of a query.
    fn number(&mut self, query: String) -> Option<u32> {
        let next = u32::try_from(self.queries.len()).ok()?;
        match self.queries.get(&query) {
            Some(number) => Some(*number),
            None if self.queries.len() == MAX_QUERIES => None,
            None => Some(*self.queries.entry(query).or_insert(next)),
        }
    }

    /// The queries with their counts, the most frequent first.
    fn counted(mut self) -> Vec<SearchCount> {
        let mut counts: Vec<SearchCount> =
            vec![
                SearchCount { query: String::new(), searches: 0, shoppers: 0, followed: 0 };
                self.queries.len()
            ];
        for (query, number) in self.queries {
            counts[number as usize].query = query;
        }
        // By shopper, in the order of time.
        self.steps.sort_unstable();
        let mut last_asker: Vec<Option<u64>> = vec![None; counts.len()];
        let mut open: Option<(Step, u32, bool)> = None;
        for step in self.steps {
            let current = open.filter(|(search, ..)| {
                search.shopper == step.shopper && step.at_ms - search.at_ms <= SEARCH_MS
            });
            match (step.query, current) {
                (Some(query), Some((_, same, is_followed))) if query == same => {
                    open = Some((step, query, is_followed));
                }
                (Some(query), _) => {
                    let count = &mut counts[query as usize];
                    count.searches += 1;
                    if last_asker[query as usize].replace(step.shopper) != Some(step.shopper) {
                        count.shoppers += 1;
                    }
                    open = Some((step, query, false));
                }
                (None, Some((search, query, false))) => {
                    counts[query as usize].followed += 1;
                    open = Some((search, query, true));
                }
                (None, _) => {}
            }
        }
        counts.sort_by(|a, b| {
            let key = |count: &SearchCount| (count.searches, count.shoppers);
            key(b).cmp(&key(a)).then_with(|| a.query.cmp(&b.query))
        });
        counts
    }
}

/// A query in lower case, with one space between words.
fn plain(query: &str) -> String {
    query.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}
