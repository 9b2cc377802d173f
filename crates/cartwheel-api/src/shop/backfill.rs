//! Events that keep their own times.

use cartwheel_events::{Event, EventKind};

use crate::http::problem::{Kind, Problem};

/// 1990-01-01, UTC milliseconds. Earlier times are mistakes of a unit or a default.
const EARLIEST_MS: i64 = 631_152_000_000;
/// How far a client's clock may be ahead, in milliseconds.
const AHEAD_MS: i64 = 24 * 3_600_000;
/// The age from which a live event's timestamp is worth a warning, in milliseconds.
const OLD_MS: i64 = 3_600_000;

/// What an answer says about an event with an old timestamp.
pub(crate) const OLD_TIMESTAMP: &str = "The timestamp is more than an hour old and does not date the event, which counts from its \
     arrival. POST /v1/events?backfill=true, with an admin key, keeps the times of past events.";

/// Whether a live event's timestamp lies so far back that its sender may mean to backfill.
pub(crate) fn is_old(event: &Event, now_ms: i64) -> bool {
    event.timestamp_ms.is_some_and(|at_ms| now_ms.saturating_sub(at_ms) > OLD_MS)
}

/// Returns the time of an event that is to be backfilled, UTC milliseconds.
///
/// # Errors
/// When the time is missing or impossible, or a checkout names no products: the cart of that
/// time is not known.
pub(crate) fn time(event: &Event, now_ms: i64) -> Result<i64, Problem> {
    const EXPECTED: &str = "UTC milliseconds from 1990 until one day from now";
    let Some(at_ms) = event.timestamp_ms else {
        let detail = "A backfilled event has no timestamp.";
        return Err(Problem::field("timestamp", detail, EXPECTED));
    };
    if !(EARLIEST_MS..=now_ms.saturating_add(AHEAD_MS)).contains(&at_ms) {
        let detail = "The timestamp of a backfilled event is impossible.";
        return Err(Problem::field("timestamp", detail, EXPECTED));
    }
    if event.kind == EventKind::Checkout && event.items.is_empty() {
        let detail =
            "A backfilled checkout has no products, and the cart of that time is not known.";
        return Err(Problem {
            field: Some("product_ids".to_owned()),
            expected: Some("the products that were bought".to_owned()),
            ..Problem::new(Kind::EmptyCart, detail)
        });
    }
    Ok(at_ms)
}
