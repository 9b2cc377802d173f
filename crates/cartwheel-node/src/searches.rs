//! What shoppers searched for.

use cartwheel_api::{QueryCount, SearchCounts};
use cartwheel_lake::{Lake, LakeError, SearchCount};

/// Most events that are read for an answer: 24 bytes each.
const MAX_EVENTS: usize = 2_000_000;
/// Shoppers who have to have asked a query before it is named. What only one or two have written
/// may tell who they are: an address, an order, a name.
const MIN_SHOPPERS: u64 = 3;

const DAY_MS: i64 = 86_400_000;

/// The searches of the last `days` days until `now_ms`, UTC milliseconds.
///
/// # Errors
/// When the lake cannot be read.
pub(crate) fn searches(lake: &Lake, days: usize, now_ms: i64) -> Result<SearchCounts, LakeError> {
    let span_ms = i64::try_from(days).unwrap_or(1).saturating_mul(DAY_MS);
    let found = lake.searches(now_ms.saturating_sub(span_ms), now_ms + 1, MAX_EVENTS)?;
    let searches = found.queries.iter().map(|count| count.searches).sum();
    let named = found.queries.into_iter().filter(|count| count.shoppers >= MIN_SHOPPERS);
    let view = |count: SearchCount| {
        let SearchCount { query, searches, shoppers, followed } = count;
        QueryCount { query, searches, shoppers, followed }
    };
    Ok(SearchCounts {
        since_ms: found.since_ms,
        min_shoppers: MIN_SHOPPERS,
        searches,
        queries: named.map(view).collect(),
    })
}
