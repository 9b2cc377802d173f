//! Putting records into the stream, with problems for what it refuses.

use cartwheel_events::Record;
use cartwheel_stream::{Position, PutError, Stream};

use crate::http::problem::{Kind, Problem};

/// Stores the records, where there are any: one result each, in their order.
pub(crate) async fn put(
    stream: &dyn Stream,
    records: Vec<Record>,
) -> Vec<Result<Position, Problem>> {
    if records.is_empty() {
        return Vec::new();
    }
    let results = stream.put(records).await;
    results.into_iter().map(|result| result.map_err(problem)).collect()
}

fn problem(error: PutError) -> Problem {
    match error {
        PutError::Throttled => {
            Problem::new(Kind::Throttled, "The stream takes no more events now.")
        }
        PutError::Stopped => Problem::new(Kind::Unavailable, "The server stops."),
        PutError::TooLarge => {
            Problem::new(Kind::PayloadTooLarge, "The event is larger than the stream takes.")
        }
        error => {
            // The log says once why; every request would say it again.
            tracing::debug!(%error, "records were not stored");
            Problem::new(Kind::Unavailable, "The event cannot be stored now.")
        }
    }
}
